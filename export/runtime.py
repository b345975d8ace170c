"""The one place that imports ONNX Runtime, so that what it does beside its work is turned off for everything of ours.

Its builds for Linux collect telemetry from 1.31 on: a queue of events and a device number on disk, and uploads.
``shiftlens/__init__.py`` sets the variable that it reads when it is loaded; the call here is for a process that had
imported ONNX Runtime before shiftlens.
"""

from __future__ import annotations

import onnxruntime

onnxruntime.disable_telemetry_events()

__all__ = ["onnxruntime"]
