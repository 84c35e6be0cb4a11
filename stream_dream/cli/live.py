"""The command ``stream-dream live``."""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stream_dream.cli import json_lines
from stream_dream.cli.answers import DevicesAnswer
from stream_dream.cli.defaults import is_default, without_defaults
from stream_dream.cli.live_checks import check_outputs, tell_what_is_cut, tell_what_is_idle
from stream_dream.cli.live_looks import (
    looks_at_hand,
    looks_in_a_show,
    reached_show,
    show_dreams,
)
from stream_dream.cli.live_report import report, set_up_log
from stream_dream.cli.options import (
    AsJson,
    Debug,
    Quiet,
    complain,
    file_option,
    with_options,
)
from stream_dream.cli.over_time import automation_of, in_a_show
from stream_dream.cli.signals import leave
from stream_dream.errors import SinkError
from stream_dream.live.show_file import (
    SECRET,
    Keeper,
    KeptConfig,
    ShowFile,
    read_config,
    warn_if_exposed,
)
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, named_files
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.presets import load_preset, look_name, preset_files
from stream_dream.settings.presets.surprise import SURPRISE
from stream_dream.settings.user_folder import config_file
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.live.app import LiveApp
    from stream_dream.live.status import LiveStatus

log = logging.getLogger("stream_dream.live")

_LAST_TRACE_SECONDS = 5.0


@with_options(DreamSettings, LiveSettings, ShowParameters)
def live(
    config: Annotated[
        Path | None,
        file_option("Settings of the show; options given here come first.", Heading.SHOW),
    ] = None,
    write_config: Annotated[
        Path | None, file_option("Write the show's settings here when it ends.", Heading.SHOW)
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace an existing file of --write-config.")
    ] = False,
    list_cameras: Annotated[
        bool,
        typer.Option(
            "--list-cameras",
            help="List the cameras of this machine.",
            rich_help_panel=Heading.INPUT,
        ),
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
    _: Debug = False,
    **options: Any,
) -> None:
    """Dream a camera, for as long as you like.

    Shows on any of --window, --web, --virtual-camera and --record at the same time. Try it without
    a camera: stream-dream live --source test --web

    Files that a config names are looked up from the config's folder.
    """
    # Read when OpenCV is imported; a camera that hangs is given up after two seconds.
    os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "2")
    if list_cameras:
        from stream_dream.live.capture.sources import list_cameras as cameras

        _list("camera", cameras(), "there is no camera")
        return
    if options.get("listen") == "list":
        from stream_dream.live.sound.card_choice import listing
        from stream_dream.live.sound.sound_cards import installed_cards

        cards = installed_cards()
        _list("sound", listing(cards) if cards or not as_json else [], "there is no sound card")
        return
    if options.get("midi") == "list":
        from stream_dream.live.control.midi_ports import listed_ports

        _list("midi", listed_ports(), "there is no MIDI input")
        return
    given = {name: value for name, value in options.items() if value is not None}
    set_up_log(quiet=quiet)
    warn_if_exposed(config_file(), [name for name in SECRET if is_default(name)])
    show = ShowFile() if config is None else read_config(config)
    show = replace(show, settings={**show.settings, **given})
    kept = None
    if write_config is not None:
        kept = KeptConfig(write_config, overwrite)
    _run(show, kept, as_json=as_json, quiet=quiet)


def _list(kind: Literal["camera", "sound", "midi"], devices: Sequence[str], none: str) -> None:
    if json_lines.wanted():
        json_lines.emit(DevicesAnswer(kind=kind, devices=tuple(devices)))
    else:
        typer.echo("\n".join(devices) or none)


def _run(begun: ShowFile, kept: KeptConfig | None, *, as_json: bool, quiet: bool) -> None:
    given = begun.settings
    rest, automation, files = automation_of(given)
    if automation.look_track is not None:  # of a score
        given = without_defaults(given, ["preset"])
    settings, parameters = part(LiveSettings, given), part(ShowParameters, rest)
    settings, automation = in_a_show(settings, automation)
    if automation.soundtrack is not None:  # of a score that was written for a film
        sound = automation.soundtrack
        log.warning("a show plays no soundtrack: play %s yourself, and add --listen playing", sound)
    names = looks_at_hand(settings, automation)
    dreams = show_dreams(names, settings, rest, as_json=as_json, quiet=quiet)
    if SURPRISE in dreams:
        given = {**given, "seed": dreams[SURPRISE].seed}  # for --write-config
    tell_what_is_cut(without_defaults(rest), dreams[look_name(settings.preset)])
    own = preset_files(*names)
    read = [*own, *files, *named_files(automation).values()]
    check_outputs(given, settings, dreams, kept, read)
    tell_what_is_idle(without_defaults(given), settings)
    shown = settings.model_copy(update={"cycle": tuple(map(look_name, settings.cycle))})

    from stream_dream.cli.progress import fetch_weights
    from stream_dream.live.app import open_app

    for dream in dreams.values():
        fetch_weights(dream, quiet=quiet)
    looks = looks_in_a_show(dreams, automation)
    reached = partial(reached_show, given, settings, automation, dreams)
    opened = open_app(
        shown,
        parameters,
        looks,
        look_name(shown.preset),
        automation,
        scenes=begun.scenes,
        bindings=begun.bindings,
        descriptions={path.stem: load_preset(path).description for path in own},
    )
    with opened as app, _keeping(kept, app, reached):
        if app.web is not None and not quiet:
            _invite(app.web.link, app.web.token)
        views = (settings.window, settings.web, settings.virtual_camera, settings.record)
        if not (any(views) or settings.out):
            log.warning("the show has no output: add --window, --web, --record or --out")
        json_lines.start([settings.source], settings.record)
        try:
            _play(app, settings.duration, as_json=as_json)
        finally:
            # TensorFlow aborts if a thread still traces when the process exits.
            finished = app.looks.join(0)
    status, recorded = app.show.status, [] if settings.record is None else [settings.record]
    json_lines.finish(recorded, frames=status.dreamed, seconds=status.uptime)
    if not quiet and not as_json:
        typer.echo(f"{status.dreamed} frames in {status.uptime:.0f} s", err=True)
    if not finished or json_lines.is_stuck():
        leave(0)


@contextmanager
def _keeping(
    kept: KeptConfig | None, app: LiveApp, reached: Callable[[LiveApp], ShowFile]
) -> Iterator[None]:
    """Write the config at the end of the block, and whenever a scene or binding is stored in it."""
    if kept is None:
        yield
        return
    keeper = Keeper(kept, partial(reached, app))
    app.controls.on_store = app.midi.on_change = keeper.store
    try:
        yield
    finally:
        keeper.close()


def _play(app: LiveApp, duration: float | None, *, as_json: bool) -> None:
    """Run the show in a thread: a window needs the main one."""
    failure: list[BaseException] = []
    show = app.show

    def run() -> None:
        try:
            show.run()
        except BaseException as error:
            failure.append(error)
        finally:
            show.ended.set()

    def end_in_time(status: LiveStatus) -> None:
        if duration is not None and status.uptime >= duration:
            show.ended.set()

    show.listeners.append(end_in_time)
    thread = threading.Thread(target=run, name="dream", daemon=True)
    thread.start()
    reporting = threading.Thread(target=report, args=(show, as_json), name="status", daemon=True)
    reporting.start()
    try:
        wait_for_the_end(app)
    except KeyboardInterrupt:
        log.info("stopping")
    finally:
        show.ended.set()
        thread.join(2)
        reporting.join(0.5)
    if failure:
        app.looks.join(_LAST_TRACE_SECONDS)
        raise failure[0]


def wait_for_the_end(app: LiveApp) -> None:
    """Wait for the end of a show, in the loop of its window if it has one.

    Raises:
        SinkError: The window has failed and nothing else shows the picture.
    """
    ended, window = app.show.ended, app.window
    if window is not None:
        window.loop(ended)
        if window.problem is None:
            return
        if not _shows_elsewhere(app):
            # A service is started again; the show would go on in the dark.
            raise SinkError(window.problem)
    while not ended.wait(0.5):
        pass


def _shows_elsewhere(app: LiveApp) -> bool:
    """Return whether a show is seen or recorded beside its window."""
    from stream_dream.live.output.saver import Saver

    seen = [view for view in app.show.views if not isinstance(view, Saver)]
    return seen != [app.window] or app.show.status.recording is not None


def _invite(link: str, token: str | None) -> None:
    if token is not None:
        from stream_dream.live.web.auth import qr_text

        with suppress(UnicodeEncodeError):  # the terminal's encoding lacks block characters
            drawn = qr_text(link)
            drawn.encode(sys.stderr.encoding)
            typer.echo(drawn, err=True)
    complain(f"open {link}")
