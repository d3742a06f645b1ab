"""The network in PyTorch, and its way into one ONNX graph."""
