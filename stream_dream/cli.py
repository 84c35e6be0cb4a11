"""The command line: parse, build, print, exit codes."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table

from stream_dream.errors import Interrupted, StreamDreamError
from stream_dream.options import default_text, with_options
from stream_dream.quiet import DEBUG_VARIABLE, debugging
from stream_dream.settings import (
    DEFAULT_PRESET,
    DreamSettings,
    OutputSettings,
    load_preset,
    preset_text,
    presets,
    validated,
)

if TYPE_CHECKING:
    from stream_dream.render import RenderSummary

# What a second Ctrl-C leaves to clean up in; a busy main thread is not waited for longer.
_GRACE_SECONDS = 1.0

app = typer.Typer(
    name="stream-dream",
    help="DeepDream for moving pictures: coherent, fast, with the sound kept.",
    add_completion=False,
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


@app.command()
@with_options(DreamSettings, OutputSettings)
def render(
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file or animated GIF.")],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUTPUT",
            help=".mp4, .mov, .mkv, .webm, .gif, .webp or a pattern like %05d.png.",
        ),
    ],
    preset: Annotated[
        str, typer.Option(help="A look: a name (see: stream-dream presets) or a .toml file.")
    ] = DEFAULT_PRESET,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing output.")
    ] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Show only warnings and errors.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a report on each frame as a line of JSON.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show tracebacks and the libraries' messages.")
    ] = False,
    **knobs: Any,
) -> None:
    """Dream a video file.

    Options left out take their value from the preset; the defaults named below are those of the
    preset dogs.
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    given = {name: value for name, value in knobs.items() if value is not None}
    base = load_preset(preset).dream
    chosen = {name: value for name, value in given.items() if name in DreamSettings.model_fields}
    dream = validated(DreamSettings, {**base.model_dump(), **chosen})
    output = validated(OutputSettings, {k: v for k, v in given.items() if k not in chosen})

    # OpenCV and TensorFlow are imported here and not earlier: --help answers at once.
    from stream_dream.progress import display
    from stream_dream.render import render as render_file

    with display(quiet=quiet, as_json=as_json) as shown:
        summary = render_file(
            source,
            target,
            dream,
            output,
            overwrite=overwrite,
            on_start=shown.started,
            on_report=shown.advanced,
        )
    if summary.warning is not None:
        _complain(f"warning: {summary.warning}")
    if not quiet and not as_json:
        typer.echo(_in_one_line(summary))


@app.command(name="presets")
def show_presets(
    name: Annotated[
        str | None, typer.Argument(help="Print this one as TOML: a start for a look of your own.")
    ] = None,
) -> None:
    """List the looks, or print one."""
    if name is not None:
        typer.echo(preset_text(name), nl=False)
        return
    table = Table("preset", "what it looks like", "layers", "octaves", "step size", box=None)
    for preset in presets():
        dream = preset.dream
        layers = default_text(dream.layer)
        octaves = f"{dream.octaves} x {dream.octave_scale:g}"
        table.add_row(preset.name, preset.description, layers, octaves, f"{dream.step_size:g}")
    Console().print(table)


@app.command()
def networks(
    name: Annotated[str | None, typer.Argument(help="List the layers of this network.")] = None,
) -> None:
    """List the networks, or the layers of one."""
    from stream_dream.networks import registry

    if name is None:
        table = Table("network", "what it is", box=None)
        for spec in registry.networks():
            table.add_row(spec.name, spec.summary)
    else:
        table = Table("layer", "channels", "stride", "dreams", box=None)
        for layer in registry.find(name).layers:
            table.add_row(layer.name, str(layer.channels), str(layer.stride), layer.dreams)
    Console().print(table)


def main() -> NoReturn:
    """Run the command and end the process with its exit code."""
    command = typer.main.get_command(app)
    try:
        _Signals()
        # Not app(): it turns Ctrl-C and a closed pipe into exit codes of its own.
        with command.make_context("stream-dream", sys.argv[1:]) as context:
            command.invoke(context)
        sys.exit(0)
    except typer.Exit as finished:
        sys.exit(finished.exit_code)
    except typer.TyperException as error:
        _complain(f"error: {' '.join(error.format_message().split())} (see --help)")
        sys.exit(2)
    except (KeyboardInterrupt, typer.Abort, _StopNow):
        _stop_at_once()
    except BrokenPipeError:
        os._exit(1)  # "stream-dream ... --json | head": nobody listens any more
    except Interrupted as stopped:
        _complain(str(stopped))
        sys.exit(stopped.exit_code)
    except StreamDreamError as error:
        _report(error, str(error), error.exit_code)
    except Exception as error:
        hint = "" if debugging() else " (--debug shows where)"
        _report(error, f"{type(error).__name__}: {error}{hint}", 1)


def _in_one_line(summary: RenderSummary) -> str:
    where = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in summary.stages.items())
    frames = "1 frame" if summary.frames == 1 else f"{summary.frames} frames"
    return (
        f"{summary.target}: {frames} in {summary.seconds:.1f} s, {summary.fps:.1f} fps once begun "
        f"(side by side: {where})"
    )


def _report(error: Exception, message: str, exit_code: int) -> NoReturn:
    if debugging():
        traceback.print_exception(error)
    _complain(f"error: {' '.join(message.split())}")
    sys.exit(exit_code)


def _complain(message: str) -> None:
    typer.echo(f"stream-dream: {message}", err=True)


def _stop_at_once() -> NoReturn:
    """End the process; threads that still work are not waited for."""
    if sys.stderr.isatty():
        sys.stderr.write("\x1b[?25h")  # the cursor, which a progress bar has hidden
    _complain("stopped")
    os._exit(130)


class _StopNow(BaseException):
    """A second Ctrl-C: give up at once, and what was done so far with it."""


class _Signals:
    """Answers Ctrl-C, SIGTERM and a closed terminal: once to stop in good order, twice at once.

    Python answers a signal only between two calls of its main thread, and a call of TensorFlow may
    take seconds: two signals in it would count as one. A thread counts them as they arrive.
    """

    def __init__(self) -> None:
        self._answered = 0
        self._twice = False
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer)
        threading.Thread(target=self._count, args=(reader,), daemon=True).start()
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)  # Windows has no SIGHUP
            # Ignored: started with nohup, or in the background of a script.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._answer)

    def _answer(self, number: int, frame: FrameType | None) -> NoReturn:
        # A render answers the first by keeping what was done; the second it does not catch.
        self._answered += 1
        raise _StopNow if self._twice or self._answered > 1 else KeyboardInterrupt

    def _count(self, reader: int) -> None:
        os.read(reader, 1)
        os.read(reader, 1)
        self._twice = True
        time.sleep(_GRACE_SECONDS)
        _stop_at_once()
