"""What a renderer is given: the results, the resolved settings, and the arrays of the run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shiftlens.core.arrays import FloatArray
from shiftlens.core.results.results import Results


@dataclass(frozen=True)
class Report:
    """Everything that a renderer may show. No torch, no classifier, no domain is needed.

    Attributes:
        results: what results.json holds.
        settings: the resolved settings, with every default, as plain values.
        arrays: loaded when asked for:
            ``cells`` ``(pairs, losses, features, *sample)`` float32, the grids with the real samples in place;
            ``given-back`` ``(pairs, 2, *sample)`` float32, source and target sample as encoding and decoding alone
            give them back (absent where the run was made elsewhere);
            ``series`` ``(pairs, losses, *sample)`` float32, the plain series of claim 2;
            ``strips`` ``(n, *sample)`` float32, the factor strips (absent where there are no causes);
            ``worst`` ``(n, *sample)`` float32, the target samples of `Results.worst`;
            ``intervention-cells`` ``(samples, rows, columns, *sample)`` float32, ``intervention-targets``
            ``(samples, *sample)``, the nearest real target samples, and ``intervention-sliders``
            ``(samples, changes, steps, *sample)`` (all three absent where nothing was found changed).
    """

    results: Results
    settings: Mapping[str, Any]
    arrays: Mapping[str, FloatArray]
