"""Pages whose text stands elsewhere in the repository, and must not be copied by hand."""

from __future__ import annotations

from pathlib import Path

SERVING = "Deploy"


def benchmarks(root: Path) -> dict[str, str]:
    """One page per file of the benchmarks, by its name; the file is included when the site is built."""
    files = sorted((root / "benchmarks").glob("*.md"))
    return {path.stem: f'--8<-- "benchmarks/{path.name}"' for path in files}


def deploy(root: Path) -> str:
    """The README's section on serving."""
    sections = (root / "README.md").read_text(encoding="utf-8").split("\n## ")
    text = next(section for section in sections if section.startswith(f"{SERVING}\n"))
    return (
        f"# {text.strip()}\n\n"
        "The commands: [Command line](command-line.md). A layout of your own is a plugin: "
        "[`shiftlens_targets`](hooks/shiftlens_targets.md)."
    )
