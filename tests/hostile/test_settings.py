"""Settings that are no YAML, no settings, or no sense: every mistake is told with its line or key; odd ones work."""

from __future__ import annotations

import os

import pytest
import yaml
from hostilecases import Case, cases, check
from tinyanalysis import write_tiny


def text(content, *options):
    """A settings file of this text, or bytes."""

    def make(folder):
        path = folder / "analysis.yaml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return "run", path, "--quiet", *options

    return make


def added(lines, *options):
    """The smallest analysis, with further lines of YAML."""

    def make(folder):
        config = write_tiny(folder)
        config.write_text(config.read_text() + lines)
        return "run", config, "--out", folder / "out", "--until", "data", "--quiet", *options

    return make


def changed(options=(), until="data", **settings):
    """The smallest analysis, with other values."""

    def make(folder):
        config = write_tiny(folder, **settings)
        return "run", config, "--out", folder / "out", "--until", until, "--quiet", *options

    return make


def setting(*overrides, until="data"):
    """The smallest analysis, with ``--set``."""
    return changed([word for override in overrides for word in ("--set", override)], until)


def laughs(levels=9):
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines) + "\n"


def as_fifo(folder):
    os.mkfifo(folder / "analysis.yaml")
    return "run", folder / "analysis.yaml"


def as_folder(folder):
    (folder / "analysis.yaml").mkdir()
    return "run", folder / "analysis.yaml"


def as_device(folder):
    return "run", "/dev/zero"


def large(folder):
    (folder / "analysis.yaml").write_bytes(b"# " + b"x" * (40 << 20))
    return "run", folder / "analysis.yaml"


def unreadable(folder):
    path = folder / "analysis.yaml"
    path.symlink_to(path)
    return "run", path


YAML = [
    Case("an empty file", text(""), ("analysis.yaml", "must hold a mapping"), quick=True),
    Case("blanks", text("\n \n# nothing\n"), ("must hold a mapping",)),
    Case("a list", text("[1, 2]"), ("must hold a mapping",)),
    Case("a word", text("source"), ("must hold a mapping",)),
    Case("binary", text(bytes(range(256)) * 10), ("analysis.yaml is not UTF-8 text", "save it as UTF-8"), quick=True),
    Case("zeros", text(b"\0" * 100), ("analysis.yaml", "unacceptable character")),
    Case("latin-1", text("name: Größe\n".encode("latin-1")), ("is not UTF-8 text",)),
    Case("utf-16", text("name: x\n".encode("utf-16")), ("is not UTF-8 text",)),
    Case("a byte-order mark", added("", *()), ()),
    Case("a tab", text("source:\n\tpath: x\n"), ("line 2", "cannot start any token")),
    Case("an open bracket", text("factors: [a, b\n"), ("line 2", "YAML")),
    Case("an open quote", text("name: 'x\n"), ("YAML",)),
    Case("two documents", text("a: 1\n---\nb: 2\n"), ("line 2", "but found another document")),
    Case("an integer of nothing", added('seed: !!int ""\n'), ("line", "is no int"), quick=True),
    Case("an integer of words", added("seed: !!int many\n"), ('"many" is no int',)),
    Case("binary digits of nothing", added("seed: 0b_\n"), ("is no int",)),
    Case("hexadecimal digits of nothing", added("seed: 0x_\n"), ("is no int",)),
    Case("a float of nothing", added('seed: !!float ""\n'), ("is no float",)),
    Case("a float of words", added("seed: !!float x\n"), ('"x" is no float',)),
    Case("a date that does not exist", added("seed: 2024-13-77\n"), ('"2024-13-77" is no timestamp',), quick=True),
    Case("a time that does not exist", added("seed: 2024-01-01T99:99:99\n"), ("is no timestamp",)),
    Case("a zone that does not exist", added("seed: 2024-01-01T00:00:00+99:99\n"), ("is no timestamp",)),
    Case("a date", added("name: 2024-01-01\n"), ("name", "string")),
    Case("a sexagesimal number", added("seed: 1:30:59\n"), ()),
    Case("a sexagesimal number of nothing", added('seed: !!int "1:"\n'), ("is no int",)),
    Case("a sexagesimal number that is large", added("seed: 9999999999:59:59\n"), ("seed", "less than")),
    Case("an integer of 6,000 digits", added(f"seed: {'9' * 6000}\n"), ("is no int", "digits"), quick=True),
    Case("a boolean of words", added("seed: !!bool maybe\n"), ('"maybe" is no bool',)),
    Case("binary of no base64", added("name: !!binary '****='\n"), ("name: stands a second time",)),
    Case("bytes", added("note: !!binary aGk=\n"), ("note: is not a",)),
    Case("a set of lists", added("seed: !!set [1]\n"), ("expected a mapping node",)),
    Case("an ordered mapping of nothing", added("seed: !!omap x\n"), ("expected a sequence",)),
    Case("pairs of nothing", added("seed: !!pairs [1]\n"), ("expected a mapping",)),
    Case(
        "a Python object", added("seed: !!python/object/apply:os.getcwd []\n"), ("could not determine a constructor",)
    ),
    Case("an unknown tag", added("seed: !mine 3\n"), ("could not determine a constructor",)),
    Case("a list as a key", added("? [a, b]\n: 1\n"), ("unhashable key",)),
    Case("a mapping as a key", added("? {a: b}\n: 1\n"), ("unhashable key",)),
    Case("a number as a key", added("1: 2\n"), ("1: is not a setting",)),
    Case("nothing as a key", added("~: 2\n"), ("is not a setting",)),
    Case("a merge of nothing", added("<<: 3\n"), ("expected a mapping or list of mappings for merging",)),
    Case("an alias of nothing", added("seed: *nowhere\n"), ("undefined alias",)),
    Case("an anchor twice", added("a: &x 1\nb: &x 2\n"), ("second occurrence",)),
    Case("an alias inside what it names", added("factors: &a [*a]\n"), ("*a stands inside",), quick=True),
    Case("an alias deep inside what it names", added("trial: &a {rows: {x: [*a]}}\n"), ("*a stands inside",)),
    Case("an alias that serves", changed(factors=[{"name": "x"}]), ("factors[0]",)),
    Case(
        "1,000 lists in each other",
        added(f"factors: {'[' * 1000}{']' * 1000}\n"),
        ("more than 100 levels",),
        quick=True,
    ),
    Case("100,000 lists in each other", added(f"factors: {'[' * 100_000}\n"), ("more than 100 levels",)),
    Case("1,000 mappings in each other", added(f"trial: {'{a: ' * 1000}1{'}' * 1000}\n"), ("more than 100 levels",)),
    Case("a billion laughs", text(laughs()), ("more than 500,000 values, each alias written out",), quick=True),
    Case("a billion laughs in a merge", text(laughs(8) + "b: {<<: *a7}\n"), ("analysis.yaml",)),
    Case("a million values", text("factors: [" + "1, " * 1_000_000 + "]\n"), ("more than 500,000 values",)),
    Case("a key of a megabyte", added(f"? {'k' * 2**20}\n: 1\n"), ("is not a setting",)),
    Case("a pipe", as_fifo, ("analysis.yaml is a pipe", "give that"), quick=True),
    Case("a folder", as_folder, ("analysis.yaml is a folder; give a file",)),
    Case("a device", as_device, ("/dev/zero is a pipe or a device",)),
    Case("40 MB", large, ("is larger than 32 MB",)),
    Case("a link to itself", unreadable, ("there is no settings file",)),
]

VALUES = [
    Case(
        "no settings at all",
        text("{}"),
        ("source: is missing", "target: is missing", "classifier: is missing"),
        quick=True,
    ),
    Case("nothing where something must be", changed(source=None), ("source: is missing",)),
    Case("a list where a mapping must be", changed(source=[1]), ("source: must be a name or a mapping",)),
    Case("a number where a mapping must be", changed(generator=3), ("generator: must be a name or a mapping",)),
    Case("an empty mapping", changed(source={}), ("source",)),
    Case("a path of nothing", changed(source={"path": ""}), ("source",)),
    Case("a path that is a number", changed(source={"path": 7}), ("source",)),
    Case("a path with a zero byte", changed(source={"path": "a\0b.npz"}), ("source",)),
    Case("a path of 5,000 characters", changed(source={"path": "x" * 5000 + ".npz"}), ("source",)),
    Case("a path that is a list", changed(source={"path": ["a", "b"]}), ("source",)),
    Case("no name", changed(name=""), ("name", "at least 1 character")),
    Case("a name of 300 characters", changed(name="x" * 300), ("name", "at most 200 characters")),
    Case("a name that is none for a folder", changed(name="../../etc/passwd"), ()),
    Case("a name of two lines", changed(name="a\nb"), ()),
    Case("a name with control characters", changed(name="a\x1b[31mb"), ()),
    Case("a seed below zero", setting("seed=-1"), ("seed", "greater than or equal to 0")),
    Case("a seed that is no whole number", setting("seed=1.5"), ("seed", "integer")),
    Case("a seed that is true", setting("seed=true"), ("seed",)),
    Case("a seed that is infinite", setting("seed=.inf"), ("seed",)),
    Case("a device that is none", setting("device=gpu"), ("device",)),
    Case("a batch of nothing", setting("batch_size=0"), ("batch_size",)),
    Case("a batch of everything", setting("batch_size=100000000000"), ()),
    Case("an infinite precision", setting("trial.precision=.inf"), ("trial.precision", "finite"), quick=True),
    Case("a precision that is no number", setting("trial.precision=.nan"), ("trial.precision",)),
    Case("an infinite smallest effect", setting("trial.smallest_effect=.inf"), ("trial.smallest_effect", "finite")),
    Case("a smallest effect that is no number", setting("trial.smallest_effect=.nan"), ("trial.smallest_effect",)),
    Case("a smallest share that is no number", setting("trial.smallest_share=.nan"), ("trial.smallest_share",)),
    Case("an alpha that is no number", setting("trial.alpha=.nan"), ("trial.alpha",)),
    Case("a large rest that is no number", setting("trial.large_rest=.nan"), ("trial.large_rest",)),
    Case("rows without end", setting("trial.rows=.inf"), ("trial.rows",)),
    Case("bootstraps without end", setting("trial.bootstrap=1000000000"), ("trial.bootstrap",)),
    Case("samples without end", setting("trial.samples=10000000000000"), ()),
    Case("matching samples below zero", setting("trial.matching_samples=-5"), ("trial.matching_samples",)),
    Case("an infinite learning rate", setting("generator.learning_rate=.inf"), ("generator.learning_rate",)),
    Case("a learning rate that is no number", setting("generator.learning_rate=.nan"), ("generator.learning_rate",)),
    Case("a perceptual weight that is no number", setting("generator.perceptual=.nan"), ("generator.perceptual",)),
    Case("an infinite perceptual weight", setting("generator.perceptual=.inf"), ("generator.perceptual",)),
    Case("an infinite beta", changed(generator={"name": "vae", "beta": float("inf")}), ("generator.beta", "finite")),
    Case("a beta that is no number", changed(generator={"name": "vae", "beta": float("nan")}), ("generator.beta",)),
    Case("infinite free bits", changed(generator={"name": "vae", "free_bits": float("inf")}), ("free_bits",)),
    Case("an infinite adversary", changed(generator={"name": "gan", "adversarial": float("inf")}), ("adversarial",)),
    Case("a latent of everything", setting("generator.latent=100000"), ("generator.latent",)),
    Case("a grid of nothing", setting("grid.features=0"), ("grid.features",)),
    Case("a grid of everything", setting("grid.features=100000"), ("grid.features",)),
    Case("a grid of halves", setting("grid.losses=2.5"), ("grid.losses",)),
    Case("a factor twice", changed(factors=["noise", "noise"]), ("factors[1]", "a second time"), quick=True),
    Case(
        "a factor twice, with other settings",
        changed(factors=["noise", {"name": "noise"}]),
        ("factors[1]", "a second time"),
    ),
    Case("a renderer twice", changed(reports=["html", "html"]), ("reports[1]", "a second time")),
    Case("no factors", changed(factors=[]), ()),
    Case("no reports", changed(reports=[]), ()),
    Case("a factor that is none", changed(factors=["colour"]), ("factors[0]", "there is no factor")),
    Case("a factor that is nothing", changed(factors=[None]), ("factors[0]",)),
    Case("a loss that is none", changed(loss="crossentropy"), ('did you mean "cross-entropy"',)),
    Case("a normalisation without end", setting("classifier.normalise={mean: [.inf], std: [1]}"), ("mean", "finite")),
    Case("a normalisation that is no number", setting("classifier.normalise={mean: [.nan], std: [1]}"), ("mean",)),
    Case("a normalisation by nothing", setting("classifier.normalise={mean: [0], std: [0]}"), ("std",)),
    Case("a normalisation by infinity", setting("classifier.normalise={mean: [0], std: [.inf]}"), ("std", "finite")),
    Case("classes that are one", setting("classifier.classes=[a]", until="classifier"), ("classes",)),
    Case("classes twice", setting("classifier.classes=['0', '0']", until="classifier"), ("classes", '"0"')),
    Case("a class that is empty", setting("classifier.classes=['0', '']", until="classifier"), ("classes",)),
    Case("classes that are a mapping", setting("classifier.classes={a: b}"), ("classes",)),
    Case(
        "a selector of a sample below zero",
        changed(selector={"name": "indices", "pairs": [[-1, 0]]}, until="grid"),
        ("selector.pairs names samples that are not there",),
    ),
    Case(
        "a selector of a sample that is not there",
        changed(selector={"name": "indices", "pairs": [[0, 10**9]]}, until="grid"),
        ("selector.pairs names samples that are not there",),
    ),
    Case("a selector of no pairs", setting("selector.pairs=0"), ("selector.pairs",)),
    Case(
        "a threshold that is no number",
        changed(selector={"name": "threshold", "source_below": float("nan")}),
        ("selector",),
    ),
    Case("--set without a value", setting("seed"), ("--set takes key.path=value",)),
    Case("--set without a key", setting("=1"), ("--set takes key.path=value",)),
    Case("--set of an empty part", setting("grid..features=3"), ("--set takes key.path=value",)),
    Case("--set of broken YAML", setting("seed=[1"), ("--set seed", "is not a YAML value")),
    Case("--set of a bad date", setting("seed=2024-99-99"), ("--set seed", "is not a YAML value")),
    Case("--set of an endless alias", setting("factors=&a [*a]"), ("--set factors", "is not a YAML value")),
    Case("--set into a list", setting("factors.0=noise"), ("factors",)),
    Case("--set of an unknown key", setting("sead=1"), ('did you mean "seed"',)),
    Case("--fail-on infinity", changed(["--fail-on", "drop=inf"], "render"), ("--fail-on",), quick=True),
    Case("--fail-on nan", changed(["--fail-on", "fidelity=nan"], "render"), ("--fail-on",)),
    Case("--fail-on a percentage", changed(["--fail-on", "drop=5"], "render"), ("--fail-on",)),
    Case("--fail-on nothing", changed(["--fail-on", ""], "render"), ("--fail-on",)),
    Case("--fail-on harmful of something", changed(["--fail-on", "harmful=1"], "render"), ("--fail-on",)),
    Case("--until nowhere", changed(until="nowhere"), ("there is no stage",)),
    Case("--from after --until", changed(["--from", "render"]), ("nothing would be done",)),
]


@cases(YAML)
def test_yaml(case, tmp_path, capfd):
    check(case, tmp_path, capfd)


@cases(VALUES)
def test_values(case, tmp_path, capfd):
    check(case, tmp_path, capfd)


@pytest.mark.parametrize("value", [1, [2], {"a": 3}, "x: y", None, 1e300])
def test_plain_values_are_as_pyyaml_reads_them(value):
    from shiftlens.core.config.yaml_file import parse_yaml

    assert parse_yaml(yaml.safe_dump(value)) == value
