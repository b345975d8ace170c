"""Rules for every kind: the description and its settings."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from functools import cache

import yaml

from shiftlens.core.host.descriptions import fault_of
from shiftlens.core.testing.rules import EVERY, LeftOut, Subject, expect, rule

LONGEST_SUMMARY = 110  # characters
LIGHT = "import sys, {module}; print(sorted({{'torch', 'onnxruntime', 'sklearn'}} & set(sys.modules)))"


@rule(EVERY, "reads-well")
def reads_well(subject: Subject) -> None:
    """The name is lower-case words of letters and digits joined by hyphens; the summary is one line of at most 110
    characters without a full stop; settings are typed, frozen, and each has help."""
    component = subject.component
    fault = fault_of(component, type(component))
    expect(not fault, "a description that the host takes", fault)
    summary = component.summary
    expect(len(summary) <= LONGEST_SUMMARY, f"a summary of at most {LONGEST_SUMMARY} characters", f"{len(summary)}")
    expect(not summary.endswith("."), "a summary without a full stop at its end", summary)


@rule(EVERY, "settings-round-trip")
def settings_round_trip(subject: Subject) -> None:
    """Settings survive being written to YAML and to JSON and read again: that is how a run keeps them."""
    plain = subject.settings.model_dump(mode="json")
    for form, again in (
        ("YAML", yaml.safe_load(yaml.safe_dump(plain))),
        ("JSON", json.loads(json.dumps(plain))),
    ):
        read = type(subject.settings).model_validate(again)
        expect(read == subject.settings, f"the same settings after a round trip through {form}", f"{plain} -> {again}")


@rule(EVERY, "settings-stay-as-read")
def settings_stay_as_read(subject: Subject) -> None:
    """Building and using a worker leaves its settings as they were, and nothing can be assigned to them."""
    before = subject.settings.model_dump_json()
    subject.worker()
    expect(subject.settings.model_dump_json() == before, f"settings {before}", subject.settings.model_dump_json())
    for name in type(subject.settings).model_fields:
        try:
            setattr(subject.settings, name, getattr(subject.settings, name))
        except Exception:  # pydantic's own error, whatever it is called in this version
            continue
        expect(False, "frozen settings: assigning to them raises", f"{name} could be assigned to")


@rule(EVERY, "loads-light")
def loads_light(subject: Subject) -> None:
    """The module that yields the description imports neither torch, onnxruntime nor scikit-learn: listings and
    reports stay quick, and work where those are not installed. The worker imports them when it runs."""
    module = getattr(subject.component.build, "__module__", "")
    if not _importable(module):
        raise LeftOut(f"{module or 'build'} is no module that can be imported by its name")
    heavy = _heavy_imports(module)
    expect(heavy == "[]", f"importing {module} loads no heavy library", heavy)


def _importable(module: str) -> bool:
    try:
        return bool(module) and importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):  # a part of the name is no package, or it is the program itself
        return False


@cache
def _heavy_imports(module: str) -> str:
    paths = json.dumps([path for path in sys.path if path])
    code = f"import sys; sys.path[:0] = {paths}\n{LIGHT.format(module=module)}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return (done.stdout.strip() or done.stderr.strip()).splitlines()[-1]


@rule(EVERY, "calls-nobody", last=True)
def calls_nobody(subject: Subject) -> None:
    """Nothing is fetched from, or sent to, any network, at build time or at work."""
    calls = subject.sandbox.calls
    expect(not calls, "no network connection is tried", "; ".join(dict.fromkeys(calls)))


@rule(EVERY, "writes-in-its-folder", last=True)
def writes_in_its_folder(subject: Subject) -> None:
    """Files are written to the folder that the worker was given (or to a temporary one), nowhere else."""
    writes = subject.sandbox.writes
    expect(not writes, "no file or folder is made, changed or removed outside", "; ".join(dict.fromkeys(writes)))
