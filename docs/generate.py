"""Writes docs/reference/, and its hooks and benchmarks in mkdocs.yml, from the code.

    python docs/generate.py            write what differs
    python docs/generate.py --check    write nothing; fail where a page differs from the code

Only what ships with shiftlens is told, whatever else is installed.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from writing import command_line, hooks, included, python_api, results, rules, settings
from writing.source import HOOKS, HOST

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "docs" / "reference"
NAVIGATION = ROOT / "mkdocs.yml"


def pages() -> dict[Path, str]:
    """Every generated file with its content."""
    found = {REFERENCE / f"hooks/{name}.md": hooks.page(name) for name in HOOKS}
    found[REFERENCE / "hooks/index.md"] = hooks.index()
    found[REFERENCE / "settings.md"] = settings.page()
    found[REFERENCE / "command-line.md"] = command_line.page()
    found[REFERENCE / "results.md"] = results.page()
    found[REFERENCE / "python.md"] = python_api.page()
    found[REFERENCE / "rules.md"] = rules.page()
    found |= {REFERENCE / f"benchmarks/{name}.md": text for name, text in included.benchmarks(ROOT).items()}
    found[REFERENCE / "deploy.md"] = included.deploy(ROOT)
    return {path: text.rstrip() + "\n" for path, text in found.items()}


def navigation() -> str:
    """mkdocs.yml with one line per hook and per benchmark."""
    text = NAVIGATION.read_text(encoding="utf-8")
    lists = {"hooks": HOOKS, "benchmarks": sorted(included.benchmarks(ROOT))}
    for folder, names in lists.items():
        begin, end = f"      # {folder}, from docs/generate.py\n", f"      # end of {folder}\n"
        before, rest = text.split(begin)
        lines = "".join(f"      - {name}: reference/{folder}/{name}.md\n" for name in names)
        text = before + begin + lines + end + rest.split(end)[1]
    return text


def not_installed() -> set[str]:
    """Rooms of plugins that pyproject.toml names and the installed shiftlens does not: their pages would be empty."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["entry-points"][
        "shiftlens"
    ]
    return set(declared) - {plugin.name for plugin in HOST.plugins if plugin.distribution == "shiftlens"}


def main(arguments: list[str]) -> int:
    """Write or compare; 1 where a comparison fails."""
    if missing := not_installed():
        print(f"install shiftlens again: {', '.join(sorted(missing))} came after; pip install -e .", file=sys.stderr)
        return 1
    wanted = {**pages(), NAVIGATION: navigation()}
    stale = [path for path in sorted(REFERENCE.rglob("*.md")) if path not in wanted]
    differs = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    names = [str(path.relative_to(ROOT)) for path in (*differs, *stale)]
    if "--check" in arguments:
        if names:
            print(f"not as the code says: {', '.join(names)}; run `python docs/generate.py`", file=sys.stderr)
        return 1 if names else 0
    for path in differs:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(wanted[path], encoding="utf-8")
    for path in stale:
        path.unlink()
    print("\n".join(names) or "nothing has changed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
