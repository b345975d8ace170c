"""What the HTML template is given: one frozen `Page`, and what it is made of.

Everything that is worked out for the eye is already worked out in it, as text, positions and paths; the template only
places it. A test asserts that the template's variables are exactly the fields of `Page`.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from shiftlens.plugins.renderers.charts import CurveChart, DistributionChart, DoseChart, IntervalBar, SmallDose
from shiftlens.plugins.renderers.pictures import Picture, Sheet


@dataclass(frozen=True)
class Accuracy:
    """One of the two big numbers."""

    name: str
    value: str
    bar: float | None
    interval: str
    detail: str


@dataclass(frozen=True)
class Light:
    """How far the finding may be trusted: ``trust``, ``care`` or ``stop``, in two words and in one sentence."""

    level: str
    title: str
    sentence: str


@dataclass(frozen=True)
class Wipe:
    """One real sample before and after the costliest harmful change."""

    before: StripPicture
    after: StripPicture
    words: str


@dataclass(frozen=True)
class Answer:
    """What a person with two minutes reads: before, after, the sentence, how far to trust it, what to do."""

    before: Accuracy
    after: Accuracy
    change: str
    change_words: str
    falls: bool
    headline: str
    is_long: bool
    light: Light
    wipe: Wipe | None
    remedy: str
    measured: str
    command: str
    facts: tuple[str, ...]


@dataclass(frozen=True)
class StripPicture:
    """One picture of a factor's strip and what the classifier made of it."""

    picture: Picture
    value: str
    unit: str
    loss: str
    level: int
    bar: float
    predicted: str
    wrong: bool
    label: str


@dataclass(frozen=True)
class FactorCard:
    """One factor with its verdict, sentence, pictures, curve and figures."""

    factor: str
    verdict: str
    meaning: str
    sentence: str
    strip: tuple[StripPicture, ...]
    dose: DoseChart | None
    distribution: DistributionChart | None
    facts: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class CauseRow:
    """One row of the table of causes: a factor, several harmless ones, or the unexplained rest."""

    name: str
    verdict: str
    chip: str
    meaning: str
    points: IntervalBar | None
    loss: IntervalBar | None
    share: IntervalBar | None
    dose: SmallDose | None


@dataclass(frozen=True)
class Causes:
    """The section that says which change costs the accuracy."""

    gap: str
    rows: tuple[CauseRow, ...]
    loss_unit: str
    cards: tuple[FactorCard, ...]
    harmless: tuple[FactorCard, ...]
    unchanged: tuple[tuple[str, str], ...]
    left_out: tuple[tuple[str, str], ...]
    unexplained: str
    interactions: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class SliderCell:
    """One position of a slider."""

    picture: Picture
    part: str
    value: str
    predicted: str
    confidence: str
    loss: str
    wrong: bool
    label: str


@dataclass(frozen=True)
class SliderView:
    """One factor that a reader can move on a real sample."""

    number: int
    name: str
    verdict: str
    steps: tuple[SliderCell, ...]


@dataclass(frozen=True)
class TryIt:
    """One real source sample with a slider for each change."""

    title: str
    sliders: tuple[SliderView, ...]


@dataclass(frozen=True)
class SampleView:
    """One source sample with its intervention grid and the real target sample nearest to the lower right."""

    number: int
    title: str
    name: str
    rows: tuple[RowView, ...]
    nearest: CellView | None
    nearest_name: str
    distance: str


@dataclass(frozen=True)
class InterventionView:
    """The section with the fitted changes made on real samples."""

    columns: int
    rows: int
    right: str
    down: str
    right_empty: bool
    down_empty: bool
    sentence: str
    unexplained: str
    samples: tuple[SampleView, ...]
    how_to_read: str


@dataclass(frozen=True)
class WorstView:
    """One target sample of large loss."""

    picture: Picture
    label: str
    actual: str
    predicted: str
    confidence: str
    loss: str
    value: float
    name: str
    wrong: bool
    measures: str


@dataclass(frozen=True)
class ConfusionRow:
    """A class that is taken for another: its share in both domains."""

    words: str
    source: str
    target: str
    source_bar: float
    target_bar: float


@dataclass(frozen=True)
class GroupRowView:
    """One group, as text; accuracies in hundredths for the picture."""

    label: str
    shares: str
    source: str
    target: str
    source_at: float | None
    target_at: float | None
    mix: str
    within: str
    worse: bool


@dataclass(frozen=True)
class GroupsView:
    """One column of metadata: what its changed mix costs, and its groups, those that cost most first."""

    column: str
    words: tuple[str, ...]
    sums: str
    rows: tuple[GroupRowView, ...]
    more: int


@dataclass(frozen=True)
class Where:
    """The section on where the accuracy is lost."""

    losses: DistributionChart
    classes: tuple[ClassRow, ...]
    more_classes: tuple[ClassRow, ...]
    has_target_labels: bool
    estimate: str
    estimators: tuple[tuple[str, str], ...]
    groups: tuple[GroupsView, ...]
    groups_left_out: tuple[tuple[str, str], ...]
    confusions: tuple[ConfusionRow, ...]
    worst: tuple[WorstView, ...]
    labels: tuple[str, ...]
    predictions: tuple[str, ...]
    largest: float


@dataclass(frozen=True)
class RemedyRow:
    """One remedy or control as it was measured, as text."""

    name: str
    samples: str
    target: str
    source: str
    recovered: str
    coverage: str
    words: str


@dataclass(frozen=True)
class RemedyView:
    """What to do, and what that was measured to bring."""

    sentence: str
    measured: str
    rows: tuple[RemedyRow, ...]
    on: str
    commands: tuple[str, ...]


@dataclass(frozen=True)
class CellView:
    """One cell of a grid. ``bar`` and ``tick`` are the measured loss and the one asked for, in ``0 .. 100``."""

    picture: Picture
    label: str
    measured: str
    requested: str
    predicted: str
    confidence: str
    strengths: str
    note: str
    level: int
    bar: float
    tick: float | None
    wrong: bool
    real: bool
    converted: bool


@dataclass(frozen=True)
class RowView:
    """One row of a grid: the loss requested, and its cells."""

    requested: str
    cells: tuple[CellView, ...]


@dataclass(frozen=True)
class PairView:
    """One pair with its grid, its plain series, and its two samples as the networks give them back."""

    number: int
    title: str
    source: str
    target: str
    source_loss: str
    target_loss: str
    rows: tuple[RowView, ...]
    moves: str
    series: tuple[CellView, ...]
    given_back: tuple[Picture, ...]


@dataclass(frozen=True)
class GridView:
    """The section with the generated grids."""

    columns: int
    rows: int
    right: str
    down: str
    moves: str
    pairs: tuple[PairView, ...]
    left_out: str
    converted: bool
    how_to_read: str
    doubt: str


@dataclass(frozen=True)
class LossSteps:
    """The colours of the losses, and what they are losses of."""

    ends: tuple[str, str, str]
    levels: int
    loss_name: str
    loss_unit: str


@dataclass(frozen=True)
class Check:
    """One figure by which the grid may be judged, and what it means."""

    name: str
    figure: str
    words: str


@dataclass(frozen=True)
class Trust:
    """How far the grid may be trusted, in figures and in plain words."""

    checks: tuple[Check, ...]


@dataclass(frozen=True)
class GapRow:
    """One shifted factor before and after conversion, as text."""

    factor: str
    source: str
    target: str
    converted: str
    closed: str


@dataclass(frozen=True)
class ConverterView:
    """The section on the style converter: what it does to target samples, and some of them before and after."""

    name: str
    sentence: str
    measured_on: str
    gaps: tuple[GapRow, ...]
    examples: tuple[tuple[CellView, CellView], ...]
    skipped: str


@dataclass(frozen=True)
class ClassRow:
    """Accuracy of one class in both domains; positions in ``0 .. 100``, None where it is not known."""

    label: str
    source: str
    target: str
    source_at: float | None
    target_at: float | None
    change: str
    samples: str


@dataclass(frozen=True)
class TrainingCurves:
    """One training run with a small chart for each logged figure."""

    name: str
    charts: tuple[CurveChart, ...]


@dataclass(frozen=True)
class Page:
    """Everything that the template of report.html may use.

    Attributes:
        title: name of the analysis.
        policy: the Content-Security-Policy; allows the page's own style and script by their hashes, and data images.
        style, script: the page's only style sheet and script, as they stand in the file.
        sections: names of those that the page holds.
        answer: the two accuracies, the sentence, how far to trust it, what to do.
        warnings: what the reader must know before anything else.
        tryit: sliders on a real sample, where something was found to have changed.
        intervention: the fitted changes on real samples.
        causes: what each change costs, where it was looked for.
        where: worst samples, confusions, loss distributions and accuracy per class.
        remedy: what to do.
        converter: what the style converter does, where the source sides of the pairs were made by one.
        grid: the generated grids, where there are any.
        scale: the colours of the losses.
        trust: fidelity of the generated grid, a second classifier's opinion, realism and leak.
        training: training curves.
        provenance: names and values of all that is needed to repeat or compare the run.
        settings: the resolved settings as YAML.
        sheets: images that the pictures are windows onto.
    """

    title: str
    policy: str
    style: Markup
    script: Markup
    sections: frozenset[str]
    answer: Answer
    warnings: tuple[str, ...]
    tryit: TryIt | None
    intervention: InterventionView | None
    causes: Causes | None
    where: Where | None
    remedy: RemedyView | None
    converter: ConverterView | None
    grid: GridView | None
    scale: LossSteps
    trust: Trust
    training: tuple[TrainingCurves, ...]
    provenance: tuple[tuple[str, str], ...]
    settings: str
    sheets: tuple[Sheet, ...]
