"""Folders of pictures and sounds: damaged ones, bombs, pipes, names in any bytes and of any length."""

from __future__ import annotations

import io
import os
import struct
import wave
import zlib

import numpy as np
from hostilecases import Case, cases, check
from hostileinputs import few, first, read
from PIL import Image
from realdata import spoken

X, Y = few()
CLASSES = ("none", "one", "two")


def picture(index, mode="L", kind="PNG", size=None, **options):
    """A real digit as the bytes of a picture."""
    image = Image.fromarray((X[index, 0] * 255).astype(np.uint8)).convert(mode)
    stream = io.BytesIO()
    (image if size is None else image.resize(size)).save(stream, kind, **options)
    return stream.getvalue()


def sound(index, rate=8000, width=2, channels=1, length=512):
    """A real word as the bytes of a wav."""
    values = spoken(6)[0][index, 0, 1000 : 1000 + length]
    scaled = {1: values * 127 + 128, 2: values * 32767, 4: values * 2147483000}[width]
    raw = np.repeat(scaled.astype({1: "u1", 2: "<i2", 4: "<i4"}[width])[:, None], channels, 1).tobytes()
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return stream.getvalue()


def tree(of=picture, suffix=".png", classes=CLASSES, more=lambda path: None, count=30):
    """A folder of class folders; ``more`` adds to it."""

    def write(path):
        for i in range(count):
            folder = os.path.join(
                os.fsencode(path), classes[i % 3] if isinstance(classes[0], bytes) else classes[i % 3].encode()
            )
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, b"%d" % i + suffix.encode()), "wb") as stream:
                stream.write(of(i))
        more(path)

    return write


def one(data, name="one/1.png", of=picture, suffix=".png"):
    """One file among the others holds something else."""
    return tree(of, suffix, more=lambda path: (path / name).write_bytes(data))


def all_of(data, suffix=".png"):
    return tree(lambda i: data, suffix)


def made(make, of=picture, suffix=".png", classes=CLASSES):
    return tree(of, suffix, classes, more=make)


def enormous(width, height, kind="PNG"):
    """A picture of one colour that says it is so large."""
    if kind == "PNG":

        def chunk(name, data):
            return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

        head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
        return (
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", head)
            + chunk(b"IDAT", zlib.compress(bytes(1000)))
            + chunk(b"IEND", b"")
        )
    return b"P5 %d %d 255\n" % (width, height) + bytes(100)


def animated(frames, kind="GIF"):
    pictures = [Image.fromarray(np.full((8, 8), i % 256, np.uint8)) for i in range(frames)]
    pictures[0] = Image.open(io.BytesIO(picture(4)))
    stream = io.BytesIO()
    pictures[0].save(stream, kind, save_all=True, append_images=pictures[1:])
    return stream.getvalue()


def many_texts():
    """A PNG with 2,000 packed texts of a megabyte."""
    raw = picture(5)
    text = b"c\0\0" + zlib.compress(bytes(2**20))
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    return raw[:33] + chunk * 2000 + raw[33:]


def wav(format=1, channels=1, rate=8000, bits=16, data=b"\1\0" * 512, size=None, before=b""):
    """The bytes of a wav with any header."""
    head = struct.pack(
        "<HHIIHH", format, channels, rate, rate * channels * bits // 8 % 2**32, channels * bits // 8 % 65536, bits
    )
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(head)) + head + b"data"
    body += struct.pack("<I", len(data) if size is None else size) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def flat(labels, of=picture, suffix=".png"):
    """Files beside a labels.csv."""

    def write(path):
        path.mkdir()
        for i in range(30):
            (path / f"{i}{suffix}").write_bytes(of(i))
        lines = [f"{i}{suffix},{CLASSES[i % 3]}" for i in range(30)]
        (path / "labels.csv").write_bytes(labels("\n".join(["file,label", *lines]) + "\n"))

    return write


def pipe_in(name):
    return lambda path: os.mkfifo(path / name)


def link_to_itself(path):
    (path / "one" / "again").symlink_to(path)
    (path / "one" / "loop.png").symlink_to("loop.png")


LONG = "x" * 200
BYTES = (b"gr\xf6sse", b"\xff\xfe", b"caf\xc3\xa9")
LINES = ("a\nb", "a\rb", "a\u2028b")
ODD = (" leading", "- dash", "{a: b}")
CONTROL = ("\x1b[31mred", "\x07bell", "tab\t")
ALIKE = ("null", "yes", "3.0")

PICTURES = [
    Case("pictures", read("", tree()), quick=True),
    Case("pictures, looked at", first("", tree())),
    Case("a class of line ends", read("", tree(classes=LINES)), quick=True),
    Case("a class of line ends, looked at", first("", tree(classes=LINES))),
    Case("a class in any bytes", read("", tree(classes=BYTES))),
    Case("a class in any bytes, looked at", first("", tree(classes=BYTES)), quick=True),
    Case("a class of controls, looked at", first("", tree(classes=CONTROL))),
    Case("a class with signs of YAML, looked at", first("", tree(classes=ODD))),
    Case("a class that YAML would take for others, looked at", first("", tree(classes=ALIKE))),
    Case("a class of 200 characters, looked at", first("", tree(classes=(LONG, "b", "c")))),
    Case(
        "a folder of 200 characters",
        lambda folder: (
            tree()(folder / LONG),
            ("init", folder / "an", "--source", folder / LONG, "--target", folder / LONG),
        )[1],
        quick=True,
    ),
    Case(
        "a folder of 200 characters to write into",
        lambda folder: (
            tree()(folder / "a"),
            ("init", folder / LONG, "--source", folder / "a", "--target", folder / "a"),
        )[1],
    ),
    Case(
        "a folder in any bytes",
        lambda folder: (
            tree()(folder / "\udcff\udc80"),
            ("init", folder / "an", "--source", folder / "\udcff\udc80", "--target", folder / "\udcff\udc80"),
        )[1],
        quick=True,
    ),
    Case(
        "a folder in any bytes to write into",
        lambda folder: (
            tree()(folder / "a"),
            ("init", folder / "\udcff\udc80", "--source", folder / "a", "--target", folder / "a"),
        )[1],
    ),
    Case(
        "a folder of line ends",
        lambda folder: (
            tree()(folder / "a\nb"),
            ("init", folder / "an", "--source", folder / "a\nb", "--target", folder / "a\nb"),
        )[1],
    ),
    Case("a damaged picture", read("", one(picture(1)[:60]))),
    Case("a damaged picture, looked at", first("", one(picture(1)[:60]))),
    Case("an empty picture", read("", one(b""))),
    Case("a picture of text", read("", one(b"<html>404</html>"))),
    Case("a picture of 65,500 × 65,500 px", read("", one(enormous(65500, 65500)))),
    Case("a picture of 2 × 10⁹ px a side", read("", one(enormous(2**31 - 1, 2**31 - 1)))),
    Case("a grey map of 10⁹ px a side", read("", one(enormous(10**9, 10**9, "PGM"), "one/1.pgm"))),
    Case("nothing but enormous pictures", read("", all_of(enormous(65500, 65500))), ("before", "can be opened")),
    Case(
        "nothing but damaged pictures", read("", all_of(b"\x89PNG\r\n\x1a\n")), ("before", "can be opened"), quick=True
    ),
    Case(
        "nothing but damaged pictures, looked at", first("", all_of(b"\x89PNG\r\n\x1a\n")), ("before", "can be opened")
    ),
    Case(
        "half of the pictures are damaged",
        read("", tree(lambda i: picture(i) if i % 2 else b"x")),
        ("15 of 30 pictures", "skip"),
    ),
    Case("a gif of 1,000 frames", read("", one(animated(1000, "GIF"), "one/1.gif")), quick=True),
    Case("a gif of 1,000 frames, looked at", first("", one(animated(1000, "GIF"), "one/1.gif"))),
    Case("an apng of 300 frames", read("", one(animated(300, "PNG"), "one/1.png"))),
    Case("a tif of 300 pages", read("", one(animated(300, "TIFF"), "one/1.tif"))),
    Case("a picture of 2,000 packed texts", read("", one(many_texts())), alone=True),
    Case("a picture under another suffix", read("", one(picture(1, kind="JPEG"), "one/1.png"))),
    Case("a script under the suffix of a picture", read("", one(b"%!PS\n(x) show", "one/1.png"))),
    Case("eps", read("", one(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "one/1.jpg"))),
    Case("a pipe among pictures", read("", made(pipe_in("one/1000.png"))), quick=True),
    Case("a pipe as labels.csv", read("", made(pipe_in("labels.csv")))),
    Case("a pipe as metadata.csv, looked at", first("", made(pipe_in("metadata.csv")))),
    Case("links to themselves", read("", made(link_to_itself))),
    Case("links to themselves, looked at", first("", made(link_to_itself))),
    Case(
        "a picture beside the class folders",
        read("", one(picture(3), "stray.png")),
        ("stray.png", "beside its class folders"),
    ),
    Case("a picture beside the class folders, looked at", first("", one(picture(3), "stray.png")), ("stray.png",)),
    Case("an empty folder", read("", lambda path: path.mkdir()), ("reader",)),
    Case("an empty folder, looked at", first("", lambda path: path.mkdir()), ("before", "no reader")),
    Case("hidden pictures", read("", made(lambda path: (path / "one" / "._1.png").write_bytes(b"mac")))),
    Case(
        "Thumbs.db and .DS_Store",
        read("", made(lambda path: [(path / "one" / n).write_bytes(b"x") for n in ("Thumbs.db", ".DS_Store")])),
    ),
    Case(
        "all modes of Pillow",
        read(
            "", tree(lambda i: picture(i, ("1", "L", "LA", "P", "RGB", "RGBA", "I;16" if i % 9 == 8 else "L")[i % 7]))
        ),
    ),
    Case("CMYK", read("", tree(lambda i: picture(i, "CMYK", "JPEG"), ".jpg"))),
    Case("one pixel a side", read("", tree(lambda i: picture(i, size=(1, 1))))),
    Case("one pixel high", read("", tree(lambda i: picture(i, size=(8, 1))))),
    Case("sizes that differ", read("", tree(lambda i: picture(i, size=(8 + i, 9))))),
    Case("a size of nothing", read("", tree(), size=0), ("size",)),
    Case("a labels.csv", read("", flat(lambda text: text.encode()))),
    Case("a labels.csv in latin-1", read("", flat(lambda text: text.replace("none", "größe").encode("latin-1")))),
    Case(
        "a labels.csv in latin-1, looked at",
        first("", flat(lambda text: text.replace("none", "größe").encode("latin-1"))),
    ),
    Case("a labels.csv in utf-16", read("", flat(lambda text: text.encode("utf-16")))),
    Case("a labels.csv with semicolons", read("", flat(lambda text: text.replace(",", ";").encode()))),
    Case(
        "a labels.csv with an index",
        read(
            "",
            flat(
                lambda text: "\n".join(
                    f"{i},{line}" if i else f",{line}" for i, line in enumerate(text.splitlines())
                ).encode()
            ),
        ),
    ),
    Case(
        "a labels.csv that leads out of the folder",
        read("", flat(lambda text: text.replace("3.png", "../../../etc/passwd", 1).encode())),
        ("labels.csv", "line 5"),
    ),
    Case("a labels.csv of zeros", read("", flat(lambda text: bytes(5000))), ("labels.csv",)),
    Case("a labels.csv of one line", read("", flat(lambda text: b"x" * 5_000_000)), ("labels.csv",)),
    Case("a labels.csv of nothing", read("", flat(lambda text: b"")), ("labels.csv",)),
    Case("a labels.csv that is cut in a quote", read("", flat(lambda text: text.encode() + b'"x')), ("labels.csv",)),
    Case(
        "a labels.csv with files that are missing",
        read("", flat(lambda text: text.encode() + b"no.png,one\n")),
        ("labels.csv", "line 32", "no.png"),
    ),
]

SOUNDS = [
    Case("sounds", read("", tree(sound, ".wav")), quick=True),
    Case("sounds, looked at", first("", tree(sound, ".wav"))),
    Case("sounds in classes of any bytes", read("", tree(sound, ".wav", BYTES))),
    Case("sounds in classes of any bytes, looked at", first("", tree(sound, ".wav", BYTES))),
    Case("bytes of 8, 16 and 32 bits", read("", tree(lambda i: sound(i, width=(1, 2, 4)[i % 3]), ".wav"))),
    Case("a sound that is cut", read("", one(sound(1)[:-99], "one/1.wav", sound, ".wav")), quick=True),
    Case("a sound that is empty", read("", one(b"", "one/1.wav", sound, ".wav"))),
    Case("a header alone", read("", one(sound(1)[:44], "one/1.wav", sound, ".wav"))),
    Case("a sound of text", read("", one(b"RIFF of life" * 9, "one/1.wav", sound, ".wav"))),
    Case("a claim of 4 GB of sound", read("", one(wav(size=0xFFFFFFFF), "one/1.wav", sound, ".wav"))),
    Case("a claim of 2 GB of sound", read("", one(wav(size=0x7FFFFF00), "one/1.wav", sound, ".wav"))),
    Case("a claim of 1 GB of sound", read("", one(wav(size=0x40000000), "one/1.wav", sound, ".wav"))),
    Case("a claim of 1 GB of sound, looked at", first("", one(wav(size=0x40000000), "one/1.wav", sound, ".wav"))),
    Case(
        "a chunk of 4 GB before the sound",
        read("", one(wav(before=b"JUNK\xff\xff\xff\xff"), "one/1.wav", sound, ".wav")),
    ),
    Case("no channels", read("", one(wav(channels=0), "one/1.wav", sound, ".wav"))),
    Case("65,535 channels", read("", one(wav(channels=65535), "one/1.wav", sound, ".wav"))),
    Case("a rate of nothing", read("", one(wav(rate=0), "one/1.wav", sound, ".wav"))),
    Case("a rate of 4 GHz", read("", one(wav(rate=2**32 - 1), "one/1.wav", sound, ".wav"))),
    Case(
        "a rate of 4 GHz, resampled",
        read("", one(wav(rate=2**32 - 1), "one/1.wav", sound, ".wav"), rate=8000),
        alone=True,
    ),
    Case(
        "a rate of 1 Hz, resampled",
        read("", one(wav(rate=1), "one/1.wav", sound, ".wav"), rate=8000, length=512),
        alone=True,
    ),
    Case("a rate of 1 Hz, looked at", first("", one(wav(rate=1), "one/1.wav", sound, ".wav")), alone=True),
    Case("no bits", read("", one(wav(bits=0), "one/1.wav", sound, ".wav"))),
    Case("64 bits", read("", one(wav(bits=64), "one/1.wav", sound, ".wav"))),
    Case(
        "floats",
        read("", tree(lambda i: wav(3, bits=32, data=np.linspace(-1, 1 - i / 99, 512, dtype="<f4").tobytes()), ".wav")),
    ),
    Case(
        "floats that are nan",
        read("", tree(lambda i: wav(3, bits=32, data=np.full(512, np.nan, "<f4").tobytes()), ".wav")),
        ("not finite",),
    ),
    Case("mu-law", read("", tree(lambda i: wav(7, bits=8, data=bytes(range(256)) * 2), ".wav"))),
    Case("a format that is unknown", read("", one(wav(0x1234), "one/1.wav", sound, ".wav"))),
    Case("silence", read("", tree(lambda i: wav(data=bytes(1024)), ".wav")), ("constant",)),
    Case(
        "two rates in one folder",
        read("", tree(lambda i: sound(i, (8000, 16000)[i % 2]), ".wav")),
        ("rate: 8000",),
        quick=True,
    ),
    Case("two rates in one folder, looked at", first("", tree(lambda i: sound(i, (8000, 16000)[i % 2]), ".wav"))),
    Case(
        "another rate in the target", read("", tree(sound, ".wav"), tree(lambda i: sound(i, 16000), ".wav")), ("rate",)
    ),
    Case(
        "another rate in the target, looked at", first("", tree(sound, ".wav"), tree(lambda i: sound(i, 16000), ".wav"))
    ),
    Case("all kinds of channels", read("", tree(lambda i: sound(i, channels=1 + i % 6), ".wav"))),
    Case("lengths that differ", read("", tree(lambda i: sound(i, length=300 + 9 * i), ".wav"))),
    Case("flac by name alone", read("", one(b"fLaC" + bytes(99), "one/1.flac", sound, ".wav"))),
    Case("mp3 by name alone", read("", one(b"ID3" + b"\xff\xfb" * 99, "one/1.mp3", sound, ".wav"))),
    Case("a pipe among sounds", read("", made(pipe_in("one/1000.wav"), sound, ".wav"))),
    Case("a labels.csv of sounds", read("", flat(lambda text: text.encode(), sound, ".wav"))),
    Case(
        "pictures and sounds",
        read("", made(lambda path: (path / "one" / "1.png").write_bytes(picture(1)), sound, ".wav")),
    ),
    Case("a length of nothing", read("", tree(sound, ".wav"), length=0), ("length",)),
    Case("a length of an hour", read("", tree(sound, ".wav"), length=2**22), alone=True),
]


@cases([*PICTURES, *SOUNDS])
def test_folders(case, tmp_path, capfd):
    check(case, tmp_path, capfd)
