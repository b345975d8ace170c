"""What a run found: results.json, the one document that every renderer reads.

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

    source: float = Field(description="in the source domain")
    target: float | None = Field(description="in the target domain")


class Samples(Record):
    """Number of samples in each domain."""

    source: int = Field(description="in the source domain")
    target: int = Field(description="in the target domain")


class Shift(Record):
    """Mean of a factor's measure in each domain."""

    source: float = Field(description="in the source domain")
    target: float = Field(description="in the target domain")
    unit: str = Field("", description="of the measure; empty where it has none")
    turn: float | None = Field(None, description="how far round, signed, where the measure is circular")


class Axes(Record):
    """How far the generated cells move a factor along each axis, in units of the pairs' gap (averaged over pairs)."""

    loss_axis: float = Field(description="downwards, with the loss")
    feature_axis: float = Field(description="sideways, with the features")
    loss_axis_ci: Interval | None = Field(None, description="95 % interval over pairs")
    feature_axis_ci: Interval | None = Field(None, description="95 % interval over pairs")
    agrees: bool | None = Field(None, description="whether the grid moves the factor as its verdict says")


class DosePoint(Record):
    """One strength of a factor's change: the measured value it reaches, and what it costs there."""

    value: float = Field(description="of the factor's measure")
    loss: float = Field(description="mean over the changed samples")
    accuracy: float = Field(description="of the changed samples")
    loss_ci: Interval = Field(description="95 % interval of the mean loss")


class StripCell(Record):
    """One picture of a factor's strip; ``index`` points into the array ``strips``."""

    index: int = Field(description="place in the array")
    value: float = Field(description="of the factor's measure")
    loss: float = Field(description="of this sample")
    predicted: str = Field(description="class that the classifier says")
    correct: bool = Field(description="whether it is the sample's class")


class Distribution(Record):
    """Two histograms over the same bins: ``edges`` has one value more than the counts."""

    edges: list[float] = Field(description="of the bins, rising")
    source: list[int] = Field(description="samples in each bin")
    target: list[int] = Field(description="samples in each bin")


class Cause(Record):
    """One factor with its verdict."""

    factor: str = Field(description="name of the factor")
    verdict: Literal["harmful", "harmless", "unclear", "unchanged"] = Field(
        description="harmful, harmless, unclear or unchanged"
    )
    effect: float | None = Field(description="rise of the mean loss when this factor alone is moved")
    ci: Interval | None = Field(None, description="95 % interval of the effect")
    samples: int | None = Field(None, description="source samples that the effect was measured on")
    accuracy_effect: float | None = Field(None, description="fall of the accuracy by this change alone")
    accuracy_ci: Interval | None = Field(None, description="its 95 % interval")
    share: float | None = Field(None, description="Shapley part of the loss gap between the domains")
    share_ci: Interval | None = Field(None, description="its 95 % interval")
    shift: Shift | None = Field(None, description="what it measured in each domain")
    reached: float | None = Field(None, description="share of the measured gap that the change alone reached")
    clipped: float | None = Field(None, description="share of values that left the valid range and were cut")
    restored: float | None = Field(None, description="accuracy that undoing it on target samples brings back")
    restored_ci: Interval | None = Field(None, description="its 95 % interval")
    grid: Axes | None = Field(None, description="how far the grid's axes move it")
    evidence: Literal["intervention", "observation", "none"] = Field(
        "none", description="what the verdict rests on: its own change was tried, or only measured, or neither"
    )
    rivals: list[str] = Field(default_factory=list, description="factors that explain the same gap equally well")
    shadow_of: list[str] = Field(default_factory=list, description="factors whose change moved this measure")
    safe_until: float | None = Field(None, description="value up to which the change costs nothing worth naming")
    dose: list[DosePoint] = Field(default_factory=list, description="what changes of several strengths cost")
    strip: list[StripCell] = Field(default_factory=list, description="one sample at several strengths, for pictures")
    distribution: Distribution | None = Field(None, description="of the measure in both domains")
    variant: str = Field("", description="of a discrete factor, such as the order of channels, which change it was")
    advice: str = Field("", description="of a discrete factor, what to do about it where the data are read")
    alike: list[str] = Field(
        default_factory=list, description="of a discrete factor, variants that the data cannot tell from this one"
    )
    sentence: str = Field(description="the verdict in one sentence")


class Unexplained(Record):
    """The part of the loss gap that no measured factor explains."""

    share: float = Field(description="of the loss gap")
    ci: Interval = Field(description="its 95 % interval")
    sentence: str = Field("", description="the same in words")


class TrialSize(Record):
    """How many source samples the trial drew, and whether the effects became as precise as was wanted."""

    available: int = Field(description="source samples that could be drawn")
    drawn: int = Field(description="samples that the change which needed most was measured on")
    most: int = Field(description="samples that the settings and the data allow")
    wanted: float = Field(description="half-width of an effect's interval that is enough, in the unit of the loss")
    widest: float | None = Field(description="largest half-width that was reached; None where nothing was tried")
    reached: bool = Field(description="whether all intervals are as narrow as wanted")
    scored: int | None = Field(None, description="changed samples that the classifier was asked about for that")
    cut_off: list[str] = Field([], description="what the budget left imprecise: factors, 'all together'")
    more: int | None = Field(None, description="about how many more scored samples would settle these")


class Part(Record):
    """A part of the loss gap."""

    share: float = Field(description="of the loss gap")
    ci: Interval = Field(description="its 95 % interval")


class LossSplit(Record):
    """The loss gap in three parts, which sum to one: other classes, other inputs, and what neither explains."""

    classes: Part = Field(description="a changed mix of the classes")
    inputs: Part = Field(description="changed inputs: all fitted changes together")
    rest: Part = Field(description="neither: a change of the inputs that no factor measures, or of their labels")
    relation: bool = Field(
        False, description="whether the rest probably is a changed relation of label and input, as of other labelling"
    )
    sentence: str = Field(description="the same in words")


class AccuracyEstimate(Record):
    """The accuracy on a target without labels: an estimate, not a measurement."""

    value: float = Field(description="estimated accuracy on the target")
    ci: Interval = Field(description="its 95 % interval")
    samples: int = Field(description="target samples whose predictions were looked at")
    sets: int = Field(0, description="sets of changed source samples, of known accuracy, that it was learned on")
    estimates: dict[str, float] = Field(
        default_factory=dict, description="what it is made of, by estimator: the accuracy that each says alone"
    )
    left_out: dict[str, str] = Field(default_factory=dict, description="estimators that say nothing here, and why")
    sentence: str = Field(description="the same in words")


class GroupRow(Record):
    """The samples that share one value of a metadata column. Parts of the gap are in the unit of the loss."""

    value: str = Field(description="of the column, or what several small groups are called together")
    samples: Samples = Field(description="of this group")
    share_source: float = Field(description="of the source samples")
    share_target: float = Field(description="of the target samples")
    accuracy_source: float | None = Field(None, description="null where the group has no sample there")
    accuracy_target: float | None = Field(None, description="null where it has none there, or no labels")
    loss_source: float | None = Field(None, description="mean; null where the group has no sample there")
    loss_target: float | None = Field(None, description="mean; null where it has none there, or no labels")
    mix: float = Field(description="its part of what the changed mix adds to the mean loss")
    rise: float | None = Field(None, description="of its mean loss from source to target; null where one has none")
    rise_ci: Interval | None = Field(None, description="95 % interval of the rise")
    within: float | None = Field(None, description="what its rise adds to the target's mean loss")
    within_ci: Interval | None = Field(None, description="its 95 % interval")
    within_accuracy: float | None = Field(None, description="what it takes from the target's accuracy that way")
    worse: bool = Field(False, description="whether its loss rose by clearly more than that of all others")


class GroupColumn(Record):
    """One column of metadata: the loss gap as what a changed mix of its groups adds, and what became worse in them."""

    column: str = Field(description='its name; "class" for the labels')
    verdict: Literal["harmful", "harmless", "unclear", "unchanged"] = Field(
        description="of the changed mix; unchanged: the groups have the same shares in both domains"
    )
    gap: float | None = Field(None, description="rise of the mean loss: mix and within sum to it; null: not known")
    mix: float = Field(description="what the changed mix adds to the mean loss")
    mix_ci: Interval = Field(description="its 95 % interval")
    mix_accuracy: float = Field(description="fall of the accuracy by the changed mix")
    mix_accuracy_ci: Interval = Field(description="its 95 % interval")
    mix_share: float | None = Field(None, description="of the gap; null where there is none worth naming")
    within: float | None = Field(None, description="what became worse within the groups; null: not known")
    within_ci: Interval | None = Field(None, description="its 95 % interval")
    groups: list[GroupRow] = Field(description="those that make most of the gap first")
    remarks: list[str] = Field(default_factory=list, description="what was taken together or has no value")
    sentences: list[str] = Field(default_factory=list, description="what was found, in words")


class Interaction(Record):
    """Two factors that together cost more (or less) than the sum of both alone."""

    factors: tuple[str, str] = Field(description="their names")
    effect: float = Field(description="rise of the mean loss beyond the sum of both alone")
    ci: Interval = Field(description="its 95 % interval")
    sentence: str = Field(description="the same in words")


class Fidelity(Record):
    """Agreement of the loss measured on the cells with the loss requested for them: rank correlation (and Pearson's).

    ``source`` and ``target`` are the rank correlations of the cells with the source sample's and with the target
    sample's features alone: the first and the last column.
    """

    spearman: float | None = Field(description="rank correlation over the generated cells")
    pearson: float | None = Field(description="linear correlation over the same cells")
    cells: int = Field(description="how many cells that is")
    source: float | None = Field(None, description="rank correlation of the first column's cells alone")
    target: float | None = Field(None, description="rank correlation of the last column's cells alone")


class Leak(Record):
    """How much of the loss can still be read from z: held-out R² of a linear reading.

    ``r2`` reads the loss of all real samples, ``source`` and ``target`` that of one domain's. Some of it is no fault:
    what merely travels with the loss shall stay in z. ``axis_r2`` reads what the trial's random changes did to the
    loss, given the label and the loss before: the loss axis's own part, of which nothing shall be left.
    """

    r2: float | None = Field(description="0: nothing can be read; null: not measured")
    source: float | None = Field(None, description="the same, of the source domain's samples alone")
    target: float | None = Field(None, description="the same, of the target domain's samples alone")
    axis_r2: float | None = Field(None, description="of the loss axis's own part, read on the trial's rows")


class Realism(Record):
    """Whether generated cells lie where real samples do, in the encoder's space, the axis' own part included.

    An encoder may be blind to what its own decoder does; so the same is asked of plain statistics, such as light, edges
    and frequencies, beside real samples as the networks give them back.
    """

    near: float = Field(description="share of cells as near to a real sample as 95 % of real samples are to another")
    ratio: float = Field(description="median distance of a cell to the nearest real sample, over that of real samples")
    samples: int = Field(description="real samples compared with; none of the grid's own pairs")
    plain_near: float | None = Field(None, description="share of cells as near by plain statistics")
    plain_lowest: float | None = Field(None, description="the same in the row of the grids where it is lowest")


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

    features: int = Field(description="columns")
    losses: int = Field(description="rows")


class InterventionAxis(Record):
    """One axis of the intervention grid: the factors that are changed along it, and what they were found to be."""

    factors: list[str] = Field(default_factory=list, description="changed together along it; may be empty")
    words: str = Field(description='its heading, such as "harmful: stroke-thickness", or why nothing lies along it')


class InterventionCell(Record):
    """One real source sample with the fitted changes at a part of their full strength."""

    requested: float = Field(description="loss that the strength was chosen for")
    measured: float = Field(description="loss that the classifier has on the cell")
    predicted: str = Field(description="class that the classifier says")
    confidence: float = Field(description="probability of that class")
    correct: bool = Field(description="whether it is the sample's class")
    right: float = Field(description="part of the full strength of the changes that go right")
    down: float = Field(description="part of the full strength of the changes that go down")
    reached: bool = Field(description="whether the measured loss is near the requested one")


class NearestTarget(Record):
    """The real target sample of the same class that is most like the source sample with the whole fitted shift.

    Distances, by plain statistics and by what the classifier says, count in the usual distance of a target sample of
    that class to the nearest other one.
    """

    target: int = Field(description="place in the target domain")
    target_name: str = Field("", description="of the sample, where the reader gives names")
    loss: float = Field(description="of the target sample")
    predicted: str = Field(description="class that the classifier says of it")
    confidence: float = Field(description="probability of that class")
    correct: bool = Field(description="whether it is the sample's class")
    distance: float = Field(description="of the changed source sample to it")
    distance_before: float = Field(description="of the source sample as it is to the target sample nearest to that")


class SliderStep(Record):
    """One source sample with one change at a part of its full strength."""

    part: float = Field(description="of the full strength")
    value: float | None = Field(description="what the factor measures; null where the sample has no such property")
    loss: float = Field(description="that the classifier has on it")
    predicted: str = Field(description="class that the classifier says")
    confidence: float = Field(description="probability of that class")
    correct: bool = Field(description="whether it is the sample's class")


class Slider(Record):
    """One factor's change alone on one source sample, from none to the full strength."""

    factor: str = Field(description="name of the factor")
    steps: list[SliderStep] = Field(description="from none to the full strength")


class InterventionSample(Record):
    """One source sample with its grid: ``cells[row][column]``; ``[0][0]`` is the sample as it is."""

    source: int = Field(description="place in the source domain")
    source_name: str = Field("", description="of the sample, where the reader gives names")
    label: str = Field(description="its class")
    cells: list[list[InterventionCell]] = Field(description="rows of cells")
    nearest: NearestTarget | None = Field(None, description="null where the target has no sample")
    sliders: list[Slider] = Field(default_factory=list, description="each change alone; of the first samples only")


class Intervention(Record):
    """The fitted changes made on real source samples: what cost nothing to the right, what costs accuracy downwards.

    What a change moves is exact by construction: this shows what the trial found and is no second proof.
    """

    right: InterventionAxis = Field(description="changes that cost nothing, and unclear ones")
    down: InterventionAxis = Field(description="changes that cost accuracy")
    samples: list[InterventionSample] = Field(default_factory=list, description="empty where nothing was found changed")
    fidelity: Fidelity | None = Field(None, description="of requested and measured losses; null where none goes down")
    near: float | None = Field(None, description="share of cells whose measured loss is near the requested one")
    looked_at: int = Field(0, description="source samples, rightly classified, that the whole shift was made on")
    flipped: int = Field(0, description="of these, how many are classified otherwise with the whole shift")
    distance: float | None = Field(None, description="median over the samples of the distance to the nearest target")
    distance_before: float | None = Field(None, description="the same of the samples as they are")
    sentence: str = Field(description="what the grid shows, in words")


class Cell(Record):
    """One cell of a grid. The two real samples carry ``real: true`` and are not decoded."""

    requested: float = Field(description="loss that the decoder was asked for")
    measured: float = Field(description="loss that the classifier has on the cell")
    predicted: str = Field(description="class that the classifier says")
    confidence: float = Field(description="probability of that class")
    correct: bool = Field(description="whether it is the pair's class")
    real: bool = Field(False, description="whether it is one of the two real samples")
    reached: bool | None = Field(None, description="False where the loss axis cannot reach the requested loss")
    converted: bool = Field(False, description="not decoded: a target sample, converted to the source domain")


class PairMove(Record):
    """How far one factor that shifted moves in one pair's grid, without sign and in its own unit."""

    factor: str = Field(description="name of the factor")
    down: float = Field(description="from the first to the last row, in the first column")
    right: float = Field(description="from the first to the last column, in the first row")
    gap: float = Field(description="between the pair's two samples")


class PairResult(Record):
    """One pair with its grid: ``cells[row][column]``, row 0 at the source's loss, column 0 at its features.

    ``series`` is claim 2's plain series: the source sample's features held, the loss alone interpolated.
    """

    source: int = Field(description="place in the source domain")
    target: int = Field(description="place in the target domain")
    source_name: str = Field("", description="of the sample, where the reader gives names")
    target_name: str = Field("", description="of the sample, where the reader gives names")
    label: str = Field(description="class of both")
    loss: tuple[float, float] = Field(description="of the source sample and of the target sample")
    cells: list[list[Cell]] = Field(description="rows of cells")
    series: list[Cell] = Field(description="the loss alone interpolated, from the source sample to the target sample")
    converted: bool = Field(False, description="the source side is the converted target sample; source is its place")
    moved: float | None = Field(None, description="mean absolute change of a value by the conversion")
    moves: list[PairMove] = Field(default_factory=list, description="of the factors that shifted")


class BeforeAfter(Record):
    """One figure of the same target samples before and after conversion; None where it cannot be known."""

    before: float | None = Field(description="of the samples as they are")
    after: float | None = Field(description="of the same samples, converted")


class FactorGap(Record):
    """Mean of a shifted factor's measure in both domains and after conversion; ``closed`` is the share of the gap."""

    factor: str = Field(description="name of the factor")
    source: float = Field(description="in the source domain")
    target: float = Field(description="in the target domain")
    converted: float = Field(description="of converted target samples")
    closed: float = Field(description="share of the gap that the conversion closes; 1: all of it")
    unit: str = Field("", description="of the measure; empty where it has none")


class ConverterResult(Record):
    """What the style converter does to target samples, measured with the frozen classifier (¶80–84)."""

    name: str = Field(description="of the style converter")
    samples: int = Field(description="target samples that this was measured on")
    held_out: bool = Field(description="whether the converter never saw these samples")
    accuracy: BeforeAfter = Field(description="rate at which the classifier's prediction is the label")
    loss: BeforeAfter = Field(description="mean loss")
    gaps: list[FactorGap] = Field(default_factory=list, description="one entry per factor that shifted")
    skipped: int = Field(0, description="pairs left out because the conversion did not bring their loss down")
    facts: dict[str, Any] = Field(default_factory=dict, description="what the converter tells of its training")
    sentence: str = Field(description="the same in words")


class ClassAccuracy(Record):
    """Accuracy of one class in both domains."""

    label: str = Field(description="the class")
    source: float | None = Field(description="accuracy; null where it has no samples")
    target: float | None = Field(description="accuracy; null where it has no samples")
    samples: Samples = Field(description="of this class")


class Curve(Record):
    """One training run: what was trained, and a row of figures per logged step or epoch."""

    name: str = Field(description="classifier or generator")
    rows: list[dict[str, float]] = Field(description="such as {step: 50, loss: 0.4, held_out: 0.5}")


class MeasuredRemedy(Record):
    """One remedy, or one control beside it, measured on samples that were used for nothing else."""

    name: str = Field(description='of the remedy; "as it is" for the classifier that nothing was done to')
    samples: str = Field(
        "", description='what it learned from: "as in the target", or a control: "unchanged", "random", "harmless only"'
    )
    target: float | None = Field(None, description="accuracy on held-out target samples, of those that it accepts")
    target_ci: Interval | None = Field(None, description="its interval, over samples and seeds")
    source: float | None = Field(None, description="accuracy on held-out source samples, of those that it accepts")
    source_ci: Interval | None = Field(None, description="its interval")
    recovered: float | None = Field(
        None, description="part of the accuracy lost that it brings back on the target, 1 all of it"
    )
    recovered_ci: Interval | None = Field(None, description="its interval")
    coverage: float | None = Field(None, description="share of held-out target samples that it accepts; None: all")
    seeds: int = Field(1, description="how often it was done, each time with other chance")
    file: str = Field("", description="the mended classifier, a file of the run directory")
    why_no_file: str = Field("", description="why there is no such file, where there could be one")
    facts: dict[str, Any] = Field(default_factory=dict, description="what the remedy tells of itself")
    why_not: str = Field("", description="why it was not tried")
    sentence: str = Field("", description="the same in words")


class RemedyResult(Record):
    """What to do, and what that was measured to bring (None: not measured)."""

    advice: Literal["use", "restrict", "mend", "retrain", "investigate"] = Field(
        description="use as it is, restrict its use, mend how the data are read, retrain, or investigate further"
    )
    sentence: str = Field(description="the same in words")
    measured: list[MeasuredRemedy] | None = Field(
        None, description="every remedy that was tried, and the controls beside it; None: nothing was measured"
    )
    measured_sentence: str = Field("", description="the best of what was measured, in words")
    samples: Samples | None = Field(None, description="held-out samples that the remedies were measured on")
    why_not: str = Field("", description="why nothing was measured")


class Intervals(Record):
    """One 95 % interval for the source and one for the target; null where the figure is not known."""

    source: Interval | None = Field(description="in the source domain")
    target: Interval | None = Field(description="in the target domain")


class Confusion(Record):
    """How often samples of one class are taken for another, in both domains."""

    label: str = Field(description="the class")
    predicted: str = Field(description="what the classifier says; another class")
    source: float | None = Field(description="share of the class's source samples; null where there are none")
    target: float | None = Field(description="share of the class's target samples; null where there are none")


class WorstSample(Record):
    """One of the target samples with the largest losses; its picture is in the array ``worst``, in this order."""

    target: int = Field(description="place in the target domain")
    target_name: str = Field("", description="of the sample, where the reader gives names")
    label: str | None = Field(description="its class; null where it has no label")
    predicted: str = Field(description="class that the classifier says")
    confidence: float = Field(description="probability of that class")
    loss: float = Field(description="that the classifier has on it")
    values: dict[str, float] = Field(default_factory=dict, description="measures of the factors that shifted")


class Provenance(Record):
    """All that is needed to tell whether two results can be compared."""

    settings_sha256: str = Field(description="of the resolved settings")
    data_sha256: dict[str, str] = Field(description="of the files that the readers read, by domain")
    classifier_sha256: str = Field(description="of the ONNX file")
    versions: dict[str, str] = Field(
        description="of shiftlens, Python and the libraries, when the models were exported"
    )
    device: str = Field(description="as asked for")
    providers: list[str] = Field(default_factory=list, description="of ONNX Runtime, as used for the grid")
    seed: int = Field(description="every random number follows from it")
    date: str = Field("", description="day on which the results were put together, such as 2026-01-31")


class Results(Record):
    """What one run found."""

    schema_version: int = Field(1, alias="schema", description="version of this document's form")
    shiftlens: str = Field(description="version that wrote it")
    name: str = Field(description="title of the analysis")
    kind: str = Field(description="of sample: image, series or tabular")
    sample_shape: list[int] = Field(description="of one sample, such as [3, 32, 32]")
    columns: list[str] = Field(default_factory=list, description="names of a vector's values; empty for other kinds")
    headline: str = Field(description="what the run found, in one sentence")
    warnings: list[str] = Field(default_factory=list, description="what a reader of the results should know")
    classes: list[str] = Field(description="in the order of the classifier's outputs")
    samples: Samples = Field(description="how many were compared")
    accuracy: PerDomain = Field(description="of the classifier; in the source on samples it was not trained on here")
    accuracy_ci: Intervals | None = Field(None, description="95 % intervals of the accuracies (Wilson's)")
    accuracy_estimate: AccuracyEstimate | None = Field(
        None, description="of the target's accuracy, where it has no labels; null where it has, or nothing can be said"
    )
    measured_on: Samples | None = Field(None, description="samples that accuracy and loss were measured on")
    loss: PerDomain = Field(description="mean over the same samples")
    loss_name: str = Field("cross-entropy", description="of the loss")
    loss_unit: str = Field("nats", description="of every loss in this document")
    loss_distribution: Distribution = Field(
        description="histograms of the loss; the target's counts are 0 where it is not known"
    )
    per_class: list[ClassAccuracy] = Field(default_factory=list, description="accuracy by class")
    confusions: list[Confusion] = Field(
        default_factory=list, description="classes taken for others, those that grew most first"
    )
    worst: list[WorstSample] = Field(default_factory=list, description="target samples of large loss, class by class")
    causes: list[Cause] = Field(default_factory=list, description="one entry per factor, the harmful ones first")
    groups: list[GroupColumn] = Field(
        default_factory=list, description="columns of metadata, the classes among them; the costliest mix first"
    )
    groups_left_out: dict[str, str] = Field(default_factory=dict, description="columns that make no groups, and why")
    left_out: dict[str, str] = Field(default_factory=dict, description="factors not measured, with the reason")
    unexplained: Unexplained | None = Field(None, description="what no factor explains; null where nothing was lost")
    split: LossSplit | None = Field(None, description="mix, inputs, rest; null where there is no gap to explain")
    interactions: list[Interaction] = Field(default_factory=list, description="pairs of factors that are not additive")
    trial: TrialSize | None = Field(None, description="how much was measured")
    fidelity: Fidelity = Field(description="how far the grid may be believed")
    leak: Leak = Field(description="whether z still tells the loss")
    realism: Realism | None = Field(None, description="whether cells lie where real samples do")
    second_opinion: SecondOpinion | None = Field(None, description="what a second classifier measures on the cells")
    intervention: Intervention | None = Field(None, description="the changes made on real samples; null: not made")
    grid: GridSize = Field(description="its size")
    pairs: list[PairResult] = Field(description="with their grids, in the order of the selector")
    curves: list[Curve] = Field(default_factory=list, description="of what was trained here")
    remedy: RemedyResult | None = Field(None, description="what to do")
    converter: ConverterResult | None = Field(None, description="None where pairs show real source samples")
    generator: dict[str, Any] = Field(default_factory=dict, description="backend, loss axis and its figures")
    provenance: Provenance = Field(description="what the figures rest on")

    def __repr__(self) -> str:
        """One line: all of it is `to_json`."""
        harmful = [cause.factor for cause in self.causes if cause.verdict == "harmful"]
        found = f"harmful: {', '.join(harmful)}" if harmful else "nothing harmful"
        return f"<Results of {self.name!r}: {self.headline} ({found}; {len(self.causes)} factors)>"

    __str__ = __repr__

    def to_json(self) -> str:
        """The text of results.json: two-space indent, UTF-8, keys in the order of the class."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"
