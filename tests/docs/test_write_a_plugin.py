"""The page "Write a plugin", typed in block by block in an empty folder and an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from freshenvironment import environment
from realdata import ROOT

PAGE = ROOT / "docs" / "write-a-plugin.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```', re.MULTILINE | re.DOTALL)


@pytest.mark.wheel
@pytest.mark.timeout(1800)  # two demos and the conformance kit, on a busy machine too
@pytest.mark.skipif(os.name == "nt", reason="the blocks are for a POSIX shell")
def test_every_block_works_in_the_order_of_the_page(tmp_path: Path) -> None:
    environ = environment(tmp_path / "environment")
    folder = tmp_path / "folder"
    folder.mkdir()
    printed, seen = "", set()
    for language, title, text in BLOCK.findall(PAGE.read_text()):
        seen.add(language)
        if title:
            (folder / title).parent.mkdir(exist_ok=True)
            (folder / title).write_text(text)
        elif language == "bash":
            done = subprocess.run(["bash", "-e", "-c", text], cwd=folder, env=environ, capture_output=True, text=True)
            assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
            printed = done.stdout
        elif language == "text":  # what the block before it prints
            assert all(line.strip() in printed for line in text.splitlines()), f"{text}\nis not in\n{printed}"
        else:
            assert language == "yaml", f"nobody runs {language} here"
            settings = folder / "shiftlens-demo" / "changed.yaml"
            changed = {**yaml.safe_load((settings.parent / "analysis.yaml").read_text()), **yaml.safe_load(text)}
            settings.write_text(yaml.safe_dump(changed))
            command = "import shiftlens, sys; shiftlens.load_settings(sys.argv[1])"
            subprocess.run(["python", "-c", command, settings], env=environ, check=True)
    assert seen == {"toml", "python", "bash", "text", "yaml"}

    report = (folder / "shiftlens-demo/run/report.html").read_text()
    results = yaml.safe_load((folder / "shiftlens-demo/run/results.json").read_text())
    assert results["generator"]["name"] == "linear"
    assert results["generator"]["latent"] == 4
    assert "linear" in report
