"""Every hook of shiftlens. A plugin implements the ones it needs, in a module or on an object.

The hooks that offer something yield frozen descriptions (`shiftlens.core.host.kinds`); the others are told what
happens and return nothing. Each example below runs as it stands: a test executes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

from shiftlens.core.host.kinds import (
    Classifier,
    Converter,
    Factor,
    Generator,
    Loss,
    Observer,
    Reader,
    Remedy,
    Renderer,
    Selector,
    Target,
)

if TYPE_CHECKING:
    from shiftlens import Run

PROJECT = "shiftlens"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def shiftlens_readers() -> Iterable[Reader]:  # type: ignore[empty-body]
    """Offer ways to read a domain.

    Example::

        from pathlib import Path
        import numpy as np
        from pydantic import Field
        from shiftlens import ComponentSettings, Domain, Reader, hookimpl

        class Settings(ComponentSettings):
            path: Path = Field(description="text file, one sample per line: label, then its values")

        class LinesReader:
            def __init__(self, settings):
                self.path = settings.path

            def files(self):
                return [self.path]

            def __call__(self, scratch):
                rows = [line.split() for line in self.path.read_text().splitlines()]
                values = np.array([row[1:] for row in rows], dtype=np.float32)
                labels = np.array([row[0] for row in rows])
                return Domain(values, values.shape[1:], "tabular", labels)

        @hookimpl
        def shiftlens_readers():
            yield Reader(
                name="lines",
                summary="one sample per line of a text file",
                settings=Settings,
                build=LinesReader,
                claims=lambda raw, base: str(raw.get("path", "")).endswith(".txt"),
            )
    """


@hookspec
def shiftlens_classifiers() -> Iterable[Classifier]:  # type: ignore[empty-body]
    """Offer ways to bring or train the classifier under analysis.

    Example::

        import numpy as np
        from shiftlens import Classifier, ComponentSettings, ProvidedClassifier, hookimpl

        class NearestMean:
            def __init__(self, settings):
                pass

            def files(self):
                return []

            def __call__(self, source, job):
                x = source.batch(slice(None)).reshape(len(source), -1)
                classes = sorted(set(source.labels))
                means = np.stack([x[source.labels == name].mean(0) for name in classes])

                def logits(batch):
                    flat = batch.reshape(len(batch), 1, -1)
                    return -((flat - means) ** 2).sum(-1)

                return ProvidedClassifier(function=logits, output="logits", classes=tuple(classes))

        @hookimpl
        def shiftlens_classifiers():
            yield Classifier(
                name="nearest-mean",
                summary="the class whose mean sample is nearest",
                settings=ComponentSettings,
                build=NearestMean,
            )
    """


@hookspec
def shiftlens_generators() -> Iterable[Generator]:  # type: ignore[empty-body]
    """Offer generators: an encoder, and a decoder conditioned on the loss.

    Example::

        import numpy as np
        from pydantic import Field
        from shiftlens import ComponentSettings, Generator, TrainedGenerator, hookimpl

        class Settings(ComponentSettings):
            latent: int = Field(4, ge=1, description="number of principal components")

        class PrincipalComponents:
            def __init__(self, settings):
                self.settings = settings

            def __call__(self, data, job):
                import torch

                x = data.batch(np.arange(len(data))).reshape(len(data), -1)
                mean = torch.from_numpy(x.mean(0))
                axes = torch.linalg.svd(torch.from_numpy(x) - mean, full_matrices=False).Vh[: self.settings.latent]

                class Encoder(torch.nn.Module):
                    def forward(self, x, loss, label):
                        return (x.flatten(1) - mean) @ axes.T

                class Decoder(torch.nn.Module):
                    def forward(self, z, loss, label):
                        return (z @ axes + mean).unflatten(1, data.sample_shape)

                return TrainedGenerator(Encoder().eval(), Decoder().eval(), latent=len(axes))

        @hookimpl
        def shiftlens_generators():
            yield Generator(
                name="principal-components",
                summary="linear; ignores the loss",
                settings=Settings,
                build=PrincipalComponents,
            )
    """


@hookspec
def shiftlens_converters() -> Iterable[Converter]:  # type: ignore[empty-body]
    """Offer style converters: from a target sample to one of the source domain.

    Example::

        import numpy as np
        from shiftlens import SOURCE, TARGET, ComponentSettings, Converter, TrainedConverter, hookimpl

        class MatchedMoments:
            def __init__(self, settings):
                pass

            def __call__(self, data, job):
                import torch

                def moments(role):
                    x = torch.from_numpy(data.rows.batch(np.flatnonzero(data.rows.role == role)))
                    return x.mean(0), x.std(0) + 1e-6

                (mean, spread), (source_mean, source_spread) = moments(TARGET), moments(SOURCE)

                class Module(torch.nn.Module):
                    def forward(self, x):
                        return (x - mean) / spread * source_spread + source_mean

                return TrainedConverter(Module().eval())

        @hookimpl
        def shiftlens_converters():
            yield Converter(
                name="matched-moments",
                summary="gives every value the mean and spread it has in the source",
                settings=ComponentSettings,
                build=MatchedMoments,
            )
    """


@hookspec
def shiftlens_selectors() -> Iterable[Selector]:  # type: ignore[empty-body]
    """Offer ways to pick the pairs to be shown.

    Example::

        import numpy as np
        from shiftlens import ComponentSettings, Pair, Selector, hookimpl

        class Worst:
            def __init__(self, settings):
                pass

            def __call__(self, candidates, rng):
                target = int(np.argmax(candidates.target.loss))
                same = np.flatnonzero(candidates.source.label == candidates.target.label[target])
                return [Pair(int(same[np.argmin(candidates.source.loss[same])]), target)]

        @hookimpl
        def shiftlens_selectors():
            yield Selector(name="worst", summary="the one worst sample", settings=ComponentSettings, build=Worst)
    """


@hookspec
def shiftlens_factors() -> Iterable[Factor]:  # type: ignore[empty-body]
    """Offer nameable properties of a sample that can be measured and, where possible, changed.

    A measure that goes in circles (a hue, the time of day) says how far a whole turn is: ``Factor(period=360.0, ...)``.
    A change that has no strength (another order of the channels) is told by ``Factor(variants=(Variant(...), ...))``;
    its worker follows `DiscreteWorker`: ``signs``, ``make`` and ``undo`` in place of ``measure`` and ``shift``.

    Example::

        import numpy as np
        from shiftlens import ComponentSettings, Factor, hookimpl

        class RedLevel:
            def __init__(self, settings):
                pass

            def refuses(self, x):
                return "" if x.shape[1] == 3 else "only colour images have a red level"

            def measure(self, x):
                return x[:, 0].mean((1, 2), dtype=np.float64)

            def shift(self, x, delta, rng):
                changed = x.copy()
                changed[:, 0] = np.clip(x[:, 0] + delta[:, None, None], 0, 1)
                return changed

        @hookimpl
        def shiftlens_factors():
            yield Factor(
                name="red-level",
                summary="mean of the red channel",
                settings=ComponentSettings,
                build=RedLevel,
                unit="of full range",
                noun=("more red", "less red"),
                span=0.1,  # a step that people notice
            )
    """


@hookspec
def shiftlens_losses() -> Iterable[Loss]:  # type: ignore[empty-body]
    """Offer ways to measure how wrong the classifier is on one sample.

    Example::

        from shiftlens import ComponentSettings, Loss, hookimpl

        def build(settings):
            def one_minus_confidence(probabilities, labels):
                return 1.0 - probabilities.max(axis=1)

            return one_minus_confidence

        def as_onnx(settings):  # the same for grid.onnx; leave it out, and bundles have none
            from onnx import parser

            return parser.parse_model('''
                <ir_version: 10, opset_import: ["" : 20]>
                doubt (float[N, K] probabilities, int64[N] labels) => (float[N] losses) {
                    axis = Constant <value_ints = [1]> ()
                    one = Constant <value_float = 1.0> ()
                    largest = ReduceMax <keepdims = 0> (probabilities, axis)
                    losses = Sub (one, largest)
                }
            ''')

        @hookimpl
        def shiftlens_losses():
            yield Loss(
                name="doubt",
                summary="one minus the largest probability",
                settings=ComponentSettings,
                build=build,
                onnx=as_onnx,
                needs_labels=False,
                unit="probability",
            )
    """


@hookspec
def shiftlens_remedies() -> Iterable[Remedy]:  # type: ignore[empty-body]
    """Offer ways to bring the lost accuracy back. Each is measured on target samples that nothing else has seen.

    Example::

        import numpy as np
        from shiftlens import ComponentSettings, Remedied, Remedy, hookimpl

        def build(settings):
            def vote(data, augment, job):
                def predict(x):
                    both = [data.predict(x), data.predict(x[..., ::-1].copy())]
                    return np.mean(both, axis=0)

                return Remedied(predict)

            return vote

        @hookimpl
        def shiftlens_remedies():
            yield Remedy(
                name="mirror-vote",
                summary="the mean of what the classifier says of a sample and of its mirror image",
                settings=ComponentSettings,
                build=build,
            )
    """


@hookspec
def shiftlens_renderers() -> Iterable[Renderer]:  # type: ignore[empty-body]
    """Offer ways to tell what a run found.

    Example::

        from shiftlens import ComponentSettings, Renderer, hookimpl

        def build(settings):
            def render(report):
                return {"headline.txt": (report.results.headline + "\\n").encode()}

            return render

        @hookimpl
        def shiftlens_renderers():
            yield Renderer(name="headline", summary="one line", settings=ComponentSettings, build=build)
    """


@hookspec
def shiftlens_targets() -> Iterable[Target]:  # type: ignore[empty-body]
    """Offer layouts in which a bundle is deployed.

    Example::

        import shutil
        from shiftlens import ComponentSettings, Target, hookimpl

        def build(settings):
            def write(bundle, out):
                shutil.make_archive(str(out / "bundle"), "zip", bundle)

            return write

        @hookimpl
        def shiftlens_targets():
            yield Target(name="zip", summary="the bundle as one zip file", settings=ComponentSettings, build=build)
    """


@hookspec
def shiftlens_observers() -> Iterable[Observer]:  # type: ignore[empty-body]
    """Offer what follows a run that names it under ``observers``, as a tracker of experiments does.

    Its worker implements the hooks below, as many as it wants. A plugin that wants to be told of every run without
    being named implements them in its module instead.

    Example::

        from pathlib import Path
        from pydantic import Field
        from shiftlens import ComponentSettings, Observer, hookimpl

        class Settings(ComponentSettings):
            path: Path = Field(description="text file that gets one line per stage")

        class Diary:
            def __init__(self, settings):
                self.stream = settings.path.open("a", encoding="utf-8")

            @hookimpl
            def shiftlens_stage_finished(self, stage, seconds):
                self.stream.write(f"{stage} took {seconds:.1f} s\\n")

            def close(self):
                self.stream.close()

        @hookimpl
        def shiftlens_observers():
            yield Observer(name="diary", summary="one line per stage in a text file", settings=Settings, build=Diary)
    """


@hookspec
def shiftlens_run_started(run: Run) -> None:
    """Be told that a run begins.

    Example::

        from shiftlens import hookimpl

        @hookimpl
        def shiftlens_run_started(run):
            print("writing to", run.path)
    """


@hookspec
def shiftlens_stage_started(stage: str) -> None:
    """Be told that a stage begins; a stage that is up to date does not begin.

    Example::

        from shiftlens import hookimpl

        @hookimpl
        def shiftlens_stage_started(stage):
            print(stage, "...")
    """


@hookspec
def shiftlens_step(stage: str, done: int, total: int, values: Mapping[str, float]) -> None:
    """Be told of progress inside a stage; ``values`` are figures such as the training loss.

    Example::

        from shiftlens import hookimpl

        @hookimpl
        def shiftlens_step(stage, done, total, values):
            print(f"{stage}: {done}/{total}", dict(values))
    """


@hookspec
def shiftlens_stage_finished(stage: str, seconds: float) -> None:
    """Be told that a stage is done and its files are written.

    Example::

        from shiftlens import hookimpl

        @hookimpl
        def shiftlens_stage_finished(stage, seconds):
            print(f"{stage}: {seconds:.1f} s")
    """


@hookspec
def shiftlens_run_finished(run: Run) -> None:
    """Be told that a run is complete; ``run.results`` holds what it found.

    Example::

        from shiftlens import hookimpl

        @hookimpl
        def shiftlens_run_finished(run):
            print(run.results.headline)
    """
