"""Analyses of arrays and objects, without any file."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from smallanalysis import SETTINGS, Watching, vectors, weights

import shiftlens
from shiftlens.core.errors import ClassifierError, InputError

REST = {key: value for key, value in SETTINGS.items() if key not in ("source", "target", "classifier")}


def domains():
    """Settings of both domains as arrays: the target's bottom row is dimmed."""
    x, y = vectors()
    dimmed = x[800:1400].copy()
    dimmed[:, 12:] *= 0.2
    return {
        "source": {"x": x[:800], "y": y[:800], "kind": "tabular"},
        "target": {"x": dimmed, "y": y[800:1400], "kind": "tabular"},
    }


def linear(x):
    w, b = weights()
    return x @ w + b


def done(out, until="score", **given):
    """The stages that were really done."""
    watching = Watching()
    shiftlens.run(out=out, until=until, host=shiftlens.Host([watching]), **{**REST, **domains(), **given})
    return watching.done


def accuracies(out):
    facts = shiftlens.load_run(out).record("score").facts
    return facts["source"]["accuracy"], facts["target"]["accuracy"]


def network():
    import torch

    w, b = weights()
    net = torch.nn.Linear(16, 10)
    net.load_state_dict({"weight": torch.from_numpy(w.T.copy()), "bias": torch.from_numpy(b)})
    return net


def estimator():
    from sklearn.linear_model import LogisticRegression

    w, b = weights()
    model = LogisticRegression()
    model.coef_, model.intercept_, model.classes_ = w.T.astype(float), b.astype(float), np.arange(10)
    return model


@pytest.mark.parametrize("make", [lambda: linear, network, estimator], ids=["function", "torch", "scikit-learn"])
def test_every_form_of_classifier_is_taken_and_answers_alike(tmp_path, make):
    done(tmp_path / "run", classifier=make())
    x, y = vectors()
    source, target = accuracies(tmp_path / "run")
    assert source == np.mean(linear(x[:800]).argmax(1) == y[:800])
    assert target < source - 0.2


def test_an_object_is_asked_anew_and_what_follows_is_done_where_its_answers_differ(tmp_path):
    sign = 1

    def signed(x):
        return sign * linear(x)

    assert done(tmp_path / "run", "trial", classifier=signed)[-1] == "trial"
    assert done(tmp_path / "run", "trial", classifier=signed) == ["classifier", "score"]
    sign = -1
    assert done(tmp_path / "run", "trial", classifier=signed) == ["classifier", "score", "groups", "trial"]
    assert accuracies(tmp_path / "run")[0] < 0.2
    assert done(tmp_path / "run", "trial", classifier=linear) == ["classifier", "score", "groups", "trial"]


def test_other_arrays_are_noticed_and_the_same_are_not(tmp_path):
    done(tmp_path / "run", classifier=linear)
    again = domains()
    again["target"]["x"] = again["target"]["x"] * 0.5
    assert "data" in done(tmp_path / "run", classifier=linear, **again)
    assert "data" not in done(tmp_path / "run", classifier=linear, **again)


def test_samples_and_labels_may_stand_in_a_pair_and_in_tensors(tmp_path):
    import torch
    from realdata import digits

    x, y = digits()
    given = {
        "source": (torch.from_numpy(x[:300]), y[:300].tolist()),
        "target": (x[300:500] * 0.5, y[300:500]),
        "classifier": lambda images: np.eye(10)[images.reshape(len(images), -1).argmax(1) % 10],
    }
    run = shiftlens.run(out=tmp_path / "run", until="score", **given)
    assert run.record("data").facts["kind"] == "image"
    assert run.record("data").facts["samples"] == {"source": 300, "target": 200}


def test_a_data_frame_keeps_the_names_of_its_columns(tmp_path):
    pandas = pytest.importorskip("pandas")
    x, y = vectors()
    names = [f"light {i}" for i in range(16)]
    source, target = (pandas.DataFrame(part, columns=names) for part in (x[:800], x[800:1400] * 0.5))
    run = shiftlens.run(
        source=(source, y[:800]), target=(target, y[800:1400]), classifier=linear, out=tmp_path / "run", until="data"
    )
    assert run.record("data").facts["columns"] == names
    source["word"] = "night"
    with pytest.raises(InputError, match=r"source: x holds .* and not numbers; write a table with words as CSV"):
        shiftlens.run(source=(source, y[:800]), target=(target, y[800:1400]), classifier=linear, out=tmp_path / "words")


def test_a_file_and_a_mapping_are_taken_too_and_values_by_name_take_their_place(tmp_path):
    from smallanalysis import write_analysis

    config = write_analysis(tmp_path)
    run = shiftlens.run(config, until="data")
    assert run.path == tmp_path / "runs" / "dimmed"
    run = shiftlens.run(str(config), until="data", name="another")
    assert run.path == tmp_path / "runs" / "another"
    x, y = vectors()
    arrays = {"x": x[:50], "y": y[:50], "kind": "tabular"}
    run = shiftlens.run({**REST, **domains()}, tmp_path / "mapped", "data", source=arrays, classifier=linear)
    assert run.record("data").facts["samples"]["source"] == 50
    with pytest.raises(InputError, match="name: these settings are resolved"):
        shiftlens.run(shiftlens.load_settings(config), name="no")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"classifier": 7}, "classifier is a int; give a path, a torch module"),
        ({"classifier": linear, "sourse": 1}, r"sourse.* did you mean .?source"),
        ({"classifier": linear, "source": ([[1, 2], [3]], [0, 1])}, "source: x"),
        ({}, "classifier: is missing"),
    ],
)
def test_what_cannot_be_meant_is_told(tmp_path, given, told):
    with pytest.raises(shiftlens.ShiftlensError, match=told):
        shiftlens.run(out=tmp_path / "run", until="data", **{**REST, **domains(), **given})


def test_a_folder_of_other_files_is_not_written_into(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds other files"):
        done(tmp_path, classifier=linear)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_another_process_says_that_the_object_is_missing(tmp_path):
    done(tmp_path / "run", classifier=linear)
    config = tmp_path / "run" / "settings.yaml"
    command = [sys.executable, "-m", "shiftlens", "run", str(config), "--out", str(tmp_path / "run"), "--quiet"]
    found = subprocess.run([*command, "--from", "classifier"], capture_output=True, text=True)
    assert found.returncode == 2
    assert "was given from Python as an object; call shiftlens.run with it again" in found.stderr


def test_the_object_is_known_for_the_time_of_the_call_alone(tmp_path):
    done(tmp_path / "run", classifier=linear)
    with pytest.raises(ClassifierError, match=r"call shiftlens\.run with it again"):
        shiftlens.run(tmp_path / "run" / "settings.yaml", tmp_path / "run", from_="classifier")
