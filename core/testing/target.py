"""Rules for targets, looked at with a small bundle of real, exported models."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from shiftlens.core.files import sha256_of
from shiftlens.core.testing.minibundle import bundle
from shiftlens.core.testing.rules import Subject, expect, rule

TEXTS = (".json", ".yaml", ".yml", ".pbtxt", ".txt", ".md", ".toml", ".sh", ".py")


@dataclass
class TargetSubject(Subject):
    """A target and what it lays out: ``bundle`` is a copy of the kit's bundle."""

    def prepare(self) -> None:
        """Export the models, once a process: not the target's doing."""
        self.bundle = bundle(self.folder() / "bundle")

    def write(self, out: Path) -> dict[str, str]:
        """Lay the bundle out in a folder; what stands there then, by hash."""
        self.worker()(self.bundle, out)
        return contents(out)

    @cached_property
    def out(self) -> Path:
        return self.folder()

    @cached_property
    def written(self) -> dict[str, str]:
        """What the rules look at."""
        return self.write(self.out)


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder, by its relative name."""
    return {str(p.relative_to(folder)): sha256_of(p) for p in sorted(folder.rglob("*")) if p.is_file()}


@rule("target", "writes-the-layout", first=True)
def writes_the_layout(subject: TargetSubject) -> None:
    """``write(bundle, out)`` fills the existing empty folder ``out`` with at least one file, none of them empty."""
    expect(subject.written, f"files in {subject.out}", "none")
    empty = [name for name in subject.written if (subject.out / name).stat().st_size == 0 and name[-3:] != ".py"]
    expect(not empty, "files with contents", f"empty ones: {', '.join(empty)}")


@rule("target", "leaves-the-bundle-alone")
def leaves_the_bundle_alone(subject: TargetSubject) -> None:
    """The bundle is read, not changed."""
    before = contents(subject.bundle)
    subject.write(subject.folder())
    expect(contents(subject.bundle) == before, "the bundle's files as they were", "they differ")


@rule("target", "the-same-each-time")
def the_same_each_time(subject: TargetSubject) -> None:
    """The same bundle gives the same files: no clock, no random number. (Archives hold times: fix them.)"""
    again = subject.write(subject.folder())
    differ = sorted(n for n in {**again, **subject.written} if again.get(n) != subject.written.get(n))
    expect(not differ, "the same bytes the second time", f"other ones in {', '.join(differ[:3])}")


@rule("target", "moves-to-another-machine")
def moves_to_another_machine(subject: TargetSubject) -> None:
    """No file names a folder of the machine it was made on: the layout is copied to a server."""
    here = (str(subject.out), str(subject.bundle))
    for name in subject.written:
        if name.endswith(TEXTS):
            text = (subject.out / name).read_text(encoding="utf-8", errors="replace")
            found = [path for path in here if path in text]
            expect(not found, f"no path of this machine in {name}", ", ".join(found))


@rule("target", "models-still-run")
def models_still_run(subject: TargetSubject) -> None:
    """Every ONNX file of the layout opens in ONNX Runtime."""
    from shiftlens.export.session import Session

    for name in subject.written:
        if name.endswith(".onnx"):
            expect(Session(subject.out / name, device="cpu").inputs, f"a model in {name}", "no inputs")
