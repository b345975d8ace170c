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


class MLflowSettings(ComponentSettings):
    """Settings of the MLflow observer."""

    tracking_uri: str = Field(
        "",
        description='where runs are kept, such as http://server:5000; "" takes '
        "MLFLOW_TRACKING_URI from the environment",
    )
    experiment: str = Field("shiftlens", min_length=1, description="experiment that the run is kept under")
    bundle: bool = Field(True, description="keep the exported models as artifacts, too")


def build_mlflow(settings: MLflowSettings) -> ObserverWorker:
    """The MLflow observer; the library comes with the extra of that name."""
    try:
        from shiftlens.plugins.observers.mlflow import MLflow
    except ImportError as error:
        raise PluginError(f"{error}; pip install 'shiftlens[mlflow]'") from error

    return MLflow(settings.tracking_uri, settings.experiment, settings.bundle)


@hookimpl
def shiftlens_observers() -> Iterator[Observer]:
    """The built-in observers."""
    yield Observer(
        name="mlflow",
        summary="settings, losses, figures, verdicts, report and bundle as a run in MLflow",
        settings=MLflowSettings,
        build=build_mlflow,
        reference="https://mlflow.org/docs/latest/ml/tracking/",
    )
    yield Observer(
        name="tensorboard",
        summary="losses as they fall, grids and verdicts in TensorBoard: tensorboard/ in the run directory",
        settings=TensorBoardSettings,
        build=build_tensorboard,
        reference="https://www.tensorflow.org/tensorboard",
    )
