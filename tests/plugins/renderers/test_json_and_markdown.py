"""The renderers for scripts, for chats and for Prometheus."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from examplereports import example

from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Renderer
from shiftlens.core.results.report import Report
from shiftlens.core.results.results import Results


def render(name: str, report: Report) -> dict[str, bytes]:
    component = Host().find(Renderer, name)
    files: dict[str, bytes] = component.build(component.settings())(report)
    return files


def test_json_is_the_results_themselves() -> None:
    report = example()
    (name, content), *others = render("json", report).items()
    assert name == "results.json"
    assert not others
    assert content.decode() == report.results.to_json()
    assert json.loads(content)["schema"] == 1
    assert Results.model_validate_json(content) == report.results


def test_markdown_tells_the_findings_in_their_order() -> None:
    results = example().results
    text = render("markdown", example())["report.md"].decode()
    places = [text.index(word) for word in ("| accuracy | 90.5\u202f% |", "**Warning:**", "## Why", "**harmful**")]
    places += [text.index(word) for word in ("Not explained by any factor", "## What to do", "Fidelity")]
    assert places == sorted(places)
    assert text.startswith(f"# {results.name}\n")
    assert len(text) < 4000
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in tables} == {5, 7}


@pytest.mark.parametrize("hostile", ["<script>alert(1)</script>", "a | b\n\n# c", "[x](javascript:1)", "`*_~"])
def test_markdown_holds_no_markup_of_a_user(hostile: str) -> None:
    plain = render("markdown", example(pairs=1))["report.md"].decode()
    text = render("markdown", example(pairs=1, text=lambda word: f"{word} {hostile}"))["report.md"].decode()
    assert not re.search(r"(?<!\\)[<\[`]", text)
    assert text.count("\n") == plain.count("\n")
    assert text.replace("\\|", "").count("|") == plain.replace("\\|", "").count("|")


def test_markdown_without_causes_pairs_or_labels() -> None:
    text = render("markdown", example(pairs=0, causes=False, labelled=False))["report.md"].decode()
    assert "the target has no labels" in text
    assert "## Why" not in text
    assert "## The grid" not in text


def test_markdown_warns_of_a_grid_of_low_fidelity() -> None:
    text = render("markdown", example(faithful=False))["report.md"].decode()
    assert "This grid does not do what it says" in text


def test_the_plugin_is_light_and_no_renderer_needs_torch() -> None:
    program = (
        "import sys, shiftlens.plugins.renderers as room; names = [r.name for r in room.shiftlens_renderers()];"
        "assert names == ['html', 'json', 'markdown', 'prometheus'], names;"
        "assert not {'torch', 'jinja2', 'PIL', 'scipy'} & set(sys.modules), sys.modules;"
        "[r.build(r.settings()) for r in room.shiftlens_renderers()];"
        "assert 'torch' not in sys.modules and 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_prometheus_reads_the_figures_and_one_verdict_a_factor() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    report = example()
    text = render("prometheus", report)["metrics.prom"].decode()
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }
    results, name = report.results, ("analysis", report.results.name)
    for role in ("source", "target"):
        assert found["shiftlens_accuracy", name, ("domain", role)] == getattr(results.accuracy, role)
        assert found["shiftlens_loss", name, ("domain", role)] == getattr(results.loss, role)
    for cause in results.causes:
        of = ("factor", cause.factor)
        if cause.effect is not None:
            assert found["shiftlens_loss_effect", name, of] == cause.effect
        words = {k[-1][1]: v for k, v in found.items() if k[0] == "shiftlens_verdict" and of in k}
        assert [word for word, value in words.items() if value] == [cause.verdict]


def test_prometheus_leaves_out_what_is_not_known_and_takes_any_name() -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    report = example(pairs=0, causes=False, labelled=False, text=lambda word: f'{word} "\\\n{{}}')
    families = parser.text_string_to_metric_families(render("prometheus", report)["metrics.prom"].decode())
    samples = [sample for family in families for sample in family.samples]
    assert all(sample.labels["analysis"] == report.results.name for sample in samples)
    assert [s.labels["domain"] for s in samples if s.name == "shiftlens_accuracy"] == (
        ["source"] if report.results.accuracy.target is None else ["source", "target"]
    )
