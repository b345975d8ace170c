"""Which library moves pixels: the agreement and the speed of scipy's splines and of OpenCV's kernels.

    python benchmarks/warp.py [--repeats 5]

250 photographs of CIFAR-10, at 32 px and enlarged to 224 px, each turned, moved and zoomed by its own amount, on one
core. Columns: milliseconds for the batch, CPU time, the best of the repeats; the mean and the largest difference of a
pixel in [0, 1] from scipy's cubic B-spline in double precision; the detail that a turn by 10 degrees and back leaves
(the spread of neighbouring pixels' differences over that before; 1 is all). `moved` is what the factors use.
Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable

import cv2
import numpy as np
import scipy
from scipy import ndimage
from tests import realdata

from shiftlens.core.arrays import FloatArray, Floats
from shiftlens.plugins.factors import geometry, pixels

COUNT, SIDES = 250, (32, 224)
Warp = Callable[[FloatArray, Floats, Floats, Floats], FloatArray]


def ours(x: FloatArray, inverse: Floats, centre: Floats, offset: Floats) -> FloatArray:
    return geometry.moved(x, pixels.figure(x), inverse, centre, offset)


def by_scipy(x: FloatArray, inverse: Floats, centre: Floats, offset: Floats) -> FloatArray:
    start = centre - np.einsum("nij,nj->ni", inverse, centre + offset)
    made = np.empty_like(x)
    for n in range(len(x)):
        for c in range(x.shape[1]):
            ndimage.affine_transform(x[n, c], inverse[n], start[n], order=3, mode="mirror", output=made[n, c])
    return np.clip(made, 0, 1)


def in_double(x: FloatArray, inverse: Floats, centre: Floats, offset: Floats) -> FloatArray:
    return by_scipy(x.astype(np.float64), inverse, centre, offset)  # type: ignore[arg-type]


def by_opencv(flag: int) -> Warp:
    def warp(x: FloatArray, inverse: Floats, centre: Floats, offset: Floats) -> FloatArray:
        start = centre - np.einsum("nij,nj->ni", inverse, centre + offset)
        size = (x.shape[3], x.shape[2])
        made = np.empty_like(x)
        for n, image in enumerate(x):
            matrix = np.column_stack([inverse[n, ::-1, ::-1], start[n, ::-1]])  # OpenCV counts (column, row)
            how = {"flags": flag | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REFLECT_101}
            turned = cv2.warpAffine(np.ascontiguousarray(image.transpose(1, 2, 0)), matrix, size, **how)
            made[n] = turned.reshape(*size[::-1], -1).transpose(2, 0, 1)
        return np.clip(made, 0, 1)

    return warp


WARPS: dict[str, Warp] = {
    "`moved`": ours, "scipy affine_transform": by_scipy, "OpenCV INTER_CUBIC": by_opencv(cv2.INTER_CUBIC),
    "OpenCV INTER_LANCZOS4": by_opencv(cv2.INTER_LANCZOS4), "OpenCV INTER_LINEAR": by_opencv(cv2.INTER_LINEAR),
}  # fmt: skip


def turn(degrees: Floats) -> Floats:
    angle = np.deg2rad(degrees)
    return np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], axis=1).reshape(-1, 2, 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="of each, the best one counts (default 5)")
    repeats = parser.parse_args().repeats
    cv2.setNumThreads(1)
    versions = f"numpy {np.__version__}, scipy {scipy.__version__}, OpenCV {cv2.__version__}"
    print(f"One core of {platform.machine()}, {versions}\n")
    print("| side | by | ms | mean difference | largest | detail left |")
    print("|---|---|---|---|---|---|")
    small = realdata.cifar(25)[0][:COUNT]
    rng = np.random.default_rng(0)
    for side in SIDES:
        x = np.stack([cv2.resize(image.transpose(1, 2, 0), (side, side)).transpose(2, 0, 1) for image in small])
        inverse = turn(rng.uniform(-15, 15, COUNT)) / rng.uniform(1, 1.2, COUNT)[:, None, None]
        centre, offset = geometry.middle(x), rng.uniform(-2, 2, (COUNT, 2))
        exact = in_double(x, inverse, centre, offset)
        ten = np.full(COUNT, 10.0)
        for name, warp in WARPS.items():
            taken = []
            for _ in range(repeats):
                begun = time.process_time()
                made = warp(x, inverse, centre, offset)
                taken.append(time.process_time() - begun)
            off = np.abs(made - exact)
            back = warp(warp(x, turn(ten), centre, 0 * offset), turn(-ten), centre, 0 * offset)
            middle = (..., slice(side // 4, -side // 4), slice(side // 4, -side // 4))
            left = np.diff(back[middle]).std() / np.diff(x[middle]).std()
            row = f"{1e3 * min(taken):.0f} | {off.mean():.2g} | {off.max():.2g} | {left:.3f}"
            print(f"| {side} | {name} | {row} |", flush=True)


if __name__ == "__main__":
    main()
