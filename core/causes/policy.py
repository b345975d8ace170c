"""The numbers by which causes are found: what a user sets, and what the search, the fit and the trial are built on.

The fields of the policies were set by hand while cases of `benchmarks/planted` were looked at, one at a time; what
supports them is the whole run in `benchmarks/causes.md`, which was made with these values together: no table compares
single values. A line that names a source other than that says so. Who changes one runs
``python -m benchmarks.planted`` again.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pydantic import Field

from shiftlens.core.host.kinds import ComponentSettings


class TrialSettings(ComponentSettings):
    """How much is measured, and from where on a finding is worth naming."""

    samples: int = Field(2000, ge=50, description="source samples that each change is measured on, at most")
    precision: float = Field(
        0.05,
        gt=0,
        description="half-width of an effect's interval that is enough, as a part of the loss gap; samples are drawn "
        "until it is reached, the verdict is beyond doubt, or there are no more",
    )
    budget: int | None = Field(
        None,
        ge=1,
        description="changed samples that the classifier may be asked about before no more are drawn; they go where a "
        "verdict is open, and it is told what more would bring. Left out: no bound",
    )
    matching_samples: int = Field(
        250, ge=50, description="samples of each domain that the strengths are fitted on; as many again check the fit"
    )
    rows: int = Field(4000, ge=0, le=1_000_000, description="randomised rows for the generator's loss axis")
    bootstrap: int = Field(500, ge=50, le=100_000, description="bootstrap draws behind every interval")
    alpha: float = Field(0.01, gt=0, lt=0.5, description="level of the tests for a shift, corrected for many factors")
    smallest_effect: float = Field(
        0.02, ge=0, description="smallest rise of the mean loss worth naming, in the unit of the loss"
    )
    smallest_share: float = Field(
        0.1, ge=0, lt=1, description="smallest part of the loss gap worth naming; the larger of both counts"
    )
    most_factors: int = Field(12, ge=1, description="largest number of factors that may be found to have shifted")
    large_rest: float = Field(0.5, gt=0, le=1, description="unexplained share that makes the headline")
    dose_steps: int = Field(5, ge=2, le=20, description="strengths of the dose-response curve above zero")


@dataclass(frozen=True)
class SearchPolicy:
    """Which changes get into the plan."""

    worth_adding: float = 0.08
    """A change is added when it takes away at least this part of the distance that is left..."""
    least_gain: float = 0.1
    """...and at least this much of it."""
    sign_of_gain: float = 0.5
    """Part of that gain which must show already on the samples that the change is fitted on, or no fit is tried."""
    set_aside_from: int = 2
    """Size of a plan from which changes that cost nothing are no longer added."""
    beyond_noise: float = 2.5
    """A factor is a candidate while the squared gap of its own measure is so many times what sampling alone makes."""
    clearly_better: float = 0.9
    """Part of the distance below which the longer way round a circular measure is believed."""
    screened: int = 120
    """Samples that every candidate is tried on."""
    refined: int = 3
    """Best candidates, by the screening, that are then fitted on all samples of the half."""
    placed: int = 2
    """Best of those that are tried as the next change of the plan: a joint fit takes long."""
    first_spread: float = 0.25
    """Spread of a first guess, as a part of its offset: seldom is a whole domain changed by the same strength."""
    weaker: float = 0.6
    """Part of a first guess that is tried beside it; and, in units of the strength, how far to both sides is looked
    where the own measure says little."""
    spread_aside: float = 0.2
    """Spread of those tries to both sides, in units of the strength."""
    shaped: int = 2
    """Changes of a plan whose whole shape is fitted: of later ones, which are smaller, the offset is worth the time."""
    clearly_needed: float = 0.6
    """Rise of the distance without a change, from which no refit of the others is tried in its place."""
    near: float = 0.3
    """A rival came within this part of the best candidate's gain when that was chosen..."""
    as_good: float = 0.1
    """...and leaves at most this part of it more in the end."""
    rivals: int = 2
    """Rivals that are tried for one change."""
    rounds_alone: int = 1
    """Of the fit of one candidate on top of the plan."""
    rounds_together: int = 3
    """Of the fit of a whole plan."""
    rounds_again: int = 2
    """Of a fit that starts from a fitted plan with one change more or less."""

    def gain_wanted(self, distance: float) -> float:
        """By how much a change must lower this distance."""
        return max(self.worth_adding * distance, self.least_gain)


@dataclass(frozen=True)
class DiscretePolicy:
    """When a change without a strength is believed; benchmarks/preprocessing.md."""

    samples: int = 250
    """Samples of each domain that variants are tried on, of large ones fewer; as many again check what was found."""
    fewest: int = 30
    """However large they are."""
    screened: int = 100
    """Samples that every variant is tried on first."""
    checked: int = 3
    """Best variants of a factor, by that, that are then tried on all samples."""
    differs: float = 0.75
    """Distance from which a factor's signs may have changed; between halves of one set of samples it is about 0.55."""
    sign_of_gain: float = 0.5
    """Part of the wanted gain that must show already then."""
    worth_adding: float = 0.12
    """A variant is believed when it takes away at least this part of the distance..."""
    least_gain: float = 0.1
    """...and at least this much of it."""
    worse: float = 0.05
    """By so much the distance by the broad measures may rise, by chance."""
    tie: float = 0.1
    """Variants of one factor that leave at most this part of the gain more are told as a set."""
    probed: int = 64
    """Samples of each domain that a factor is asked about first: does it make sense for such?"""
    most: int = 3
    """Such changes in one plan."""
    settled: float = 0.65
    """Distance below which no other answer is searched: between halves of one set of samples it is about 0.55."""
    compared: int = 150
    """Samples on which the answers with and without discrete changes are compared."""
    as_good: float = 0.03
    """Distance by which the answer with discrete changes may be worse where it needs no more changes than the other,
    and must be better where it needs more."""

    def wanted(self, distance: float) -> float:
        """By how much a variant must lower this distance."""
        return max(self.worth_adding * distance, self.least_gain)


@dataclass(frozen=True)
class FitPolicy:
    """How strengths are fitted, and in which units distributions are compared."""

    tolerated: float = 0.15
    """Share of a measure's movement by which our operation may differ from what really happened."""
    least_tolerated: float = 1e-4
    """Squared, in spreads of the measure: what is tolerated where sampling noise is next to nothing."""
    own_weight: float = 6.0
    """Weight of a factor's own measure, against 1 of a broad one, when its strength is fitted: it is the cleanest sign,
    where it moved by a spread or more (the size of what a photograph shows is a weak measure)."""
    pooled: float = 0.3
    """Part of both domains' spread in a measure's unit: one that never varies in the source has a unit, too."""
    splits: int = 24
    """Random halves by which the sampling noise of a measure's quantiles is found."""
    plainness: float = 0.5
    """What a slope or a skew of one costs, in units of the distance."""
    spreads: tuple[float, ...] = (0.2, 0.55)
    """Spreads that a fit starts from, as parts of the offset; 0.58 is an even spread from 0 to twice the offset."""
    step: float = 0.12
    """Of the slopes of the fit, in units of each strength: above the noise of the quantiles, below what bends them."""
    longest_move: float = 1.0
    """Of one strength in one round, in its unit."""
    enough: float = 0.02
    """Gain of a round, as a part of the objective, below which the fit ends."""
    damping: float = 0.01
    """Of the first round (Levenberg-Marquardt)."""
    unit_from_spread: float = 0.5
    """Part of a measure's spread that a strength's unit is at least."""
    taught: int = 450
    """Source samples that the readings are learned on, each changed twice."""
    least_taught: int = 200
    """With fewer samples left over, those that the fit uses are learned on, too."""
    mixed_in: float = 0.25
    """Least spread of every other factor's strength, in spreads of its measure; more where more is left open."""
    most_mixed_in: float = 1.5
    """However much is left open."""
    ridge: float = 0.01
    """Penalty of the regression, per sample."""
    outermost: float = 4.0
    """Measures count up to so many spreads from their mean."""
    widest_turn: float = 0.45
    """Part of its period by which a circular measure is changed at most: further round, more would look like less."""
    read_weight: float = 3.0
    """Weight of all readings together, against 1 of all other measures, when strengths are fitted."""
    rounds_of_readings: int = 3
    """Of the last fit."""
    skewed: int = 2
    """Changes of a plan whose skew is fitted, too: of later ones, which are smaller, the shape shows in nothing."""
    operation_error: float = 0.1
    """Standard error of every strength, as a part of it, because no operation of ours is quite the one that happened to
    the data: resampling does not show that. Coverage in benchmarks/causes.md (90 of 100) is with this value."""
    most_error: float = 0.5
    """A strength's error counts up to this part of it."""
    error_draws: int = 200
    """Bootstrap draws behind a strength's error."""


@dataclass(frozen=True)
class TrialPolicy:
    """How much is measured, beyond what `TrialSettings` says, and when a shift or a shadow counts."""

    probed: int = 300
    """Samples that a change is tried on before it is let into the plan."""
    first: int = 400
    """Samples of the first round, and those that the dose-response curves are measured on."""
    early: float = 1.5
    """A verdict before the last round must hold for an interval so many times as wide, three standard errors: who looks
    several times at growing data gives chance several tries (Peto et al. 1976, https://doi.org/10.1038/bjc.1976.220)."""
    drowned: float = 0.5
    """More samples do not help once their error is below this part of the doubt about the change's strength."""
    fewest: int = 50
    """Samples for which no round is begun that a budget cuts short."""
    undone: int = 600
    """Target samples on which a change is undone."""
    visible: float = 0.3
    """Gap between quantiles, in spreads of the source, from which a shift that nothing explains is worth a word."""
    accounted: float = 0.5
    """Share of a measure's gap that other changes must explain for it to be their shadow."""
    part_of_shadow: float = 0.25
    """Share of a measure's gap from which one change is named among those that it is the shadow of."""
    bins: int = 30
    """Of the histograms of a measure."""
    correlation_draws: int = 200
    """Bootstrap draws behind the correlation of a factor that can only be measured."""
    least_rows: int = 60
    """Samples that every set of changes is measured on, at least."""
    orders: int = 16
    """In which changes join, where there are too many for all sets to be measured."""


@dataclass(frozen=True)
class Policy:
    """All of them; an analysis is made with these, a benchmark may try others."""

    discrete: DiscretePolicy = field(default_factory=DiscretePolicy)
    search: SearchPolicy = field(default_factory=SearchPolicy)
    fit: FitPolicy = field(default_factory=FitPolicy)
    trial: TrialPolicy = field(default_factory=TrialPolicy)


DEFAULT = Policy()
"""What every analysis is made with."""
