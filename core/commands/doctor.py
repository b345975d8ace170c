"""What this machine has, and what stands in the way: ``shiftlens doctor``."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict, dataclass, field
from importlib import metadata
from importlib.util import find_spec
from typing import Any

import shiftlens
from shiftlens.core.host.host import Host

LIBRARIES = (
    "torch", "onnx", "onnxscript", "onnxruntime-gpu", "onnxruntime", "numpy", "scipy", "scikit-learn", "pluggy",
    "pydantic", "jinja2", "pillow",
)  # fmt: skip
EXTRAS = ("pyarrow", "soundfile")
SLOW_PLUGIN = 0.5  # seconds to load, from which a plugin is pointed out


@dataclass
class Examination:
    """What was found; ``problems`` are things to mend, each with how."""

    machine: dict[str, str] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    providers: list[str] = field(default_factory=list)
    plugin_seconds: dict[str, float] = field(default_factory=dict)
    plugin_imports: dict[str, list[str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return asdict(self)

    def text(self) -> str:
        """For people."""
        lines = [f"shiftlens {shiftlens.__version__}", ""]
        for title, table in (("machine", self.machine), ("versions", self.versions)):
            width = max(len(key) for key in table)
            lines += [title, *(f"  {key.ljust(width)}  {value}" for key, value in table.items())]
        lines += ["models run on", f"  {', '.join(self.providers) or 'nothing: see below'}"]
        width = max((len(name) for name in self.plugin_seconds), default=0)
        lines += ["plugins, seconds to load"]
        lines += [f"  {name.ljust(width)}  {seconds:.3f}" for name, seconds in self.plugin_seconds.items()]
        lines += [""]
        lines += [f"- {problem}" for problem in self.problems] or ["Everything is in order."]
        return "\n".join(lines)


def examine() -> Examination:
    """Look at versions, execution providers really usable, conflicting packages, and the time plugins take."""
    found = Examination(
        machine={
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.release()} {platform.machine()}",
            "cores": str(os.cpu_count()),
        }
    )
    for library in (*LIBRARIES, *EXTRAS):
        version = _version(library)
        if version:
            found.versions[library] = version
    _examine_plugins(found)  # first: later parts import the libraries that plugins are watched for
    _examine_runtime(found)
    _examine_training(found)
    return found


def _examine_plugins(found: Examination) -> None:
    """How long each plugin takes to load, what it drags in with it, and which ones are left out."""
    host = Host()
    for plugin in host.plugins:
        found.plugin_seconds[plugin.name] = round(plugin.seconds, 3)
        if plugin.heavy:
            found.plugin_imports[plugin.name] = list(plugin.heavy)
            found.problems.append(
                f"the plugin {plugin.name} imports {' and '.join(plugin.heavy)} when it is loaded: "
                f"{plugin.seconds:.1f} s of every command; it should import them inside the worker"
            )
        elif plugin.seconds > SLOW_PLUGIN:
            found.problems.append(
                f"the plugin {plugin.name} takes {plugin.seconds:.1f} s to load; "
                "it should import heavy libraries where they are used"
            )
    found.problems += [f"the plugin {problem.plugin} is left out: {problem.reason}" for problem in host.problems]


def _examine_runtime(found: Examination) -> None:
    """ONNX Runtime: is it there once, does it open a model, and on what."""
    both = [name for name in ("onnxruntime", "onnxruntime-gpu") if name in found.versions]
    if len(both) == 2:
        found.problems.append(
            "onnxruntime and onnxruntime-gpu are both installed and overwrite each other's files; "
            "uninstall both, then install one of them"
        )
    if not both:
        found.problems.append("ONNX Runtime is not installed: pip install onnxruntime")
        return
    from shiftlens.export.session import CPU, cuda_devices, providers_usable

    try:
        found.providers = providers_usable()
    except Exception as error:
        found.problems.append(f"ONNX Runtime cannot open a model: {error}")
        return
    if cuda_devices() and found.providers == [CPU]:
        found.problems.append(
            "the driver knows a CUDA device, and ONNX Runtime cannot use it; "
            "pip install 'onnxruntime-gpu[cuda,cudnn]' brings the libraries that it wants"
        )


def _examine_training(found: Examination) -> None:
    """torch: enough to say on what training would run; its own import is left to those who train."""
    if find_spec("torch") is None:
        found.machine["training"] = "not possible: torch is not installed (serving and re-rendering work without it)"
        return
    import torch

    if torch.cuda.is_available():
        found.machine["training"] = f"cuda: {torch.cuda.get_device_name(0)}"
    elif torch.backends.mps.is_available():
        found.machine["training"] = "mps"
    else:
        found.machine["training"] = f"cpu, {torch.get_num_threads()} threads"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
