"""A finished run as one looks at it in Python and in a notebook: verdicts as a table, grids as pictures, a page."""

from __future__ import annotations

import html
import io
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from shiftlens.core.arrays import AnyArray, FloatArray, Floats
from shiftlens.core.causes.outcomes import Rig
from shiftlens.core.config.settings import Settings, choices
from shiftlens.core.errors import InputError, near_miss
from shiftlens.core.grid.intervention import intervention_grid, sides_of
from shiftlens.core.host.host import Host
from shiftlens.core.host.kinds import Renderer
from shiftlens.core.results.results import Cause, PairResult
from shiftlens.core.run.context import Context

if TYPE_CHECKING:
    from PIL.Image import Image

    from shiftlens.core.run.directory import Run
    from shiftlens.export.sheet import Drawn

FIRST_SECTIONS = ("answer", "intervention")
"""Of the report: what a notebook shows."""
HEIGHT = 640  # pixels of the page in a notebook


class CauseList(Sequence[Cause]):
    """The verdicts, the harmful ones first; ``causes["hue"]`` and ``causes[0]`` are one of them."""

    def __init__(self, causes: Sequence[Cause]) -> None:
        self._causes = tuple(causes)

    def __len__(self) -> int:
        return len(self._causes)

    def __getitem__(self, which: Any) -> Any:
        if not isinstance(which, str):
            return self._causes[which]
        names = [cause.factor for cause in self._causes]
        if which not in names:
            raise InputError(f"there is no factor {which}; {near_miss(which, names)}there are: {', '.join(names)}")
        return self._causes[names.index(which)]

    def __repr__(self) -> str:
        return "\n".join(f"{cause.verdict:<9} {cause.factor}: {cause.sentence}" for cause in self._causes)

    def to_frame(self) -> Any:
        """A pandas data frame, one row a factor: verdict, effect, accuracy_effect, share, the intervals' ends, shift.

        Raises:
            InputError: pandas is not installed.
        """
        try:
            pandas = import_module("pandas")
        except ImportError:
            raise InputError("a data frame needs pandas: pip install pandas") from None
        return pandas.DataFrame([_row(cause) for cause in self._causes])


def _row(cause: Cause) -> dict[str, Any]:
    row: dict[str, Any] = {"factor": cause.factor, "verdict": cause.verdict}
    figures = {
        "effect": (cause.effect, cause.ci),
        "accuracy_effect": (cause.accuracy_effect, cause.accuracy_ci),
        "share": (cause.share, cause.share_ci),
    }
    for name, (value, ci) in figures.items():
        row |= {name: value, f"{name}_low": ci[0] if ci else None, f"{name}_high": ci[1] if ci else None}
    shift = cause.shift
    row |= {"source": shift.source, "target": shift.target, "unit": shift.unit} if shift else {}
    return {**row, "sentence": cause.sentence}


class GridPicture:
    """A grid with its cells, ready to be looked at: a notebook draws it, `picture` is an image of Pillow.

    Attributes:
        cells: ``(rows, columns, *sample)`` float32.
        requested, measured: ``(rows, columns)`` losses.
        result: what results.json holds of the pair; None for a grid that was made just now.
    """

    def __init__(self, drawn: Drawn, requested: Floats, result: PairResult | None = None) -> None:
        self._drawn, self.requested, self.result = drawn, requested, result
        self.cells: FloatArray = drawn.cells
        self.measured: Floats = np.asarray(drawn.loss).reshape(drawn.cells.shape[:2])

    def picture(self) -> Image:
        """All cells with their measured losses; frames mark wrong predictions and real samples."""
        from shiftlens.export.sheet import sheet

        return sheet(self._drawn)

    def show(self) -> None:
        """Show it: in the notebook, or else in the system's viewer of pictures."""
        shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if shell is None:
            self.picture().show()
            return
        import_module("IPython.display").display(self)

    def _repr_png_(self) -> bytes:
        stream = io.BytesIO()
        self.picture().save(stream, format="PNG")
        return stream.getvalue()


def pair_of(run: Run, number: int) -> GridPicture:
    """The generated grid of a pair; numbers begin at 0, as in ``results.pairs``.

    Raises:
        InputError: the run has no such pair.
    """
    from shiftlens.export.sheet import Drawn

    results = run.results
    if not 0 <= number < len(results.pairs):
        there = f"0 to {len(results.pairs) - 1}" if results.pairs else "none"
        raise InputError(f"{run.path} has no pair {number}; there are: {there}")
    pair = results.pairs[number]
    flat = [cell for row in pair.cells for cell in row]
    drawn = Drawn(
        np.asarray(run.arrays["cells"][number], dtype=np.float32),
        results.kind,
        np.array([cell.measured for cell in flat]),
        [cell.predicted for cell in flat],
        np.array([not cell.correct for cell in flat]),
        np.array([cell.real for cell in flat]),
        down=f"loss ({results.loss_name}): costs accuracy",
    )
    requested = np.array([[cell.requested for cell in row] for row in pair.cells])
    return GridPicture(drawn, requested, pair)


def grid_of(run: Run, sample: AnyArray, label: str | None, columns: int | None, rows: int | None) -> GridPicture:
    """The intervention grid of a sample of one's own: the run's fitted changes, made on it.

    Raises:
        InputError: the sample or the class does not fit, or the run has no fitted changes.
    """
    from shiftlens.core.run.stages.trial import fitted_plan
    from shiftlens.export.sheet import Drawn

    host = Host()
    context = Context(Settings.parse(run.settings, run.base, host), host, run)
    shape = tuple(run.results.sample_shape)
    x = np.asarray(sample, dtype=np.float32)
    if x.shape != shape:
        raise InputError(f"the sample has shape {x.shape}; the run's samples are {shape} float32, channels first")
    plan, verdicts = fitted_plan(context)
    if not plan:
        raise InputError("nothing was found to have changed, so there is nothing to change a sample by")
    own = _class_of(context, x, label)
    sides, size = sides_of(plan, verdicts), context.general.grid
    made = intervention_grid(
        Rig(x[None], np.array([own]), context.score_in_batches, context.general.seed), plan, sides,
        columns or size.features, rows or size.losses,
    )  # fmt: skip
    real = np.zeros(made.measured.size, dtype=bool)
    real[0] = True
    drawn = Drawn(
        made.cells,
        run.results.kind,
        made.scores.loss,
        [context.classes[int(k)] for k in made.scores.prediction],
        made.scores.prediction != own,
        real,
        right=", ".join(sides.right) or "nothing else changed",
        down=", ".join(sides.down) or "nothing that changed costs accuracy",
    )
    return GridPicture(drawn, np.repeat(made.requested[:, None], made.measured.shape[1], axis=1))


def _class_of(context: Context, x: FloatArray, label: str | None) -> int:
    """Index of the class; what the classifier says of the sample where none is given."""
    if label is None:
        return int(context.predict(x[None])[0].argmax())
    if str(label) not in context.classes:
        known = ", ".join(context.classes)
        raise InputError(f"there is no class {label}; {near_miss(str(label), context.classes)}there are: {known}")
    return context.classes.index(str(label))


def page_of(run: Run) -> str:
    """The report's answer and intervention grid, in a frame of their own: what a notebook shows of a run."""
    (renderer,) = choices(Host(), Renderer, [{"name": "html", "sections": list(FIRST_SECTIONS)}], run.base)
    (page,) = renderer.build()(run.report()).values()
    return (
        f'<iframe srcdoc="{html.escape(page.decode("utf-8"))}" sandbox="allow-scripts" '
        f'style="width:100%;height:{HEIGHT}px;border:0" title="shiftlens: {html.escape(run.results.name)}"></iframe>'
    )
