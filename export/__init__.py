"""The serving side: ONNX files, and numpy with ONNX Runtime to run them."""
