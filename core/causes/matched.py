"""What shifted, all of it: the changes without a strength first, then those that have one.

A change of strength can imitate one without (low resolution is nearly a blur), and the other way round. So both answers
are searched, and the one with the discrete changes is believed where it leaves no more than the other by more than
chance, or much less: it has nothing to fit, and its name says what to mend.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from shiftlens.core.causes.changes import ActiveFactor, Change, Plan
from shiftlens.core.causes.discrete import FoundVariant, VariantSearch, made_on
from shiftlens.core.causes.distance import Matcher
from shiftlens.core.causes.request import CauseRequest
from shiftlens.core.causes.search import Match, find_changes
from shiftlens.core.causes.views import at_full_size


@dataclass(frozen=True)
class Matched:
    """What shifted, and what it was found with.

    Attributes:
        discrete: changes without a strength, which are made first.
        alike: by the name of such a factor, variants that do as well as the one that is named.
        match: the changes that have a strength, found on samples with the discrete ones.
        matcher: compares samples with the discrete changes to the target.
        begun: the same of the samples as they are.
    """

    discrete: Plan
    alike: Mapping[str, list[str]]
    match: Match
    matcher: Matcher
    begun: Matcher


def find_all_changes(
    request: CauseRequest,
    factors: Sequence[ActiveFactor],
    costless: Callable[[Change], bool],
    progress: Callable[[float], None],
) -> Matched:
    """The smallest plan that turns the source into the target: discrete changes first.

    Args:
        factors: discrete ones and others; ``costless`` and ``progress`` as of `find_changes`.
    """
    gradual = [factor for factor in factors if not factor.discrete]
    begun = Matcher(request.to_match(gradual))

    def searched(matcher: Matcher, low: float, high: float) -> Match:
        return find_changes(
            matcher,
            request.settings.most_factors,
            request.seed,
            costless,
            lambda share: progress(low + share * (high - low)),
        )

    found, search = _variants(request, [factor for factor in factors if factor.discrete])
    progress(0.1)
    if search is None or not found:
        return Matched((), {}, searched(begun, 0.1, 1.0), begun, begun)
    discrete = tuple(one.change for one in found)
    without = None
    if search.distances(discrete, search.check).all > request.policy.discrete.settled:
        without = searched(begun, 0.1, 0.5)
    changed = replace(request, source=made_on(request.source_samples, discrete, request.seed))
    matcher = Matcher(changed.to_match(gradual))
    match = searched(matcher, 0.5, 1.0)
    if without is not None and not _believed(search, discrete, match.plan, without.plan):
        return Matched((), {}, without, begun, begun)
    return Matched(discrete, {one.change.name: one.alike for one in found}, match, matcher, begun)


def _variants(
    request: CauseRequest, factors: Sequence[ActiveFactor]
) -> tuple[list[FoundVariant], VariantSearch | None]:
    """Discrete changes, one after another, each made before those found so far."""
    if not factors:
        return [], None
    search = VariantSearch(request, factors)
    found: list[FoundVariant] = []
    while len(found) < request.policy.discrete.most:
        one = search.find(tuple(one.change for one in found))
        if one is None:
            break
        found.insert(0, one)
    return found, search


def _believed(search: VariantSearch, discrete: Plan, on_top: Plan, instead: Plan) -> bool:
    """Whether the discrete changes, and those found on top of them, explain the target better than others instead."""
    policy = search.policy
    with_them = search.distances((*discrete, *at_full_size(on_top)), search.check, policy.compared).all
    without = search.distances(at_full_size(instead), search.check, policy.compared).all
    fewer = len(discrete) + len(on_top) <= len(instead)
    return with_them < without + (policy.as_good if fewer else -policy.as_good)
