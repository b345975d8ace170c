"""analysis.yaml: all mistakes at once, each with its line, its key and the near miss."""

from __future__ import annotations

import json

import pytest
import yaml

from shiftlens import Host, Settings, load_settings
from shiftlens.core.config.settings import settings_schema
from shiftlens.core.errors import InputError, SettingsError

MINIMAL = {
    "source": {"path": "source.npz"},
    "target": {"path": "target.npz"},
    "classifier": {"train": {"epochs": 1}},
}


@pytest.fixture(scope="module")
def host():
    return Host(strict=True)


def write(folder, text):
    for name in ("source.npz", "target.npz"):
        (folder / name).touch()
    path = folder / "analysis.yaml"
    path.write_text(text)
    return path


def mistakes_of(folder, text, host):
    with pytest.raises(SettingsError) as caught:
        load_settings(write(folder, text), host)
    return caught.value


def test_defaults_fill_what_is_left_out(tmp_path, host):
    settings = load_settings(write(tmp_path, yaml.safe_dump(MINIMAL)), host)
    assert settings.loss.name == "cross-entropy"
    assert settings.factors is None
    assert [choice.name for choice in settings.reports] == ["html", "json"]
    assert settings.observers == ()
    assert settings.general.grid.features == 5
    assert settings.source.name == "npz"


def test_the_whole_form_of_the_contract_is_understood(tmp_path, host):
    (tmp_path / "classifier.onnx").touch()
    text = """
name: thick-digits
seed: 0
source: {reader: npz, path: source.npz}
target: {reader: npz, path: target.npz}
classifier: {path: classifier.onnx}
loss: cross-entropy
factors: auto
generator: {name: vae, latent: 16, loss_axis: randomised}
converter: null
selector: {name: threshold, pairs: 50}
grid: {features: 5, losses: 5}
reports: [html, json]
"""
    settings = load_settings(write(tmp_path, text), host)
    assert settings.generator.settings.latent == 16
    assert settings.selector.settings.pairs == 50
    assert settings.classifier.settings.path == tmp_path / "classifier.onnx"


def test_a_converter_is_left_out_or_named(tmp_path, host):
    for left_out in ({}, {"converter": None}):
        settings = load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, **left_out})), host)
        assert settings.converter is None
        assert settings.plain()["converter"] is None
    for asked in ("cyclegan", {"name": "cyclegan"}):
        settings = load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, "converter": asked})), host)
        assert settings.converter.name == "cyclegan"
        assert settings.converter.settings.batch == 32
    with pytest.raises(
        SettingsError, match=r'no converter "cyclgan"; did you mean "cyclegan"\? there are: cyclegan, lat'
    ):
        load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, "converter": "cyclgan"})), host)
    with pytest.raises(SettingsError, match=r'converter\.cylce: is not a setting here; did you mean "cycle"'):
        load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, "converter": {"name": "cyclegan", "cylce": 1}})), host)


def test_a_classifier_may_be_a_plain_string(tmp_path, host):
    (tmp_path / "classifier.onnx").touch()
    text = yaml.safe_dump({**MINIMAL, "classifier": "classifier.onnx"})
    assert load_settings(write(tmp_path, text), host).classifier.settings.path == tmp_path / "classifier.onnx"


def test_paths_are_relative_to_the_file(tmp_path, host, monkeypatch):
    monkeypatch.chdir("/")
    settings = load_settings(write(tmp_path, yaml.safe_dump(MINIMAL)), host)
    assert settings.source.settings.path == tmp_path / "source.npz"


def test_all_mistakes_come_at_once_with_line_key_and_near_miss(tmp_path, host):
    error = mistakes_of(
        tmp_path,
        """name: x
sead: 1
source: {path: source.npz}
target: {path: target.npz, pth: y}
classifier: {train: {epochs: many}}
generator: {name: autoencodr}
grid: {features: 1, looses: 5}
""",
        host,
    )
    text = str(error)
    assert "6 mistakes" in text
    for part in (
        'line 2, sead: is not a setting; did you mean "seed"?',
        "line 4, target.pth",
        "line 5, classifier.train.epochs",
        'line 6, generator.name: there is no generator "autoencodr"; did you mean "autoencoder"?',
        "line 7, grid.features",
        'line 7, grid.looses: is not a setting here; did you mean "losses"?',
    ):
        assert part in text, text


def test_what_is_missing_is_told(tmp_path, host):
    error = mistakes_of(tmp_path, "name: x\n", host)
    assert {mistake.key for mistake in error.mistakes} == {"source", "target", "classifier"}


@pytest.mark.parametrize("text", ["[1, 2]", "a: [", "just words", "a: 1\na: 2\n"])
def test_what_is_no_settings_file_is_told(tmp_path, host, text):
    with pytest.raises(InputError, match=r"analysis\.yaml"):
        load_settings(write(tmp_path, text), host)


def test_no_python_objects_from_yaml(tmp_path, host):
    with pytest.raises(InputError, match=r"analysis\.yaml"):
        load_settings(write(tmp_path, "name: !!python/object/apply:os.system ['true']\n"), host)


def test_a_missing_file_names_the_next_step(tmp_path, host):
    with pytest.raises(InputError, match="shiftlens init"):
        load_settings(tmp_path / "nothing.yaml", host)


def test_overrides_reach_any_depth(tmp_path, host):
    path = write(tmp_path, yaml.safe_dump({**MINIMAL, "generator": "autoencoder"}))
    settings = load_settings(path, host, ["grid.features=7", "generator.latent=8", "name=other"])
    assert settings.general.grid.features == 7
    assert settings.generator.settings.latent == 8
    assert settings.general.name == "other"
    with pytest.raises(InputError, match=r"key\.path=value"):
        load_settings(path, host, ["grid.features"])


def test_resolved_settings_load_again_to_the_same(tmp_path, host):
    settings = load_settings(write(tmp_path, yaml.safe_dump(MINIMAL)), host)
    again = Settings.parse(settings.plain(), tmp_path, host)
    assert again.plain() == settings.plain()
    assert again.sha256 == settings.sha256


def test_the_schema_describes_every_component(host):
    schema = settings_schema(host)
    assert json.loads(json.dumps(schema)) == schema
    assert "generator-autoencoder" in schema["$defs"]
    assert set(schema["required"]) == {"source", "target", "classifier"}
    for offer in host.offers():
        for name, info in offer.component.settings.model_fields.items():
            assert info.description, f"{offer.component.name}.{name}"


def test_settings_without_a_name_are_those_of_the_default(tmp_path, host):
    settings = load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, "selector": {"pairs": 3}})), host)
    assert settings.selector.name == "threshold"
    assert settings.selector.settings.pairs == 3
    assert (
        load_settings(write(tmp_path, yaml.safe_dump(MINIMAL)), host, ["selector.pairs=3"]).plain() == settings.plain()
    )


def test_only_factors_may_be_auto(tmp_path, host):
    text = yaml.safe_dump({**MINIMAL, "factors": "auto", "reports": "auto", "observers": "tensorbord"})
    first, second = mistakes_of(tmp_path, text, host).mistakes
    assert {first.key, second.key} == {"reports[0].name", "observers[0].name"}
    assert 'did you mean "tensorboard"?' in f"{first} {second}"


def test_a_factor_of_columns_may_stand_for_several_of_them_but_for_each_once(tmp_path, host):
    columns = [{"name": "column", "column": 1}, {"name": "column", "column": 2}]
    assert len(load_settings(write(tmp_path, yaml.safe_dump({**MINIMAL, "factors": columns})), host).factors) == 2
    (mistake,) = mistakes_of(tmp_path, yaml.safe_dump({**MINIMAL, "factors": [*columns, columns[0]]}), host).mistakes
    assert mistake.key == "factors[2]"
    assert "second time (first as factors[0])" in mistake.message
