"""Components that break the rules of the conformance kit on purpose, one rule each, and ones that keep them all.

``GOOD`` holds a component of every kind that keeps its rules; ``BREAKERS`` one for each rule, by the rule's anchor.
What a breaker does beside breaking its rule is right, as far as that can be.
"""

from __future__ import annotations

import contextlib
import socket
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from shiftlens import hookimpl
from shiftlens.core.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.core.kinds import (
    Classifier,
    ComponentSettings,
    Converter,
    Factor,
    Generator,
    Loss,
    Observer,
    Pair,
    ProvidedClassifier,
    Reader,
    Renderer,
    Selector,
    Target,
    TrainedConverter,
    TrainedGenerator,
)
from shiftlens.testing import samples

OUTSIDE = Path(tempfile.gettempdir()) / "shiftlens-written-outside.txt"


@dataclass(frozen=True)
class Tried:
    """A component and what it is checked with."""

    component: Any
    settings: Callable[[Path], dict[str, Any]] = lambda folder: {}


# Losses, which also stand for the rules of every component.


def entropy(p, labels):
    return -(p * np.log(np.clip(p, 1e-12, None))).sum(1)


def cross_entropy(p, labels):
    if labels is None:
        raise InputError("needs labels; set loss: entropy")
    return -np.log(np.clip(p[np.arange(len(labels)), labels], 1e-12, None))


def loss(function, **more):
    return Loss(**{"name": "broken", "summary": "a loss", "build": lambda settings: function, **more})


def calls(p, labels):
    with contextlib.suppress(OSError):  # it would rather not be noticed
        socket.create_connection(("192.0.2.1", 80), timeout=1).close()
    return cross_entropy(p, labels)


def writes(p, labels):
    OUTSIDE.write_text("here I was")
    OUTSIDE.unlink()
    return cross_entropy(p, labels)


def in_place(p, labels):
    p *= 0.5
    return cross_entropy(p, labels)


class Unequal(ComponentSettings):
    weight: float = Field(float("nan"), description="is equal to nothing, itself included")


class Growing(ComponentSettings):
    seen: list[int] = Field(default_factory=list, description="grows")


def growing(settings):
    settings.seen.append(1)
    return cross_entropy


def heavy(settings):
    """As if it stood in the module that imports scikit-learn; this module itself is to stay light."""
    return cross_entropy


heavy.__module__ = "heavymodule"


def relative(p, labels):
    values = cross_entropy(p, labels)
    return values - values.mean()


# Factors.


class Level:
    def __init__(self, settings=None):
        pass

    def refuses(self, x):
        return ""

    def measure(self, x):
        return x.reshape(len(x), -1).mean(1, dtype=np.float64)

    def shift(self, x, delta, rng):
        return np.clip(x + delta.reshape(-1, *[1] * (x.ndim - 1)), 0, 1).astype(np.float32)


def factor(worker, **more):
    return Factor(name="broken", summary="a factor", build=worker, unit="of range", **more)


def factor_with(**methods):
    return Tried(factor(type("Worker", (Level,), methods)))


def plain_shift(self, x, delta, rng):
    return Level.shift(self, x, delta, rng)


# Selectors.


def worst(candidates, rng):
    source, target = candidates.source, candidates.target
    found = []
    for t in np.argsort(-target.loss)[:12].tolist():
        same = np.flatnonzero(source.label == target.label[t])
        s = int(same[np.argmin(source.loss[same])]) if len(same) else -1
        if s >= 0 and source.loss[s] < target.loss[t]:
            found.append(Pair(s, t))
    if not found:
        raise InputError("there is nothing to pair")
    return found


def selector(function):
    return Tried(Selector(name="broken", summary="a selector", build=lambda settings: function))


def unlabelled_crash(candidates, rng):
    counts = np.bincount(candidates.source.label)  # raises for -1
    return worst(candidates, rng) if len(counts) else []


def one_sample_crash(candidates, rng):
    np.argpartition(candidates.source.loss, 5)
    return worst(candidates, rng)


def equal_crash(candidates, rng):
    loss = candidates.target.loss
    _ = [1 // int(1000 * float(np.ptp(loss)) + (len(loss) == 1))]
    return worst(candidates, rng)


def seedless(candidates, rng):
    pairs = worst(candidates, rng)
    return [pairs[i] for i in np.random.permutation(len(pairs))]  # noqa: NPY002  # on purpose


# Generators.


class Components:
    """Principal components; the loss moves the first one. Methods are replaced to break rules."""

    latent = 8

    def __init__(self, settings=None):
        self.settings = settings

    def __call__(self, data, job):
        x = data.batch(np.arange(len(data)))
        job.progress(1, 1)
        return self.made(data, x, self.fitted(x, data, job), job)

    def fitted(self, x, data, job):
        flat = x.reshape(len(x), -1)
        spread = max(float(flat.std()), 1e-6)
        return (
            flat.mean(0),
            spread,
            np.linalg.svd((flat - flat.mean(0)) / spread, full_matrices=False)[2][: self.latent],
        )

    def of_loss(self, loss):
        return 0.3 * loss

    def made(self, data, x, fitted, job):
        import torch

        mean, spread, axes = (torch.tensor(np.asarray(value, dtype=np.float32)) for value in fitted)
        outer = self

        class Encoder(torch.nn.Module):
            def forward(self, x, loss, label):
                return outer.encoded(((x.flatten(1) - mean) / spread) @ axes.T, loss)

        class Decoder(torch.nn.Module):
            def forward(self, z, loss, label):
                return outer.decoded((z + outer.of_loss(loss)[:, None]) @ axes, mean, spread, data.sample_shape)

        return TrainedGenerator(self.mode(Encoder()), self.mode(Decoder()), latent=len(axes))

    def encoded(self, z, loss):
        return z - self.of_loss(loss)[:, None]

    def decoded(self, flat, mean, spread, shape):
        return (flat * spread + mean).unflatten(1, shape)

    def mode(self, module):
        return module.eval()


def generator_with(**methods):
    worker = type("Worker", (Components,), methods)
    return Tried(Generator(name="broken", summary="a generator", build=worker, kinds=("image",)))


def branching(self, flat, mean, spread, shape):
    if float(flat.abs().max()) > 1e6:  # which way to go depends on the data: no graph can hold that
        flat = flat * 0
    return (flat * spread + mean).unflatten(1, shape)


def drawn(self, x, data, job):
    mean, spread, axes = Components.fitted(self, x, data, job)
    return mean + 0.01 * np.random.rand(*mean.shape), spread, axes  # noqa: NPY002  # on purpose


def left_behind(self, data, job):
    """Goes on from a checkpoint that it wrote before it was done, and takes it for the end."""
    x, mark = data.batch(np.arange(len(data))), job.folder / "half"
    mean, spread, axes = self.fitted(x, data, job)
    if mark.exists():
        axes = axes[::-1].copy() * 0.5
    mark.write_text("half")
    job.progress(1, 1)
    return self.made(data, x, (mean, spread, axes), job)


def batch_centred(self, flat, mean, spread, shape):
    return ((flat - flat.mean(0)) * spread + mean).unflatten(1, shape)


def unguarded(self, x, data, job):
    flat = x.reshape(len(x), -1)
    spread = float(flat.std(0).max())
    if spread == 0:
        raise ZeroDivisionError("float division by zero")
    return Components.fitted(self, x, data, job)


def even_only(self, x, data, job):
    x.reshape(len(x), -1, 2, x.shape[2] // 2, x.shape[3])
    if x.shape[2] % 2:
        raise ValueError("cannot halve an odd side")
    return Components.fitted(self, x, data, job)


def of_the_trial(self, x, data, job):
    if not (data.role == 2).any():
        raise IndexError("index 0 is out of bounds for axis 0 with size 0")
    return Components.fitted(self, x, data, job)


# Converters.


class Moments:
    """Each value gets the mean and spread it has in the source. Methods are replaced to break rules."""

    def __init__(self, settings=None):
        pass

    def __call__(self, data, job):
        rows = data.rows
        source, target = (rows.batch(np.flatnonzero(rows.role == role)) for role in (0, 1))
        job.progress(1, 1)
        return self.made(self.moments(source, data, job), self.moments(target, data, job))

    def moments(self, x, data, job):
        return x.mean(0), x.std(0) + 0.01

    def made(self, *moments):
        import torch

        outer, values = self, [torch.tensor(np.asarray(v), dtype=torch.float32) for pair in moments for v in pair]

        class Module(torch.nn.Module):
            def forward(self, x):
                return outer.forward(x, *values)

        return TrainedConverter(outer.mode(Module()))

    def forward(self, x, mean, spread, mean_before, spread_before):
        return (x - mean_before) / spread_before * spread + mean

    def mode(self, module):
        return module.eval()


def converter_with(**methods):
    worker = type("Worker", (Moments,), methods)
    return Tried(Converter(name="broken", summary="a converter", build=worker, kinds=("image",)))


def branching_forward(self, x, *moments):
    if float(x.abs().max()) > 1e6:
        x = x * 0
    return Moments.forward(self, x, *moments)


def drawn_moments(self, x, data, job):
    return x.mean(0) + 0.01 * np.random.rand(), x.std(0) + 0.01  # noqa: NPY002  # on purpose


def moments_left_behind(self, x, data, job):
    mark = job.folder / "half"
    known = mark.exists()
    mark.write_text("half")
    return x.mean(0) * (0.9 if known else 1), x.std(0) + 0.01


def unguarded_moments(self, x, data, job):
    return x.mean(0), x.std(0) + (0.01 if np.ptp(x, axis=0).max() else np.nan)


def even_moments(self, x, data, job):
    if x.shape[2] % 2:
        raise ValueError("cannot halve an odd side")
    return Moments.moments(self, x, data, job)


# Classifiers.


class Means:
    """Nearest mean. Methods are replaced to break rules."""

    scale = 20.0

    def __init__(self, settings=None):
        pass

    def files(self):
        return []

    def means(self, x, source, job):
        return np.stack([x[source.labels == name].mean(0) for name in sorted(set(source.labels))])

    def __call__(self, source, job):
        x = source.batch(slice(None)).reshape(len(source), -1)
        means = self.means(x, source, job)

        def logits(batch):
            return self.answer(-self.scale * ((batch.reshape(len(batch), 1, -1) - means) ** 2).mean(-1))

        job.progress(1, 1)
        return ProvidedClassifier(function=logits, output="logits", classes=tuple(sorted(set(source.labels))))

    def answer(self, logits):
        return logits


def classifier_with(**methods):
    return Tried(Classifier(name="broken", summary="a classifier", build=type("Worker", (Means,), methods)))


def halfway_means(self, x, source, job):
    mark = job.folder / "half"
    means = Means.means(self, x, source, job)
    if mark.exists():
        means = means * 0.9
    mark.write_text("half")
    return means


def noisy_means(self, x, source, job):
    return Means.means(self, x, source, job) + 0.01 * np.random.rand(x.shape[1])  # noqa: NPY002  # on purpose


def unguarded_means(self, x, source, job):
    if x.std() == 0 or float(x.std(0).max()) == 0:
        raise ZeroDivisionError("float division by zero")
    return Means.means(self, x, source, job)


# Readers.


class Settings(ComponentSettings):
    path: Path = Field(description="an .npy of images")


class Array:
    """Images of a .npy. Methods are replaced to break rules."""

    def __init__(self, settings):
        self.path = settings.path

    def files(self):
        return [self.path]

    def __call__(self, scratch):
        try:
            x = np.load(self.path, allow_pickle=False)
        except (OSError, EOFError, ValueError) as error:
            raise InputError(f"{self.path} cannot be read: {error}") from None
        return self.domain(x)

    def domain(self, x):
        return Domain(x, x.shape[1:], "image", np.full(len(x), "a"))


def on_disk(folder):
    path = folder / "images.npy"
    np.save(path, samples("image")[0][:20])
    return {"path": path}


def reader(worker, **more):
    return Tried(Reader(name="broken", summary="a reader", settings=Settings, build=worker, **more), on_disk)


def reader_with(**methods):
    return reader(type("Worker", (Array,), methods))


def unsorted_domain(self, x):
    x = x[np.random.permutation(len(x))]  # noqa: NPY002  # on purpose
    return Domain(x, x.shape[1:], "image", np.full(len(x), "a"))


# Renderers.


def headline(report):
    return {"headline.txt": report.results.headline.encode()}


def renderer(function):
    return Tried(Renderer(name="broken", summary="a renderer", build=lambda settings: function))


def html(report):
    return {"a.html": f"<h1>{report.results.headline}</h1>".encode()}


def linked(report):
    return {"a.html": b'<script src="https://cdn.example.org/plot.js"></script>'}


def of_images(report):
    return {"size.txt": f"{report.results.sample_shape[2]} px".encode()}


def of_causes(report):
    return {"worst.txt": report.results.causes[0].factor.encode()}


# Observers.


class Watching:
    def __init__(self, settings=None):
        self.told = []

    @hookimpl
    def shiftlens_step(self, stage, done, values):
        self.told.append((stage, done, dict(values)))

    def close(self):
        self.told.clear()


def observer(**methods):
    marked = {name: hookimpl(method) if name.startswith("shiftlens_") else method for name, method in methods.items()}
    return Tried(Observer(name="broken", summary="an observer", build=type("Worker", (Watching,), marked)))


def wants_a_loss(self, values):
    self.told.append(values["loss"])


def wants_a_stage(self, run):
    self.told.append(self.stage)


def remembers_the_stage(self, stage):
    self.stage = stage


def wants_results(self, run):
    self.told.append(run.results.headline)


def tidies(self, run):
    (run.path / "settings.yaml").unlink(missing_ok=True)


# Targets.


def copied(bundle, out):
    for name in ("encoder.onnx", "decoder.onnx", "manifest.json"):
        (out / name).write_bytes((bundle / name).read_bytes())


def target(function):
    return Tried(Target(name="broken", summary="a target", build=lambda settings: function))


def with_clock(bundle, out):
    copied(bundle, out)
    (out / "made.txt").write_text(str(time.perf_counter_ns()))


def with_path(bundle, out):
    copied(bundle, out)
    (out / "config.json").write_text(f'{{"model": "{out}/decoder.onnx"}}')


def cut_short(bundle, out):
    copied(bundle, out)
    (out / "decoder.onnx").write_bytes((bundle / "decoder.onnx").read_bytes()[:1000])


def marked(bundle, out):
    copied(bundle, out)
    (bundle / "deployed").write_text("yes")


GOOD = {
    "loss": Tried(loss(cross_entropy)),
    "factor": Tried(factor(Level)),
    "selector": selector(worst),
    "generator": generator_with(),
    "converter": converter_with(),
    "classifier": classifier_with(),
    "reader": reader(Array),
    "renderer": renderer(headline),
    "target": target(copied),
    "observer": observer(),
}

BREAKERS = {
    "component-reads-well": Tried(loss(cross_entropy, summary="One sentence.")),
    "component-settings-round-trip": Tried(loss(cross_entropy, settings=Unequal)),
    "component-settings-stay-as-read": Tried(loss(None, settings=Growing, build=growing)),
    "component-loads-light": Tried(loss(None, build=heavy)),
    "component-calls-nobody": Tried(loss(calls)),
    "component-writes-in-its-folder": Tried(loss(writes)),
    "loss-one-finite-value-each": Tried(loss(lambda p, y: -np.log(p[np.arange(len(y)), y]))),
    "loss-small-where-right": Tried(loss(lambda p, y: 1 - cross_entropy(p, y))),
    "loss-says-whether-it-needs-labels": Tried(loss(lambda p, y: -np.log(p[range(len(p)), y] + 1e-9))),
    "loss-each-sample-alone": Tried(loss(relative)),
    "loss-any-number-of-classes": Tried(loss(lambda p, y: cross_entropy(p, y) + p[:, 2] + np.arange(len(p)))),
    "loss-leaves-its-input-alone": Tried(loss(in_place)),
    "factor-refuses-in-words": factor_with(refuses=lambda self, x: None),
    "factor-one-value-each": factor_with(measure=lambda self, x: x.mean()),
    "factor-each-sample-alone": factor_with(measure=lambda self, x: Level.measure(self, x) - x.mean()),
    "factor-shifts-samples-into-samples": factor_with(
        shift=lambda self, x, delta, rng: (x + 2 * delta[:, None, None, None]).astype(np.float64)
    ),
    "factor-a-shift-by-nothing-changes-nothing": factor_with(
        shift=lambda self, x, delta, rng: np.clip(plain_shift(self, x, delta, rng) + 0.1, 0, 1)
    ),
    "factor-moves-as-asked": factor_with(shift=lambda self, x, delta, rng: plain_shift(self, x, -delta, rng)),
    "factor-the-same-under-a-seed": factor_with(
        shift=lambda self, x, delta, rng: plain_shift(self, x, delta * np.random.rand(), rng)  # noqa: NPY002
    ),
    "factor-leaves-its-input-alone": factor_with(
        shift=lambda self, x, delta, rng: np.add(x, delta[:, None, None, None], out=x, casting="unsafe")
    ),
    "factor-survives-all-equal-samples": factor_with(
        measure=lambda self, x: Level.measure(self, x) / np.ptp(x, axis=(1, 2, 3)).astype(np.float64)
    ),
    "factor-takes-odd-sizes": factor_with(
        measure=lambda self, x: Level.measure(self, x.reshape(len(x), -1, 2)), refuses=lambda self, x: ""
    ),
    "selector-gives-pairs": selector(lambda candidates, rng: worst(candidates, rng) * 2),
    "selector-pairs-of-one-class": selector(lambda c, rng: [Pair(int(c.source.loss.argmin()), t) for t in range(9)]),
    "selector-from-small-to-large-loss": selector(
        lambda c, rng: [Pair(int(c.source.loss.argmax()), int(c.target.loss.argmin()))]
    ),
    "selector-the-same-under-a-seed": selector(seedless),
    "selector-works-without-labels": selector(unlabelled_crash),
    "selector-works-on-one-sample": selector(one_sample_crash),
    "selector-survives-all-equal-losses": selector(equal_crash),
    "generator-trains": generator_with(mode=lambda self, module: module.train()),
    "generator-lowers-its-loss": generator_with(
        decoded=lambda self, flat, mean, spread, shape: (0 * flat * spread + mean).unflatten(1, shape)
    ),
    "generator-listens-to-the-loss": generator_with(of_loss=lambda self, loss: 0 * loss),
    "generator-alone-as-in-company": generator_with(decoded=batch_centred),
    "generator-exports-to-onnx": generator_with(decoded=branching),
    "generator-the-same-under-a-seed": generator_with(fitted=drawn),
    "generator-resumes-to-the-same": generator_with(__call__=left_behind),
    "generator-survives-all-equal-samples": generator_with(fitted=unguarded),
    "generator-takes-odd-sizes": generator_with(fitted=even_only),
    "generator-does-without-a-trial": generator_with(fitted=of_the_trial),
    "converter-trains": converter_with(mode=lambda self, module: module.train()),
    "converter-leads-to-the-source": converter_with(forward=lambda self, x, *moments: 1 - x),
    "converter-alone-as-in-company": converter_with(forward=lambda self, x, mean, *others: x - x.mean(0) + mean),
    "converter-exports-to-onnx": converter_with(forward=branching_forward),
    "converter-the-same-under-a-seed": converter_with(moments=drawn_moments),
    "converter-resumes-to-the-same": converter_with(moments=moments_left_behind),
    "converter-survives-all-equal-samples": converter_with(moments=unguarded_moments),
    "converter-takes-odd-sizes": converter_with(moments=even_moments),
    "classifier-provides": classifier_with(__call__=lambda self, source, job: print),
    "classifier-lists-its-files": classifier_with(files=lambda self: ["weights.bin"]),
    "classifier-one-row-each": classifier_with(answer=lambda self, logits: logits[:, :3]),
    "classifier-alone-as-in-company": classifier_with(answer=lambda self, logits: logits - logits.mean(0)),
    "classifier-better-than-chance": classifier_with(answer=lambda self, logits: -logits),
    "classifier-the-same-under-a-seed": classifier_with(means=noisy_means),
    "classifier-resumes-to-the-same": classifier_with(means=halfway_means),
    "classifier-survives-all-equal-samples": classifier_with(means=unguarded_means),
    "reader-reads-a-domain": reader_with(domain=lambda self, x: x),
    "reader-decodes-to-float32": reader_with(domain=lambda self, x: Domain(255 * x, x.shape[1:], "image")),
    "reader-a-label-and-a-name-each": reader_with(
        domain=lambda self, x: Domain(x, x.shape[1:], "image", np.arange(len(x) - 1))
    ),
    "reader-reads-the-same-twice": reader_with(domain=unsorted_domain),
    "reader-lists-its-files": reader_with(files=lambda self: []),
    "reader-tells-what-is-missing": reader_with(
        __call__=lambda self, scratch: Array.domain(self, np.load(self.path, allow_pickle=False))
    ),
    "reader-claims-without-raising": reader(Array, claims=lambda raw, base: raw["path"].endswith(".npy")),
    "renderer-gives-files": renderer(lambda report: {"headline.txt": report.results.headline}),
    "renderer-names-files-of-its-own": renderer(lambda report: {"../headline.txt": b"up"}),
    "renderer-the-same-each-time": renderer(lambda report: {"t.txt": str(time.perf_counter_ns()).encode()}),
    "renderer-escapes-markup": renderer(html),
    "renderer-opens-offline": renderer(linked),
    "renderer-does-without": renderer(of_causes),
    "renderer-renders-series-and-vectors": renderer(of_images),
    "observer-follows-something": observer(shiftlens_stepp=lambda self, stage: None),
    "observer-follows-a-run": observer(shiftlens_step=wants_a_loss),
    "observer-follows-a-run-that-does-nothing": observer(
        shiftlens_stage_started=remembers_the_stage, shiftlens_run_finished=wants_a_stage
    ),
    "observer-may-be-cut-off": observer(shiftlens_run_finished=wants_results),
    "observer-leaves-the-run-alone": observer(shiftlens_run_finished=tidies),
    "target-writes-the-layout": target(lambda bundle, out: None),
    "target-leaves-the-bundle-alone": target(marked),
    "target-the-same-each-time": target(with_clock),
    "target-moves-to-another-machine": target(with_path),
    "target-models-still-run": target(cut_short),
}
