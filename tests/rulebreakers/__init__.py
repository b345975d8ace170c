"""Components that break the rules of the conformance kit on purpose, one rule each, and ones that keep them all.

``GOOD`` holds a component of every kind that keeps its rules; ``BREAKERS`` one for each rule, by the rule's anchor; one
file a kind. What a breaker does beside breaking its rule is right, as far as that can be.
"""

from __future__ import annotations

from rulebreakers import (
    classifiers,
    converters,
    factors,
    generators,
    losses,
    observers,
    readers,
    remedies,
    renderers,
    selectors,
    targets,
)
from rulebreakers.tried import Tried as Tried

_KINDS = {
    "loss": losses,
    "factor": factors,
    "selector": selectors,
    "generator": generators,
    "converter": converters,
    "classifier": classifiers,
    "reader": readers,
    "renderer": renderers,
    "observer": observers,
    "target": targets,
    "remedy": remedies,
}

GOOD = {kind: module.GOOD for kind, module in _KINDS.items()}
BREAKERS = {anchor: tried for module in _KINDS.values() for anchor, tried in module.BREAKERS.items()}
