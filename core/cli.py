"""The command line. Each command imports what it needs when it runs, so that ``shiftlens --help`` is quick.

stdout carries results only; progress and messages go to stderr. Exit codes: 0 done; 1 done, but a ``--fail-on`` gate
tripped; 2 the input is wrong; 3 a fault of shiftlens; 130 interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from shiftlens import __version__
from shiftlens.core.commands.options import INTERRUPTED, OUR_FAULT, WRONG_INPUT, as_json, opened, quiet
from shiftlens.core.commands.plugins import plugins
from shiftlens.core.commands.process import GOES_ON, prepare
from shiftlens.core.commands.shown import shown
from shiftlens.core.errors import InputError, ShiftlensError
from shiftlens.core.host.watchdog import kept_alive

if TYPE_CHECKING:
    from shiftlens.core.host.host import Host


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="shiftlens")
def cli() -> None:
    """Show and prove which change in the data costs a classifier its accuracy."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    prepare()
    sys.exit(_run_command_line(arguments))


def _run_command_line(arguments: Sequence[str] | None) -> int:
    try:
        with kept_alive("code that this command runs"):
            result = cli.main(args=arguments, prog_name="shiftlens", standalone_mode=False)
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return WRONG_INPUT
    except ShiftlensError as error:
        _show_strictly(error)
        click.echo(f"error: {error}", err=True)
        return WRONG_INPUT
    except (KeyboardInterrupt, click.Abort):
        click.echo(GOES_ON, err=True)
        return INTERRUPTED
    except BrokenPipeError:  # the reader of our output has gone, as in `shiftlens plugins | head`
        sys.stderr.close()
        return 0
    except OSError as error:  # a full disk, a folder that may not be written to; log.txt has the traceback
        click.echo(f"error: {error}; mend that, and the same command goes on where it stopped", err=True)
        return WRONG_INPUT
    except Exception as error:
        import traceback

        if _comes_from_an_interruption(error):
            click.echo(GOES_ON, err=True)
            return INTERRUPTED
        traceback.print_exc()
        click.echo("this is a fault of shiftlens; log.txt in the run directory tells how far it came", err=True)
        return OUR_FAULT


def _comes_from_an_interruption(error: BaseException | None) -> bool:
    """Whether Ctrl-C is behind an error: libraries in C that are being imported turn it into one of their own."""
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def _show_strictly(error: ShiftlensError) -> None:
    """In strict mode, the traceback of the plugin's own code that is behind an error."""
    import os
    import traceback

    if os.environ.get("SHIFTLENS_STRICT") == "1" and error.__cause__ is not None:
        traceback.print_exception(error.__cause__)


@cli.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("shiftlens-demo"),
    show_default=True,
    help="Folder for the data, the settings and the run.",
)
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Change a setting.")
@opened
@quiet
def demo(out: Path, overrides: tuple[str, ...], open_: bool, quiet: bool) -> None:
    """The whole job on real handwritten digits: what made this classifier fail?"""
    from shiftlens.core.data.demo import write_demo

    _analyse(Asked(write_demo(out), out / "run", overrides, quiet, open_=open_))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path), metavar="DIR")
@click.option("--source", type=click.Path(path_type=Path), required=True, help="Data before the shift.")
@click.option("--target", type=click.Path(path_type=Path), required=True, help="Data after the shift.")
@click.option("--classifier", help="A .onnx, .pt2 or .pt file, or package.module:callable; trained here when left out.")
def init(folder: Path, source: Path, target: Path, classifier: str | None) -> None:
    """Look at the data and write a commented analysis.yaml that runs as it is."""
    from shiftlens.core.commands.init import write_settings
    from shiftlens.core.host.host import Host

    written = write_settings(folder, source, target, classifier, Host())
    click.echo(written)
    click.echo(f"next: shiftlens run {written}", err=True)


@cli.command()
@click.argument("model", metavar="MODEL")
@as_json
def inspect(model: str, as_json: bool) -> None:
    """What was understood of a classifier file: inputs, layout, outputs, classes, batch."""
    from shiftlens.core.commands import inspect as looked
    from shiftlens.core.host.host import Host

    found = looked.understood(model, Host())
    click.echo(json.dumps(looked.plain(found), indent=2) if as_json else looked.text(model, found))


@cli.command()
@click.argument("config", type=click.Path(path_type=Path), metavar="CONFIG")
@click.option("--out", type=click.Path(path_type=Path), help="Run directory.  [default: runs/NAME beside CONFIG]")
@click.option("--until", metavar="STAGE", help="Stop after this stage.")
@click.option("--from", "from_", metavar="STAGE", help="Do this stage and all later ones again.")
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Change a setting.")
@click.option("--fail-on", multiple=True, metavar="GATE", help="harmful, drop=0.05 or fidelity=0.8: exit with 1.")
@opened
@quiet
def run(
    config: Path,
    out: Path | None,
    until: str | None,
    from_: str | None,
    overrides: tuple[str, ...],
    fail_on: tuple[str, ...],
    open_: bool,
    quiet: bool,
) -> int:
    """Analyse; a second run does only what has changed, a killed one goes on where it stopped."""
    return _analyse(Asked(config, out, overrides, quiet, until, from_, fail_on, open_))


@dataclass(frozen=True)
class Asked:
    """What ``run`` and ``demo`` are asked for, in the words of their options."""

    config: Path
    out: Path | None
    overrides: Iterable[str]
    quiet: bool
    until: str | None = None
    from_: str | None = None
    fail_on: Iterable[str] = ()
    open_: bool = False


def _analyse(asked: Asked) -> int:
    """One run with progress, its result on stdout, and its gates."""
    from shiftlens.core.commands import ending
    from shiftlens.core.config.settings import load_settings
    from shiftlens.core.host.host import Host
    from shiftlens.core.results.gates import parse_gates
    from shiftlens.core.run import pipeline

    gates = parse_gates(asked.fail_on)
    if gates and asked.until not in (None, "explain", "render"):
        raise InputError("--fail-on needs the results, which --until leaves out")
    if asked.open_ and asked.until not in (None, "render"):
        raise InputError("--open needs the report, which --until leaves out")
    host = Host()
    _warn_of_problems(host)
    settings = load_settings(asked.config, host, asked.overrides)
    with shown(host, asked.quiet) as progress:
        finished = pipeline.run(settings, asked.out, asked.until, asked.from_, host)
    if not progress.work.done and not asked.quiet:
        click.echo("up to date: nothing has changed since the last run", err=True)
    if asked.until not in (None, "explain", "render"):
        click.echo(finished.path)
        return 0
    code = ending.tell(finished, progress.warnings.told, gates)
    if asked.open_:
        ending.open_page(finished)
    return code


def _warn_of_problems(host: Host) -> None:
    for problem in host.problems:
        click.echo(f"plugin {problem.plugin} is left out: {problem.reason}", err=True)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--renderer", "renderers", multiple=True, metavar="NAME", help="One of `shiftlens plugins`.")
def report(directory: Path, renderers: tuple[str, ...]) -> None:
    """Render a finished run again, without torch and without the data."""
    from shiftlens.core.config.settings import choices
    from shiftlens.core.host.host import Host
    from shiftlens.core.host.kinds import Renderer
    from shiftlens.core.run.directory import load_run
    from shiftlens.core.run.stages.render import render

    finished = load_run(directory)
    wanted = list(renderers) or finished.settings["reports"]
    for name in render(finished, choices(Host(), Renderer, wanted, finished.base)):
        click.echo(finished.path / name)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .npz to write.")
@click.option("--seed", default=0, show_default=True, help="Another seed gives other strengths.")
@quiet
def augment(directory: Path, out: Path, seed: int, quiet: bool) -> None:
    """Write source samples changed as the run's augmentation.yaml says, to retrain with."""
    from shiftlens.core.commands.augment import write_augmented
    from shiftlens.core.host.host import Host
    from shiftlens.core.run.directory import load_run

    host = Host()
    with shown(host, quiet):
        host.notify("stage_started", stage="augment")
        count = write_augmented(
            load_run(directory),
            out,
            host,
            seed,
            lambda done, total, **values: host.notify("step", stage="augment", done=done, total=total, values=values),
        )
    click.echo(f"{count} samples in {out}", err=True)
    click.echo(out)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The .csv or .parquet to write.")
@quiet
def samples(directory: Path, out: Path, quiet: bool) -> None:
    """Write a row for every sample: prediction, loss, every factor's measure, and the nearest cause."""
    from shiftlens.core.commands.samples import write_samples
    from shiftlens.core.host.host import Host
    from shiftlens.core.run.directory import load_run

    host = Host()
    with shown(host, quiet):
        host.notify("stage_started", stage="samples")
        write_samples(
            load_run(directory),
            out,
            host,
            lambda done, total, **values: host.notify("step", stage="samples", done=done, total=total, values=values),
        )
    click.echo(out)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="A setting, such as remedy.seeds=3.")
@quiet
def remedy(directory: Path, overrides: tuple[str, ...], quiet: bool) -> int:
    """Try the remedies of a finished run again, and measure them on held-out target samples."""
    from shiftlens.core.commands.remedy import measure_remedies
    from shiftlens.core.host.host import Host
    from shiftlens.core.run.directory import load_run

    host = Host()
    with shown(host, quiet):
        for line in measure_remedies(load_run(directory), overrides, host):
            click.echo(line)
    return 0


@cli.command()
@click.argument("bundle", type=click.Path(path_type=Path), metavar="BUNDLE")
@click.option(
    "--source", type=click.Path(path_type=Path), required=True, help="One sample that the classifier gets right."
)
@click.option(
    "--target",
    type=click.Path(path_type=Path),
    help="One that it gets wrong, for the generated grid between both. Without it, the fitted changes are made on the "
    "source sample: the intervention grid.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="What to write: .png, .npz or .json.")
@click.option("--label", help="The true class; taken from the prediction of the source when left out.")
@click.option("--features", type=click.IntRange(2, 64), default=5, show_default=True, help="Columns.")
@click.option("--losses", type=click.IntRange(2, 64), default=5, show_default=True, help="Rows.")
def grid(
    bundle: Path, source: Path, target: Path | None, out: Path, label: str | None, features: int, losses: int
) -> None:
    """A grid of new samples from an exported bundle, without torch."""
    from shiftlens.export.grid_command import write_grid, write_intervention

    if target is None:
        written = write_intervention(bundle, source, out, label, features, losses)
    else:
        written = write_grid(bundle, source, target, out, label, features, losses)
    for path in written:
        click.echo(path)


@cli.command()
@click.argument("directory", type=click.Path(path_type=Path), metavar="RUN")
@click.option("--target", required=True, metavar="NAME", help="directory, triton, mlserver or a plugin's.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="A new or empty folder.")
@click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help="A setting of the target.")
@click.option("--backend", help="Short for --set backend=...: triton's onnxruntime or python.")
@click.option(
    "--classifier",
    metavar="NAME",
    help="A mended one in place of the run's own: restored, refitted, retrained, or as a plugin calls it.",
)
@click.option(
    "--precision",
    type=click.Choice(["float32", "int8"]),
    default="float32",
    show_default=True,
    help="Of the classifier; int8 is smaller, and what it costs is told.",
)
@click.option(
    "--accept-loss",
    type=click.FloatRange(0, 1),
    default=0.01,
    show_default=True,
    help="With int8: the largest fall of the accuracy that is accepted.",
)
@quiet
def export(
    directory: Path,
    target: str,
    out: Path,
    overrides: tuple[str, ...],
    backend: str | None,
    classifier: str | None,
    precision: str,
    accept_loss: float,
    quiet: bool,
) -> None:
    """Write a finished run's models for a server: `shiftlens plugins show TARGET` lists the settings."""
    from shiftlens.core.commands.export import Delivery, export_run
    from shiftlens.core.host.host import Host
    from shiftlens.core.run.directory import load_run

    host = Host()
    wanted = [*overrides, *([f"backend={backend}"] if backend else [])]
    with shown(host, quiet):
        host.notify("stage_started", stage="export")
        told = export_run(
            load_run(directory),
            Delivery(target, wanted, classifier, precision, accept_loss),
            out,
            host,
            lambda done, total, **values: host.notify("step", stage="export", done=done, total=total, values=values),
        )
    if precision == "int8":
        click.echo(
            f"accuracy of the classifier on {told['judged_on']}: {told['accuracy_float32']:.2%} before, "
            f"{told['accuracy_int8']:.2%} as int8",
            err=True,
        )
    click.echo(out)


@cli.command()
def schema() -> None:
    """JSON Schema of the settings, for editors."""
    from shiftlens.core.config.settings import settings_schema
    from shiftlens.core.host.host import Host

    click.echo(json.dumps(settings_schema(Host()), indent=2))


@cli.command()
@as_json
def doctor(as_json: bool) -> None:
    """What this machine has: versions, execution providers really usable, conflicts."""
    from shiftlens.core.commands.doctor import examine

    found = examine()
    if as_json:
        click.echo(json.dumps(found.plain(), indent=2))
    else:
        click.echo(found.text())


cli.add_command(plugins)
