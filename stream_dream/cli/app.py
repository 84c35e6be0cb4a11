"""The program ``stream-dream``: registers the commands, turns errors into exit codes."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from collections.abc import Callable
from importlib.metadata import version
from typing import Annotated, Any, NoReturn

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.aliases import translated
from stream_dream.cli.command import Command
from stream_dream.cli.config import show_config
from stream_dream.cli.defaults import where_set
from stream_dream.cli.demo import demo
from stream_dream.cli.doctor import doctor
from stream_dream.cli.help import show_manual
from stream_dream.cli.image import image
from stream_dream.cli.journey import journey
from stream_dream.cli.live import live
from stream_dream.cli.looks import looks
from stream_dream.cli.loop import loop
from stream_dream.cli.networks import networks
from stream_dream.cli.options import complain, with_optional_values
from stream_dream.cli.plan import plan
from stream_dream.cli.presets import show_presets
from stream_dream.cli.recipe import show_recipe
from stream_dream.cli.render import render
from stream_dream.cli.signals import Signals, StopNow, leave, stop_at_once
from stream_dream.errors import Interrupted, StreamDreamError
from stream_dream.runtime import plugins
from stream_dream.runtime.quiet import debugging
from stream_dream.runtime.standard_streams import failure

# Commands that fail if standard output does: printing is all they do.
_ONLY_PRINT = ("config", "doctor", "help", "networks", "plan", "presets", "recipe")
# Set by the script of --install-completion when the shell asks for completions.
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


_COMMANDS: dict[str, Callable[..., None]] = {
    "render": render,
    "image": image,
    "loop": loop,
    "journey": journey,
    "live": live,
    "plan": plan,
    "recipe": show_recipe,
    "looks": looks,
    "presets": show_presets,
    "config": show_config,
    "networks": networks,
    "demo": demo,
    "doctor": doctor,
    "help": show_manual,
}
for _name, _function in _COMMANDS.items():
    app.command(_name, cls=Command)(_function)


class _Warnings(logging.Handler):
    """Prints warnings of plug-ins as those of commands."""

    def emit(self, record: logging.LogRecord) -> None:
        complain(f"warning: {record.getMessage()}")


def main() -> NoReturn:
    """Run the command and exit with its code."""
    plugins.log.handlers[:] = [_Warnings()]
    plugins.log.propagate = False
    if os.environ.get(_COMPLETING):
        plugins.log.disabled = True
        app(prog_name="stream-dream")  # prints the completions and exits
    command = typer.main.get_command(app)
    signals: Signals | None = None
    invoked: Any = None
    try:
        signals = Signals()
        json_lines.begin(sys.argv[1:])
        arguments, notes = translated(sys.argv[1:])
        json_lines.begin(arguments)
        for note in notes if not {"-q", "--quiet"} & {*arguments} else ():
            complain(note)
        # Not app(): it turns Ctrl-C and a closed pipe into exit codes of its own.
        with command.make_context("stream-dream", with_optional_values(arguments)) as context:
            invoked = context
            command.invoke(context)
            only_prints = context.invoked_subcommand in _ONLY_PRINT
        sys.exit(1 if only_prints and failure() else 0)
    except typer.Exit as finished:
        sys.exit(finished.exit_code)
    except typer.TyperException as error:
        _end(f"{' '.join(error.format_message().split())} (see --help)", 2)
    except (KeyboardInterrupt, typer.Abort, StopNow):
        stop_at_once(_stopped_code(signals, getattr(invoked, "invoked_subcommand", None)))
    except Interrupted as stopped:
        _end(str(stopped), stopped.exit_code, mark="")
    except StreamDreamError as error:
        _report(error, f"{error}{where_set(str(error))}", error.exit_code)
    except Exception as error:
        if _follows_ctrl_c(error) and not debugging():
            # A library was stopped while it was imported.
            stop_at_once(_stopped_code(signals, getattr(invoked, "invoked_subcommand", None)))
        hint = "" if debugging() else " (--debug shows where)"
        _report(error, f"{type(error).__name__}: {error}{hint}", 1)


def _stopped_code(signals: Signals | None, command: str | None) -> int:
    """Return the exit code after a signal: a show that its service manager stops has not failed."""
    return 0 if command == "live" and signals is not None and signals.terminated else 130


def _follows_ctrl_c(error: BaseException | None) -> bool:
    """Return whether an error came while Ctrl-C was handled."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _report(error: Exception, message: str, exit_code: int) -> NoReturn:
    if debugging():
        traceback.print_exception(error)
    _end(" ".join(message.split()), exit_code)


def _end(message: str, exit_code: int, mark: str = "error: ") -> NoReturn:
    typer.echo(f"stream-dream: {mark}{message}", err=True)
    json_lines.fail(message, exit_code)
    if json_lines.is_stuck():
        leave(exit_code)
    sys.exit(exit_code)
