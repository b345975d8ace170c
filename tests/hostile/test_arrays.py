"""Arrays that are cut, packed in odd ways, enormous, of odd types, or of values that mean nothing."""

from __future__ import annotations

import io
import os
import struct
import zipfile

import numpy as np
import pytest
from hostilecases import Case, cases, check
from hostileinputs import analysis, content, few, first, read

X, Y = few()


def saved(x=X, y=Y, **more):
    """An .npz as numpy writes it; ``y=None`` leaves the labels out."""
    return lambda path: np.savez(path, x=x, **({} if y is None else {"y": y}), **more)


def packed(x=X, y=Y, compression=zipfile.ZIP_DEFLATED, alter=lambda raw: raw, comment=b"", extra=()):
    """An .npz written by hand, its bytes altered at the end; ``extra``: names and contents of further members."""

    def write(path):
        stream = io.BytesIO()
        with zipfile.ZipFile(stream, "w", compression) as archive:
            for name, array in (("x", x), ("y", y)):
                archive.writestr(f"{name}.npy", npy(array) if isinstance(array, np.ndarray) else array)
            for name, data in extra:
                archive.writestr(name, data)
            archive.comment = comment
        path.write_bytes(alter(stream.getvalue()))

    return write


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text, values=b"", version=b"\x01\x00"):
    """The bytes of an .npy with this header."""
    raw = text.encode() if isinstance(text, str) else text
    length = struct.pack("<H" if version[0] == 1 else "<I", len(raw))
    return b"\x93NUMPY" + version + length + raw + values


def directory(raw):
    """Where the entry of the first member stands in the central directory of an archive."""
    return raw.index(b"PK\x01\x02")


def put(raw, place, data):
    return raw[:place] + data + raw[place + len(data) :]


def method(number):
    """Every member claims to be packed by another method."""

    def alter(raw):
        raw = put(raw, raw.index(b"PK\x03\x04") + 8, struct.pack("<H", number))
        return put(raw, directory(raw) + 10, struct.pack("<H", number))

    return alter


def flags(number):
    def alter(raw):
        raw = put(raw, raw.index(b"PK\x03\x04") + 6, struct.pack("<H", number))
        return put(raw, directory(raw) + 8, struct.pack("<H", number))

    return alter


def claims(size, packed_size=None):
    """The directory says that the first member is of this size."""

    def alter(raw):
        raw = put(raw, directory(raw) + 24, struct.pack("<I", size))
        return raw if packed_size is None else put(raw, directory(raw) + 20, struct.pack("<I", packed_size))

    return alter


def at(share, data):
    return lambda raw: put(raw, int(len(raw) * share), data)


def changed(value, place=(3, 0, 2, 2), x=X):
    x = np.array(x)
    x[place] = value
    return x


def twice(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("x.npy", npy(X))
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("x.npy", npy(X[:30]))
        archive.writestr("y.npy", npy(Y))


def bomb(path):
    """400 MB of zeros in 400 kB, as vectors."""
    head = header("{'descr': '<f4', 'fortran_order': False, 'shape': (100000000, 1)}")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        with archive.open("x.npy", "w", force_zip64=True) as stream:
            stream.write(head)
            for _ in range(400):
                stream.write(bytes(10**6))
        archive.writestr("y.npy", npy(Y))


def fifo(path):
    os.mkfifo(path)


def folder(path):
    path.mkdir()


def device(path):
    path.symlink_to("/dev/zero")


def loop(path):
    path.symlink_to(path.name)


def big(shape, dtype="<f4"):
    """A header that claims an array of this shape, and nothing behind it."""
    return content(header(f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}}}\n", bytes(400)))


NAN = np.full(X.shape, np.nan, np.float32)
RECORDS = np.zeros(60, dtype=[("a", "f4"), ("b", "i4")])

PACKED = [
    Case("an npz", read(".npz", saved()), quick=True),
    Case("an npz, looked at", first(".npz", saved())),
    Case("an npz, packed", read(".npz", lambda path: np.savez_compressed(path, x=X, y=Y))),
    Case("an npz packed with bzip2", read(".npz", packed(compression=zipfile.ZIP_BZIP2))),
    Case("an npz packed with lzma", read(".npz", packed(compression=zipfile.ZIP_LZMA))),
    Case("an npz with a comment", read(".npz", packed(comment=b"x" * 60_000))),
    Case("an npz behind other bytes", read(".npz", packed(alter=lambda raw: b"#!/bin/sh\n" * 9 + raw))),
    Case(
        "a member packed by a method that is unknown",
        read(".npz", packed(alter=method(97))),
        ("before.npz",),
        quick=True,
    ),
    Case("a member packed by imploding", read(".npz", packed(alter=method(6))), ("before.npz", "packed")),
    Case("a member packed by deflate64", read(".npz", packed(alter=method(9))), ("before.npz", "packed")),
    Case("a member that says it is stored", read(".npz", packed(alter=method(0))), ("before.npz",)),
    Case("a member that says bzip2", read(".npz", packed(alter=method(12))), ("before.npz",)),
    Case("a member that says lzma", read(".npz", packed(alter=method(14))), ("before.npz",)),
    Case("a member with a password", read(".npz", packed(alter=flags(1))), ("before.npz", "password")),
    Case("a member with strong encryption", read(".npz", packed(alter=flags(0x41))), ("before.npz",)),
    Case("a member that is a patch", read(".npz", packed(alter=flags(0x20))), ("before.npz",)),
    Case("a claim of 4 GB", read(".npz", packed(alter=claims(0xFFFFFFFE))), ("before.npz",), quick=True),
    Case("a claim of 4 GB, of both sizes", read(".npz", packed(alter=claims(0xFFFFFFFE, 0xFFFFFFFE))), ("before.npz",)),
    Case(
        "a claim of zip64 that is not there",
        read(".npz", packed(alter=claims(0xFFFFFFFF, 0xFFFFFFFF))),
        ("before.npz",),
    ),
    Case("a claim of nothing", read(".npz", packed(alter=claims(0))), ("before.npz",)),
    Case("a damaged byte", read(".npz", packed(alter=at(0.3, b"\xff\xff\xff\xff"))), ("before.npz", "again")),
    Case("a damaged byte in the directory", read(".npz", packed(alter=at(0.97, b"\xff\xff"))), ("before.npz",)),
    Case("an npz that is cut", read(".npz", packed(alter=lambda raw: raw[:-30])), ("before.npz", "again"), quick=True),
    Case("half an npz", read(".npz", packed(alter=lambda raw: raw[: len(raw) // 2])), ("before.npz", "again")),
    Case("an npz that is cut, looked at", first(".npz", packed(alter=lambda raw: raw[:-30])), ("before.npz", "again")),
    Case("an empty npz", read(".npz", content(b"")), ("before.npz",)),
    Case("an archive of nothing", read(".npz", content(b"PK\x05\x06" + bytes(18))), ("before.npz", "x")),
    Case("an npz of text", read(".npz", content("hello\n" * 99)), ("before.npz", "again")),
    Case("a pickle", read(".npz", content(b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00N.")), ("before.npz",)),
    Case("an archive of something else", read(".npz", packed(x=b"hello", y=b"you")), ("before.npz", "array x")),
    Case("a member with a path out of the folder", read(".npz", packed(extra=[("../../x.npy", npy(X))]))),
    Case("a member with an absolute path", read(".npz", packed(extra=[("/tmp/evil.npy", npy(X))]))),
    Case("a member twice", read(".npz", twice), ("more than one array x",)),
    Case("400 MB of zeros in 400 kB", read(".npz", bomb, kind="tabular"), ("before.npz", "60 labels"), alone=True),
    Case("an npz named npy", read(".npy", lambda path: path.write_bytes(b"PK\x03\x04" + bytes(99))), ("before.npy",)),
    Case("a pipe", read(".npz", fifo), ("before.npz",), quick=True),
    Case("a pipe, looked at", first(".npz", fifo), ("before.npz",), quick=True),
    Case("a pipe of samples", read(".npy", fifo), ("before.npy",)),
    Case("a folder", read(".npz", folder), ("before.npz",)),
    Case("a folder, looked at", first(".npz", folder), ("before.npz",)),
    Case("a device", read(".npz", device), ("before.npz",)),
    Case("a device, looked at", first(".npy", device), ("before.npy",)),
    Case("a link to itself", read(".npz", loop), ("before.npz",)),
    Case("a link to itself, looked at", first(".npz", loop), ("before.npz",)),
]

HEADERS = [
    Case("a header alone", read(".npy", big((60, 1, 8, 8))), ("before.npy",)),
    Case("a claim of a terabyte", read(".npy", big((2**30, 1, 16, 16))), ("before.npy",), quick=True),
    Case("a claim of more than there are numbers for", read(".npy", big((2**62, 8, 8))), ("before.npy",)),
    Case("a claim of overflowing sides", read(".npy", big((2**33, 2**33))), ("before.npy",)),
    Case("a negative side", read(".npy", big((-1, 8, 8))), ("before.npy",)),
    Case("no sides", read(".npy", big("()")), ("before.npy",)),
    Case("a side that is no number", read(".npy", big("('a', 8)")), ("before.npy",)),
    Case("true as a side", read(".npy", big("(True, 8)")), ("before.npy",)),
    Case("sides that are a list", read(".npy", big([60, 8])), ("before.npy",)),
    Case("200 sides", read(".npy", big((1,) * 200)), ("before.npy",)),
    Case("a type that is not there", read(".npy", big((60, 8, 8), "<q9")), ("before.npy",)),
    Case("a type of objects", read(".npy", big((60, 8, 8), "|O")), ("before.npy", "objects")),
    Case("a type of text", read(".npy", big((60, 8, 8), "<U0")), ("before.npy",)),
    Case("a type of nothing", read(".npy", big((60, 8, 8), "|V0")), ("before.npy",)),
    Case("code in a header", read(".npy", content(header("__import__('os').abort()\n"))), ("before.npy",)),
    Case("100,000 brackets in a header", read(".npy", content(header("(" * 60_000))), ("before.npy",)),
    Case(
        "a header of 3 MB",
        read(".npy", content(header("{" + " " * 3_000_000 + "}", version=b"\x02\x00"))),
        ("before.npy",),
    ),
    Case("a header of the wrong keys", read(".npy", content(header("{'a': 1}"))), ("before.npy",)),
    Case("a header that is no text", read(".npy", content(header(bytes(range(200))))), ("before.npy",)),
    Case("a version that is not there", read(".npy", content(header("{}", version=b"\x09\x00"))), ("before.npy",)),
    Case("the magic alone", read(".npy", content(b"\x93NUMPY")), ("before.npy",)),
    Case("an empty npy", read(".npy", content(b"")), ("before.npy",)),
    Case("an npy, looked at", first(".npy", lambda path: np.save(path, X))),
    Case("an npy that is cut, looked at", first(".npy", content(npy(X)[:-99])), ("before.npy",)),
]

TYPES = [
    Case(f"samples as {name}", read(".npz", saved(x.astype(name)), white=16), quick=name == "float16")
    for x in [X * 16]
    for name in ("float16", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint64", ">f4", ">i2")
] + [
    Case("samples as bool", read(".npz", saved(X > 0.5))),
    Case("samples as longdouble", read(".npz", saved(X.astype(np.longdouble)))),
    Case("samples that are complex", read(".npz", saved(X.astype(complex))), ("before.npz", "complex")),
    Case("samples that are text", read(".npz", saved(X.astype(str))), ("before.npz", "must be numbers")),
    Case("samples that are dates", read(".npz", saved((X * 16).astype("M8[D]"))), ("before.npz", "must be numbers")),
    Case("samples that are records", read(".npz", saved(RECORDS)), ("before.npz",)),
    Case("samples that are objects", read(".npz", saved(X.astype(object))), ("before.npz", "objects"), quick=True),
    Case("objects, looked at", first(".npz", saved(X.astype(object))), ("before.npz", "objects")),
    Case("labels that are objects", read(".npz", saved(y=Y.astype(object))), ("before.npz", "objects")),
    Case("column by column", read(".npz", saved(np.asfortranarray(X)))),
    Case("one number", read(".npz", saved(np.float32(3))), ("before.npz", "no samples")),
    Case("one axis", read(".npz", saved(X[:, 0, 0, 0])), ("before.npz", "shape (60,)")),
    Case("six axes", read(".npz", saved(X[..., None, None])), ("before.npz", "shape")),
    Case("no samples", read(".npz", saved(X[:0], Y[:0])), ("before.npz", "no samples")),
    Case("no pixels", read(".npz", saved(X[..., :0])), ("before.npz", "shape")),
    Case("one sample", read(".npz", saved(X[:1], Y[:1]))),
    Case("two samples, looked at", first(".npz", saved(X[:2], Y[:2]))),
]

VALUES = [
    Case("nan", read(".npz", saved(changed(np.nan))), ("1 of 60 source samples", "not finite"), quick=True),
    Case("nan in the target", read(".npz", saved(), saved(changed(np.nan))), ("1 of 60 target samples", "not finite")),
    Case("nothing but nan", read(".npz", saved(NAN)), ("60 of 60 source samples", "not finite")),
    Case("nothing but nan, looked at", first(".npz", saved(NAN))),
    Case("nothing but nan, grey", read(".npz", saved(NAN[:, 0])), ("no finite values",)),
    Case("inf", read(".npz", saved(changed(np.inf))), ("not finite",)),
    Case("minus inf, grey", read(".npz", saved(changed(-np.inf)[:, 0])), ("not finite",)),
    Case("0 to 255 as float", read(".npz", saved(X * 255)), ("0 to 255", "divide"), quick=True),
    Case("0 to 255 as float, looked at", first(".npz", saved(X * 255))),
    Case("0 to 255 in one domain", read(".npz", saved(), saved(X * 255)), ("target", "255", "white"), quick=True),
    Case(
        "0 to 255 in one domain, grey", read(".npz", saved(X[:, 0]), saved(X[:, 0] * 255)), ("target", "255", "white")
    ),
    Case(
        "integers in one domain, grey",
        read(".npz", saved(X[:, 0]), saved((X[:, 0] * 16).astype(int))),
        ("target", "white"),
    ),
    Case("integers in one domain", read(".npz", saved(), saved((X * 16).astype(int))), ("target", "white")),
    Case(
        "inf in one domain, grey", read(".npz", saved(X[:, 0]), saved(changed(np.inf)[:, 0])), ("target", "not finite")
    ),
    Case(
        "nan in one domain, grey", read(".npz", saved(X[:, 0]), saved(changed(np.nan)[:, 0])), ("target", "not finite")
    ),
    Case("-1 to 1", read(".npz", saved(X * 2 - 1)), ("-1 to 1", "[0, 1]")),
    Case("-1 to 1 in one domain, grey", read(".npz", saved(X[:, 0]), saved(X[:, 0] * 2 - 1)), ("target", "-1")),
    Case("enormous values", read(".npz", saved(X * 1e38)), ("go from 0 to 1e+38",)),
    Case("values beyond float32", read(".npz", saved(X.astype(float) * 1e300)), ("not finite",)),
    Case("all the same", read(".npz", saved(X * 0)), ("constant",)),
    Case("some the same", read(".npz", saved(changed(0, 3)))),
    Case("float 0-255, digits of one axis less, looked at", first(".npz", saved(X[:, 0] * 255))),
]

LABELS = [
    Case("no labels in the target", read(".npz", saved(), saved(y=None))),
    Case("no labels at all", read(".npz", saved(y=None))),
    Case("no labels at all, looked at", first(".npz", saved(y=None))),
    Case("labels of another count", read(".npz", saved(y=Y[:-1])), ("60 samples and 59 labels",), quick=True),
    Case("labels of another count, looked at", first(".npz", saved(y=Y[:-1])), ("60 samples and 59 labels",)),
    Case("labels that are nan", read(".npz", saved(y=np.where(Y > 0, Y, np.nan))), ("not whole",)),
    Case("labels that are 0.5", read(".npz", saved(y=Y / 2)), ("not whole",)),
    Case("labels that are 2.0", read(".npz", saved(y=Y.astype(float)))),
    Case("labels that are complex", read(".npz", saved(y=Y.astype(complex))), ("type complex128",)),
    Case("labels that are dates", read(".npz", saved(y=Y.astype("M8[D]"))), ("type datetime64",)),
    Case("labels that are bool", read(".npz", saved(y=Y > 0))),
    Case("labels in a column", read(".npz", saved(y=Y[:, None]))),
    Case("labels one-hot", read(".npz", saved(y=np.eye(3)[Y]))),
    Case("labels of several at once", read(".npz", saved(y=np.ones((60, 3), int))), ("multi-label",)),
    Case("labels with three axes", read(".npz", saved(y=Y[:, None, None])), ("shape (60, 1, 1)",)),
    Case("one label for all", read(".npz", saved(y=np.int64(3))), ("shape ()",)),
    Case("labels as bytes", read(".npz", saved(y=np.array([b"gr\xf6sse", "größe".encode(), b"c"])[Y]))),
    Case("labels with line breaks", read(".npz", saved(y=np.array(["a\nb", "a\rb", "a\u2028b"])[Y]))),
    Case("labels with line breaks, looked at", first(".npz", saved(y=np.array(["a\nb", "a\x85b", "a\u2028b"])[Y]))),
    Case("labels with zeros inside", first(".npz", saved(y=np.array(["a\0b", "a\0c", "\0\0d"])[Y]))),
    Case("labels of control characters", first(".npz", saved(y=np.array(["\x1b[31m", "\x07", "\ufeff"])[Y]))),
    Case("labels of lone surrogates", first(".npz", saved(y=np.array(["\ud800", "\udcff", "ok"])[Y]))),
    Case("labels of lone surrogates, read", read(".npz", saved(y=np.array(["\ud800", "\udcff", "ok"])[Y]))),
    Case("labels in right-to-left marks", first(".npz", saved(y=np.array(["\u202eabc", "\u200f", "x"])[Y]))),
    Case("labels that are empty", read(".npz", saved(y=np.array(["", "a", "b"])[Y]))),
    Case("labels of 10,000 characters", first(".npz", saved(y=np.array(["x" * 10_000, "y", "z"])[Y]))),
    Case("labels that YAML would take for others", first(".npz", saved(y=np.array(["null", "yes", "1e3"])[Y]))),
    Case("labels that YAML would take for a comment", first(".npz", saved(y=np.array(["#", "- a", "{a: b"])[Y]))),
    Case("integers of 60 digits as labels", read(".npz", saved(y=np.array(["9" * 60, "8" * 60, "-1"])[Y]))),
    Case("integers of 6,000 digits as labels", read(".npz", saved(y=np.array(["9" * 6000, "8" * 6000, "-1"])[Y]))),
    Case("digits of other scripts as labels", first(".npz", saved(y=np.array(["٣", "²", "४"])[Y]))),
    Case("a name for each sample", read(".npz", saved(names=np.array([f"n{i}" for i in range(60)])))),
    Case("names in bytes", read(".npz", saved(names=np.array([b"\xff%d" % i for i in range(60)])))),
    Case("names of lone surrogates", read(".npz", saved(names=np.array(["\udcff"] * 60)))),
    Case("names of another count", read(".npz", saved(names=np.array(["a"]))), ("names has shape (1,)",)),
    Case("names that are objects", read(".npz", saved(names=np.array([None] * 60))), ("objects",)),
    Case("a file of labels that is not there", read(".npy", lambda p: np.save(p, X), labels="no.npy"), ("no.npy",)),
    Case("a file of labels", read(".npy", lambda p: (np.save(p, X), np.save(p.parent / "y.npy", Y)), labels="y.npy")),
    Case("a setting of an array that is not there", read(".npz", saved(), x="z"), ('no array "z"', "x, y")),
    Case("columns of another count", read(".npz", saved(X.reshape(60, -1), columns=np.array(["a"]))), ("columns",)),
    Case(
        "columns of one name",
        read(".npz", saved(X.reshape(60, -1), columns=np.array(["a"] * 64))),
        ("more than one column",),
    ),
    Case(
        "columns in bytes", read(".npz", saved(X.reshape(60, -1), columns=np.array([b"\xff%d" % i for i in range(64)])))
    ),
]

SHAPES = [
    Case("other sizes", read(".npz", saved(), saved(X[..., :6])), ("(1, 8, 8)", "(1, 8, 6)")),
    Case("another number of axes", read(".npz", saved(), saved(X[:, 0, 0])), ("kind",)),
    Case("grey and colour", read(".npz", saved(), saved(np.repeat(X, 3, 1))), ("(1, 8, 8)", "(3, 8, 8)")),
    Case("5 channels", read(".npz", saved(np.repeat(X, 5, 1)))),
    Case("40 channels", read(".npz", saved(np.tile(X, (1, 40, 4, 4)))), ("layout",)),
    Case(
        "a missing column",
        read(
            ".npz",
            saved(X.reshape(60, -1), columns=np.arange(64)),
            saved(X.reshape(60, -1)[:, 1:], columns=np.arange(1, 64)),
        ),
        ("columns",),
        quick=True,
    ),
    Case("both the same file", lambda folder: (saved()(folder / "a.npz"), analysis(folder, "a.npz", "a.npz"))[1]),
    Case("a path of 5,000 characters", lambda folder: analysis(folder, "a" * 5000 + ".npz", "b.npz"), ("source",)),
    Case("a path with a zero", lambda folder: analysis(folder, "a\0.npz", "b.npz"), ("source",)),
    Case("a path that is nothing", lambda folder: analysis(folder, ".npz", "b.npz"), ("source", ".npz")),
    Case(
        "a path of nowhere, looked at",
        lambda folder: ("init", folder / "an", "--source", "no.npz", "--target", "no.npz"),
        ("no.npz", "does not exist"),
    ),
]

TABLE = [*PACKED, *HEADERS, *TYPES, *VALUES, *LABELS, *SHAPES]


@cases(TABLE)
def test_arrays(case, tmp_path, capfd):
    check(case, tmp_path, capfd)
