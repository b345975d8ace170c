"""--fail-on: what trips, and what is no condition."""

from __future__ import annotations

import pytest

from shiftlens.core.errors import InputError
from shiftlens.core.results.gates import parse_gates


@pytest.mark.parametrize("text", ["harmless", "drop", "drop=many", "fidelity=2", "harmful=1", "=0.5", "drop=nan"])
def test_what_is_no_condition_is_told(text):
    with pytest.raises(InputError, match=r"harmful, drop=0\.05 or fidelity=0\.8"):
        parse_gates([text])


def test_conditions_are_read():
    gates = parse_gates(["harmful", "drop=0.05", "fidelity=0.8"])
    assert [(gate.name, gate.limit) for gate in gates] == [("harmful", 0.0), ("drop", 0.05), ("fidelity", 0.8)]
