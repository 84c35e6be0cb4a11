"""The command ``stream-dream live``."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.live_settings import LiveSettings, ShowParameters
from stream_dream.options import Debug, Quiet, complain, with_options
from stream_dream.presets import DEFAULT_PRESET, load_preset
from stream_dream.quiet import DEBUG_VARIABLE, debugging
from stream_dream.settings import DreamSettings, merged, validated
from stream_dream.signals import leave

if TYPE_CHECKING:
    from stream_dream.live.assembly import Assembled
    from stream_dream.live.status import LiveStatus

log = logging.getLogger("stream_dream.live")

# What is given for the dream applies to every look where it is about the machine, not the look.
_OF_EVERY_LOOK = ("network", "weights", "dream_size", "cuts", "seed", "schedule")
_LOGGED_SECONDS = 60.0
_LAST_TRACE_SECONDS = 5.0


@with_options(DreamSettings, ShowParameters, LiveSettings)
def live(
    preset: Annotated[
        str | None,
        typer.Option(help="The look to begin with: a name or a .toml file.  [default: dogs]"),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings of the show; options given here come first."),
    ] = None,
    write_config: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the show's settings here when it ends."),
    ] = None,
    list_cameras: Annotated[
        bool, typer.Option("--list-cameras", help="List the cameras of this machine.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status once a second as a line of JSON.")
    ] = False,
    quiet: Quiet = False,
    debug: Debug = False,
    **knobs: Any,
) -> None:
    """Dream a camera, for as long as you like.

    Shows on any of --window, --web, --virtual-camera and --record at the same time. Try it without
    a camera: stream-dream live --source test --web
    """
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"
    # Before OpenCV is imported: a camera that hangs is given up after two seconds.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
    if list_cameras:
        from stream_dream.live.feeds import list_cameras as cameras

        typer.echo("\n".join(cameras()) or "there is no camera")
        return
    given = {name: value for name, value in knobs.items() if value is not None}
    given |= {} if preset is None else {"preset": preset}
    if config is not None:
        from stream_dream.live.config import read_config

        given = read_config(config) | given
    _set_up_log(quiet=quiet)
    _run(given, write_config, as_json=as_json, quiet=quiet)


def _run(given: Mapping[str, Any], write_to: Path | None, *, as_json: bool, quiet: bool) -> None:
    settings = validated(LiveSettings, _part(given, LiveSettings))
    own = validated(ShowParameters, _part(given, ShowParameters))
    first = str(given.get("preset", DEFAULT_PRESET))
    dreams = _dreams(first, settings, _part(given, DreamSettings))

    from stream_dream.live.assembly import assembled
    from stream_dream.live.looks import for_live
    from stream_dream.progress import fetch_weights

    for dream in dreams.values():
        fetch_weights(dream, quiet=quiet)
    looks = {name: for_live(dream) for name, dream in dreams.items()}
    with assembled(settings, own, looks, _name(first)) as made:
        if made.web is not None and not quiet:
            _invite(made.web.link, made.web.token)
        made.show.listeners.append(_Reporter(as_json=as_json))
        try:
            _play(made, settings.duration)
        finally:
            if write_to is not None:
                _write(write_to, given, made)
    if not quiet and not as_json:
        status = made.show.status
        typer.echo(f"{status.dreamed} frames in {status.uptime:.0f} s", err=True)
    if not made.looks.join(0):
        leave(0)


def _play(made: Assembled, duration: float | None) -> None:
    """Run the show in a thread of its own: a window belongs on the main one."""
    failure: list[BaseException] = []
    show = made.show

    def run() -> None:
        try:
            show.run()
        except BaseException as error:
            failure.append(error)
        finally:
            show.ended.set()

    thread = threading.Thread(target=run, name="dream", daemon=True)
    thread.start()
    clock = threading.Thread(target=_end_after, args=(show, duration), daemon=True)
    clock.start()
    try:
        if made.window is not None:
            made.window.loop(show.ended)
        else:
            while not show.ended.wait(0.5):
                pass
    except KeyboardInterrupt:
        log.info("stopping")
    finally:
        show.ended.set()
        thread.join(2)
    if failure:
        made.looks.join(_LAST_TRACE_SECONDS)
        raise failure[0]


def _end_after(show: Any, duration: float | None) -> None:
    while duration is not None and not show.ended.wait(0.05):
        if show.status.uptime >= duration:
            show.ended.set()


def _dreams(
    first: str, settings: LiveSettings, given: Mapping[str, Any]
) -> dict[str, DreamSettings]:
    """Return the settings of all looks at hand: the first one, those of keys and of the cycle."""
    of_all = {name: value for name, value in given.items() if name in _OF_EVERY_LOOK}
    dreams = {}
    for name in dict.fromkeys((*settings.presets, *settings.cycle, first)):
        dream = load_preset(name).dream
        dreams[_name(name)] = merged(dream, dict(given) if name == first else of_all)
    return dreams


def _name(preset: str) -> str:
    return Path(preset).stem if preset.endswith(".toml") else preset


def _part(given: Mapping[str, Any], model: type[Any]) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name in model.model_fields}


def _write(path: Path, given: Mapping[str, Any], made: Assembled) -> None:
    from stream_dream.live.config import write_config

    look = made.controls.look().name
    kept = dict(given)
    if look != _name(str(given.get("preset", DEFAULT_PRESET))):
        kept["preset"] = look
    write_config(path, kept | made.controls.target.model_dump())


class _Reporter:
    """Prints the status: a line of JSON a second, or a line in the log a minute."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._told = 0.0

    def __call__(self, status: LiveStatus) -> None:
        now = time.monotonic()
        if now - self._told < (1.0 if self._as_json else _LOGGED_SECONDS):
            return
        self._told = now
        if self._as_json:
            try:
                sys.stdout.write(json.dumps(asdict(status)) + "\n")
                sys.stdout.flush()
            except BrokenPipeError:  # nobody reads any more: the show goes on
                os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        else:
            log.info(
                "%.1f fps, %s at %d px, latency %.0f ms, camera %s, %d of %d captured dropped",
                *(status.fps, status.preset, status.dream_size, status.latency_ms),
                *(status.camera, status.dropped, status.captured),
            )


def _set_up_log(*, quiet: bool) -> None:
    """Write the log to standard error, which is the journal's under systemd."""
    handler = logging.StreamHandler()
    under_systemd = "JOURNAL_STREAM" in os.environ
    handler.setFormatter(
        logging.Formatter("%(message)s" if under_systemd else "%(asctime)s %(message)s", "%H:%M:%S")
    )
    log.handlers[:] = [handler]
    log.propagate = False
    log.setLevel(logging.WARNING if quiet else logging.DEBUG if debugging() else logging.INFO)


def _invite(link: str, token: str | None) -> None:
    if token is not None:
        from stream_dream.live.access import qr_text

        typer.echo(qr_text(link), err=True)
    complain(f"open {link}")
