"""The network in PyTorch, and its conversion to one ONNX graph."""
