"""Groups: what a changed mix of the values of a metadata column costs, and which of them became worse.

Of groups g with the shares p (source) and q (target) and the mean losses l and m, the gap is

    sum q m - sum p l  =  sum (q - p) l  +  sum q (m - l)

the first part being the changed mix (the source reweighted to the target's shares), the second what became worse
within the groups: a decomposition by Kitagawa (1955, https://doi.org/10.1080/01621459.1955.10501299). A group that the
source lacks is held against the source's mean, so that the parts sum to the gap whatever groups there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from shiftlens.core.arrays import Floats, IntArray
from shiftlens.core.causes.group_sentences import Said, mix_sentence, worse_sentence
from shiftlens.core.causes.statistics import class_mix_test, percentile_interval
from shiftlens.core.results.results import GroupColumn, GroupRow, Interval, Samples

Texts = npt.NDArray[np.str_]

FEWEST = 20
"""Samples of both domains together from which a value is a group of its own."""
MOST_GROUPS = 100
"""Groups of one column; numbers of more different values are put into ranges."""
RANGES = 5
SMALL, NONE = "(small groups)", "(no value)"
LEVEL = 0.05


@dataclass(frozen=True)
class Grouped:
    """One domain: each sample's group, loss and correctness, all ``(n,)``.

    ``loss`` and ``correct`` are None where they are not known.
    """

    group: Texts
    loss: Floats | None
    correct: Floats | None


@dataclass(frozen=True)
class GroupRequest:
    """What the groups of one analysis are judged by.

    Attributes:
        smallest_effect, smallest_share, alpha: as of `TrialSettings`.
        draws: behind every interval.
        unit: of the loss.
        points: fall of the accuracy as the results state it, in points; None where it is not known.
    """

    smallest_effect: float
    smallest_share: float
    alpha: float
    draws: int
    seed: int
    unit: str = "nats"
    points: float | None = None


@dataclass(frozen=True)
class Means:
    """Shares ``(G,)`` and mean values ``(G,)`` of the groups of one domain, each with draws ``(draws, G)`` behind."""

    share: Floats
    mean: Floats
    shares: Floats
    means: Floats

    @classmethod
    def of(cls, place: IntArray, values: Floats, groups: int, draws: int, rng: np.random.Generator) -> Means:
        """From each sample's group number and value; a group without samples has the mean of all."""
        count = np.bincount(place, minlength=groups)
        safe = np.maximum(count, 1)
        mean = np.where(count > 0, np.bincount(place, values, groups) / safe, values.mean())
        variance = np.maximum(np.bincount(place, values**2, groups) / safe - mean**2, 0)
        # The spread within two or three samples says little: all samples' spread stands for it.
        variance = np.where(count < 5, np.maximum(variance, values.var()), variance)
        shares = rng.multinomial(len(place), count / len(place), size=draws) / len(place)
        means = mean + np.sqrt(variance / safe) * rng.standard_normal((draws, groups))
        return cls(count / len(place), mean, shares, means)

    def with_drawn(self) -> tuple[Floats, Floats]:
        """Shares and means ``(1 + draws, G)``, the measured ones first."""
        return np.vstack([self.share, self.shares]), np.vstack([self.mean, self.means])


@dataclass(frozen=True)
class Parts:
    """The decomposition, ``(G,)``, or with leading axes for draws; ``mix`` and ``within`` sum to the gap."""

    mix: Floats
    within: Floats
    rise: Floats


def parts_of(p: Floats, l: Floats, q: Floats, m: Floats) -> Parts:  # noqa: E741 - as in the formula
    """Each group's parts of the gap from its shares and means, see the module.

    Args:
        p, l: shares and means in the source, ``(..., G)``; where p is 0, l is taken to be the source's mean.
        q, m: in the target.
    """
    whole = (p * l).sum(-1, keepdims=True)
    known = np.where(p > 0, l, whole)
    there = np.where(q > 0, m, known)
    return Parts((q - p) * (known - whole), q * (there - known), there - known)


def groups_of_columns(
    columns: Mapping[str, tuple[Texts, Texts]],
    source: tuple[Floats, Floats],
    target: tuple[Floats | None, Floats | None],
    request: GroupRequest,
) -> tuple[list[GroupColumn], dict[str, str]]:
    """Every column that makes groups, those whose mix costs most first, and the reasons why others do not.

    Args:
        columns: by name, the values of the source's ``(n,)`` and of the target's ``(m,)`` samples; empty: none.
        source, target: loss and correctness of the same samples; None where the target's are not known.
    """
    found, left_out = [], {}
    for name, (here, there) in columns.items():
        places = _places(here, there)
        if isinstance(places, str):
            left_out[name] = places
            continue
        names, at_source, at_target, remarks = places
        found.append(_judged(Placed(name, names, (at_source, at_target), source, target), request, remarks))
    return sorted(found, key=lambda one: -(one.mix or 0.0)), left_out


def weights_of(here: Texts, there: Texts) -> Floats | None:
    """``(n,)`` weights that give the source's samples the target's mix of groups; None where the column makes none."""
    places = _places(here, there)
    if isinstance(places, str):
        return None
    names, at_source, at_target, _ = places
    p, q = (np.bincount(at, minlength=len(names)) / len(at) for at in (at_source, at_target))
    return np.asarray((q / np.maximum(p, 1e-12))[at_source])


def _places(here: Texts, there: Texts) -> tuple[list[str], IntArray, IntArray, list[str]] | str:
    """The groups' names, each sample's group by number, and remarks; or why the column makes no groups."""
    both = np.concatenate([here, there])
    values, place, counts = np.unique(both, return_inverse=True, return_counts=True)
    remarks = []
    if len(values) > MOST_GROUPS:
        ranged = _ranges(both)
        if ranged is None:
            return f"it has {len(values):,} different values, too many to be groups"
        values, place, counts = np.unique(ranged, return_inverse=True, return_counts=True)
        remarks.append(f"numbers in {len(values)} ranges of as many samples each")
    if len(values) < 2:
        return f"all samples have one value, {values[0] or 'none'}"
    small = counts < FEWEST
    if counts[small].sum() > len(both) / 2:
        return f"most of its {len(values):,} values stand for fewer than {FEWEST} samples"
    names = [str(value) or NONE for value in values]
    if small.any():
        number = int(small.sum())
        which = ", ".join(names[i] for i in np.flatnonzero(small)[:5])
        remarks.append(
            f"{number} value{'s' if number > 1 else ''} of fewer than {FEWEST} samples ({which}"
            f"{', ...' if number > 5 else ''}) taken together"
        )
        kept = np.flatnonzero(~small)
        renumbered = np.full(len(values), len(kept))
        renumbered[kept] = np.arange(len(kept))
        place, names = renumbered[place], [*(names[i] for i in kept), SMALL]
    if len(names) < 2:
        return f"only one of its values, {names[0]}, stands for {FEWEST} samples or more"
    at_source, at_target = place[: len(here)], place[len(here) :]
    if not set(at_source.tolist()) & set(at_target.tolist()):
        return "no value stands in both domains, so that mix and change cannot be told apart"
    empty = (both == "").sum()
    if empty:
        remarks.append(f"{empty:,} samples without a value are a group of their own")
    return names, at_source, at_target, remarks


def _ranges(values: Texts) -> Texts | None:
    """Numbers as the range that they lie in; None where they are no numbers."""
    try:
        numbers = np.array([float(value) if value else np.nan for value in values])
    except ValueError:
        return None
    known = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1))) if len(known) else np.zeros(0)
    if len(edges) < 3:
        return None
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    said = [f"{low:.4g} to {high:.4g}" for low, high in pairwise(edges)]
    return np.array([said[i] if np.isfinite(number) else "" for i, number in zip(place, numbers, strict=True)])


@dataclass(frozen=True)
class Placed:
    """One column whose samples are put into groups.

    Attributes:
        name: of the column.
        names: of its groups.
        places: each sample's group by number, of the source ``(n,)`` and of the target ``(m,)``.
        source, target: loss and correctness of the same samples; None where the target's are not known.
    """

    name: str
    names: Sequence[str]
    places: tuple[IntArray, IntArray]
    source: tuple[Floats, Floats]
    target: tuple[Floats | None, Floats | None]


def _judged(column: Placed, request: GroupRequest, remarks: list[str]) -> GroupColumn:
    """One column with all its groups."""
    name, names, places, source, target = column.name, column.names, column.places, column.source, column.target
    rng = np.random.default_rng([request.seed, 61, *name.encode()])
    groups = len(names)
    changed = class_mix_test(*places, groups) < request.alpha
    loss, correct = (_decomposed(places, source[i], target[i], groups, request.draws, rng) for i in (0, 1))
    known = target[0] is not None
    gap = float((loss.mix + loss.within)[0].sum()) if known else None
    worth = max(request.smallest_effect, request.smallest_share * max(gap or 0.0, 0.0))
    mix, mix_ci = _value_and_interval(loss.mix.sum(-1))
    fall, fall_ci = _value_and_interval(-correct.mix.sum(-1))
    verdict = (
        "unchanged" if not changed else "harmful" if mix_ci[0] > worth
        else "harmless" if mix_ci[1] < worth else "unclear"
    )  # fmt: skip
    worse = _worse(loss, _shares(places[1], groups), worth) if known else np.zeros(groups, dtype=bool)
    rows = _rows(column, loss, correct, worse)
    said = Said(name, request.unit, request.points, gap)
    top = max(rows, key=lambda row: row.mix)
    sentences = [mix_sentence(said, verdict, top, mix, mix_ci, fall)] if changed else []
    sentences += [worse_sentence(said, row) for row in rows if row.worse]
    return GroupColumn(
        column=name, verdict=verdict, gap=gap, mix=mix, mix_ci=mix_ci, mix_accuracy=fall, mix_accuracy_ci=fall_ci,
        mix_share=mix / gap if gap and gap > worth else None,
        within=gap - mix if gap is not None else None,
        within_ci=_value_and_interval(loss.within.sum(-1))[1] if known else None,
        groups=rows, remarks=remarks, sentences=sentences,
    )  # fmt: skip


def _decomposed(
    places: tuple[IntArray, IntArray], here: Floats, there: Floats | None, groups: int, draws: int,
    rng: np.random.Generator,
) -> Parts:  # fmt: skip
    """Parts ``(1 + draws, G)``, the measured ones first; nothing is worse within where the target's is not known."""
    source = Means.of(places[0], here, groups, draws, rng)
    values = np.zeros(len(places[1])) if there is None else there
    target = Means.of(places[1], values, groups, draws, rng)
    (p, l), (q, m) = source.with_drawn(), target.with_drawn()  # noqa: E741 - as in the formula
    # Whether the source has a group at all is no matter of chance.
    l[:, source.share == 0] = (p * l).sum(-1, keepdims=True)
    found = parts_of(np.where(source.share > 0, np.maximum(p, 1e-12), 0), l, q, m)
    return found if there is not None else Parts(found.mix, np.zeros_like(q), np.zeros_like(q))


def _shares(place: IntArray, groups: int) -> Floats:
    return np.bincount(place, minlength=groups) / len(place)


def _worse(loss: Parts, share: Floats, worth: float) -> npt.NDArray[np.bool_]:
    """Groups whose loss rose by clearly more than that of all others, corrected for their number."""
    from scipy.stats import norm

    total = (share * loss.rise).sum(-1, keepdims=True)
    rest = (total - share * loss.rise) / np.maximum(1 - share, 1e-9)
    excess = loss.rise - rest  # (1 + draws, G)
    z = float(norm.ppf(1 - LEVEL / 2 / len(share)))
    clear = excess[0] - z * excess[1:].std(0) > worth
    return np.asarray(clear & (share > 0) & (share < 1))


def _value_and_interval(draws: Floats) -> tuple[float, Interval]:
    """From the measured value and the draws behind it, ``(1 + draws,)``."""
    return float(draws[0]), percentile_interval(draws[1:])


def _rows(column: Placed, loss: Parts, correct: Parts, worse: npt.NDArray[np.bool_]) -> list[GroupRow]:
    """One row a group, those that make most of the gap first."""
    names, places, source, target = column.names, column.places, column.source, column.target
    counts = [np.bincount(place, minlength=len(names)) for place in places]

    def mean(values: Floats | None, domain: int, group: int) -> float | None:
        return float(values[places[domain] == group].mean()) if values is not None and counts[domain][group] else None

    rows = []
    for group, name in enumerate(names):
        both = counts[0][group] > 0 and counts[1][group] > 0 and target[0] is not None
        rise, rise_ci = _value_and_interval(loss.rise[:, group])
        within, within_ci = _value_and_interval(loss.within[:, group])
        rows.append(
            GroupRow(
                value=name,
                samples=Samples(source=int(counts[0][group]), target=int(counts[1][group])),
                share_source=counts[0][group] / len(places[0]), share_target=counts[1][group] / len(places[1]),
                accuracy_source=mean(source[1], 0, group), accuracy_target=mean(target[1], 1, group),
                loss_source=mean(source[0], 0, group), loss_target=mean(target[0], 1, group),
                mix=float(loss.mix[0, group]),
                rise=rise if both else None, rise_ci=rise_ci if both else None,
                within=within if target[0] is not None else None,
                within_ci=within_ci if target[0] is not None else None,
                within_accuracy=float(-correct.within[0, group]) if target[1] is not None else None,
                worse=bool(worse[group]),
            )
        )  # fmt: skip
    return sorted(rows, key=lambda row: -(row.mix + (row.within or 0.0)))
