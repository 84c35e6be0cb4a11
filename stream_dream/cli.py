"""The command line: parse, build, print, exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from stream_dream.errors import Interrupted, SettingsError, StreamDreamError
from stream_dream.live_command import live
from stream_dream.looks_command import looks
from stream_dream.loop_command import loop
from stream_dream.network_command import networks
from stream_dream.options import (
    Command,
    Debug,
    Overwrite,
    Preset,
    Quiet,
    complain,
    counted,
    default_text,
    dreamed,
    file_argument,
    look_names,
    print_table,
    with_optional_values,
    with_options,
)
from stream_dream.plan_command import plan
from stream_dream.render_command import render
from stream_dream.runtime.quiet import debugging
from stream_dream.runtime.standard_streams import failure
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import StillSettings
from stream_dream.settings.presets import DEFAULT_PRESET, preset_files, preset_text, presets
from stream_dream.settings.validation import part
from stream_dream.signals import Signals, StopNow, stop_at_once

# Commands that have done nothing where nothing can be printed.
_ONLY_PRINT = ("networks", "plan", "presets")
# The script of --install-completion sets it when the shell asks how a command line may go on.
_COMPLETING = "_STREAM_DREAM_COMPLETE"

app = typer.Typer(
    name="stream-dream",
    help="DeepDream for moving pictures: coherent, fast, with the sound kept.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stream-dream {version('stream-dream')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _common(
    context: typer.Context,
    _: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


app.command(cls=Command)(render)


@app.command(cls=Command)
@with_options(DreamSettings, StillSettings)
def image(
    paths: Annotated[
        list[Path],
        file_argument(
            "INPUT... OUTPUT",
            "A picture and the name of its dream, or pictures and folders and a folder.",
        ),
    ],
    preset: Preset = DEFAULT_PRESET,
    overwrite: Overwrite = False,
    quiet: Quiet = False,
    _: Debug = False,
    **knobs: Any,
) -> None:
    """Dream pictures.

    Options left out take their value from the preset; the defaults named below are those of the
    preset dogs. Pictures get all the steps of a shot's first frame, and are dreamed at 1536 pixels,
    one octave after the other, if nothing else is said.
    """
    if len(paths) < 2:
        raise SettingsError("give the name of the dream as well, or a folder for several")
    still = part(StillSettings, knobs)
    dream = dreamed(preset, knobs, quiet=quiet, stills=True)

    from stream_dream.progress import fetch_weights, picture_display
    from stream_dream.still.batch import dream_stills

    fetch_weights(dream, quiet=quiet)
    with picture_display(quiet=quiet) as shown:
        summary = dream_stills(
            paths[:-1],
            paths[-1],
            dream,
            still,
            overwrite=overwrite,
            read=preset_files(preset),
            on_picture=lambda job, count: shown.started(job.source.name, count),
            on_step=shown.advanced,
        )
    for line in summary.failed:
        complain(f"warning: {line}")
    if summary.left_out:
        count, first = len(summary.left_out), summary.left_out[0]
        complain(f"warning: {count} left out that are no pictures by their names, such as {first}")
    if summary.skipped:
        count = len(summary.skipped)
        complain(f"warning: {count} left as they are, such as {summary.skipped[0]}: --overwrite")
    if not quiet:
        done = summary.written[0] if len(summary.written) == 1 else paths[-1]
        pictures = counted(len(summary.written), "picture")
        typer.echo(f"{done}: {pictures} in {summary.seconds:.1f} s")
    if summary.failed:
        raise typer.Exit(1)


@app.command(name="presets")
def show_presets(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Print this one as TOML: a start for a look of your own.",
            autocompletion=look_names,
        ),
    ] = None,
) -> None:
    """List the looks, or print one."""
    if name is not None:
        typer.echo(preset_text(name), nl=False)
        return
    rows = [
        (preset.name, preset.description, preset.suits, default_text(preset.dream.layer))
        for preset in presets()
    ]
    print_table(rows, "preset", "what it looks like", "suits", "layers")


app.command(cls=Command)(live)
app.command(cls=Command)(looks)
app.command(cls=Command)(loop)
app.command(cls=Command)(networks)
app.command(cls=Command)(plan)


def main() -> NoReturn:
    """Run the command and end the process with its exit code."""
    if os.environ.get(_COMPLETING):
        app(prog_name="stream-dream")  # answers the shell and ends the process
    command = typer.main.get_command(app)
    try:
        Signals()
        # Not app(): it turns Ctrl-C and a closed pipe into exit codes of its own.
        with command.make_context("stream-dream", with_optional_values(sys.argv[1:])) as context:
            command.invoke(context)
            only_prints = context.invoked_subcommand in _ONLY_PRINT
        sys.exit(1 if only_prints and failure() else 0)
    except typer.Exit as finished:
        sys.exit(finished.exit_code)
    except typer.TyperException as error:
        complain(f"error: {' '.join(error.format_message().split())} (see --help)")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort, StopNow):
        stop_at_once()
    except BrokenPipeError:
        os._exit(1)  # "stream-dream ... --json | head": nobody listens any more
    except Interrupted as stopped:
        complain(str(stopped))
        sys.exit(stopped.exit_code)
    except StreamDreamError as error:
        _report(error, str(error), error.exit_code)
    except Exception as error:
        hint = "" if debugging() else " (--debug shows where)"
        _report(error, f"{type(error).__name__}: {error}{hint}", 1)


def _report(error: Exception, message: str, exit_code: int) -> NoReturn:
    if debugging():
        traceback.print_exception(error)
    complain(f"error: {' '.join(message.split())}")
    sys.exit(exit_code)
