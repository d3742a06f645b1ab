"""What the service is compared with: other ways to serve the same model, each as its own documentation advises.

Each runs in an environment of its own (requirements/benchmarks.in, requirements/mlserver.in), and is told the folder of
the artifact. Each decodes and validates the same fields, runs the same `model.onnx` on one thread, and answers with id,
probability, decision and model; where not all of that is done, its file says so. None logs or profiles anything.
"""
