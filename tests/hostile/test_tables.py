"""Tables that are cut, enormous in one direction, of odd bytes, or whose cells mean nothing."""

from __future__ import annotations

import gzip
import os

import numpy as np
from hostilecases import Case, cases, check
from hostileinputs import content, few, first, read

X, Y = few()
ROWS = [
    [f"{value:.4g}" for value in (*row, row.mean())] for row in X[:, 0].mean(axis=1)
]  # ink by columns, real numbers
NAMES = [f"ink-{i}" for i in range(9)]
LABELS = [("no", "yes", "perhaps")[label] for label in Y]


def table(
    names=(*NAMES, "label"), rows=None, sep=",", end="\n", encoding="utf-8", before=b"", after=b"", labels=LABELS
):
    """A csv of real values with its labels, or with other rows."""
    rows = [[*row, label] for row, label in zip(ROWS, labels, strict=True)] if rows is None else rows
    lines = [sep.join(names)] if names else []
    text = end.join([*lines, *(sep.join(row) for row in rows)]) + end
    return content(before + text.encode(encoding, "surrogateescape") + after)


def cell(value, row=3, column=2):
    """One cell is another one."""
    rows = [[*values, label] for values, label in zip(ROWS, LABELS, strict=True)]
    rows[row][column] = value
    return table(rows=rows)


def wide(columns, rows=3, numbered="c{}"):
    """So many columns."""

    def write(path):
        line = ",".join(["1"] * columns)
        lines = [f"{line},{'ab'[row % 2]}\n".replace("1", str(row), 1) for row in range(rows)]
        path.write_text(",".join(numbered.format(i) for i in range(columns)) + ",label\n" + "".join(lines))

    return write


def one_line(size, character=b"1"):
    """A line of so many bytes without an end."""

    def write(path):
        with path.open("wb") as stream:
            for _ in range(size >> 20):
                stream.write(character * 2**20)

    return write


def parquet(frame=None, **options):
    """A Parquet file of real values, written by pandas."""

    def write(path):
        import pandas

        values = pandas.DataFrame(np.array(ROWS, dtype=float), columns=NAMES).assign(label=LABELS)
        (values if frame is None else frame(values)).to_parquet(path, **options)

    return write


def of_columns(**columns):
    """A Parquet file of arrays of Arrow."""

    def write(path):
        import pyarrow
        from pyarrow import parquet

        given = {name: make(pyarrow) for name, make in columns.items()}
        parquet.write_table(pyarrow.table(given), path)

    return write


def dictionary_bomb(path):
    """Three hundred million rows of one value in some kilobytes."""
    import pyarrow
    from pyarrow import parquet

    zeros = np.zeros(10_000_000)
    part = pyarrow.table({"ink": pyarrow.array(zeros), "label": pyarrow.array(zeros.astype(np.int8))})
    with parquet.ParquetWriter(path, part.schema, compression="zstd") as writer:
        for _ in range(30):
            writer.write_table(part, row_group_size=10_000_000)


def long_texts(path):
    """A text of a megabyte, 900 times in a dictionary."""
    import pyarrow
    from pyarrow import parquet

    texts = pyarrow.DictionaryArray.from_arrays(pyarrow.array(np.zeros(900, np.int32)), pyarrow.array(["x" * 2**20]))
    values = pyarrow.array(np.linspace(0, 1, 900))
    parquet.write_table(pyarrow.table({"ink": values, "text": texts, "label": pyarrow.array(np.arange(900) % 2)}), path)


def altered(write, alter):
    def altered_too(path):
        write(path)
        path.write_bytes(alter(path.read_bytes()))

    return altered_too


def put(place, data):
    return lambda raw: raw[: int(place * len(raw))] + data + raw[int(place * len(raw)) + len(data) :]


def spark(path):
    path.mkdir()
    for part in range(3):
        parquet()(path / f"part-0000{part}.snappy.parquet")
    (path / "_SUCCESS").touch()
    (path / "._SUCCESS.crc").write_bytes(b"crc")


def spark_of_two_kinds(path):
    path.mkdir()
    parquet()(path / "part-0.parquet")
    parquet(lambda frame: frame.astype({"ink-1": str}))(path / "part-1.parquet")


def folder(path):
    path.mkdir()


def pipe(path):
    os.mkfifo(path)


def device(path):
    path.symlink_to("/dev/zero")


def pipe_inside(path):
    path.mkdir()
    os.mkfifo(path / "part-0.parquet")


TEXT = [
    Case("a csv", read(".csv", table()), quick=True),
    Case("a csv, looked at", first(".csv", table())),
    Case("a tsv", read(".tsv", table(sep="\t"))),
    Case("semicolons", read(".csv", table(sep=";"))),
    Case("bars between the cells", read(".csv", table(sep="|")), ("before.csv",)),
    Case("line ends of Windows", read(".csv", table(end="\r\n"))),
    Case("line ends of old Macs", read(".csv", table(end="\r"))),
    Case("a byte-order mark", read(".csv", table(before=b"\xef\xbb\xbf"))),
    Case("utf-16", read(".csv", table(encoding="utf-16"))),
    Case("utf-16 of the other order", read(".csv", table(encoding="utf-16-be", before=b"\xfe\xff"))),
    Case("utf-16 without a mark", read(".csv", table(encoding="utf-16-le")), ("before.csv",)),
    Case("utf-32", read(".csv", table(encoding="utf-32")), ("before.csv",)),
    Case("half a character of utf-16", read(".csv", altered(table(encoding="utf-16"), lambda raw: raw[:-1]))),
    Case(
        "latin-1 in the labels",
        read(".csv", table(labels=["größe" if label == "no" else label for label in LABELS], encoding="latin-1")),
    ),
    Case(
        "latin-1 in the labels, looked at",
        first(".csv", table(labels=["größe" if label == "no" else label for label in LABELS], encoding="latin-1")),
    ),
    Case(
        "any bytes in the labels",
        read(".csv", table(labels=["\udcff\udc80\udc81" if label == "no" else label for label in LABELS])),
    ),
    Case(
        "bytes of control in the labels, looked at",
        first(".csv", table(labels=["\x1b[2J" if label == "no" else label for label in LABELS])),
    ),
    Case("a name in any bytes", read(".csv", table(names=("\udcff", *NAMES[1:], "label")))),
    Case("a name in any bytes, looked at", first(".csv", table(names=("\udcff", *NAMES[1:], "label")))),
    Case("a name of controls, looked at", first(".csv", table(names=("\x07\x1b", *NAMES[1:], "label")))),
    Case("a name of many lines", first(".csv", table(names=('"a\nb"', *NAMES[1:], "label")))),
    Case(
        "a name that YAML would take for others",
        first(".csv", table(names=("null", "1", "{a: b", "# x", *NAMES[4:], "label"))),
    ),
    Case("zeros", read(".csv", content(b"\0" * 10_000)), ("before.csv",)),
    Case("zeros at the end", read(".csv", table(after=b"\0" * 4096)), ("before.csv", "line 62"), quick=True),
    Case("a zero in a cell", read(".csv", cell("1\x002")), ("before.csv", "line 5")),
    Case("binary", read(".csv", content(bytes(range(256)) * 40)), ("before.csv",)),
    Case("binary, looked at", first(".csv", content(bytes(range(256)) * 40)), ("before.csv",)),
    Case("a packed csv", read(".csv", content(gzip.compress(b"a,label\n1,x\n"))), ("before.csv",)),
    Case("an Excel file", read(".csv", content(b"PK\x03\x04" + bytes(range(256)) * 9)), ("before.csv",)),
    Case("JSON", read(".csv", content('[{"a": 1, "label": "x"}]\n')), ("before.csv",)),
    Case("HTML", read(".csv", content("<!DOCTYPE html>\n<html>\n<p>404\n")), ("before.csv",)),
    Case("nothing", read(".csv", content(b"")), ("before.csv is empty",), quick=True),
    Case("nothing, looked at", first(".csv", content(b"")), ("before.csv is empty",)),
    Case("blank lines", read(".csv", content("\n" * 5000)), ("before.csv is empty",)),
    Case("a header alone", read(".csv", content("a,label\n")), ("no rows of data",)),
    Case("a header alone, looked at", first(".csv", content("a,label\n")), ("no rows of data",)),
    Case("one cell", read(".csv", content("x")), ("before.csv",)),
    Case("commas", read(".csv", content("," * 5000)), ("before.csv",)),
    Case("commas, looked at", first(".csv", content("," * 5000)), ("before.csv",)),
    Case("an open quote", read(".csv", content('a,label\n"1,x\n2,y\n')), ("before.csv", "line")),
    Case("an open quote of 300 kB", read(".csv", content('a,label\n"' + "1,x\n" * 80_000)), ("before.csv", "line")),
    Case("a quote inside a cell", read(".csv", cell('1"2')), ("before.csv", "line 5")),
    Case("a cell of 200 kB", read(".csv", cell("1" * 200_000)), ("before.csv", "line 5")),
    Case("rows of other lengths", read(".csv", table(rows=[["1", "2"], ["1"] * 10, ["1"] * 11])), ("line 2: 2 cells",)),
    Case("a line of 40 MB", read(".csv", one_line(40 << 20)), ("before.csv", "line 1"), alone=True),
    Case("a line of 40 MB, looked at", first(".csv", one_line(40 << 20)), ("before.csv", "line 1"), alone=True),
    Case("a line of 40 MB of commas", read(".csv", one_line(40 << 20, b",")), ("before.csv",), alone=True),
    Case("a line of 40 MB of zeros", read(".csv", one_line(40 << 20, b"\0")), ("before.csv",), alone=True),
    Case("100,000 columns", read(".csv", wide(100_000)), alone=True),
    Case(
        "100,000 columns that are missing",
        read(".csv", wide(100_000), wide(100_000, numbered="d{}")),
        ("columns", "more"),
        alone=True,
    ),
    Case(
        "100,000 columns called like counters",
        read(".csv", wide(100_000, numbered="level_{}")),
        ("no columns of values",),
        alone=True,
    ),
    Case(
        "100,000 columns of one name", read(".csv", wide(100_000, numbered="c")), ("more than one column",), alone=True
    ),
    Case("100,000 columns and a wrong label", read(".csv", wide(100_000), label="labell"), ("labell",), alone=True),
    Case("a pipe", read(".csv", pipe), ("before.csv",), quick=True),
    Case("a pipe, looked at", first(".csv", pipe), ("before.csv",), quick=True),
    Case("a device", read(".csv", device), ("before.csv",)),
    Case("a device, looked at", first(".csv", device), ("before.csv",)),
    Case("a folder", read(".csv", folder), ("before.csv",)),
    Case("a folder, looked at", first(".csv", folder), ("before.csv",)),
]

CELLS = [
    Case(f"a cell that holds {value!r}", read(".csv", cell(value)), ("before.csv", "line 5, column ink-2"))
    for value in (
        "",
        "nan",
        "inf",
        "-Infinity",
        "1e400",
        "1e39",
        "abc",
        "1 2",
        "0x10",
        "--1",
        "1,5".replace(",", ".."),
        "٣x",
    )
] + [
    Case("a cell with a space around", read(".csv", cell(" 0.5 "))),
    Case("a cell with an underscore", read(".csv", cell("1_000"))),
    Case("digits of another script", read(".csv", cell("٣"))),
    Case("an empty cell, looked at", first(".csv", cell(""))),
    Case("a word among numbers, looked at", first(".csv", cell("abc"))),
    Case("inf among numbers, looked at", first(".csv", cell("inf"))),
    Case(
        "a label that is missing",
        read(".csv", cell("", column=9)),
        ("line 5, column label: the label is missing",),
        quick=True,
    ),
    Case("no header, and words as labels", read(".csv", table(names=None), label="column-9")),
    Case("no header, and words as labels, looked at", first(".csv", table(names=None))),
    Case("a header that counts", read(".csv", table(names=(*map(str, range(9)), "label")))),
    Case("a header of years", read(".csv", table(names=(*map(str, range(2001, 2010)), "label")))),
    Case(
        "two columns of one name",
        read(".csv", table(names=("a", "a", *NAMES[2:], "label"))),
        ('more than one column "a"',),
    ),
    Case(
        "two columns of one name, looked at",
        first(".csv", table(names=("a", "a", *NAMES[2:], "label"))),
        ('more than one column "a"',),
    ),
    Case("two columns without a name", read(".csv", table(names=("", "", *NAMES[2:], "label")))),
    Case("the label alone", read(".csv", content("label\nx\ny\n")), ("no columns of values",)),
    Case("the label alone, looked at", first(".csv", content("label\nx\ny\n")), ("no columns of values",)),
    Case(
        "text alone, looked at",
        first(".csv", content("a,label\n" + "".join(f"w{i},{'xy'[i % 2]}\n" for i in range(900)))),
        ("no columns of values",),
    ),
    Case(
        "a column that is missing",
        read(".csv", table(), table((*NAMES[1:], "label"), [[*r[1:], y] for r, y in zip(ROWS, LABELS, strict=True)])),
        ("columns", "target lacks ink-0"),
        quick=True,
    ),
    Case(
        "a column that is missing, looked at",
        first(".csv", table(), table((*NAMES[1:], "label"), [[*r[1:], y] for r, y in zip(ROWS, LABELS, strict=True)])),
    ),
    Case(
        "other columns",
        read(".csv", table(), table(names=(*(f"x{i}" for i in range(9)), "label"))),
        ("columns", "ink-0"),
    ),
    Case(
        "other columns, looked at",
        first(".csv", table(), table(names=(*(f"x{i}" for i in range(9)), "label"))),
        ("columns",),
    ),
    Case(
        "a label of another name in the target", read(".csv", table(), table(names=(*NAMES, "churned"))), ("churned",)
    ),
    Case("no rows that are wanted", read(".csv", table(), where={"label": "nobody"}), ("no row with label: nobody",)),
    Case(
        "a column that is not there as a filter",
        read(".csv", table(), where={"lable": "no"}),
        ('did you mean "label"?',),
    ),
    Case(
        "a plan of a column that is not there",
        read(".csv", table(), columns={"ink-99": "number"}),
        ('"ink-99"', "columns"),
    ),
    Case(
        "a plan with a category that is not there",
        read(".csv", table(), columns={"ink-1": {"as": "category", "values": ["a"]}}),
        ("line 2", "ink-1"),
    ),
    Case("constant columns", read(".csv", table(rows=[["1"] * 9 + [y] for y in LABELS])), ("constant",)),
    Case("enormous labels", read(".csv", table(labels=["x" * 100_000 if y == "no" else y for y in LABELS]))),
]

PARQUET = [
    Case("a parquet", read(".parquet", parquet()), quick=True),
    Case("a parquet, looked at", first(".parquet", parquet())),
    Case("Spark's folder", read(".parquet", spark)),
    Case("Spark's folder, looked at", first(".parquet", spark)),
    Case("Spark's folder of two kinds", read(".parquet", spark_of_two_kinds), ("before.parquet",)),
    Case(
        "a parquet that is cut",
        read(".parquet", altered(parquet(), lambda raw: raw[:-20])),
        ("before.parquet", "again"),
        quick=True,
    ),
    Case(
        "a parquet that is cut, looked at",
        first(".parquet", altered(parquet(), lambda raw: raw[:-20])),
        ("before.parquet", "again"),
    ),
    Case(
        "half a parquet",
        read(".parquet", altered(parquet(), lambda raw: raw[: len(raw) // 2])),
        ("before.parquet", "again"),
    ),
    Case("damaged pages", read(".parquet", altered(parquet(), put(0.02, b"\xff" * 40))), ("before.parquet", "again")),
    Case("a damaged end", read(".parquet", altered(parquet(), put(0.9, b"\xff" * 40))), ("before.parquet", "again")),
    Case("an empty file as parquet", read(".parquet", content(b"")), ("before.parquet",)),
    Case("the magic of parquet", read(".parquet", content(b"PAR1PAR1")), ("before.parquet",)),
    Case("text as parquet", read(".parquet", content("a,label\n1,x\n")), ("before.parquet",)),
    Case("an encrypted parquet", read(".parquet", content(b"PAR1" + bytes(99) + b"PARE")), ("before.parquet",)),
    Case("no rows of parquet", read(".parquet", parquet(lambda f: f[:0])), ("no rows",)),
    Case("no rows of parquet, looked at", first(".parquet", parquet(lambda f: f[:0])), ("no rows",)),
    Case("no columns of parquet", read(".parquet", of_columns()), ("before.parquet",)),
    Case(
        "null in a cell",
        read(".parquet", parquet(lambda f: f.assign(**{"ink-2": f["ink-2"].where(f.index != 3)}))),
        ("row 3, column ink-2",),
    ),
    Case(
        "null in a label",
        read(".parquet", parquet(lambda f: f.assign(label=f["label"].where(f.index != 3)))),
        ("row 3, column label",),
    ),
    Case(
        "labels in bytes",
        read(".parquet", parquet(lambda f: f.assign(label=f["label"].map(lambda y: b"\xff" + y.encode())))),
    ),
    Case(
        "labels in bytes, looked at",
        first(".parquet", parquet(lambda f: f.assign(label=f["label"].map(lambda y: b"\xff" + y.encode())))),
    ),
    Case("labels as categories", read(".parquet", parquet(lambda f: f.astype({"label": "category"})))),
    Case(
        "labels that are lists",
        read(".parquet", parquet(lambda f: f.assign(label=[[1]] * len(f)))),
        ("before.parquet", "label"),
    ),
    Case(
        "decimals",
        first(
            ".parquet",
            parquet(lambda f: f.assign(**{"ink-2": f["ink-2"].map(lambda v: __import__("decimal").Decimal(str(v)))})),
        ),
    ),
    Case(
        "dates in a column",
        first(".parquet", parquet(lambda f: f.assign(**{"ink-2": np.arange(len(f)).astype("M8[D]")}))),
    ),
    Case(
        "spans of time", first(".parquet", parquet(lambda f: f.assign(**{"ink-2": np.arange(len(f)).astype("m8[s]")})))
    ),
    Case("lists in a column", first(".parquet", parquet(lambda f: f.assign(**{"ink-2": [[1, 2]] * len(f)})))),
    Case(
        "lists in a column, read",
        read(".parquet", parquet(lambda f: f.assign(**{"ink-2": [[1, 2]] * len(f)}))),
        ('column "ink-2"', "not of numbers"),
    ),
    Case("structures in a column", first(".parquet", parquet(lambda f: f.assign(**{"ink-2": [{"a": 1}] * len(f)})))),
    Case(
        "pictures in a column, looked at",
        first(".parquet", parquet(lambda f: f.assign(image=[{"bytes": b"\x89PNG", "path": "a"}] * len(f)))),
        ("before.parquet", "column image", "a folder of its class"),
    ),
    Case(
        "half floats",
        read(
            ".parquet",
            of_columns(
                ink=lambda a: a.array(X[:, 0, 3, 3].astype(np.float16)),
                other=lambda a: a.array(X[:, 0, 4, 4]),
                label=lambda a: a.array(LABELS),
            ),
        ),
    ),
    Case(
        "integers beyond floats",
        read(
            ".parquet",
            of_columns(
                ink=lambda a: a.array(2**63 + np.arange(60, dtype=np.uint64)),
                other=lambda a: a.array(X[:, 0, 4, 4]),
                label=lambda a: a.array(LABELS),
            ),
        ),
    ),
    Case(
        "texts that are no UTF-8",
        read(
            ".parquet",
            of_columns(
                ink=lambda a: a.array(X[:, 0, 3, 3]),
                other=lambda a: a.array(X[:, 0, 4, 4]),
                label=lambda a: a.array([b"\xff", b"a"] * 30).view(a.string()),
            ),
        ),
    ),
    Case(
        "text beyond numbers, looked at",
        first(
            ".parquet",
            of_columns(
                ink=lambda a: a.array(X[:, 0, 3, 3]),
                other=lambda a: a.array([b"\xff\xfe", b"a"] * 30),
                label=lambda a: a.array(LABELS),
            ),
        ),
    ),
    Case(
        "two columns of one name in parquet",
        read(
            ".parquet",
            lambda path: __import__("pyarrow.parquet").parquet.write_table(
                __import__("pyarrow").table([[1.0, 2.0], [2.0, 1.0], ["a", "b"]], names=["a", "a", "label"]), path
            ),
        ),
        ('more than one column "a"',),
    ),
    Case(
        "two columns of one name in parquet, looked at",
        first(
            ".parquet",
            lambda path: __import__("pyarrow.parquet").parquet.write_table(
                __import__("pyarrow").table([[1.0, 2.0], [2.0, 1.0], ["a", "b"]], names=["a", "a", "label"]), path
            ),
        ),
        ('more than one column "a"',),
    ),
    Case(
        "300 million rows in some kilobytes",
        read(".parquet", dictionary_bomb),
        ("before.parquet", "memory"),
        alone=True,
    ),
    Case(
        "300 million rows in some kilobytes, looked at",
        first(".parquet", dictionary_bomb),
        ("before.parquet", "memory"),
        alone=True,
    ),
    Case("900 MB of text in some kilobytes", read(".parquet", long_texts, ignore=["text"]), alone=True),
    Case("900 MB of text in some kilobytes, looked at", first(".parquet", long_texts), alone=True),
    Case("a pipe named parquet", read(".parquet", pipe), ("before.parquet",)),
    Case("a pipe inside Spark's folder", read(".parquet", pipe_inside), ("part-0.parquet",)),
    Case("a pipe inside Spark's folder, looked at", first(".parquet", pipe_inside), ("part-0.parquet",)),
    Case("an empty folder named parquet", read(".parquet", folder), ("before.parquet",)),
    Case("an empty folder named parquet, looked at", first(".parquet", folder), ("before.parquet",)),
]


@cases([*TEXT, *CELLS, *PARQUET])
def test_tables(case, tmp_path, capfd):
    check(case, tmp_path, capfd)
