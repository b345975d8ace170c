"""The demo's data: scikit-learn's handwritten digits (UCI), redrawn as 32×32 colour images in two domains.

The source has thin strokes, most of them in warm colours and the rest in any, so that a classifier learns not to mind
the colour. In the target the strokes are thicker *and* the colours turned towards cool ones, for each sample by an
amount of its own. Thickness costs accuracy, colour does not. No drawing appears in both domains.
"""

from __future__ import annotations

import io
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from shiftlens.core.arrays import FloatArray, Floats, IntArray, Pixels
from shiftlens.core.files import write_bytes, write_text

SIDE = 32  # px
MARGIN = 4  # px around the 8×8 drawing, each of whose cells becomes 3×3 px
FINE = 2  # points per px, along each side, at which an edge is drawn

THIN = (-0.8, -0.2)  # px that the edge of a stroke is moved outwards in the source, from and to
THICK = (1.0, 2.3)  # and in the target
WARM = (45.0, 30.0)  # hue in the source in degrees: middle and spread
ANY_HUE = 0.4  # share of the source whose hue is any
TURN = (120.0, 180.0)  # degrees that hues are turned by in the target, from and to: warm ones become cool


def write_demo(folder: Path, seed: int = 0) -> Path:
    """Write source.npz, target.npz and analysis.yaml; returns the path of the last.

    A second call changes no file: the same bytes are not written again, and an analysis.yaml that is there stays.
    """
    source, target = demo_domains(seed)
    for name, (images, labels) in (("source", source), ("target", target)):
        stream = io.BytesIO()
        np.savez_compressed(stream, x=images, y=labels)
        path = folder / f"{name}.npz"
        if not path.is_file() or path.read_bytes() != stream.getvalue():
            write_bytes(path, stream.getvalue())
    settings = folder / "analysis.yaml"
    if not settings.is_file():
        write_text(settings, resources.files("shiftlens.templates").joinpath("demo.yaml").read_text(encoding="utf-8"))
    return settings


@cache
def demo_domains(
    seed: int = 0,
) -> tuple[tuple[Pixels, IntArray], tuple[Pixels, IntArray]]:
    """Source and target, each as images ``(N, 32, 32, 3)`` uint8 and labels ``(N,)``; drawn once, read only."""
    from sklearn.datasets import load_digits

    loaded = load_digits()
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(loaded.images))
    cut = len(order) * 7 // 10  # the larger part to the source: the classifier learns from it
    rows = order[:cut], order[cut:]
    edges, labels = [edges_of(loaded.images[r]) for r in rows], [loaded.target[r].astype(np.int64) for r in rows]
    source = drawn(edges[0], rng.uniform(*THIN, len(rows[0])), source_hues(len(rows[0]), rng), rng)
    target = drawn(edges[1], rng.uniform(*THICK, len(rows[1])), target_hues(len(rows[1]), rng), rng)
    for array in (source, target, *labels):
        array.flags.writeable = False
    return (source, labels[0]), (target, labels[1])


def source_hues(count: int, rng: np.random.Generator) -> Floats:
    """``(count,)`` hues in degrees: mostly warm, some anywhere on the wheel."""
    return np.where(rng.random(count) < ANY_HUE, rng.uniform(0, 360, count), rng.normal(*WARM, count))


def target_hues(count: int, rng: np.random.Generator) -> Floats:
    """``(count,)`` hues in degrees: those of the source, each turned by an angle of its own."""
    return source_hues(count, rng) + rng.uniform(*TURN, count)


def edges_of(drawings: Floats) -> FloatArray:
    """Distance of each fine point from the edge of the strokes, in px, positive inside: ``(N, 64, 64)``.

    ``drawings`` are ``(N, 8, 8)`` from 0 to 16.
    """
    from scipy import ndimage

    cells = drawings.shape[1]
    scale = (SIDE - 2 * MARGIN) // cells * FINE
    enlarge = ndimage.zoom(np.eye(cells), (scale, 1), order=3, mode="grid-constant", grid_mode=True)  # (48, 8): cubic
    smooth = enlarge @ (drawings / 16) @ enlarge.T  # (N, 48, 48)
    ink = np.pad(smooth, ((0, 0), (MARGIN * FINE, MARGIN * FINE), (MARGIN * FINE, MARGIN * FINE))) > 0.5
    distances = np.empty(ink.shape, dtype=np.float32)
    for distance, inside in zip(distances, ink, strict=True):
        distance[:] = (ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)) / FINE
    return distances


def drawn(edges: FloatArray, outwards: Floats, hues: Floats, rng: np.random.Generator) -> Pixels:
    """Images ``(N, 32, 32, 3)`` uint8: strokes whose edge is moved ``outwards`` px, coloured, on a dark ground."""
    sharp = np.clip((edges + outwards[:, None, None]) * FINE + 0.5, 0, 1)
    count = len(edges)
    ink = sharp.reshape(count, SIDE, FINE, SIDE, FINE).mean((2, 4))[..., None]  # (N, 32, 32, 1): share covered
    colours = _colours(hues, rng.uniform(0.5, 0.9, count), rng.uniform(0.8, 1.0, count))  # (N, 3)
    ground = rng.uniform(0.02, 0.12, count)[:, None, None, None]  # grey, so that it has no hue of its own
    images = ground + ink * (colours[:, None, None, :] - ground)
    rounded: Pixels = np.round(images * 255).astype(np.uint8)
    return rounded


def _colours(hues: Floats, saturation: Floats, value: Floats) -> Floats:
    """HSV, with the hue in degrees, to RGB in [0, 1], ``(N, 3)``."""
    place = (np.array([5.0, 3.0, 1.0]) + hues[:, None] / 60) % 6
    fall = np.clip(np.minimum(place, 4 - place), 0, 1)
    rgb: Floats = value[:, None] * (1 - saturation[:, None] * fall)
    return rgb
