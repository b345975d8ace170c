"""The arrays that every signature names, by what they hold, and the classifier as a function of them.

Samples and latents are `FloatArray`; what is computed from them (losses, measures, strengths, probabilities) is
`Floats`. A dtype that only one module meets is written out there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
"""Samples and latents."""
Floats = npt.NDArray[np.float64]
"""Figures."""
IntArray = npt.NDArray[np.int64]
"""Class indices, places of samples, counts."""
BoolArray = npt.NDArray[np.bool_]
"""Masks."""
Pixels = npt.NDArray[np.uint8]
"""Images as they are stored, 0 to 255."""
Reals = npt.NDArray[np.floating]
"""Figures of either precision."""
AnyArray = npt.NDArray[Any]
"""What a file or a network holds, before it is looked at."""

Predict = Callable[[FloatArray], Floats]
"""``predict(x (n, *sample)) -> (n, classes)`` probabilities."""
