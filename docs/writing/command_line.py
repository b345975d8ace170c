"""The command line reference, from the commands themselves."""

from __future__ import annotations

from collections.abc import Iterator

import click

from shiftlens.core.cli import cli
from writing.markdown import code, name, table

INTRODUCTION = """# Command line

Results go to stdout, progress and messages to stderr. Exit codes: 0 done; 1 done, but a `--fail-on` gate tripped;
2 the input is wrong, and the message says where and what to do; 3 a fault of shiftlens; 130 interrupted, and the same
command goes on where it stopped."""


def page() -> str:
    """One section per command."""
    return "\n\n".join([INTRODUCTION, *(_section(path, command) for path, command in commands(cli, ()))])


def commands(group: click.Group, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Every command below a group by its words, a group before its commands."""
    for word, command in group.commands.items():
        yield (*path, word), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, word))


def _section(path: tuple[str, ...], command: click.Command) -> str:
    words = " ".join(("shiftlens", *path))
    context = click.Context(command, info_name=words)
    usage = " ".join([words, *command.collect_usage_pieces(context)])
    parts = [f"## {words}", code(usage, "text"), (command.help or "").strip()]
    rows = [_row(option, context) for option in command.params if isinstance(option, click.Option)]
    if rows:
        parts.append(table(("option", "meaning"), rows))
    return "\n\n".join(parts)


def _row(option: click.Option, context: click.Context) -> tuple[str, str]:
    names, told = option.get_help_record(context) or ("", "")
    return name(names), f"{told}{' May be given several times.' if option.multiple else ''}"
