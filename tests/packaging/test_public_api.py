"""Whoever changes something public has to write down, in the changelog, that it changed."""

from __future__ import annotations

import pytest
from public_api import CHANGELOG, changes, is_released, public_api, read, since_the_last_release, unnamed, write


def test_every_public_change_since_the_last_release_is_named_in_the_changelog() -> None:
    version, before = read()
    missing = unnamed(
        changes(before, public_api()), since_the_last_release(CHANGELOG.read_text(encoding="utf-8"), version)
    )
    told = "\n".join(f"  `{name}` {what}" for name, what in missing.items())
    assert not missing, (
        f"the public API differs from that of {version} in what CHANGELOG.md does not name:\n{told}\n"
        "Name each in backticks under Unreleased (docs/compatibility.md says what may change, and how). At a release, "
        "and as often as you like before the first one, python tests/public_api.py --write makes this the one to "
        "compare with."
    )


def test_the_snapshot_is_read_as_it_was_written(tmp_path) -> None:
    api = public_api()
    write(api, tmp_path / "api.txt")
    assert read(tmp_path / "api.txt")[1] == api


def test_what_others_build_on_is_in_it() -> None:
    api = public_api()
    for name in (
        "Host.find", "shiftlens_factors", "Factor.unit", "FactorWorker.measure", "check_generator", "Results.headline",
        "generator vae.latent", "shiftlens run --until", "setting seed", "Domain.batch", "ShiftlensError",
    ):  # fmt: skip
        assert name in api


@pytest.mark.parametrize(
    ("changelog", "left"),
    [
        ("", ["Factor.unit", "Mixer", "Mixer.speed", "shiftlens mix", "shiftlens mix --fast"]),
        ("`Factor.unit` is in full words; `Mixer` and `shiftlens mix` are new", []),
        ("`Mixer`, `Factor` and `shiftlens` have changed", ["Factor.unit", "shiftlens mix", "shiftlens mix --fast"]),
    ],
)
def test_a_change_is_named_by_itself_or_by_the_new_thing_it_is_part_of(changelog: str, left: list[str]) -> None:
    before = {"Factor": "class", "Factor.unit": "str = ''", "shiftlens": "command"}
    after = {
        "Factor": "class", "Factor.unit": "str", "shiftlens": "command", "Mixer": "class", "Mixer.speed": "int",
        "shiftlens mix": "command", "shiftlens mix --fast": "option",
    }  # fmt: skip
    assert list(unnamed(changes(before, after), changelog)) == left


def test_only_what_was_written_since_that_release_counts() -> None:
    log = "# Changelog\n\n## Unreleased\n- `new`\n\n## [0.2.0] - 2026-01-01\n- `old`\n\n## 0.1.0\n- `older`\n"
    assert "`new`" in since_the_last_release(log, "0.2.0")
    assert "`old`" not in since_the_last_release(log, "0.2.0")
    assert "`old`" in since_the_last_release(log, "0.1.0")
    assert "`older`" in since_the_last_release(log, "0.0.9")
    assert [is_released(log, version) for version in ("0.2.0", "0.1.0", "0.3.0")] == [True, True, False]
