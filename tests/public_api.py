"""The public API as lines of text, item by item, and the one of the last release to compare it with.

    python tests/public_api.py            print what has changed since the last release
    python tests/public_api.py --write    renew public_api.txt, at a release; refused while the changelog does not name
                                          every change. Before the first release nothing is promised: never refused

An item is named in the changelog by its name in backticks (`Factor.unit`, `shiftlens run --until`,
`generator vae.latent`), or by that of the new thing it is a part of. What is public stands in docs/compatibility.md.
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import click
from pydantic import BaseModel

import shiftlens
from shiftlens import Host, testing
from shiftlens.core import arrays, errors, job
from shiftlens.core.cli import cli
from shiftlens.core.config import settings
from shiftlens.core.data import domain, scoring
from shiftlens.core.host import hookspecs, kinds
from shiftlens.core.results import report, results

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = Path(__file__).with_name("public_api.txt")
CHANGELOG = ROOT / "CHANGELOG.md"
MODULES = (kinds, domain, job, report, scoring, errors, results)

Api = dict[str, str]


def public_api() -> Api:
    """Every public item by its name, with its signature, type or default."""
    api: Api = {"API_VERSION": str(kinds.API_VERSION), "OLDEST_API": str(kinds.OLDEST_API)}
    for name in shiftlens.__all__:
        api |= _described(name, getattr(shiftlens, name))
    for module in MODULES:
        for name, value in _own(module):
            api |= _described(name, value)
    for name in testing.__all__:
        api |= _described(name, getattr(testing, name))
    for name, value in vars(hookspecs).items():
        if name.startswith("shiftlens_"):
            api[name] = _signature(value)
    api |= {f"setting {key}": text for key, text in _fields(settings.General)}
    api |= {f"setting {name}": slot.kind.__name__ for name, slot in settings.SLOTS.items()}
    for offer in Host().offers():
        if offer.distribution == "shiftlens":
            part = f"{offer.component.kind} {offer.component.name}"
            api[part] = "built in"
            api |= {f"{part}.{key}": text for key, text in _fields(offer.component.settings)}
    return api | dict(_commands(cli, "shiftlens"))


def changes(before: Api, after: Api) -> dict[str, str]:
    """What differs, by the item's name: ``added``, ``removed`` or ``changed from ... to ...``."""
    found = {name: "added" for name in after.keys() - before.keys()}
    found |= {name: "removed" for name in before.keys() - after.keys()}
    for name in before.keys() & after.keys():
        if _spelt_out(before[name]) != _spelt_out(after[name]):
            found[name] = f"changed from {before[name]} to {after[name]}"
    return dict(sorted(found.items()))


def _spelt_out(text: str) -> str:
    """A signature with our names of array types replaced by what they stand for: another name is no change."""
    names = re.findall(r"^(\w+) = (npt\.NDArray\[.*\]|Callable\[.*\])$", inspect.getsource(arrays), re.MULTILINE)
    for name, meaning in reversed(names):  # the last ones are made of the first
        text = re.sub(rf"\b{name}\b", meaning, text)
    return text.replace("np.generic", "Any")


def unnamed(found: dict[str, str], changelog: str) -> dict[str, str]:
    """The changes that no backticks of the changelog name, neither by themselves nor as part of a new thing."""
    named = set(re.findall(r"`([^`\n]+)`", changelog))

    def is_named(name: str) -> bool:
        if name in named:
            return True
        whole = re.sub(r"( --?[\w-]+|\.[^.]+| [\w-]+)$", "", name)
        return whole != name and found.get(whole) == found[name] != "" and is_named(whole)

    return {name: what for name, what in found.items() if not is_named(name)}


def is_released(changelog: str, version: str) -> bool:
    """Whether the changelog has a section of that version."""
    return re.search(rf"^## \[?{re.escape(version)}\b", changelog, flags=re.MULTILINE) is not None


def since_the_last_release(changelog: str, version: str) -> str:
    """The sections of the changelog above that of a version; all of it while that has no section."""
    return re.split(rf"^## \[?{re.escape(version)}\b", changelog, maxsplit=1, flags=re.MULTILINE)[0]


def read(path: Path = SNAPSHOT) -> tuple[str, Api]:
    """The version and the API of the last release."""
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    return first.removeprefix("shiftlens "), dict(line.split(" :: ", 1) for line in lines)


def write(api: Api, path: Path = SNAPSHOT) -> None:
    """Take this for the API of the release."""
    lines = [f"shiftlens {shiftlens.__version__}", *(f"{name} :: {text}" for name, text in sorted(api.items()))]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _own(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """Public classes and functions that a module defines itself."""
    for name, value in vars(module).items():
        public = not name.startswith("_") and isinstance(value, type | FunctionType)
        if public and value.__module__ == module.__name__:
            yield name, value


def _described(name: str, value: Any) -> Api:
    if inspect.isclass(value):
        return {name: _bases(value)} | {f"{name}.{part}": text for part, text in _parts(value)}
    return {name: _signature(value) if callable(value) else type(value).__name__}


def _bases(cls: type) -> str:
    return f"class({', '.join(base.__name__ for base in cls.__bases__ if base is not object)})"


def _parts(cls: type) -> Iterator[tuple[str, str]]:
    """Fields with type and default, methods and properties; what a base class of ours declares stands there."""
    fields = dict(_fields(cls))
    yield from fields.items()
    special = () if dataclasses.is_dataclass(cls) else ("__init__", "__call__")
    for name, value in vars(cls).items():
        if name in fields or (name.startswith("_") and name not in special):
            continue
        if isinstance(value, property):
            yield name, "property"
        elif isinstance(value, FunctionType | classmethod | staticmethod):
            yield name, _signature(getattr(cls, name))


def _fields(cls: type) -> Iterator[tuple[str, str]]:
    if issubclass(cls, BaseModel):
        for name, info in cls.model_fields.items():
            yield info.alias or name, f"{_annotation(cls, name)}{_default(info.is_required(), info.default)}"
    elif dataclasses.is_dataclass(cls):
        for part in dataclasses.fields(cls):
            if part.name in cls.__annotations__:
                required = part.default is part.default_factory is dataclasses.MISSING
                yield part.name, f"{part.type}{_default(required, part.default)}"


def _annotation(cls: type, name: str) -> str:
    """As it is written in the class or the base that declares it."""
    return str(
        next(base.__annotations__[name] for base in cls.__mro__ if name in vars(base).get("__annotations__", {}))
    )


def _default(required: bool, value: Any) -> str:
    if required:
        return ""
    if isinstance(value, BaseModel | FunctionType) or repr(value).startswith("<") or "Undefined" in repr(value):
        return " = ..."
    return f" = {value!r}"


def _signature(function: Any) -> str:
    signature = inspect.signature(function)
    parameters = [
        p.replace(default=... if isinstance(p.default, FunctionType) else p.default)
        for p in signature.parameters.values()
    ]
    return str(signature.replace(parameters=parameters)).replace("Ellipsis", "...")


def _commands(command: click.Command, path: str) -> Iterator[tuple[str, str]]:
    """Commands, arguments and options."""
    yield path, "command"
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            yield (
                f"{path} {parameter.opts[0]}",
                f"option {parameter.type.name}{' required' if parameter.required else ''}",
            )
        else:
            yield f"{path} {parameter.name}", f"argument{' required' if parameter.required else ''}"
    if isinstance(command, click.Group):
        for name, below in command.commands.items():
            yield from _commands(below, f"{path} {name}")


def main(arguments: list[str]) -> int:
    """Print or write; 1 where something is not named."""
    api = public_api()
    version, before = read() if SNAPSHOT.is_file() else (shiftlens.__version__, {})
    found = changes(before, api) if before else {}
    for name, what in found.items():
        print(f"`{name}` {what}")
    changelog = CHANGELOG.read_text(encoding="utf-8")
    missing = unnamed(found, since_the_last_release(changelog, version))
    if missing:
        print(f"\nnot named in CHANGELOG.md: {', '.join(f'`{name}`' for name in missing)}", file=sys.stderr)
    refused = bool(missing) and is_released(changelog, version)
    if "--write" in arguments and not refused:
        write(api)
        return 0
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
