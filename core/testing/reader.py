"""Rules for readers. A reader needs something to read: ``settings={"path": ...}`` names a small real file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import ShiftlensError
from shiftlens.core.host.kinds import Reader
from shiftlens.core.testing.rules import LeftOut, Subject, expect, rule

AXES = {"image": 3, "series": 2, "tabular": 1}


@dataclass
class ReaderSubject(Subject):
    """A reader and the domain that it reads."""

    @cached_property
    def domain(self) -> Domain:
        """What the rules look at."""
        return self.read()

    def read(self) -> Domain:
        """Read with a new worker and a new scratch folder."""
        domain: Domain = self.worker()(self.folder())
        return domain

    def without_contents(self, make: bool) -> list[ReaderSubject]:
        """The same reader, pointed at an empty file or folder (``make``), or at nothing, for each of its paths."""
        found = []
        for name in type(self.settings).model_fields:
            path = getattr(self.settings, name)
            if isinstance(path, Path):
                other = self.folder() / f"nothing{path.suffix}"
                if make and path.is_dir():
                    other.mkdir()
                elif make:
                    other.write_bytes(b"")
                settings = self.settings.model_copy(update={name: other})
                found.append(ReaderSubject(self.component, settings, self.sandbox))
        return found


@rule("reader", "reads-a-domain", first=True)
def reads_a_domain(subject: ReaderSubject) -> None:
    """``read(scratch)`` gives a `Domain` of at least one sample, of kind image ``(C, H, W)``, series ``(C, T)`` or
    tabular ``(F,)``."""
    domain = subject.domain
    expect(isinstance(domain, Domain), "a Domain", type(domain).__name__)
    expect(len(domain) > 0, "at least one sample", "none")
    expect(domain.kind in AXES, f"kind: one of {', '.join(AXES)}", domain.kind)
    axes = AXES[domain.kind]
    expect(len(domain.sample_shape) == axes, f"samples of {axes} axes for kind {domain.kind}", domain.sample_shape)


@rule("reader", "decodes-to-float32")
def decodes_to_float32(subject: ReaderSubject) -> None:
    """Batches come as float32 of the promised shape, finite, images within [0, 1], whichever samples are asked for: a
    batch of one, in any order."""
    domain = subject.domain
    count = min(len(domain), 64)
    x = domain.batch(slice(0, count))
    expect(x.shape == (count, *domain.sample_shape), f"shape {(count, *domain.sample_shape)}", x.shape)
    expect(x.dtype == np.float32, "float32", x.dtype)
    expect(np.isfinite(x).all(), "finite values", "NaN or infinite ones")
    if domain.kind == "image":
        expect(x.min() >= 0 and x.max() <= 1, "images within [0, 1]", f"from {x.min():.3g} to {x.max():.3g}")
    expect(np.array_equal(domain.batch(np.array([count - 1])), x[-1:]), "the same sample alone", "another")
    backwards = np.arange(count)[::-1].copy()
    expect(np.array_equal(domain.batch(backwards), x[::-1]), "samples in the order asked for", "another order")


@rule("reader", "a-label-and-a-name-each")
def a_label_and_a_name_each(subject: ReaderSubject) -> None:
    """Labels are an array of strings, one per sample, or None; names and columns are as many as there are samples and
    columns, or none at all; each column of metadata in ``groups`` is an array of strings, one per sample."""
    domain = subject.domain
    if domain.labels is not None:
        expect(domain.labels.shape == (len(domain),), f"{len(domain)} labels", domain.labels.shape)
        expect(domain.labels.dtype.kind == "U", "labels as strings", domain.labels.dtype)
    expect(len(domain.names) in (0, len(domain)), f"{len(domain)} names or none", len(domain.names))
    for name, values in domain.groups.items():
        expect(values.shape == (len(domain),), f"{len(domain)} values of {name}", values.shape)
        expect(values.dtype.kind == "U", f"values of {name} as strings", values.dtype)
    columns = domain.sample_shape[0] if domain.kind == "tabular" else 0
    expect(len(domain.columns) in (0, columns), f"{columns} columns or none", len(domain.columns))


@rule("reader", "reads-the-same-twice")
def reads_the_same_twice(subject: ReaderSubject) -> None:
    """Reading again gives the same samples in the same order, whatever order the disk lists files in."""
    first, second = subject.domain, subject.read()
    count = min(len(first), 64)
    same = np.array_equal(first.batch(slice(0, count)), second.batch(slice(0, count))) and first.names == second.names
    expect(same, "the same samples and names", "others")
    labels = [None if domain.labels is None else domain.labels.tolist() for domain in (first, second)]
    expect(labels[0] == labels[1], "the same labels", "others")


@rule("reader", "lists-its-files")
def lists_its_files(subject: ReaderSubject) -> None:
    """``files()`` lists the input files as existing Paths: a run knows by them when to read again."""
    files = subject.worker().files()
    expect(isinstance(files, list) and files, "a list of at least one Path", f"{files!r:.100}")
    expect(all(isinstance(file, Path) for file in files), "Paths", type(files[0]).__name__)
    missing = [str(file) for file in files if not file.is_file()]
    expect(not missing, "files that exist", ", ".join(missing[:3]))


@rule("reader", "tells-what-is-missing")
def tells_what_is_missing(subject: ReaderSubject) -> None:
    """A path that is not there, and a file (or folder) without contents, raise a ShiftlensError that names it."""
    cases = [(False, "a path that is not there"), (True, "an empty file or folder")]
    looked = False
    for make, what in cases:
        for other in subject.without_contents(make):
            looked = True
            try:
                other.read()
            except ShiftlensError as error:
                expect("nothing" in str(error), f"a message that names {what}", str(error))
            except Exception as error:
                expect(False, f"a ShiftlensError for {what}", repr(error)[:200])
            else:
                expect(False, f"a ShiftlensError for {what}", "it was read")
    if not looked:
        raise LeftOut("none of its settings is a Path")


@rule("reader", "claims-without-raising")
def claims_without_raising(subject: ReaderSubject) -> None:
    """``claims(raw, base)`` answers True or False for whatever stands in a settings file, and does not raise."""
    claims = cast(Reader, subject.component).claims
    for raw in ({}, {"path": None}, {"path": 3}, {"path": "no/such/file.xyz"}, {"path": ["a", "b"]}, {"other": "x"}):
        answer = claims(raw, subject.sandbox.root)
        expect(isinstance(answer, bool), f"True or False for {raw}", f"{answer!r}")
