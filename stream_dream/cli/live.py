"""The command ``stream-dream live``."""

from __future__ import annotations

import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_dream.cli.defaults import is_default, without_defaults
from stream_dream.cli.live_checks import check_outputs, tell_what_is_cut, tell_what_is_idle
from stream_dream.cli.live_looks import (
    looks_at_hand,
    looks_in_a_show,
    reached_show,
    show_dreams,
)
from stream_dream.cli.options import (
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
from stream_dream.runtime.quiet import debugging
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import Heading, named_files
from stream_dream.settings.live import LiveSettings, ShowParameters
from stream_dream.settings.presets import load_preset, look_name, preset_files
from stream_dream.settings.presets.surprise import SURPRISE
from stream_dream.settings.user_folder import config_file
from stream_dream.settings.validation import part

if TYPE_CHECKING:
    from stream_dream.live.app import LiveApp
    from stream_dream.live.engine.show import Show
    from stream_dream.live.status import LiveStatus

log = logging.getLogger("stream_dream.live")
# Not kept for pages, which show them all the time.
figures = logging.getLogger("stream_dream.live.figures")

_LOGGED_SECONDS = 60.0
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
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the status once a second as a line of JSON.")
    ] = False,
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

        typer.echo("\n".join(cameras()) or "there is no camera")
        return
    if options.get("listen") == "list":
        from stream_dream.live.sound.card_choice import listing
        from stream_dream.live.sound.sound_cards import installed_cards

        typer.echo("\n".join(listing(installed_cards())) or "there is no sound card")
        return
    if options.get("midi") == "list":
        from stream_dream.live.control.midi_ports import listed_ports

        typer.echo("\n".join(listed_ports()) or "there is no MIDI input")
        return
    given = {name: value for name, value in options.items() if value is not None}
    _set_up_log(quiet=quiet)
    warn_if_exposed(config_file(), [name for name in SECRET if is_default(name)])
    show = ShowFile() if config is None else read_config(config)
    show = replace(show, settings={**show.settings, **given})
    kept = None
    if write_config is not None:
        kept = KeptConfig(write_config, overwrite)
    _run(show, kept, as_json=as_json, quiet=quiet)


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
        try:
            _play(app, settings.duration, as_json=as_json)
        finally:
            # TensorFlow aborts if a thread still traces when the process exits.
            finished = app.looks.join(0)
    if not quiet and not as_json:
        status = app.show.status
        typer.echo(f"{status.dreamed} frames in {status.uptime:.0f} s", err=True)
    if not finished:
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
    reporting = threading.Thread(target=_report, args=(show, as_json), name="status", daemon=True)
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


def _report(show: Show, as_json: bool) -> None:
    """Print the status: a line of JSON a second, or one in the log a minute.

    Run it in a thread: the show goes on when a reader of the output stops reading.
    """
    pause, told, ended = 0.02, 0.0, False
    while not ended:
        ended = show.ended.wait(pause)
        status = show.status
        pause = 0.02
        if status.uptime <= told or not status.fps:  # no frame was shown since
            continue
        told, pause = status.uptime, 1.0 if as_json else _LOGGED_SECONDS
        if as_json:
            print(json.dumps(asdict(status)), flush=True)
        elif not ended:
            figures.info(
                "%.1f fps, %s at %d px, latency %.0f ms, camera %s, %d of %d captured dropped",
                *(status.fps, status.preset, status.dream_size, status.latency_ms),
                *(status.camera, status.dropped, status.captured),
            )


def _set_up_log(*, quiet: bool) -> None:
    """Write the log to standard error, the journal under systemd."""
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
        from stream_dream.live.web.auth import qr_text

        with suppress(UnicodeEncodeError):  # the terminal's encoding lacks block characters
            drawn = qr_text(link)
            drawn.encode(sys.stderr.encoding)
            typer.echo(drawn, err=True)
    complain(f"open {link}")
