"""`init`, then `run`, on what other tools leave, as somebody new would: each ends with a file that runs."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pandas
import pytest
from PIL import Image
from realdata import cifar, digits, mnist, power, spoken

from shiftlens.core import cli

DARKER = {"before": 1.0, "after": 0.5}


def photographs():
    """240 photographs in mixed order ``(N, H, W, C)`` uint8, and the numbers and names of their classes."""
    x, y = cifar(24)
    order = np.random.default_rng(0).permutation(len(x))
    names = sorted(set(y.tolist()))
    return (
        (x[order].transpose(0, 2, 3, 1) * 255).astype(np.uint8),
        np.array([names.index(n) for n in y[order]]),
        y[order],
    )


def keras(folder):
    x, y = mnist(400)
    x = (x[:, 0] * 255).astype(np.uint8)
    np.savez(folder / "mnist.npz", x_train=x[:300], y_train=y[:300], x_test=255 - x[300:], y_test=y[300:])
    return folder / "mnist.npz", folder / "mnist.npz"


def medmnist(folder):
    x, y, _ = photographs()
    for name, share in DARKER.items():
        parts = {"train": slice(0, 160), "val": slice(160, 200), "test": slice(200, 240)}
        arrays = {f"{part}_images": (x[rows] * share).astype(np.uint8) for part, rows in parts.items()}
        arrays |= {f"{part}_labels": y[rows, None].astype(np.uint8) for part, rows in parts.items()}
        np.savez(folder / f"{name}.npz", **arrays)
    return folder / "before.npz", folder / "after.npz"


def torchvision(folder):
    x, _, names = photographs()
    for name, share in DARKER.items():
        for i, label in enumerate(names):
            path = folder / name / ("train" if i < 180 else "val") / label / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((x[i] * share).astype(np.uint8)).save(path)
    return folder / "before", folder / "after"


def kaggle(folder):
    x, _, names = photographs()
    for name, share in DARKER.items():
        (folder / name / "images").mkdir(parents=True)
        for i in range(len(x)):
            Image.fromarray((x[i] * share).astype(np.uint8)).save(folder / name / "images" / f"{i:05}.png")
        rows = "".join(f"{i:05},{label}\n" for i, label in enumerate(names))
        (folder / name / "labels.csv").write_text("id,breed\n" + rows)
    return folder / "before", folder / "after"


def sounds(folder):
    x, y = spoken(20)
    for name, share in DARKER.items():
        for i, label in enumerate(y):
            path = folder / name / label / f"{i}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            with wave.open(str(path), "wb") as file:
                file.setnchannels(1)
                file.setsampwidth(2)
                file.setframerate(8000)
                file.writeframes((x[i, 0] * share * 32767).astype("<i2").tobytes())
    return folder / "before", folder / "after"


def tumours():
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(as_frame=True).frame.sample(frac=1, random_state=0)


def spark(folder):
    for name, share in DARKER.items():
        frame, path = tumours(), folder / f"{name}.parquet"
        frame["mean radius"] *= share
        path.mkdir()
        for part in range(2):
            frame.iloc[part::2].to_parquet(path / f"part-{part:05}-c000.snappy.parquet", index=False)
        (path / "_SUCCESS").touch()
    return folder / "before.parquet", folder / "after.parquet"


def one_table(folder):
    frame = tumours()
    frame["split"] = np.where(np.arange(len(frame)) % 2, "train", "test")
    frame.loc[frame.split == "test", "mean radius"] *= 1.4
    frame.to_csv(folder / "data.csv")
    return folder / "data.csv", folder / "data.csv"


def uci(folder):
    from sklearn.datasets import load_iris

    found = load_iris(as_frame=True)
    frame = found.frame.assign(target=found.target_names[found.target]).sample(frac=1, random_state=0)
    frame.iloc[:90].to_csv(folder / "before.data", header=False, index=False)
    later = frame.iloc[60:].copy()
    later["petal length (cm)"] += 1
    later.to_csv(folder / "after.data", header=False, index=False)
    return folder / "before.data", folder / "after.data"


def ucr(folder, suffix="tsv", between="\t"):
    x, y = power()
    for name, rows in (("before", slice(0, 250)), ("after", slice(250, 500))):
        lines = [
            between.join([label, *(f"{value:.6e}" for value in row[0])])
            for row, label in zip(x[rows], y[rows], strict=True)
        ]
        (folder / f"{name}.{suffix}").write_text("\n".join(lines))
    return folder / f"before.{suffix}", folder / f"after.{suffix}"


def census(folder):
    for seed, name in enumerate(DARKER):
        random = np.random.default_rng(seed)
        age, hours = random.integers(18, 80, 400) + 8 * seed, random.normal(40, 8, 400).round(1)
        frame = pandas.DataFrame(
            {
                "age": age,
                "workclass": random.choice(["Private", "Gov", "?"], 400),
                "hours": hours,
                "member": random.choice([True, False], 400),
                "since": pandas.Timestamp("2020-01-01") + pandas.to_timedelta(random.integers(0, 900, 400), "D"),
                "income": np.where((age > 45) & (hours > 38), ">50K", "<=50K"),
            }
        )
        frame.to_csv(folder / f"{name}.csv")
    return folder / "before.csv", folder / "after.csv"


def of_the_old_ucr(folder):
    return ucr(folder, "txt", "  ")


def unlabelled(folder):
    x, _ = digits()
    np.save(folder / "before.npy", x[:300])
    np.save(folder / "after.npy", x[300:600] * np.float32(0.6))
    return folder / "before.npy", folder / "after.npy"


RUNS = (keras, medmnist, torchvision, kaggle, sounds, spark, one_table, uci, ucr, of_the_old_ucr, census)
QUICK = (uci, one_table)


@pytest.mark.parametrize(
    "tool", [pytest.param(tool, id=tool.__name__, marks=() if tool in QUICK else pytest.mark.slow) for tool in RUNS]
)
def test_init_then_run(tmp_path: Path, tool, capfd):
    source, target = tool(tmp_path)
    assert cli._run_command_line(["init", str(tmp_path / "an"), "--source", str(source), "--target", str(target)]) == 0
    written = tmp_path / "an" / "analysis.yaml"
    until = "data" if tool in QUICK else "score"
    code = cli._run_command_line(["run", str(written), "--until", until, "--quiet", "--set", "seed=1"])
    assert code == 0, capfd.readouterr().err


def test_what_is_missing_is_asked(tmp_path: Path):
    source, target = unlabelled(tmp_path)
    assert cli._run_command_line(["init", str(tmp_path / "an"), "--source", str(source), "--target", str(target)]) == 0
    text = (tmp_path / "an" / "analysis.yaml").read_text()
    assert text.count("# QUESTION: ") == 1
    assert "the source has no labels to train a classifier on" in text


def hugging_face(folder):
    import pyarrow
    from pyarrow import parquet

    x, y, _ = photographs()
    stream = io.BytesIO()
    Image.fromarray(x[0]).save(stream, "PNG")
    rows = [{"bytes": stream.getvalue(), "path": f"{i}.png"} for i in range(20)]
    parquet.write_table(pyarrow.table({"image": rows, "label": y[:20]}), folder / "before.parquet")
    return folder / "before.parquet"


def named(name, data=b"x"):
    def write(folder):
        (folder / name).write_bytes(data)
        return folder / name

    return write


@pytest.mark.parametrize(
    ("write", "told"),
    [
        (hugging_face, "write each of them"),
        (named("a.pkl"), "pickles can run code"),
        (named("a.xlsx"), "save its sheet as .csv"),
        (named("a.csv.gz"), "unpack it"),
        (named("a.feather"), "save it as .parquet or .csv"),
        (named("a.mat"), "save its arrays as .npz"),
        (named("a.png"), "give the folder of all"),
        (named("a.xyz"), "no reader knows what to do with it"),
    ],
)
def test_what_cannot_be_read_is_told_with_the_next_step(tmp_path: Path, capfd, write, told):
    path = write(tmp_path)
    assert cli._run_command_line(["init", str(tmp_path / "an"), "--source", str(path), "--target", str(path)]) == 2
    assert told in capfd.readouterr().err
    assert not (tmp_path / "an").exists()
