"""The names under which others keep samples and labels in an .npz: Keras, MedMNIST, scikit-learn, ``np.savez``."""

from __future__ import annotations

from pathlib import Path

from shiftlens.core.errors import InputError

PAIRS = (
    ("x", "y"), ("X", "y"), ("X", "Y"), ("images", "labels"), ("data", "target"), ("data", "labels"), ("data", "label"),
    ("features", "labels"), ("samples", "labels"), ("image", "label"), ("arr_0", "arr_1"),
)  # fmt: skip
"""Names that others give to the arrays of samples and labels."""
PARTS = ("train", "val", "valid", "test")


def parts_in(members: list[str]) -> dict[str, tuple[str, str]]:
    """The samples and labels of each part of a data set, as Keras (x_train) and MedMNIST (train_images) name them."""
    found = {}
    for part in PARTS:
        forms = [(f"{x}_{part}", f"{y}_{part}") for x, y in PAIRS] + [(f"{part}_{x}", f"{part}_{y}") for x, y in PAIRS]
        pair = next((pair for pair in forms if pair[0] in members), None)
        if pair is not None:
            found[part] = pair
    return found


def archive_names(members: list[str], x: str, y: str, path: Path) -> tuple[str, str]:
    """The names of the arrays of samples and labels: as set, or, where there is no x, as others call them.

    Raises:
        InputError: there are several parts of a data set, and no word about which is meant.
    """
    if x != "x" or "x" in members:
        return x, y
    usual = next(((a, b) for a, b in PAIRS if a in members), None)
    if usual is not None:
        return usual[0], y if y != "y" else usual[1]
    parts = parts_in(members)
    if parts:
        ways = " or ".join(f"x: {a}, y: {b}" for a, b in parts.values())
        raise InputError(f"{path} holds {', '.join(parts)} of a data set; say which is meant with {ways}")
    return x, y
