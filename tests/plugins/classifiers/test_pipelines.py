"""Pipelines of scikit-learn on tables with text: as a callable that gets frames, and as ONNX with inputs of text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import yaml

from shiftlens import load_run
from shiftlens.core import cli


def people(seed: int) -> pandas.DataFrame:
    """Ages, hours and work of 300 people, and what they earn; made up, as it is the form that is tested."""
    random = np.random.default_rng(seed)
    age, hours = random.integers(18, 80, 300), random.normal(40, 8, 300).round(1)
    work = random.choice(["Gov", "Private", "own, small"], 300)
    income = np.where(age + 2 * hours + 30 * (work == "Gov") > 140, "high", "low")
    return pandas.DataFrame({"age": age, "work": work, "hours": hours, "income": income})


def pipeline(frame: pandas.DataFrame) -> Any:
    """A column transformer and a logistic regression, fitted on the raw frame."""
    from sklearn.compose import ColumnTransformer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = ColumnTransformer(
        [("text", OneHotEncoder(handle_unknown="ignore"), ["work"]), ("numbers", StandardScaler(), ["age", "hours"])]
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame.drop(columns="income"), frame["income"])


def write(folder: Path) -> tuple[Any, pandas.DataFrame]:
    """Both tables, and the pipeline fitted on the first."""
    before = people(0)
    before.to_csv(folder / "before.csv", index=False)
    people(1).assign(age=people(1).age + 9).to_csv(folder / "after.csv", index=False)
    return pipeline(before), before


def predicted(folder: Path, classifier: dict[str, Any]) -> list[str]:
    """What the run scored: the predicted class of each source sample, with the settings that init writes."""
    paths = ("--source", str(folder / "before.csv"), "--target", str(folder / "after.csv"))
    assert cli._run_command_line(["init", str(folder / "an"), *paths]) == 0
    config = folder / "an" / "analysis.yaml"
    raw = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**raw, "classifier": classifier}, sort_keys=False))
    assert cli._run_command_line(["run", str(config), "--until", "score", "--out", str(folder / "out"), "--quiet"]) == 0
    rows = load_run(folder / "out").arrays["scores-source"]
    return [("high", "low")[place] for place in rows["prediction"]]


def test_a_callable_gets_the_frame_of_the_file(tmp_path: Path) -> None:
    fitted, before = write(tmp_path)
    (tmp_path / "an").mkdir()
    code = (
        "import pandas, sys\n"
        f"sys.path.append({str(Path(__file__).parent)!r})\n"
        "from test_pipelines import people, pipeline\n"
        "fitted = pipeline(people(0))\n"
        "def net(frame):\n"
        "    assert list(frame.columns) == ['age', 'work', 'hours'], frame\n"
        "    return fitted.predict_proba(frame)\n"
    )
    (tmp_path / "an" / "mine.py").write_text(code)
    found = predicted(tmp_path, {"path": "mine:net", "takes": "frame"})
    assert found == fitted.predict(before.drop(columns="income")).tolist()


def test_an_onnx_pipeline_gets_the_texts_of_its_categories(tmp_path: Path) -> None:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType

    fitted, before = write(tmp_path)
    types = {"age": Int64TensorType, "work": StringTensorType, "hours": FloatTensorType}
    inputs = [(name, kind([None, 1])) for name, kind in types.items()]
    model = to_onnx(fitted, initial_types=inputs, options={"zipmap": False})
    (tmp_path / "pipe.onnx").write_bytes(model.SerializeToString())
    found = predicted(tmp_path, {"path": "../pipe.onnx"})
    expected = fitted.predict(before.drop(columns="income"))
    assert np.mean(np.array(found) == expected) == 1.0


def test_frames_are_of_tables_only(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from tinyanalysis import write_tiny

    (tmp_path / "mine.py").write_text("def net(frame): return frame\n")
    config = write_tiny(tmp_path, classifier={"path": "mine:net", "takes": "frame"})
    raw = yaml.safe_load(config.read_text())
    for role in ("source", "target"):
        raw[role]["kind"] = "series"
    config.write_text(yaml.safe_dump(raw))
    assert cli._run_command_line(["run", str(config), "--until", "score", "--quiet"]) == 2
    assert "takes: frame is for tables" in capfd.readouterr().err
