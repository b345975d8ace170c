"""metrics.prom: the figures of a run for Prometheus, as its node exporter picks them up from a folder of text files."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Cause

VERDICTS = ("harmful", "harmless", "unclear", "unchanged")


def render(report: Report) -> dict[str, bytes]:
    """``{"metrics.prom": ...}``: gauges, each with the label ``analysis``; accuracies and shares are fractions."""
    results, registry = report.results, CollectorRegistry()
    name = results.name

    def gauge(metric: str, help_: str, *labels: str) -> Gauge:
        return Gauge(f"shiftlens_{metric}", help_, ("analysis", *labels), registry=registry)

    accuracy = gauge("accuracy", "accuracy of the classifier", "domain")
    loss = gauge("loss", f"mean loss, in {results.loss_unit}", "domain")
    samples = gauge("samples", "samples of the domain", "domain")
    for role in ("source", "target"):
        for metric, figures in ((accuracy, results.accuracy), (loss, results.loss), (samples, results.samples)):
            value = getattr(figures, role)
            if value is not None:  # Prometheus has no word for what is not known
                metric.labels(name, role).set(value)
    verdict = gauge("verdict", "1 for the verdict on the factor, 0 for the others", "factor", "verdict")
    cost = gauge("accuracy_effect", "accuracy lost by the change of this factor alone", "factor")
    effect = gauge("loss_effect", "rise of the mean loss by the change of this factor alone", "factor")
    for cause in results.causes:
        _tell(cause, name, verdict, cost, effect)
    if results.unexplained is not None:
        gauge("unexplained", "share of the loss gap that no factor explains").labels(name).set(
            results.unexplained.share
        )
    return {"metrics.prom": generate_latest(registry)}


def _tell(cause: Cause, name: str, verdict: Gauge, cost: Gauge, effect: Gauge) -> None:
    for word in VERDICTS:
        verdict.labels(name, cause.factor, word).set(cause.verdict == word)
    if cause.accuracy_effect is not None:
        cost.labels(name, cause.factor).set(cause.accuracy_effect)
    if cause.effect is not None:
        effect.labels(name, cause.factor).set(cause.effect)
