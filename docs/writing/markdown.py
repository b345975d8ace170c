"""Markdown from docstrings, and tables."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Sequence

SECTION = re.compile(r"^(Args|Attributes|Returns|Raises|Example):{1,2}\s*$", re.MULTILINE)
ITEM = re.compile(r"^(\S[^:]*): (.*)$", re.DOTALL)


def doc(thing: object) -> str:
    """A docstring of the code as Markdown: sections as lists, examples as code, ``x`` and `X` as code."""
    text = inspect.getdoc(thing) or ""
    pieces = SECTION.split(text)  # text, then title and body by turns
    parts = [_inline(pieces[0])]
    for title, body in zip(pieces[1::2], pieces[2::2], strict=True):
        parts.append(_example(body) if title == "Example" else f"**{title}**\n\n{_items(body)}")
    return "\n\n".join(part.strip("\n") for part in parts if part.strip())


def prose(thing: object) -> str:
    """The same without the list of attributes, for classes whose fields stand in a table."""
    return doc(thing).split("**Attributes**")[0].strip()


def attributes(thing: object) -> dict[str, str]:
    """What a docstring says of each attribute."""
    found = re.findall(r"^- (`[^:]+`): (.*)$", doc(thing), re.MULTILINE)
    return {word.strip("` "): text for words, text in found for word in words.split(",")}


def summary(thing: object) -> str:
    """The first paragraph of a docstring, on one line."""
    return " ".join(_inline((inspect.getdoc(thing) or "").split("\n\n")[0]).split())


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in the cells are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str, language: str = "python") -> str:
    """A fenced block."""
    return f"```{language}\n{text.strip(chr(10))}\n```"


def name(text: str) -> str:
    """As code, or nothing."""
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _inline(text: str) -> str:
    return re.sub(r"(?<!`)`{1,2}([^`]+)`{1,2}(?!`)", r"`\1`", text)


def _example(body: str) -> str:
    return "**Example**\n\n" + code(textwrap.dedent(body.strip("\n")))


def _items(body: str) -> str:
    """Indented ``name: text`` entries as a list; other text as it is."""
    entries: list[str] = []
    for line in textwrap.dedent(body.strip("\n")).splitlines():
        if line.startswith(" ") and entries:
            entries[-1] += " " + line.strip()
        elif line.strip():
            entries.append(line.strip())
    shown = []
    for entry in entries:
        match = ITEM.match(entry)
        names = ", ".join(f"`{word.strip()}`" for word in match[1].split(",")) if match else ""
        shown.append(f"- {names}: {_inline(match[2])}" if match else f"- {_inline(entry)}")
    return "\n".join(shown)
