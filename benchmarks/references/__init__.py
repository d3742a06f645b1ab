"""References: other ways to serve the same model, each set up as its documentation advises.

They run in separate environments (requirements/benchmarks.in, requirements/mlserver.in), and get the artifact's folder
in a variable. Each decodes and validates the same fields, runs the same `model.onnx` on one thread, and returns id,
probability, decision and model; a file says so if it does less. None logs or profiles anything.
"""
