"""Every rule of the conformance kit catches what breaks it, and what breaks none is left in peace."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from rulebreakers import BREAKERS, GOOD, Tried
from rulebreakers.factors import GOOD_DISCRETE

from shiftlens.core.host.kinds import KINDS
from shiftlens.core.testing.check import findings
from shiftlens.testing import ConformanceError, check_loss, check_renderer, rules, rules_markdown

SLOW = ("generator", "converter", "classifier", "target")  # torch, or an export


def marked(anchor: str) -> object:
    marks = [pytest.mark.slow] if anchor.startswith(SLOW) else []
    return pytest.param(anchor, id=anchor, marks=marks)


def found(tried: Tried, folder: Path, *only: str) -> dict[str, object]:
    settings = tried.settings(folder)
    return {f.rule.anchor: f for f in findings(tried.component, settings, only=only)}


def test_every_rule_has_a_breaker_and_every_kind_has_rules() -> None:
    assert {rule.anchor for rule in rules()} == set(BREAKERS)
    assert {rule.kind for rule in rules()} == {"component", *(kind.kind for kind in KINDS)}
    assert all(rule.text for rule in rules())


@pytest.mark.parametrize("anchor", [marked(rule.anchor) for rule in rules()])
def test_a_broken_rule_is_caught_and_told(anchor: str, tmp_path: Path) -> None:
    tried = BREAKERS[anchor]
    # A rule of every component is broken by what happens in the rules of the kind, the loss's here.
    only = () if anchor.startswith("component") else (anchor.split("-", 1)[1],)
    finding = found(tried, tmp_path, *only)[anchor]
    assert finding.status == "broken", finding
    assert finding.expected
    assert finding.seen
    assert anchor in finding.told()


@pytest.mark.parametrize("kind", [marked(kind.kind) for kind in KINDS])
def test_what_keeps_the_rules_passes(kind: str, tmp_path: Path) -> None:
    told = [f.told() for f in found(GOOD[kind], tmp_path).values() if f.status == "broken"]
    assert not told, "\n".join(told)


def test_a_discrete_factor_that_keeps_the_rules_passes(tmp_path: Path) -> None:
    looked_at = found(GOOD_DISCRETE, tmp_path)
    assert not [f.told() for f in looked_at.values() if f.status == "broken"]
    assert looked_at["factor-makes-every-variant"].status == "kept"
    assert looked_at["factor-moves-as-asked"].status == "left out"


def test_a_failing_check_tells_every_broken_rule_at_once() -> None:
    with pytest.raises(ConformanceError) as caught:
        check_loss(BREAKERS["loss-each-sample-alone"].component)
    message = str(caught.value)
    assert message.startswith('loss "broken" breaks ')
    assert "expected: " in message
    assert "docs/reference/rules.md#loss-each-sample-alone" in message
    assert "docs/reference/rules.md#loss-small-where-right" not in message


def test_checks_take_a_description_or_a_name() -> None:
    check_loss("entropy")
    with pytest.raises(TypeError, match="takes a Renderer"):
        check_renderer(GOOD["loss"].component)


def test_the_page_of_rules_has_a_heading_for_each() -> None:
    page = rules_markdown()
    for rule in rules():
        assert f"### {rule.anchor}\n\n{rule.text}" in page


@pytest.mark.slow
def test_what_torch_remembers_of_an_earlier_export_is_not_held_against_a_component(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = str(tmp_path / "elsewhere")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", elsewhere)
    told = found(GOOD["generator"], tmp_path / "kept", "exports-to-onnx", "writes-in-its-folder")
    assert {anchor: finding.status for anchor, finding in told.items()} == {
        "generator-exports-to-onnx": "kept",
        "component-writes-in-its-folder": "kept",
    }
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == elsewhere
