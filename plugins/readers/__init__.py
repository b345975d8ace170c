"""Built-in readers: one file each, each with its description as ``READER``."""

from __future__ import annotations

from collections.abc import Iterator

from shiftlens.core.host.hookspecs import hookimpl
from shiftlens.core.host.kinds import Reader
from shiftlens.plugins.readers import csv_table, image_folder, npz, parquet, wav_folder


@hookimpl
def shiftlens_readers() -> Iterator[Reader]:
    """The readers of this room."""
    yield npz.READER
    yield image_folder.READER
    yield wav_folder.READER
    yield csv_table.READER
    yield parquet.READER
