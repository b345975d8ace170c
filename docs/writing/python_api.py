"""The public names of Python, with their docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import shiftlens
from writing.markdown import code, doc

INTRODUCTION = """# Python

```python
from shiftlens import load_settings, run

finished = run(load_settings("analysis.yaml"))
print(finished.results.headline)
```

`finished.results` has the fields of [results.json](results.md); `finished.arrays["cells"]` holds the grids. Errors that
a person can act on are subclasses of `shiftlens.ShiftlensError`. `import shiftlens` alone imports neither torch nor
ONNX Runtime. The names that plugins are written with come from `shiftlens`, too; each hook's page tells of them."""


def page() -> str:
    """Every class and function that analyses are run with."""
    things = [(label, getattr(shiftlens, label)) for names in shiftlens.TO_RUN.values() for label in names]
    shown = [_section(label, thing) for label, thing in things if inspect.isclass(thing) or inspect.isfunction(thing)]
    marker = (
        "## shiftlens.hookimpl\n\nThe mark on every hook implementation: "
        "[Write a plugin](../write-a-plugin.md) shows it at work."
    )
    return "\n\n".join([INTRODUCTION, *shown, marker])


def _section(label: str, thing: Any) -> str:
    parts = [f"## shiftlens.{label}", code(f"{label}{_signature(thing)}"), doc(thing)]
    if inspect.isclass(thing):
        parts += [_member(label, word, member) for word, member in vars(thing).items() if not word.startswith("_")]
    return "\n\n".join(part for part in parts if part)


def _member(label: str, word: str, member: Any) -> str:
    """A method or a property that has a docstring."""
    if isinstance(member, property):
        return f"### {label}.{word}\n\n{doc(member.fget)}" if doc(member.fget) else ""
    function = member.__func__ if isinstance(member, classmethod | staticmethod) else member
    if not inspect.isfunction(function):
        return ""
    return f"### {label}.{word}\n\n{code(f'{word}{_signature(function)}')}\n\n{doc(function)}"


def _signature(thing: Any) -> str:
    return str(inspect.signature(thing)).replace("'", "").replace("(self, ", "(").replace("(self)", "()")
