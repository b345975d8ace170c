"""Exit codes and options that several commands share."""

from __future__ import annotations

import click

GATE_TRIPPED, WRONG_INPUT, OUR_FAULT, INTERRUPTED = 1, 2, 3, 130

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
quiet = click.option("--quiet", is_flag=True, help="No progress on stderr.")
opened = click.option("--open", "open_", is_flag=True, help="Open the report in the browser at the end.")
