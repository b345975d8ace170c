"""What an analysis of causes is asked with: samples and scores of both domains, candidate factors, settings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from shiftlens.core.arrays import FloatArray, IntArray
from shiftlens.core.causes.changes import ActiveFactor
from shiftlens.core.causes.distance import ToMatch
from shiftlens.core.causes.outcomes import Rig, Score
from shiftlens.core.causes.policy import DEFAULT, Policy, TrialSettings
from shiftlens.core.causes.verdict import DomainGap
from shiftlens.core.causes.views import Sight, sight_of
from shiftlens.core.data.samples import LazySamples
from shiftlens.core.data.scoring import Scores
from shiftlens.core.job import Progress, silent


@dataclass(frozen=True, kw_only=True)
class CauseRequest:
    """Everything that `find_causes` needs, and all that it looks at.

    Attributes:
        source, target: ``(n, *sample)`` and ``(m, *sample)`` float32; best samples that the classifier never saw.
        source_labels, target_labels: class index of each sample; None for a target without labels.
        source_scores, target_scores: the classifier's scores of these samples.
        factors: the candidates. One that refuses, raises or answers wrongly is left out, and the others go on.
        score: ``score(x, labels) -> Scores``.
        sample_kind: the kind of sample, `Domain.kind`.
        classes: class names in the order of the classifier's outputs.
        settings, seed: as the user chose them.
        label_free: the loss needs no labels, so that the target's is known even where its labels are not.
        loss_unit: of the loss, as sentences say it.
        domain_gap: what the target lost, on the samples that the results state; None: on these samples.
        policy: the constants of search, fit and trial.
        progress: called with what is done and 100.
    """

    source: FloatArray | LazySamples
    source_labels: IntArray
    source_scores: Scores
    target: FloatArray | LazySamples
    target_labels: IntArray | None
    target_scores: Scores
    factors: Sequence[ActiveFactor]
    score: Score
    sample_kind: str
    classes: Sequence[str]
    settings: TrialSettings
    seed: int
    label_free: bool = False
    loss_unit: str = "nats"
    domain_gap: DomainGap | None = None
    policy: Policy = DEFAULT
    progress: Progress = silent

    @cached_property
    def source_samples(self) -> LazySamples:
        """Decoded when they are asked for."""
        return LazySamples.of(self.source)

    @cached_property
    def target_samples(self) -> LazySamples:
        """Decoded when they are asked for."""
        return LazySamples.of(self.target)

    @cached_property
    def sight(self) -> Sight:
        """How what shifted is looked at: factors that measure its views, not the samples, are `viewed`."""
        return sight_of(self.sample_kind, self.source_samples.sample_shape)

    @property
    def gap_is_known(self) -> bool:
        """Whether the target's loss was measured, with its labels or by a loss that needs none."""
        return self.target_labels is not None or self.label_free

    @property
    def worth(self) -> float:
        """The smallest rise of the mean loss that is worth naming: a part of the gap, where that is known."""
        settings = self.settings
        if not self.gap_is_known:
            return settings.smallest_effect
        gap = float(self.target_scores.loss.mean() - self.source_scores.loss.mean())
        return max(settings.smallest_effect, settings.smallest_share * gap)

    @property
    def rig(self) -> Rig:
        """Changes tried on the source samples."""
        return Rig(self.source_samples, self.source_labels, self.score, self.seed)

    def to_match(self, factors: Sequence[ActiveFactor]) -> ToMatch:
        """Both domains as the search sees them, to be compared by these factors."""
        source, target = (self.sight.samples(x) for x in (self.source_samples, self.target_samples))
        return ToMatch(
            source, self.source_labels, target, self.target_labels, factors, self.sample_kind,
            self.settings.matching_samples, self.seed, self.policy, self.sight.broad,
        )  # fmt: skip

    def show(self, share: float) -> None:
        """Progress: the share of the work that is done."""
        self.progress(round(100 * share), 100)
