"""Pages whose text stands elsewhere in the repository, and must not be copied by hand."""

from __future__ import annotations

from pathlib import Path

SERVING = "On a server"


def benchmarks(root: Path) -> str:
    """The benchmarks' own files, included when the site is built."""
    files = sorted(path.name for path in (root / "benchmarks").glob("*.md"))
    return "\n\n".join(f'--8<-- "benchmarks/{file}"' for file in files)


def deploy(root: Path) -> str:
    """The README's section on serving."""
    sections = (root / "README.md").read_text(encoding="utf-8").split("\n## ")
    text = next(section for section in sections if section.startswith(f"{SERVING}\n"))
    return (
        f"# {text.strip()}\n\n"
        "The commands: [Command line](command-line.md). A layout of your own is a plugin: "
        "[`shiftlens_targets`](hooks/shiftlens_targets.md)."
    )
