"""Samples changed as a run's augmentation.yaml says: what to retrain with where a factor is harmful (¶73)."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from shiftlens.core.causes.augmentation import augment
from shiftlens.core.config.settings import Settings
from shiftlens.core.config.yaml_file import read_yaml_file
from shiftlens.core.errors import InputError
from shiftlens.core.files import whole
from shiftlens.core.host.host import Host
from shiftlens.core.job import Progress, silent
from shiftlens.core.run.context import DOMAINS, Context
from shiftlens.core.run.directory import Run
from shiftlens.core.run.stages.trial import active_factors

AUGMENTATION = "augmentation.yaml"


def write_augmented(run: Run, out: Path, host: Host, seed: int = 0, progress: Progress = silent) -> int:
    """Write the run's source samples, changed, with their labels, as .npz; returns how many.

    Images are stored as ``(N, C, H, W)`` uint8, other samples as float32; both are read back by the npz reader.

    Raises:
        InputError: the run found nothing to retrain with, or a factor is not installed here.
    """
    if out.suffix != ".npz":
        raise InputError(f"--out {out}: augmented samples are written as .npz")
    path = run.path / AUGMENTATION
    if not path.is_file():
        raise InputError(f"{run.path} has no {AUGMENTATION}: no factor was found harmful, or the trial is not done yet")
    settings = Settings.parse(run.settings, run.base, host)
    context = Context(settings, host, run)
    read = [file for role in DOMAINS for file in context.reader(role).files()]
    if out.resolve() in {file.resolve() for file in read}:
        raise InputError(f"--out {out} is a file of the analysis, which would be lost; give another name")
    wanted = read_yaml_file(path, f"`shiftlens run CONFIG --out {run.path} --from trial` writes it anew")
    domain = context.domain("source")
    factors = active_factors(context)[0]
    size, image = context.batch_size, domain.kind == "image"
    dtype = np.dtype(np.uint8 if image else np.float32)
    with whole(out) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as stream:
            header = {"descr": dtype.str, "fortran_order": False, "shape": (len(domain), *domain.sample_shape)}
            np.lib.format.write_array_header_2_0(stream, header)
            for start in range(0, len(domain), size):
                changed = augment(wanted, factors, domain.batch(slice(start, start + size)), seed + start)
                stream.write((np.round(changed * 255) if image else changed).astype(dtype).tobytes())
                progress(min(start + size, len(domain)), len(domain))
        if domain.labels is not None:
            with archive.open("y.npy", "w") as stream:
                np.save(stream, domain.labels, allow_pickle=False)
    return len(domain)
