"""Built-in observers: what follows a run that names it under ``observers``."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from shiftlens.core.errors import PluginError
from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import ComponentSettings, Observer, ObserverWorker


class TensorBoardSettings(ComponentSettings):
    """Settings of the TensorBoard observer."""

    pairs: int = Field(8, ge=0, description="pairs whose grids are shown as pictures")


def build_tensorboard(settings: TensorBoardSettings) -> ObserverWorker:
    """The TensorBoard observer; the library comes with the extra of that name."""
    try:
        from shiftlens.plugins.observers.tensorboard import TensorBoard
    except ImportError as error:
        raise PluginError(f"{error}; pip install 'shiftlens[tensorboard]'") from error

    return TensorBoard(settings.pairs)


@hookimpl
def shiftlens_observers() -> Iterator[Observer]:
    """The one built-in observer."""
    yield Observer(
        name="tensorboard",
        summary="losses as they fall, grids and verdicts in TensorBoard: tensorboard/ in the run directory",
        settings=TensorBoardSettings,
        build=build_tensorboard,
        reference="https://www.tensorflow.org/tensorboard",
    )
