"""One picture: what its header says, and its pixels brought to the form of a domain."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from shiftlens.core.arrays import Pixels
from shiftlens.plugins.readers.class_tree import Entry
from shiftlens.plugins.readers.text import readable

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES = (
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".webp", ".gif", ".tif", ".tiff", ".avif",
    ".avifs", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c", ".tga", ".icb",
    ".vda", ".vst", ".ico", ".icns", ".cur", ".pcx", ".dcx", ".sgi", ".rgb", ".rgba", ".bw", ".qoi", ".dds", ".im",
    ".msp", ".xbm", ".xpm", ".ras", ".mpo",
)  # fmt: skip
"""What Pillow reads by itself; not EPS and the like, for which it starts another program."""
TURNED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
ORIENTATION = 0x0112
GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
BITS = (8, 10, 12, 14, 16)  # of cameras and scanners that write 16-bit files


ENORMOUS = 24_000_000  # pixels from which a picture is decoded alone, whatever the number of workers
ONE_AT_A_TIME = threading.Lock()


@dataclass(frozen=True)
class PictureHeader:
    """What a file says of itself: sides in px as stored, its EXIF orientation (1: upright), and whether it is grey.

    ``largest`` is the largest value of a picture of more than 8 bits, None for the others.
    """

    height: int
    width: int
    orientation: int
    grey: bool
    largest: float | None

    def size(self, turn: bool) -> tuple[int, int]:
        """Height and width, turned upright or not."""
        swapped = turn and self.orientation in TURNED
        return (self.width, self.height) if swapped else (self.height, self.width)


@dataclass(frozen=True)
class PictureForm:
    """What every picture is brought to; ``top`` is the value of a picture of more than 8 bits that becomes white."""

    height: int
    width: int
    mode: str
    crop: str
    background: str
    turn: bool
    top: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one sample."""
        return (1 if self.mode == "L" else 3, self.height, self.width)


def header_of(picture: Entry) -> PictureHeader | None:
    """None where the file cannot be opened, which decoding will tell of."""
    from PIL import Image

    try:
        with Image.open(picture.path) as image:
            width, height = image.size
            deep = _is_deep(image)
            largest = float(np.asarray(image).max()) if deep else None
            return PictureHeader(height, width, orientation_of(image), image.mode in GREY, largest)
    except Exception:  # Pillow's readers of damaged files raise whatever their parts do
        return None


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none, or one that cannot be read."""
    try:
        found = image.getexif().get(ORIENTATION, 1)
    except Exception:  # numbers that make no sense, in a part that is no pixel
        return 1
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def decoded(picture: Entry, form: PictureForm) -> Pixels | str:
    """One picture ``(C, H, W)``, or what is wrong with it."""
    from PIL import Image

    try:
        with Image.open(picture.path) as image:
            enormous = image.width * image.height > ENORMOUS
            with ONE_AT_A_TIME if enormous else contextlib.nullcontext():
                if enormous:  # a JPEG is decoded at the half, quarter or eighth that is still twice as large
                    image.draft(None, (2 * max(form.height, form.width),) * 2)
                pixels = np.asarray(fitted(flattened(image, form), form))  # (H, W) or (H, W, 3)
    except Exception as error:  # as above; the file is named, and left out or told
        return f"{readable(str(picture.path))}: {str(error) or type(error).__name__}"
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def flattened(image: Image.Image, form: PictureForm) -> Image.Image:
    """Turned as the form says, opaque, and grey or colour."""
    from PIL import Image

    method = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }.get(orientation_of(image) if form.turn else 1)  # fmt: skip
    if method is not None:
        image = image.transpose(method)
    if _is_deep(image):  # convert() would clip it at 255
        values = np.asarray(image).astype(np.float64) * (255 / form.top)
        image = Image.fromarray(np.nan_to_num(values).round().clip(0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, form.background), image)
    return image.convert(form.mode)


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith(("I", "F"))


def bits_of(largest: float) -> int:
    """The fewest bits that hold a largest value."""
    return next((bits for bits in BITS if largest < 2**bits), BITS[-1])


def fitted(image: Image.Image, form: PictureForm) -> Image.Image:
    """Of the wanted size."""
    from PIL import Image, ImageOps

    size, bilinear = (form.width, form.height), Image.Resampling.BILINEAR
    if image.size == size:
        return image
    if form.crop == "stretch":
        return image.resize(size, bilinear)
    if form.crop == "centre":
        return ImageOps.fit(image, size, bilinear)
    return ImageOps.pad(image, size, bilinear, color=form.background)
