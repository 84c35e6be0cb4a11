"""Assemble a show from its settings: camera, looks, controls and views."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stream_dream.automation.look_track import LookTrack
from stream_dream.errors import SettingsError
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.live_mask import LiveMask
from stream_dream.live.capture.pushed_feed import PushedFeed
from stream_dream.live.capture.sources import feed_opener
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.midi_ports import MidiPorts
from stream_dream.live.control.osc import OscControl
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.control.surface import Surface
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.live_beat import LiveBeat
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.live.engine.look_follower import LookCycle, LookFollower
from stream_dream.live.engine.show import Show
from stream_dream.live.engine.thumbnails import Thumbnails
from stream_dream.live.output.outputs import open_output
from stream_dream.live.output.saver import Saver
from stream_dream.live.output.view import SendingView, View
from stream_dream.live.output.virtual_camera import VirtualCamera
from stream_dream.live.output.window import Window
from stream_dream.live.systemd import ServiceManager
from stream_dream.live.web.view import WebView
from stream_dream.settings.automation import BEATS_PER_BAR, Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import EVERY_PORT, LiveParameters, LiveSettings, ShowParameters
from stream_dream.settings.presets import look_name
from stream_dream.settings.scenes import Scene

if TYPE_CHECKING:
    from stream_dream.live.sound.card_listener import Listener

log = logging.getLogger("stream_dream.live")


@dataclass(frozen=True, slots=True)
class LiveApp:
    """A show that is ready to run; the window's loop belongs on the main thread."""

    show: Show
    looks: CompiledLooks
    controls: Controls
    midi: MidiMap
    window: Window | None
    web: WebView | None


@contextmanager
def open_app(
    settings: LiveSettings,
    parameters: ShowParameters,
    looks: Mapping[str, DreamSettings],
    first: str,
    automation: Automation | None = None,
    *,
    scenes: Mapping[str, Scene] | None = None,
    bindings: Mapping[str, str] | None = None,
    descriptions: Mapping[str, str] | None = None,
) -> Iterator[LiveApp]:
    """Open everything that a show needs, and close it at the end of the block.

    Args:
        settings: Source and views.
        parameters: Those of the show that no look sets.
        looks: Settings of all available looks, by name.
        first: Name of the first look.
        automation: What changes over time; None for nothing.
        scenes: Stored scenes by name.
        bindings: Addresses of the control surface by their MIDI control.
        descriptions: One line on looks, by name; those of the package are known.

    Raises:
        StreamDreamError: A source or view cannot be opened, or its extra is not installed.
    """
    dream = looks[first]
    of_look = parameters_of(dream).model_dump()
    begun = LiveParameters(**{**of_look, **parameters.model_dump()})
    other = next((name for name in looks if name != first), None)
    controls = Controls(begun, looks, first, other=other, scenes=scenes)
    controls.journey = settings.journey
    # A file waits at its first frame until the first look is ready.
    connect = feed_opener(settings, begun=lambda: show.status.dreamed > 0, seed=dream.seed)
    with ExitStack() as stack:
        saver = stack.enter_context(closing(_saver(settings, parameters.target_fps)))
        surface = Surface(controls, is_recording=lambda: saver.recording is not None)
        midi, pushed = MidiMap(surface, bindings), PushedFeed()
        automation = automation or Automation()
        sound = stack.enter_context(_listening(settings, automation))
        beat = LiveBeat(automation, sound, controls.tempo)
        controls.bpm, controls.beats = lambda: beat.bpm, beat.count
        controls.begin_bar = beat.begin_bar
        views: list[View] = [saver, *_opened(settings, surface, midi, pushed, descriptions, stack)]
        program = _program(automation, looks, controls, sound, beat)
        compiled = CompiledLooks(looks, first, program.varying if program else ())
        compiled.on_failure = controls.drop
        mask = LiveMask(settings.mask, settings.mask_softness, lambda: controls.state.stage.only)
        stack.enter_context(closing(mask))
        show = Show(
            connect,
            Framing(settings),
            compiled,
            controls,
            dream,
            saver,
            program=program,
            mask=mask,
            pushed=pushed,
        )
        show.views = views
        manager = ServiceManager()
        stack.callback(manager.stopping)
        show.listeners.append(manager)
        _follow_looks(show, settings, automation, program, controls)
        window = next((view for view in views if isinstance(view, Window)), None)
        web = next((view for view in views if isinstance(view, WebView)), None)
        if web is not None:
            changed = None if program is None else program.dream
            thumbnails = Thumbnails(compiled, lambda: show.picture, changed=changed)
            stack.enter_context(closing(thumbnails))
            web.offer(thumbnails)
        for line in midi.lost():
            log.warning("%s", line)
        yield LiveApp(show, compiled, controls, midi, window, web)


def _saver(settings: LiveSettings, fps: float) -> Saver:
    keep = settings.keep_gigabytes
    return Saver(
        settings.recordings,
        settings.record,
        minutes=settings.record_minutes,
        fps=fps,
        keep_bytes=None if keep is None else round(keep * 1e9),
    )


def _program(
    automation: Automation,
    looks: Mapping[str, DreamSettings],
    controls: Controls,
    sound: Listener | None,
    beat: LiveBeat,
) -> LiveProgram | None:
    """Connect automation and sound to the controls; return None if neither moves anything."""
    if sound is None and not (automation.react or automation.tracks or automation.look_track):
        return None
    program = LiveProgram(automation, looks, controls, sound, beat=beat)
    controls.automate, controls.reacts = program.parameters, program.reacts
    return program


def _opened(
    settings: LiveSettings,
    surface: Surface,
    midi: MidiMap,
    pushed: PushedFeed,
    descriptions: Mapping[str, str] | None,
    stack: ExitStack,
) -> list[View]:
    """Open the selected views and controls; the stack closes them."""
    views: list[View] = []
    _check_needs(settings)
    if settings.web is not None:
        page = WebView(
            settings.web,
            surface,
            token=settings.token,
            recordings=settings.recordings,
            midi=midi,
            push=pushed.push,
            descriptions=descriptions,
            https=settings.https,
        )
        views.append(stack.enter_context(closing(page)))
    named: set[str] = set()
    for text in settings.out:
        output = open_output(text)
        views.append(stack.enter_context(closing(output)))
        if isinstance(output, SendingView):
            if output.name in named:  # the streams of one host differ by their secret keys
                output.name += f" ({len(views)})"
            named.add(output.name)
    if settings.virtual_camera:
        views.append(stack.enter_context(closing(VirtualCamera())))
    if settings.window:
        window = Window(surface.controls, fullscreen=settings.fullscreen, screen=settings.screen)
        views.append(stack.enter_context(closing(window)))
    if settings.osc is not None:
        osc = OscControl(
            settings.osc_host,
            settings.osc,
            surface,
            allow=settings.osc_allow,
            reply=settings.osc_reply,
        )
        stack.enter_context(closing(osc))
    if settings.midi is not None:
        wanted = "" if settings.midi == EVERY_PORT else settings.midi
        stack.enter_context(closing(MidiPorts(midi, wanted)))
    return views


def _check_needs(settings: LiveSettings) -> None:
    """Refuse options that do nothing without another. Raises ``SettingsError``."""
    for name, needed in (("https", "web"), ("osc_allow", "osc"), ("osc_reply", "osc")):
        if getattr(settings, name) and getattr(settings, needed) is None:
            option = f"--{name.replace('_', '-')}"
            raise SettingsError(f"{option} does nothing without --{needed}: add it")


def _follow_looks(
    show: Show,
    settings: LiveSettings,
    automation: Automation,
    program: LiveProgram | None,
    controls: Controls,
) -> None:
    """Add the listener that changes looks: those of ``--cycle``, or of a score."""
    if program is not None and automation.look_track is not None:
        track = LookTrack.parse(automation.look_track)
        names = [look_name(name) for name in track.looks]
        show.listeners.append(LookFollower(names, track, controls, program.now))
    elif len(set(settings.cycle)) > 1:
        cycle = LookCycle(settings.cycle, controls, settings.every)
        if program is not None and (length := program.look_length) is not None:
            beats = length.amount * (BEATS_PER_BAR if length.unit == "bars" else 1)
            cycle = LookCycle(
                settings.cycle, controls, settings.every, each=beats, beats=program.beats
            )
        show.listeners.append(cycle)


@contextmanager
def _listening(settings: LiveSettings, automation: Automation) -> Iterator[Listener | None]:
    """Listen to the sound card of the settings, if they name one."""
    if settings.listen is None:
        yield None
        return
    from stream_dream.live.sound.card_listener import Listener
    from stream_dream.live.sound.sound_cards import find_card

    with closing(Listener(find_card(settings.listen), bpm=automation.bpm)) as listener:
        yield listener
