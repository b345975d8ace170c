"""results.json as types: what a run found, the one document that every renderer reads.

The names and nesting are a promise to scripts and servers; fields may be added, never renamed. Losses are in nats
(or the unit of the loss plugin), accuracies and shares are fractions, ``ci`` are 95 % intervals ``[low, high]``.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Interval = tuple[float, float]


class Record(BaseModel):
    """Base of all parts of the results."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class PerDomain(Record):
    """One figure for the source and one for the target; the target's is None where it cannot be known."""

    source: float
    target: float | None


class Samples(Record):
    """Number of samples in each domain."""

    source: int
    target: int


class Shift(Record):
    """Mean of a factor's measure in each domain."""

    source: float
    target: float
    unit: str = ""


class Axes(Record):
    """How far the generated cells move a factor along each axis, in units of the pairs' gap (averaged over pairs)."""

    loss_axis: float
    feature_axis: float
    loss_axis_ci: Interval | None = None
    feature_axis_ci: Interval | None = None
    agrees: bool | None = None


class DosePoint(Record):
    """One strength of a factor's change: the measured value it reaches, and what it costs there."""

    value: float
    loss: float
    accuracy: float
    loss_ci: Interval


class StripCell(Record):
    """One picture of a factor's strip; ``index`` points into the array ``strips``."""

    index: int
    value: float
    loss: float
    predicted: str
    correct: bool


class Distribution(Record):
    """Two histograms over the same bins: ``edges`` has one value more than the counts."""

    edges: list[float]
    source: list[int]
    target: list[int]


class Cause(Record):
    """One factor with its verdict."""

    factor: str
    verdict: Literal["harmful", "harmless", "unclear", "unchanged"]
    effect: float | None = Field(description="rise of the mean loss, nats, when this factor alone is moved")
    ci: Interval | None = None
    accuracy_effect: float | None = Field(None, description="fall of the accuracy by this change alone")
    accuracy_ci: Interval | None = None
    share: float | None = Field(None, description="Shapley part of the loss gap between the domains")
    share_ci: Interval | None = None
    shift: Shift | None = None
    reached: float | None = Field(None, description="share of the measured gap that the change alone reached")
    clipped: float | None = Field(None, description="share of values that left the valid range and were cut")
    restored: float | None = Field(None, description="accuracy that undoing it on target samples brings back")
    restored_ci: Interval | None = None
    grid: Axes | None = None
    evidence: Literal["intervention", "observation", "none"] = "none"
    rivals: list[str] = Field(default_factory=list, description="factors that explain the same gap equally well")
    shadow_of: list[str] = Field(default_factory=list, description="factors whose change moved this measure")
    safe_until: float | None = Field(None, description="value up to which the change costs nothing worth naming")
    dose: list[DosePoint] = Field(default_factory=list)
    strip: list[StripCell] = Field(default_factory=list)
    distribution: Distribution | None = None
    sentence: str


class Unexplained(Record):
    """The part of the loss gap that no measured factor explains."""

    share: float
    ci: Interval
    sentence: str = ""


class Interaction(Record):
    """Two factors that together cost more (or less) than the sum of both alone."""

    factors: tuple[str, str]
    effect: float
    ci: Interval
    sentence: str


class Fidelity(Record):
    """Agreement of the loss measured on the cells with the loss requested for them: rank correlation (and Pearson's).

    ``source`` and ``target`` are the rank correlations of the cells with the source sample's and with the target
    sample's features alone: the first and the last column.
    """

    spearman: float | None
    pearson: float | None
    cells: int
    source: float | None = None
    target: float | None = None


class Leak(Record):
    """How much of the loss can still be read from z: held-out R² of a linear reading.

    ``r2`` reads the loss of all real samples, ``source`` and ``target`` that of one domain's. Some of it is no fault:
    what merely travels with the loss shall stay in z. ``axis_r2`` reads what the trial's random changes did to the
    loss, given the label and the loss before: the loss axis's own part, of which nothing shall be left.
    """

    r2: float | None
    source: float | None = None
    target: float | None = None
    axis_r2: float | None = None


class Realism(Record):
    """Whether generated cells lie where real samples do, in the encoder's space, the axis' own part included."""

    near: float = Field(description="share of cells as near to a real sample as 95 % of real samples are to another")
    ratio: float = Field(description="median distance of a cell to the nearest real sample, over that of real samples")
    samples: int = Field(description="real samples compared with; none of the grid's own pairs")


class SecondOpinion(Record):
    """What a second classifier, trained on the source for this check alone, measures on the same cells.

    The figures on real samples say what can be expected of two classifiers that see the same thing.
    """

    fidelity: float | None = Field(description="rank correlation of its loss with the requested one")
    agreement: float = Field(description="share of cells of which it says the same class as the classifier")
    fidelity_on_real: float | None = Field(description="rank correlation of both classifiers' losses on real samples")
    agreement_on_real: float = Field(description="share of real samples of which both say the same class")
    accuracy: PerDomain = Field(description="its own; the source's on samples held out from its training")


class GridSize(Record):
    """Columns (feature steps) and rows (loss steps)."""

    features: int
    losses: int


class Cell(Record):
    """One cell of a grid. The two real samples carry ``real: true`` and are not decoded."""

    requested: float
    measured: float
    predicted: str
    confidence: float
    correct: bool
    real: bool = False
    reached: bool | None = Field(None, description="False where the loss axis cannot reach the requested loss")


class PairResult(Record):
    """One pair with its grid: ``cells[row][column]``, row 0 at the source's loss, column 0 at its features.

    ``series`` is claim 2's plain series: the source sample's features held, the loss alone interpolated.
    """

    source: int
    target: int
    source_name: str = ""
    target_name: str = ""
    label: str
    loss: tuple[float, float]
    cells: list[list[Cell]]
    series: list[Cell]


class ClassAccuracy(Record):
    """Accuracy of one class in both domains."""

    label: str
    source: float | None
    target: float | None
    samples: Samples


class Curve(Record):
    """One training run: what was trained, and a row of figures per logged step or epoch."""

    name: str
    rows: list[dict[str, float]]


class Remedy(Record):
    """What to do, and what that was measured to bring (None: not measured)."""

    advice: Literal["use", "restrict", "retrain", "investigate"]
    sentence: str
    measured: float | None = None


class Provenance(Record):
    """All that is needed to tell whether two results can be compared."""

    settings_sha256: str
    data_sha256: dict[str, str]
    classifier_sha256: str
    versions: dict[str, str]
    device: str
    providers: list[str] = Field(default_factory=list)
    seed: int


class Results(Record):
    """What one run found."""

    schema_version: int = Field(1, alias="schema")
    shiftlens: str
    name: str
    kind: str
    sample_shape: list[int]
    columns: list[str] = Field(default_factory=list, description="names of a vector's values; empty for other kinds")
    headline: str = Field(description="what the run found, in one sentence")
    warnings: list[str] = Field(default_factory=list)
    classes: list[str]
    samples: Samples
    accuracy: PerDomain
    loss: PerDomain
    loss_name: str = "cross-entropy"
    loss_unit: str = "nats"
    loss_distribution: Distribution
    per_class: list[ClassAccuracy] = Field(default_factory=list)
    causes: list[Cause] = Field(default_factory=list)
    left_out: dict[str, str] = Field(default_factory=dict, description="factors not measured, with the reason")
    unexplained: Unexplained | None = None
    interactions: list[Interaction] = Field(default_factory=list)
    fidelity: Fidelity
    leak: Leak
    realism: Realism | None = None
    second_opinion: SecondOpinion | None = None
    grid: GridSize
    pairs: list[PairResult]
    curves: list[Curve] = Field(default_factory=list)
    remedy: Remedy | None = None
    generator: dict[str, Any] = Field(default_factory=dict, description="backend, loss axis and its figures")
    provenance: Provenance

    def to_json(self) -> str:
        """The text of results.json: two-space indent, UTF-8, keys in the order of the class."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
