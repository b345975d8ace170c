"""The two renderers for scripts and for chats."""

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
        "assert names == ['html', 'json', 'markdown'], names;"
        "assert not {'torch', 'jinja2', 'PIL', 'scipy'} & set(sys.modules), sys.modules;"
        "[r.build(r.settings()) for r in room.shiftlens_renderers()];"
        "assert 'torch' not in sys.modules and 'onnxruntime' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
