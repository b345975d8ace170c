"""The cases of the planted-cause benchmark, and what came out of one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

from benchmarks.planted import planting as planting

FACTOR_OF = {
    planting.thicken: "stroke-thickness",
    planting.turn_hue: "hue",
    planting.rotate: "rotation",
    planting.slide: "position-x",
    planting.raise_ground: "background",
    planting.box_blur: "sharpness",
    planting.speckle: "noise",
    planting.zoom: "scale",
    planting.cover: "occlusion",
    planting.darken: "brightness",
    planting.fade_colour: "saturation",
    planting.flatten_contrast: "contrast",
    planting.jpeg: "jpeg",
}
PLANTS: dict[str, planting.Plant] = {
    plant.__name__: plant
    for plant in (*FACTOR_OF, planting.mirror, planting.swirl, planting.stripes, planting.shuffle_quarters)
}
NAMES = {plant.__name__: name for plant, name in FACTOR_OF.items()}

Mode = Literal["independent", "confounded", "fixed"]
MODES: tuple[Mode, ...] = ("independent", "confounded", "fixed")
PAIRS = {
    "figures": (
        ("thicken", "turn_hue"),
        ("rotate", "turn_hue"),
        ("raise_ground", "turn_hue"),
        ("box_blur", "turn_hue"),
        ("turn_hue", "thicken"),
    ),
    "photographs": (("zoom", "darken"), ("box_blur", "fade_colour"), ("cover", "fade_colour")),
}
NULLS = (
    ("figures", ()),
    ("figures", ("turn_hue",)),
    ("figures", ("thicken",)),
    ("photographs", ()),
    ("photographs", ("darken",)),
    ("photographs", ("fade_colour",)),
)
OUTSIDE = (
    ("figures", "mirror", "turn_hue"),
    ("figures", "swirl", "turn_hue"),
    ("figures", "shuffle_quarters", "thicken"),
    ("photographs", "stripes", "darken"),
)


@dataclass(frozen=True)
class Case:
    """One planted scenario.

    Attributes:
        data: ``"figures"`` (handwritten digits in colour) or ``"photographs"``.
        kind: ``"pair"``, ``"null"`` (nothing harmful) or ``"outside"`` (the cause is on no list of factors).
        unseen: the change that the classifier was not trained on; "" for none.
        seen: the change that it was trained on; "" for none.
        mode: how the strengths of both vary over the target samples.
        seed: of data, classifier and analysis.
    """

    data: str
    kind: str
    unseen: str
    seen: str
    mode: Mode
    seed: int

    @property
    def name(self) -> str:
        """As the table calls it."""
        return f"{self.data}: {self.unseen or '–'} / {self.seen or '–'}, {self.mode}, seed {self.seed}"


@dataclass
class Row:
    """What came out of one case.

    Attributes:
        truth: per planted change its rise of the loss, fall of the accuracy, and the standard error of the first.
        expected, named: factors that are harmful by the measured truth, and by the verdicts.
        undecided: planted factors whose true rise is worth naming or not within its own error: either answer is right.
        right: the verdicts name exactly the expected ones (outside cases: they name none, and tell that most of the
            loss is unexplained or undecided).
        errors: per planted factor that was tried: accuracy it costs by the trial minus the truth, in points.
        effects: per planted factor that was tried: its rise of the loss by the trial, and the interval.
        covered: per planted factor that was tried: is the true rise of the loss inside its interval?
        drift, correlation: the naive answers; ``drift_right`` and ``correlation_right`` as ``right``.
    """

    case: Case
    accuracy: tuple[float, float]
    truth: dict[str, tuple[float, float, float]]
    expected: list[str]
    undecided: list[str]
    named: list[str]
    right: bool
    verdicts: dict[str, str]
    errors: dict[str, float]
    effects: dict[str, tuple[float, float, float]]
    covered: dict[str, bool]
    unexplained: float | None
    headline: str
    drift: str
    drift_right: bool
    correlation: str
    correlation_right: bool
    seconds: float
    left_out: list[str] = field(default_factory=list)


def all_cases(quick: bool, seed: int) -> list[Case]:
    """Every case; the quick ones use the digits that ship with scikit-learn only."""
    if quick:
        pairs = [Case("figures", "pair", "thicken", "turn_hue", mode, seed) for mode in ("confounded", "fixed")]
        return [
            *pairs,
            Case("figures", "null", "", "turn_hue", "independent", seed),
            Case("figures", "outside", "shuffle_quarters", "turn_hue", "fixed", seed),
        ]
    cases = [
        Case(data, "pair", unseen, seen, mode, seed + repeat)
        for data, pairs_of in PAIRS.items()
        for unseen, seen in pairs_of
        for repeat in (0, 1)
        for mode in MODES
    ]
    cases += [Case(data, "null", "", seen[0] if seen else "", "independent", seed) for data, seen in NULLS]
    cases += [Case(data, "outside", unseen, seen, "independent", seed) for data, unseen, seen in OUTSIDE]
    return cases


def by_classifier(cases: Iterable[Case]) -> dict[tuple[str, str, int], list[Case]]:
    """Cases that share data, the change that was trained on, and the seed share the classifier."""
    groups: dict[tuple[str, str, int], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.data, case.seen, case.seed), []).append(case)
    return groups
