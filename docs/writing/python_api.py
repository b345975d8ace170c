"""The public names of Python, with their docstrings."""

from __future__ import annotations

import inspect
from typing import Any

import shiftlens
from writing.markdown import code, doc

INTRODUCTION = """# Python

```python
from shiftlens import run

finished = run("analysis.yaml")  # or, without any file:
finished = run(source=(x, y), target=(x2, y2), classifier=model, name="night")

print(finished.results)  # one line
finished.causes.to_frame()  # a table of pandas, where that is installed
finished.pair(3).show()  # a generated grid
finished.grid(sample).show()  # the fitted changes, made on a sample of your own
```

Arrays have the forms of the npz reader: `x`, `(x, y)` or `{"x": x, "y": y, "kind": "tabular"}`. A classifier is a path,
a torch module, an estimator with `predict_proba`, or a function of `(N, *sample)` float32 that gives `(N, classes)`. A
notebook shows a run's answer and its intervention grid by itself. Every other setting may be given by its name.

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
