"""What plugin authors test with: ``from shiftlens.testing import check_generator``.

One line of a test holds a component to every rule of its kind::

    def test_it_keeps_the_rules():
        check_generator("my-generator")

The rules stand in one file per kind beside this one, each with its text as a docstring; `rules_markdown` prints them
all. The data are real and come with scikit-learn; while a rule is looked at, nothing gets out on the network.
"""

from __future__ import annotations

from shiftlens.core.testing import common, loss  # noqa: F401  # their rules enter the registry
from shiftlens.core.testing.check import CHECKERS
from shiftlens.core.testing.minireport import report
from shiftlens.core.testing.realdata import samples
from shiftlens.core.testing.rules import ConformanceError, Finding, Rule, rules, rules_markdown

check_reader = CHECKERS["check_reader"]
check_classifier = CHECKERS["check_classifier"]
check_generator = CHECKERS["check_generator"]
check_converter = CHECKERS["check_converter"]
check_selector = CHECKERS["check_selector"]
check_factor = CHECKERS["check_factor"]
check_loss = CHECKERS["check_loss"]
check_remedy = CHECKERS["check_remedy"]
check_renderer = CHECKERS["check_renderer"]
check_target = CHECKERS["check_target"]
check_observer = CHECKERS["check_observer"]

__all__ = [
    "ConformanceError",
    "Finding",
    "Rule",
    "check_classifier",
    "check_converter",
    "check_factor",
    "check_generator",
    "check_loss",
    "check_observer",
    "check_reader",
    "check_remedy",
    "check_renderer",
    "check_selector",
    "check_target",
    "report",
    "rules",
    "rules_markdown",
    "samples",
]
