"""Follow a run in TensorBoard: losses while models are trained, then the grids and the verdicts.

``tensorboard --logdir runs`` finds the event files of every run below a folder. They are written by the tensorboard
package itself, which needs neither torch nor TensorFlow.

An event file is a log: nothing in it can be replaced. So results are written only by a run that found new ones, or
where no event file stands yet, and a run that was cut off goes on in a second file, which TensorBoard joins.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2
from tensorboard.summary.writer.event_file_writer import EventFileWriter

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.results.results import Cause, Results
from shiftlens.core.run.directory import Run
from shiftlens.plugins.observers.mosaic import mosaic

FOLDER = "tensorboard"  # in the run directory
FLUSH_SECONDS = 10  # how old what TensorBoard shows may be


class TensorBoard:
    """Writes one run's event file; ``pairs`` bounds the grids that are shown."""

    def __init__(self, pairs: int) -> None:
        self.pairs = pairs
        self.writer: EventFileWriter | None = None
        self.results_are_new = False
        self.followed: set[str] = set()  # stages whose figures came in as they were measured

    @hookimpl
    def shiftlens_run_started(self, run: Run) -> None:
        folder = run.folder(FOLDER)
        self.results_are_new = not any(folder.iterdir())
        self.writer = EventFileWriter(str(folder), flush_secs=FLUSH_SECONDS)

    @hookimpl
    def shiftlens_step(self, stage: str, done: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.followed.add(stage)
            self._scalar(f"{stage}/{name}", value, done)

    @hookimpl
    def shiftlens_stage_finished(self, stage: str) -> None:
        if stage == "explain":
            self.results_are_new = True

    @hookimpl
    def shiftlens_run_finished(self, run: Run) -> None:
        if not self.results_are_new or not (run.path / "results.json").is_file():  # left out by --until
            return
        results = run.results
        self._curves(results)
        self._figures(results)
        self._text("verdicts", verdicts(results))
        for number, pair in enumerate(results.pairs[: self.pairs], start=1):
            correct = [[cell.correct for cell in row] for row in pair.cells]
            caption = f"{pair.label}: source sample {pair.source}, target sample {pair.target}"
            self._picture(f"grid/{number:02d}", mosaic(run.arrays["cells"][number - 1], correct), caption)

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        if self.writer is not None:
            self.writer.close()

    def _curves(self, results: Results) -> None:
        """Training curves of models that an earlier run had trained."""
        for curve in results.curves:
            if curve.name not in self.followed:
                for place, row in enumerate(curve.rows, start=1):
                    step = row.get("step", row.get("epoch", place))
                    for name in row.keys() - {"step", "epoch"}:
                        self._scalar(f"{curve.name}/{name}", row[name], int(step))

    def _figures(self, results: Results) -> None:
        """One point per figure, so that several runs can be held beside each other."""
        figures = {
            "result/accuracy source": results.accuracy.source,
            "result/accuracy target": results.accuracy.target,
            "result/loss source": results.loss.source,
            "result/loss target": results.loss.target,
            "result/fidelity": results.fidelity.spearman,
            **{f"effect/{cause.factor}": cause.effect for cause in results.causes},
        }
        for tag, value in figures.items():
            if value is not None:
                self._scalar(tag, value, 0)

    def _scalar(self, tag: str, value: float, step: int) -> None:
        self._write(step, summary_pb2.Summary.Value(tag=tag, simple_value=value))

    def _text(self, tag: str, markdown: str) -> None:
        shape = tensor_shape_pb2.TensorShapeProto(dim=[tensor_shape_pb2.TensorShapeProto.Dim(size=1)])
        tensor = tensor_pb2.TensorProto(dtype="DT_STRING", string_val=[markdown.encode()], tensor_shape=shape)
        kind = summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))
        self._write(0, summary_pb2.Summary.Value(tag=tag, metadata=kind, tensor=tensor))

    def _picture(self, tag: str, picture: tuple[bytes, int, int], caption: str) -> None:
        png, width, height = picture
        image = summary_pb2.Summary.Image(encoded_image_string=png, width=width, height=height, colorspace=3)
        metadata = summary_pb2.SummaryMetadata(display_name=tag, summary_description=caption)
        self._write(0, summary_pb2.Summary.Value(tag=tag, image=image, metadata=metadata))

    def _write(self, step: int, value: summary_pb2.Summary.Value) -> None:
        if self.writer is not None:
            summary = summary_pb2.Summary(value=[value])
            self.writer.add_event(event_pb2.Event(wall_time=time.time(), step=step, summary=summary))


def verdicts(results: Results) -> str:
    """The headline, every verdict on what changed, and the remedy, as Markdown."""
    changed = [cause for cause in results.causes if cause.verdict != "unchanged"]
    rows = [f"| {cause.factor} | {cause.verdict} | {_cost(cause, results)} | {cause.sentence} |" for cause in changed]
    table = ["| factor | verdict | cost | finding |", "|---|---|---|---|", *rows] if rows else []
    unchanged = ", ".join(cause.factor for cause in results.causes if cause.verdict == "unchanged")
    parts = [f"**{results.headline}**", "\n".join(table), f"Unchanged: {unchanged}" if unchanged else ""]
    parts += [results.remedy.sentence if results.remedy else "", *results.warnings]
    return "\n\n".join(part for part in parts if part)


def _cost(cause: Cause, results: Results) -> str:
    if cause.effect is None or cause.ci is None:
        return ""
    return f"{cause.effect:.2f} ({cause.ci[0]:.2f} to {cause.ci[1]:.2f}) {results.loss_unit}"
