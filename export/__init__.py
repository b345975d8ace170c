"""The serving side: ONNX files, and numpy with ONNX Runtime to run them."""

from shiftlens.export.bundle import Bundle

__all__ = ["Bundle"]
