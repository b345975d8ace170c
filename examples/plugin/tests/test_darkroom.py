"""The parts keep the rules of their kinds, as they are installed; and what only they promise."""

from __future__ import annotations

import json

import numpy as np

from shiftlens import Candidates, Factor, Host, Renderer, Scores, Selector
from shiftlens.testing import check_factor, check_generator, check_renderer, check_selector, report


def test_the_generator_keeps_the_rules() -> None:
    check_generator("location-scale")


def test_the_selector_keeps_the_rules() -> None:
    check_selector("confusions")


def test_the_factor_keeps_the_rules() -> None:
    check_factor("vignette")


def test_the_renderer_keeps_the_rules() -> None:
    check_renderer("slack", settings={"link": "https://example.org"})


def test_the_most_frequent_confusion_comes_first() -> None:
    component = Host().find(Selector, "confusions")
    label = np.array([0, 0, 0, 1, 1, 1])
    said = np.array([0, 2, 2, 1, 0, 1])  # twice 0 taken for 2, once 1 taken for 0
    loss = np.array([0.1, 2.0, 3.0, 0.1, 4.0, 0.1])
    source = Scores(np.full(6, 0.01), label, label, np.ones(6))
    target = Scores(loss, label, said, np.ones(6))
    among = Candidates(source, target, lambda role, rows: np.zeros((len(rows), 1), np.float32))
    pairs = component.build(component.settings(each=1))(among, np.random.default_rng(0))
    assert [pair.target for pair in pairs] == [2, 4]


def test_corners_get_darker_by_what_is_asked() -> None:
    component = Host().find(Factor, "vignette")
    vignette = component.build(component.settings())
    even = np.full((3, 3, 32, 32), 0.5, dtype=np.float32)
    darker = vignette.shift(even, np.full(3, 0.2), np.random.default_rng(0))
    np.testing.assert_allclose(vignette.measure(darker), 0.2, atol=0.01)


def test_the_message_has_a_link_to_the_report() -> None:
    component = Host().find(Renderer, "slack")
    (content,) = component.build(component.settings(link="https://example.org/?a=1&b=<2>"))(report()).values()
    text = json.loads(content)["blocks"][-1]["text"]["text"]
    assert "<https://example.org/?a=1&amp;b=&lt;2&gt;|The full report>" in text
    assert len(text) <= 3000
