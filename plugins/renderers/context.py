"""What the HTML template is given: one frozen `Page`, and what it is made of.

Everything that is worked out for the eye is already worked out in it, as text, positions and paths; the template only
places it. A test asserts that the template's variables are exactly the fields of `Page`.
"""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from shiftlens.plugins.renderers.charts import CurveChart, DistributionChart, DoseChart, IntervalBar
from shiftlens.plugins.renderers.pictures import Picture, Sheet


@dataclass(frozen=True)
class Accuracy:
    """One of the two big numbers."""

    name: str
    value: str
    bar: float | None
    detail: str


@dataclass(frozen=True)
class Summary:
    """What a person with two minutes reads: before, after, the difference, the sentence, what to do."""

    before: Accuracy
    after: Accuracy
    change: str
    change_words: str
    falls: bool
    headline: str
    is_long: bool
    remedy: str
    remedy_title: str
    facts: str


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
class EffectRow:
    """One row of the table of effects: a factor, or the unexplained rest (which has a share only)."""

    name: str
    verdict: str
    meaning: str
    effect: IntervalBar | None
    share: IntervalBar | None


@dataclass(frozen=True)
class Why:
    """The section that says which change costs the accuracy."""

    gap: str
    rows: tuple[EffectRow, ...]
    loss_unit: str
    cards: tuple[FactorCard, ...]
    unchanged: tuple[FactorCard, ...]
    left_out: tuple[tuple[str, str], ...]
    unexplained: str
    unexplained_share: str
    unexplained_first: bool
    interactions: tuple[tuple[str, str], ...]
    advice: str
    remedy: str
    remedy_measured: str


@dataclass(frozen=True)
class CellView:
    """One cell of a grid. ``bar`` and ``tick`` are the measured and the requested loss in ``0 .. 100``."""

    picture: Picture
    label: str
    measured: str
    requested: str
    predicted: str
    confidence: str
    note: str
    level: int
    bar: float
    tick: float
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
    series: tuple[CellView, ...]
    given_back: tuple[Picture, ...]


@dataclass(frozen=True)
class GridView:
    """The section with the grids."""

    columns: int
    rows: int
    feature_names: str
    loss_names: str
    moves: str
    pairs: tuple[PairView, ...]
    scale: tuple[str, str, str]
    levels: int
    loss_name: str
    loss_unit: str
    left_out: str
    converted: bool
    how_to_read: str
    warning: str


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
class Domains:
    """The section that compares both domains."""

    losses: DistributionChart
    classes: tuple[ClassRow, ...]
    more_classes: tuple[ClassRow, ...]
    has_target_labels: bool


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
        summary: the two accuracies and the sentence.
        warnings: what the reader must know before anything else.
        why: causes, where they were looked for.
        converter: what the style converter does, where the source sides of the pairs were made by one.
        grid: the pairs, where there are any.
        trust: fidelity of the grid, a second classifier's opinion, realism and leak.
        domains: loss distributions and accuracy per class.
        training: training curves.
        provenance: names and values of all that is needed to repeat or compare the run.
        settings: the resolved settings as YAML.
        sheets: images that the pictures are windows onto.
    """

    title: str
    policy: str
    style: Markup
    script: Markup
    summary: Summary
    warnings: tuple[str, ...]
    why: Why | None
    converter: ConverterView | None
    grid: GridView | None
    trust: Trust
    domains: Domains
    training: tuple[TrainingCurves, ...]
    provenance: tuple[tuple[str, str], ...]
    settings: str
    sheets: tuple[Sheet, ...]
