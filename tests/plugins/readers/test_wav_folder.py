"""The wav-folder reader, on spoken digits and on files made to be difficult."""

from __future__ import annotations

import logging
import os
import sys
import wave
import zipfile
from pathlib import Path

import numpy as np
import pytest
from realdata import data_file, spoken

from shiftlens.core.data.domain import Domain
from shiftlens.core.errors import InputError
from shiftlens.plugins.readers import wav_folder
from shiftlens.plugins.readers.wav_folder import READER, Settings, WavFolderReader


def read(root: Path, **settings: object) -> Domain:
    scratch = root.parent / "scratch"
    scratch.mkdir(exist_ok=True)
    return WavFolderReader(Settings(path=root, **settings))(scratch)


def write_wav(path: Path, values: np.ndarray, rate: int = 8000, width: int = 2) -> None:
    """Whole numbers (T,) or (T, channels) as PCM of ``width`` bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    values = values if values.ndim == 2 else values[:, None]
    four = values.astype("<i4").reshape(-1, 1).view(np.uint8)[:, :width]
    with wave.open(str(path), "wb") as file:
        file.setnchannels(values.shape[1])
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(four.tobytes())


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """The first recording of three digits by each of six speakers, one folder per digit."""
    with zipfile.ZipFile(data_file("fsdd.zip")) as archive:
        for name in archive.namelist():
            if name[0] in "123" and name.endswith("_0.wav"):
                target = tmp_path / "spoken" / name[0] / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    return tmp_path / "spoken"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two classes of two short sounds, rising numbers."""
    for label in ("a", "b"):
        for i, length in enumerate((100, 60)):
            write_wav(tmp_path / "small" / label / f"{i}.wav", np.arange(length) * (1 if label == "a" else -1))
    return tmp_path / "small"


def test_spoken_digits_come_out_as_decoded_elsewhere(tree: Path) -> None:
    domain = read(tree, length=4096, rate=8000)
    assert domain.kind == "series"
    assert domain.sample_shape == (1, 4096)
    assert domain.labels is not None
    assert sorted(set(domain.labels)) == ["1", "2", "3"]
    assert domain.names[0].startswith("1/1_")
    x, y = spoken(6)  # the same recordings, read by the tests' own code
    theirs = {(label, row.tobytes()) for row, label in zip(x, y, strict=True) if label in "123"}
    ours = {(label, row.tobytes()) for row, label in zip(domain.batch(slice(None)), domain.labels, strict=True)}
    assert ours == theirs
    assert len(ours) == 18


def test_decoded_once_and_again_when_a_file_changes(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = read(small, length=100).batch(slice(None))
    seen: list[str] = []
    decode = wav_folder.decoded_as
    monkeypatch.setattr(wav_folder, "decoded_as", lambda s, *how: seen.append(s.name) or decode(s, *how))
    np.testing.assert_array_equal(read(small, length=100).batch(slice(None)), before)
    assert seen == []
    write_wav(small / "a" / "0.wav", np.full(100, 9))
    assert read(small, length=100).batch(slice(0, 1))[0, 0, 0] == 9 / 2**15
    assert len(seen) == 4
    assert len(list((small.parent / "scratch").glob("*.npy"))) == 1


def test_longer_sounds_are_cut_and_shorter_ones_padded(small: Path) -> None:
    start = read(small, length=80).batch(slice(0, 2))[:, 0] * 2**15
    np.testing.assert_array_equal(start[0], np.arange(80))
    np.testing.assert_array_equal(start[1], np.r_[np.arange(60), np.zeros(20)])
    centre = read(small, length=80, keep="centre").batch(slice(0, 2))[:, 0] * 2**15
    np.testing.assert_array_equal(centre[0], np.arange(10, 90))
    np.testing.assert_array_equal(centre[1], np.r_[np.zeros(10), np.arange(60), np.zeros(10)])


def test_the_length_is_guessed_and_told(small: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "shiftlens"):
        assert read(small).sample_shape == (1, 128)
    assert "from 60 to 100 values; all are brought to 128" in caplog.text
    for file in small.rglob("1.wav"):
        file.unlink()
    caplog.clear()
    assert read(small).sample_shape == (1, 100)
    assert not caplog.records


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_every_width_of_pcm(tmp_path: Path, width: int) -> None:
    top = 2 ** (8 * width - 1)
    silence = 128 if width == 1 else 0
    write_wav(tmp_path / "w" / "a" / "x.wav", np.array([0, -top, top // 2] * 10) + silence, width=width)
    np.testing.assert_allclose(read(tmp_path / "w").batch(slice(None))[0, 0, :3], [0, -1, 0.5])


def test_channels(tmp_path: Path) -> None:
    both = np.stack([np.full(50, 1000), np.full(50, 3000)], axis=1)
    write_wav(tmp_path / "s" / "a" / "stereo.wav", both)
    assert read(tmp_path / "s").sample_shape == (2, 50)
    mono = read(tmp_path / "s", channels="mono").batch(slice(None))
    np.testing.assert_allclose(mono, np.full((1, 1, 50), 2000 / 2**15))
    write_wav(tmp_path / "s" / "a" / "mono.wav", np.full(50, 500))
    assert read(tmp_path / "s").sample_shape == (1, 50)
    np.testing.assert_allclose(read(tmp_path / "s", channels="stereo").batch(slice(0, 1)), 500 / 2**15)


def test_labels_csv_names_files_in_its_own_order(small: Path) -> None:
    for file in small.rglob("*.wav"):
        file.rename(small / f"{file.parent.name}{file.name}")
    labels = small / "labels.csv"
    labels.write_text("label,file,who\nno, b0.wav,me\nyes,a0.wav,you\n")
    domain = read(small, length=100)
    assert domain.labels is not None
    assert domain.labels.tolist() == ["no", "yes"]
    assert domain.batch(slice(None))[:, 0, 1].tolist() == [-1 / 2**15, 1 / 2**15]
    labels.write_text("label,file\nyes,a0.wav\nno,b0.wav\n")
    assert read(small, length=100).batch(slice(None))[:, 0, 1].tolist() == [1 / 2**15, -1 / 2**15]
    assert labels in WavFolderReader(Settings(path=small)).files()


def test_a_flat_folder_has_no_labels(small: Path) -> None:
    assert read(small / "a", length=100).labels is None


def test_mistakes_in_labels_csv_are_told_together(small: Path) -> None:
    (small / "labels.csv").write_text("file,label\na/0.wav,x\na/0.wav,x\nnone.wav,y\nb/0.wav,\n")
    with pytest.raises(InputError) as caught:
        read(small)
    for part in ("line 3: a/0.wav is named a second time", "line 4: there is no file", "line 5: the label is empty"):
        assert part in str(caught.value)
    (small / "labels.csv").write_text("where,label\na/0.wav,x\n")
    with pytest.raises(InputError, match="line 1: there is no column file; begin it with file,label"):
        read(small)
    (small / "labels.csv").write_text("file,label\n")
    with pytest.raises(InputError, match="names no sounds"):
        read(small)


def test_broken_files_are_all_named(small: Path) -> None:
    (small / "a" / "0.wav").write_bytes(b"not a sound")
    (small / "b" / "0.wav").write_bytes(b"")
    write_wav(small / "b" / "2.wav", np.zeros(0))
    with pytest.raises(InputError) as caught:
        read(small)
    text = str(caught.value)
    assert text.startswith(f"3 of 5 sounds in {small} cannot be read; repair or remove them")
    assert str(small / "a" / "0.wav") in text
    assert f"{small / 'b' / '2.wav'}: it holds no sound" in text


def test_a_file_that_is_cut_off(small: Path) -> None:
    file = small / "a" / "0.wav"
    file.write_bytes(file.read_bytes()[:-80])
    domain = read(small)
    assert len(domain) == 3
    assert "it is cut off; 100 values were announced, 60 came" in domain.notes[0]
    with pytest.raises(InputError, match=r"1 of 4 sounds .* let more be left out with skip \(now 0, as"):
        read(small, skip=0)


def test_another_rate_is_told_and_resampled_where_a_rate_is_set(small: Path) -> None:
    times = np.arange(1600) / 16000
    write_wav(small / "b" / "0.wav", 10000 * np.sin(2 * np.pi * 440 * times), rate=16000)
    with pytest.raises(
        InputError, match=r"1 of 4 sounds .* do not have the 8000 Hz that most have; set rate: 8000(.|\n)*16000 Hz"
    ):
        read(small)
    domain = read(small, rate=8000, length=800)
    assert domain.agrees == {"rate": 8000}
    assert domain.notes == ("Sounds were resampled to 8000 Hz: 1 of 16000 Hz.",)
    sound = domain.batch(np.array([domain.names.index("b/0.wav")]))[0, 0]
    expected = 10000 / 2**15 * np.sin(2 * np.pi * 440 * np.arange(800) / 8000)
    assert np.abs(sound - expected)[50:-50].max() < 0.01


def test_what_a_pipe_wrote_is_read_as_far_as_it_goes(small: Path) -> None:
    whole = read(small, length=100).batch(slice(None))
    for size in (0xFFFFFFFF, 0x7FFFFFFF - 36):
        for file in small.rglob("*.wav"):
            raw = bytearray(file.read_bytes())
            raw[4:8] = size.to_bytes(4, "little")
            raw[40:44] = size.to_bytes(4, "little")
            file.write_bytes(raw)
        np.testing.assert_array_equal(read(small, length=100).batch(slice(None)), whole)


def test_folders_that_cannot_be_used(tmp_path: Path, small: Path) -> None:
    with pytest.raises(InputError, match="does not exist; give a folder"):
        read(tmp_path / "nowhere")
    with pytest.raises(InputError, match="is a file, not a folder"):
        read(small / "a" / "0.wav")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no sounds .* labels\.csv"):
        read(tmp_path / "empty")
    os.link(small / "a" / "0.wav", small / "stray.wav")
    with pytest.raises(InputError, match=r"1 sounds beside its class folders \(such as stray\.wav\)"):
        read(small)


def test_other_formats_are_read_with_soundfile(tree: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    plain = read(tree, length=4096).batch(slice(None))
    for file in tree.rglob("*.wav"):
        values, rate = soundfile.read(file, dtype="float32")
        soundfile.write(file.with_suffix(".flac"), values, rate, subtype="PCM_16")
        file.unlink()
    np.testing.assert_array_equal(read(tree, length=4096).batch(slice(None)), plain)


def test_without_soundfile_the_message_says_what_to_install(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (small / "a" / "0.wav").rename(small / "a" / "0.flac")
    (small / "a" / "0.flac").write_bytes(b"fLaC" + bytes(100))
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(InputError, match=r"need soundfile: pip install 'shiftlens\[sound\]'"):
        read(small)


def test_claims_folders_with_sounds(small: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert READER.claims({"path": "small"}, tmp_path)
    assert not READER.claims({"path": "empty"}, tmp_path)
    assert not READER.claims({"path": "small/a/0.wav"}, tmp_path)
    assert not READER.claims({}, tmp_path)
