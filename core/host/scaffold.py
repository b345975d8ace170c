"""``shiftlens plugins new``: a complete small distribution to start a plugin from, made of templates/plugin."""

from __future__ import annotations

import importlib.util
import keyword
import shutil
import tempfile
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import jinja2

import shiftlens
from shiftlens.core.errors import InputError, near_miss
from shiftlens.core.host.descriptions import NAME
from shiftlens.core.host.host import Host


@dataclass(frozen=True)
class Example:
    """What the example of one kind is, and what its README shows of its use (NAME stands for its name)."""

    summary: str
    use: str
    where: str = ", in `analysis.yaml`"
    form: str = "yaml"


EXAMPLES = {
    "reader": Example(
        "a label and values on each line of a text file",
        "source: {reader: NAME, path: before.data}\ntarget: {reader: NAME, path: after.data}",
    ),
    "classifier": Example("the class whose mean sample is nearest", "classifier: {name: NAME, shrink: 0.1}"),
    "generator": Example("principal components with a loss axis, fitted in a second", "generator: {name: NAME}"),
    "converter": Example("every value with the mean and spread it has in the source", "converter: {name: NAME}"),
    "selector": Example("the worst of every class beside its best", "selector: {name: NAME, pairs: 20}"),
    "factor": Example("how much lighter the upper half is than the lower", "factors: [NAME, brightness]"),
    "loss": Example("the focal loss: what is nearly right counts less", "loss: {name: NAME, gamma: 2}"),
    "renderer": Example("the causes as a table for spreadsheets", "reports: [html, json, NAME]"),
    "remedy": Example("the mix of classes as it is in the target", "remedy: {measure: [NAME, refit-head]}"),
    "observer": Example("every figure of a run in a table, as it comes in", "observers: [NAME]"),
    "target": Example("the bundle as one zip file", "shiftlens export RUN --target NAME --out DIR", "", ""),
}


def write_plugin(name: str, kind: str, out: Path | None = None) -> Path:
    """Write the distribution; returns its folder.

    Args:
        name: of the distribution and of the component it offers: lower-case words joined by hyphens.
        kind: one of the kinds of component.
        out: the folder to write it in, as ``out/name``; the current one where left out.

    Raises:
        InputError: the name cannot be used, or the folder is there already; nothing is written then.
    """
    module = name.replace("-", "_")
    folder = (out or Path.cwd()) / name
    _check(name, module, kind, folder)
    example = EXAMPLES[kind]
    use = example.use.replace("NAME", name)
    values = {
        "name": name, "module": module, "kind": kind, "summary": example.summary, "use": use, "where": example.where,
        "form": example.form, "shiftlens": shiftlens.__version__,
    }  # fmt: skip
    files = {
        "pyproject.toml": "pyproject.toml.j2",
        "README.md": "README.md.j2",
        f"{module}.py": f"{kind}.py.j2",
        f"tests/test_{module}.py": "test_reader.py.j2" if kind == "reader" else "test.py.j2",
        ".github/workflows/test.yml": "workflow.yml.j2",
    }
    templates = _templates()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}.", dir=folder.parent) as temporary:
        for path, template in files.items():
            written = Path(temporary) / "new" / path
            written.parent.mkdir(parents=True, exist_ok=True)
            written.write_text(templates.get_template(template).render(values), encoding="utf-8")
        shutil.move(Path(temporary) / "new", folder)  # whole or not at all
    return folder


def _check(name: str, module: str, kind: str, folder: Path) -> None:
    if kind not in EXAMPLES:
        raise InputError(
            f'"{kind}" is no kind of component; {near_miss(kind, EXAMPLES)}there are: {", ".join(EXAMPLES)}'
        )
    if not NAME.fullmatch(name) or name[0].isdigit():
        raise InputError(
            f'"{name}" is no name for a plugin: lower-case words of letters and digits, joined by hyphens, and first '
            "a letter; for example my-generator"
        )
    if folder.exists():
        raise InputError(f"{folder} is there already; choose another name, or another folder with --out")
    if keyword.iskeyword(module) or importlib.util.find_spec(module) is not None:
        raise InputError(f'Python has a module "{module}" already; choose another name, such as my-{name}')
    for offer in Host().offers(kind):
        if offer.component.name == name:
            raise InputError(f'the {kind} "{name}" is offered by {offer.origin} already; choose another name')


def _templates() -> jinja2.Environment:
    """Names are checked before they get here; escaping is on all the same, as everywhere."""
    folder = resources.files("shiftlens.templates").joinpath("plugin")
    return jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: folder.joinpath(name).read_text(encoding="utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
