"""``shiftlens plugins``: list, show, scaffold and check what is installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from shiftlens.core.commands.options import GATE_TRIPPED, as_json, quiet
from shiftlens.core.errors import InputError


@click.group(invoke_without_command=True)
@as_json
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List what is installed, with version, API, status and reason."""
    if context.invoked_subcommand is not None:
        return
    from shiftlens.core.commands.listing import listing_plain, listing_text
    from shiftlens.core.host.host import Host

    host = Host()
    click.echo(json.dumps(listing_plain(host), indent=2) if as_json else listing_text(host))


@plugins.command()
@click.argument("name")
@as_json
def show(name: str, as_json: bool) -> None:
    """What one component does, and the table of its settings."""
    from shiftlens.core.commands.listing import component_plain, component_text
    from shiftlens.core.host.host import Host

    host = Host()
    click.echo(json.dumps(component_plain(host, name), indent=2) if as_json else component_text(host, name))


@plugins.command()
@click.argument("name")
@click.option("--kind", required=True, metavar="KIND", help="generator, selector, factor, renderer, reader, loss ...")
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write it in.  [default: the current one]")
def new(name: str, kind: str, out: Path | None) -> None:
    """Write a complete small distribution to start a plugin from; its tests are green at once."""
    from shiftlens.core.host.scaffold import write_plugin

    folder = write_plugin(name, kind, out)
    click.echo(folder)
    click.echo(f"next: cd {folder} && pip install -e '.[test]' && pytest", err=True)


@plugins.command()
@click.argument("name")
@click.option("--kind", metavar="KIND", help="Only what it offers of this kind.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting to check it with.")
@click.option("--rule", "only", multiple=True, metavar="RULE", help="Look at this rule only.")
@as_json
@quiet
def check(
    name: str, kind: str | None, overrides: tuple[str, ...], only: tuple[str, ...], as_json: bool, quiet: bool
) -> int:
    """Hold a component, or all that a plugin or distribution offers, to the rules of its kind."""
    from shiftlens.core.host.host import Host
    from shiftlens.core.testing.check import check_offers, findings_text, offers_called
    from shiftlens.core.testing.rules import Finding

    def told(finding: Finding) -> None:
        if not quiet:
            click.echo(f"{finding.rule.anchor}: {finding.status} ({finding.seconds:.1f} s)", err=True)

    settings = dict(key_and_value(override) for override in overrides)
    table = check_offers(offers_called(Host(), name, kind), settings, only, told)
    click.echo(json.dumps(table, indent=2) if as_json else findings_text(table))
    return GATE_TRIPPED if any(entry["status"] != "ok" for entry in table) else 0


def key_and_value(override: str) -> tuple[str, Any]:
    """``key=value`` as of ``--set``; the value is YAML."""
    import yaml

    from shiftlens.core.config.yaml_file import parse_yaml, told

    key, equals, value = override.partition("=")
    if not equals or not key:
        raise InputError(f'--set takes key=value, for example --set steps=60; not "{override}"')
    try:
        return key, parse_yaml(value)
    except yaml.YAMLError as error:
        raise InputError(f'--set {key}: "{value:.80}" is not a YAML value: {told(error)}') from None
