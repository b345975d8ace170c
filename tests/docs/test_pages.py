"""The documentation says what the code says: every hook, key, option and field, and every command can be typed in."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest
from pydantic import BaseModel
from realdata import ROOT

from shiftlens import Host
from shiftlens.core.cli import cli
from shiftlens.core.config.settings import SLOTS, General
from shiftlens.core.host import hookspecs
from shiftlens.core.host.descriptions import plural as plural_of
from shiftlens.core.host.kinds import API_VERSION, OLDEST_API
from shiftlens.core.results.results import Record, Results

DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.rglob("*.md")), ROOT / "README.md", ROOT / "CONTRIBUTING.md"]
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def reference(name):
    return (DOCS / "reference" / f"{name}.md").read_text()


def test_the_references_are_what_the_code_says():
    done = subprocess.run([sys.executable, DOCS / "generate.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_hook_has_a_page_with_its_whole_example():
    hooks = [name for name in vars(hookspecs) if name.startswith("shiftlens_")]
    assert {path.stem for path in (DOCS / "reference/hooks").glob("shiftlens_*.md")} == set(hooks)
    index, navigation = reference("hooks/index"), (ROOT / "mkdocs.yml").read_text()
    for hook in hooks:
        (example,) = [block for block in BLOCK.findall(reference(f"hooks/{hook}")) if "@hookimpl" in block]
        compile(example, hook, "exec")
        assert f"def {hook}(" in example
        assert f"]({hook}.md)" in index
        assert f"reference/hooks/{hook}.md" in navigation


def rows(text):
    """First cells of all table rows."""
    return set(re.findall(r"^\| (?:\[)?`([^`]+)`", text, re.MULTILINE))


def test_every_setting_of_every_component_is_there_with_its_help():
    told = reference("settings")
    assert set(SLOTS) <= rows(told)
    models = [("", General), *(("", offer.component.settings) for offer in built_ins())]
    for prefix, model in models:
        for key, info in model.model_fields.items():
            inner = info.annotation
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                models.append((f"{prefix}{key}.", inner))
            else:
                assert f"{prefix}{key}" in rows(told)
                assert " ".join(info.description.split()).replace("|", "\\|") in told


def built_ins():
    kinds = {slot.kind.kind for slot in SLOTS.values()}
    return [o for o in Host().offers() if o.distribution == "shiftlens" and o.component.kind in kinds]


def test_every_component_stands_on_the_page_of_its_hook():
    for offer in Host().offers():
        if offer.distribution == "shiftlens":
            plural = plural_of(offer.component.kind)
            assert offer.component.name in rows(reference(f"hooks/shiftlens_{plural}"))


def test_every_command_and_option_is_there():
    told = reference("command-line")
    sections = dict(re.findall(r"^## shiftlens ([^\n]+)\n(.*?)(?=^## |\Z)", told, re.MULTILINE | re.DOTALL))
    commands = dict(every_command(cli, ""))
    assert set(sections) == set(commands)
    for words, command in commands.items():
        assert command.help
        assert command.help in sections[words]
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert all(option in sections[words] for option in parameter.opts)
                assert parameter.help, f"{words} {parameter.opts} has no help"
            else:
                assert parameter.make_metavar(click.Context(command)) in sections[words]


def every_command(group, path):
    for word, command in group.commands.items():
        yield f"{path}{word}", command
        if isinstance(command, click.Group):
            yield from every_command(command, f"{path}{word} ")


def test_every_field_of_the_results_is_there_and_explained():
    told = reference("results")
    for model in (Results, *Record.__subclasses__()):
        section = re.search(
            rf"^## {'The document' if model is Results else model.__name__}\n(.*?)(?=^## |\Z)", told, re.M | re.S
        )
        assert section, model
        for key, info in model.model_fields.items():
            assert (info.alias or key) in rows(section[1])
            assert info.description, f"{model.__name__}.{key} has no description"


def test_every_benchmark_is_included():
    for path in (ROOT / "benchmarks").glob("*.md"):
        assert f'"benchmarks/{path.name}"' in reference(f"benchmarks/{path.stem}")
        assert f"reference/benchmarks/{path.stem}.md" in (ROOT / "mkdocs.yml").read_text()


def test_the_page_on_compatibility_tells_the_api_numbers():
    text = " ".join((DOCS / "compatibility.md").read_text().split())
    assert f"It is **{API_VERSION}** (`shiftlens.core.host.kinds.API_VERSION`), and {OLDEST_API} is the oldest" in text
    assert f"shiftlens_api = {API_VERSION}" in text


def typed_commands():
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for line in block.splitlines():
                if re.match(r"(SHIFTLENS_\w+=\S+ )?shiftlens [a-z]", line) and "[OPTIONS]" not in line:
                    yield pytest.param(line, id=f"{page.stem}: {line}"[:90])


@pytest.mark.parametrize("line", list(typed_commands()))
def test_every_command_on_a_page_can_be_typed_in(line):
    words = [word for word in shlex.split(line, comments=True) if "SHIFTLENS_" not in word][1:]
    command: click.Command = cli
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    command.make_context("shiftlens", words)
