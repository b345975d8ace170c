"""Settings that all tests share."""

from __future__ import annotations

from hypothesis import settings

# Real data and two busy cores make single examples slow at times: no deadline, fewer examples, same every time.
settings.register_profile("shiftlens", deadline=None, max_examples=40, derandomize=True)
settings.load_profile("shiftlens")
