"""Assemble a show from its settings: camera, looks, controls and views."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass

from stream_dream.errors import SettingsError
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.sources import feed_opener
from stream_dream.live.control.controls import Controls, parameters_of
from stream_dream.live.control.osc import OscControl
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.show import Show
from stream_dream.live.output.saver import Saver
from stream_dream.live.output.view import View
from stream_dream.live.output.virtual_camera import VirtualCamera
from stream_dream.live.output.window import Window
from stream_dream.live.status import LiveStatus
from stream_dream.live.systemd import ServiceManager
from stream_dream.live.web.view import WebView
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, LiveSettings, ShowParameters


@dataclass(frozen=True, slots=True)
class LiveApp:
    """A show that is ready to run; the window's loop belongs on the main thread."""

    show: Show
    looks: CompiledLooks
    controls: Controls
    window: Window | None
    web: WebView | None


@contextmanager
def open_app(
    settings: LiveSettings,
    parameters: ShowParameters,
    looks: Mapping[str, DreamSettings],
    first: str,
) -> Iterator[LiveApp]:
    """Open everything that a show needs, and close it at the end of the block.

    Args:
        settings: Source and views.
        parameters: Those of the show that no look sets.
        looks: Settings of all available looks, by name.
        first: Name of the first look.

    Raises:
        StreamDreamError: A source or view cannot be opened, or its extra is not installed.
    """
    dream = looks[first]
    of_look = parameters_of(dream).model_dump()
    controls = Controls(LiveParameters(**{**of_look, **parameters.model_dump()}), looks, first)
    # A file waits at its first frame until the first look is ready.
    connect = feed_opener(settings, begun=lambda: show.status.dreamed > 0)
    with ExitStack() as stack:
        saver = Saver(
            settings.recordings,
            settings.record,
            minutes=settings.record_minutes,
            fps=parameters.target_fps,
        )
        stack.enter_context(closing(saver))
        views: list[View] = [saver, *_opened(settings, controls, stack)]
        compiled = CompiledLooks(looks, first)
        compiled.on_failure = controls.drop
        show = Show(connect, Framing(settings), compiled, controls, dream, saver)
        show.views = views
        manager = ServiceManager()
        stack.callback(manager.stopping)
        show.listeners.append(manager)
        if len(set(settings.cycle)) > 1:
            show.listeners.append(_Cycle(settings.cycle, settings.every, controls))
        window = next((view for view in views if isinstance(view, Window)), None)
        web = next((view for view in views if isinstance(view, WebView)), None)
        yield LiveApp(show, compiled, controls, window, web)


def _opened(settings: LiveSettings, controls: Controls, stack: ExitStack) -> list[View]:
    """Open the selected views and controls; the stack closes them."""
    views: list[View] = []
    if settings.web is not None:
        folder = settings.recordings
        page = WebView(settings.web, controls, token=settings.token, recordings=folder)
        views.append(stack.enter_context(closing(page)))
    if settings.virtual_camera:
        views.append(stack.enter_context(closing(VirtualCamera())))
    if settings.window:
        window = Window(controls, fullscreen=settings.fullscreen, screen=settings.screen)
        views.append(stack.enter_context(closing(window)))
    if settings.osc is not None:
        stack.enter_context(closing(OscControl(settings.osc_host, settings.osc, controls)))
    return views


class _Cycle:
    """Callback that changes the look every ``seconds``; a look chosen by hand stays as long."""

    def __init__(self, names: tuple[str, ...], seconds: float, controls: Controls) -> None:
        self._names, self._seconds, self._controls = names, seconds, controls
        self._place = -1
        self._look, self._since = "", time.monotonic()

    def __call__(self, status: LiveStatus) -> None:
        now = time.monotonic()
        if status.preset != self._look:
            self._look, self._since = status.preset, now
            if status.preset in self._names and self._names[self._place] != status.preset:
                self._place = self._names.index(status.preset)
        elif now - self._since >= self._seconds and not status.frozen:
            self._place, self._since = (self._place + 1) % len(self._names), now
            with suppress(SettingsError):  # the look failed to build: skip it
                self._controls.use(self._names[self._place])
