"""Rules for renderers, looked at with a small real report (`shiftlens.testing.report`)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from shiftlens.core.results.report import Report
from shiftlens.core.testing.minireport import MARKUP, report
from shiftlens.core.testing.rules import Subject, expect, rule

MARKED_UP = (".html", ".htm", ".xhtml", ".svg", ".xml", ".md", ".markdown")
UNESCAPED = re.compile(r"(?<!\\)<script>shiftlens", re.IGNORECASE)
FETCHED = re.compile(r"""<(?:script|img|iframe|source|video|audio)\b[^>]*\bsrc\s*=\s*["']?(?:https?:)?//[^"'> ]*|"""
                     r"""<link\b[^>]*\bhref\s*=\s*["']?(?:https?:)?//[^"'> ]*|@import\s+["']?(?:https?:)?//[^"'; ]*""",
                     re.IGNORECASE)  # fmt: skip


@dataclass
class RendererSubject(Subject):
    """A renderer and what it makes of the kit's reports."""

    def render(self, of: Report) -> dict[str, bytes]:
        """Render with a new worker."""
        files: dict[str, bytes] = self.worker()(of)
        return files

    @cached_property
    def files(self) -> dict[str, bytes]:
        """The files of the ordinary report."""
        return self.render(self.own if self.own is not None else report())


@rule("renderer", "gives-files", first=True)
def gives_files(subject: RendererSubject) -> None:
    """``render(report)`` gives ``{file name: content}`` with at least one file, contents as bytes, none empty."""
    files = subject.files
    expect(isinstance(files, dict) and files, "a dict of at least one file", f"{files!r:.100}")
    for name, content in files.items():
        expect(isinstance(content, bytes), f"bytes for {name}", type(content).__name__)
        expect(len(content) > 0, f"contents for {name}", "an empty file")


@rule("renderer", "names-files-of-its-own")
def names_files_of_its_own(subject: RendererSubject) -> None:
    """File names are relative, stay in the run directory, and are none of its own files (arrays/, bundle/, stages/,
    settings.yaml, log.txt)."""
    for name in subject.files:
        parts = PurePosixPath(name).parts
        inside = parts and not name.startswith("/") and ".." not in parts and "\\" not in name
        expect(inside, "a relative name inside the run directory", name)
        taken = parts[0] in ("arrays", "bundle", "stages", "scratch", "work", "settings.yaml", "origin.json", "log.txt")
        expect(not taken, "a name that the run does not use itself", name)


@rule("renderer", "the-same-each-time")
def the_same_each_time(subject: RendererSubject) -> None:
    """The same report gives the same bytes: no clock, no random number."""
    again = subject.render(subject.own if subject.own is not None else report())
    differ = [name for name in {**again, **subject.files} if again.get(name) != subject.files.get(name)]
    expect(not differ, "the same bytes the second time", f"other ones in {', '.join(differ)}")


@rule("renderer", "escapes-markup")
def escapes_markup(subject: RendererSubject) -> None:
    """Names, classes and sentences of a user or a plugin may hold markup; in HTML, SVG, XML and Markdown it is shown as
    text, never run."""
    for name, content in subject.render(report(text=lambda text: MARKUP + text)).items():
        if name.lower().endswith(MARKED_UP):
            text = content.decode("utf-8", "replace")
            found = UNESCAPED.search(text)
            around = text[max(0, found.start() - 60) : found.end() + 20] if found else ""
            expect(found is None, f"{MARKUP} escaped in {name}", f"...{around}...")


@rule("renderer", "opens-offline")
def opens_offline(subject: RendererSubject) -> None:
    """What it writes fetches nothing from the network when it is opened: scripts, styles and pictures stand in the file
    itself or beside it."""
    for name, content in subject.files.items():
        if name.lower().endswith(MARKED_UP):
            found = FETCHED.search(content.decode("utf-8", "replace"))
            expect(found is None, f"no address to fetch from in {name}", found.group(0)[:120] if found else "")


@rule("renderer", "does-without")
def does_without(subject: RendererSubject) -> None:
    """A report may lack labels in the target, causes, pairs (and with them the arrays), warnings and a remedy: what is
    not there is left out, nothing is raised."""
    for what, of in (("an unlabelled target", report(labelled=False)), ("nothing found", report(bare=True))):
        files = subject.render(of)
        expect(files and all(files.values()), f"files for {what}", f"{files!r:.100}")


@rule("renderer", "renders-series-and-vectors")
def renders_series_and_vectors(subject: RendererSubject) -> None:
    """Samples are not always images: the report of series and that of vectors are rendered, too."""
    for kind in ("series", "tabular"):
        files = subject.render(report(kind=kind))
        expect(files and all(files.values()), f"files for a report of {kind} samples", f"{files!r:.100}")
