"""shiftlens shows and proves which change in the data costs a classifier its accuracy.

All public names stand here: those to run analyses with, and those that plugins are written with. They load on first
use: ``import shiftlens`` imports neither torch nor onnxruntime.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

# ONNX Runtime reads this once, when it is loaded, by whomever: else it queues events on disk and sends them.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

if TYPE_CHECKING:
    from shiftlens.core.config.settings import Settings as Settings
    from shiftlens.core.config.settings import load_settings as load_settings
    from shiftlens.core.data.domain import Domain as Domain
    from shiftlens.core.data.domain import Otherwise as Otherwise
    from shiftlens.core.data.scoring import UNLABELLED as UNLABELLED
    from shiftlens.core.data.scoring import Scores as Scores
    from shiftlens.core.errors import ExportError as ExportError
    from shiftlens.core.errors import InputError as InputError
    from shiftlens.core.errors import PluginError as PluginError
    from shiftlens.core.errors import ShiftlensError as ShiftlensError
    from shiftlens.core.errors import TrainingError as TrainingError
    from shiftlens.core.host.hookspecs import hookimpl as hookimpl
    from shiftlens.core.host.host import Host as Host
    from shiftlens.core.host.kinds import SOURCE as SOURCE
    from shiftlens.core.host.kinds import TARGET as TARGET
    from shiftlens.core.host.kinds import TRIAL as TRIAL
    from shiftlens.core.host.kinds import Augmentation as Augmentation
    from shiftlens.core.host.kinds import Candidates as Candidates
    from shiftlens.core.host.kinds import Classifier as Classifier
    from shiftlens.core.host.kinds import ClassifierWorker as ClassifierWorker
    from shiftlens.core.host.kinds import Component as Component
    from shiftlens.core.host.kinds import ComponentSettings as ComponentSettings
    from shiftlens.core.host.kinds import ConversionData as ConversionData
    from shiftlens.core.host.kinds import Converter as Converter
    from shiftlens.core.host.kinds import ConverterWorker as ConverterWorker
    from shiftlens.core.host.kinds import DiscreteWorker as DiscreteWorker
    from shiftlens.core.host.kinds import Factor as Factor
    from shiftlens.core.host.kinds import FactorWorker as FactorWorker
    from shiftlens.core.host.kinds import Generator as Generator
    from shiftlens.core.host.kinds import GeneratorWorker as GeneratorWorker
    from shiftlens.core.host.kinds import Loss as Loss
    from shiftlens.core.host.kinds import LossWorker as LossWorker
    from shiftlens.core.host.kinds import Observer as Observer
    from shiftlens.core.host.kinds import ObserverWorker as ObserverWorker
    from shiftlens.core.host.kinds import OnnxOperation as OnnxOperation
    from shiftlens.core.host.kinds import Pair as Pair
    from shiftlens.core.host.kinds import Proposal as Proposal
    from shiftlens.core.host.kinds import ProvidedClassifier as ProvidedClassifier
    from shiftlens.core.host.kinds import Reader as Reader
    from shiftlens.core.host.kinds import ReaderWorker as ReaderWorker
    from shiftlens.core.host.kinds import Remedied as Remedied
    from shiftlens.core.host.kinds import Remedy as Remedy
    from shiftlens.core.host.kinds import RemedyData as RemedyData
    from shiftlens.core.host.kinds import RemedyWorker as RemedyWorker
    from shiftlens.core.host.kinds import Renderer as Renderer
    from shiftlens.core.host.kinds import RendererWorker as RendererWorker
    from shiftlens.core.host.kinds import Selector as Selector
    from shiftlens.core.host.kinds import SelectorWorker as SelectorWorker
    from shiftlens.core.host.kinds import Target as Target
    from shiftlens.core.host.kinds import TargetWorker as TargetWorker
    from shiftlens.core.host.kinds import TrainedConverter as TrainedConverter
    from shiftlens.core.host.kinds import TrainedGenerator as TrainedGenerator
    from shiftlens.core.host.kinds import TrainingData as TrainingData
    from shiftlens.core.host.kinds import UnderstoodClassifier as UnderstoodClassifier
    from shiftlens.core.host.kinds import Variant as Variant
    from shiftlens.core.job import Job as Job
    from shiftlens.core.results.report import Report as Report
    from shiftlens.core.run.directory import Run as Run
    from shiftlens.core.run.directory import load_run as load_run
    from shiftlens.core.run.pipeline import run as run

__version__ = "0.1.0"

TO_RUN = {
    "shiftlens.core.config.settings": ("Settings", "load_settings"),
    "shiftlens.core.host.host": ("Host",),
    "shiftlens.core.run.directory": ("Run", "load_run"),
    "shiftlens.core.run.pipeline": ("run",),
}
"""Where the names live with which analyses are run."""

FOR_PLUGINS = {
    "shiftlens.core.data.domain": ("Domain", "Otherwise"),
    "shiftlens.core.data.scoring": ("UNLABELLED", "Scores"),
    "shiftlens.core.errors": ("ExportError", "InputError", "PluginError", "ShiftlensError", "TrainingError"),
    "shiftlens.core.host.hookspecs": ("hookimpl",),
    "shiftlens.core.host.kinds": (
        "SOURCE",
        "TARGET",
        "TRIAL",
        "Augmentation",
        "Candidates",
        "Classifier",
        "ClassifierWorker",
        "Component",
        "ComponentSettings",
        "ConversionData",
        "Converter",
        "ConverterWorker",
        "DiscreteWorker",
        "Factor",
        "FactorWorker",
        "Generator",
        "GeneratorWorker",
        "Loss",
        "LossWorker",
        "Observer",
        "ObserverWorker",
        "OnnxOperation",
        "Pair",
        "Proposal",
        "ProvidedClassifier",
        "Reader",
        "ReaderWorker",
        "Remedied",
        "Remedy",
        "RemedyData",
        "RemedyWorker",
        "Renderer",
        "RendererWorker",
        "Selector",
        "SelectorWorker",
        "Target",
        "TargetWorker",
        "TrainedConverter",
        "TrainedGenerator",
        "TrainingData",
        "UnderstoodClassifier",
        "Variant",
    ),
    "shiftlens.core.job": ("Job",),
    "shiftlens.core.results.report": ("Report",),
}
"""Where the names live that plugins are written with."""

_HOMES = {name: module for table in (TO_RUN, FOR_PLUGINS) for module, names in table.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'shiftlens' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
