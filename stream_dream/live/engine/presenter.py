"""The last stage of a show: compose each dream, show it on all views, report the status."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import cv2
import numpy as np

from stream_dream.frame import Image8
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.motion import MotionStage
from stream_dream.live.control.controls import Controls
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.live.output.saver import Saver
from stream_dream.live.output.view import SendingView, View
from stream_dream.live.status import CameraState, LiveStatus
from stream_dream.temporal.dreamer import Dreamed

log = logging.getLogger("stream_dream.live")

_RATE_SECONDS = 1.0


class Presenter:
    """Composes and shows each dream; called in order, from one thread.

    Attributes:
        status: Status after the last frame.
        last: Image shown last, uint8 RGB; None before the first frame.
        source: The same before it was dreamed.
        views: Views that have not failed.
    """

    def __init__(
        self,
        views: Sequence[View],
        listeners: Sequence[Callable[[LiveStatus], None]],
        controls: Controls,
        looks: CompiledLooks,
        camera: Camera,
        stage: MotionStage,
        saver: Saver,
        *,
        program: LiveProgram | None = None,
    ) -> None:
        """Store the views and the sources of the status; ``listeners`` must return at once."""
        self._program = program
        self.views = tuple(views)
        self.status = LiveStatus(target_fps=controls.target.target_fps)
        self.last: Image8 | None = None
        self.source: Image8 | None = None
        self._listeners = tuple(listeners)
        self._failed: list[Callable[[LiveStatus], None]] = []
        self._controls, self._looks, self._saver = controls, looks, saver
        self._camera, self._stage = camera, stage
        self._times: deque[float] = deque()
        self._shown_at: float | None = None
        self._heard: dict[str, str] = {}
        self._begun = time.monotonic()
        self._dreamed = 0
        self._message = ""

    def __call__(self, dreamed: Dreamed | None) -> None:
        """Compose and show a dream; None shows the last one again."""
        if dreamed is not None:
            self._dreamed += 1
            self.source = dreamed.frame.image
            parameters = self._controls.parameters()
            strength = 0.0 if parameters.bypass else parameters.strength
            if self._controls.journey:  # its picture is all that there is
                self.last = dreamed.frame.image
            else:
                self.last = dreamed.compose(mask=dreamed.mask, strength=strength)
        if self.last is None:
            return
        for action in self._controls.pressed():
            self._saver.press(action, self.last)
        self.status = self._status(dreamed)
        shown = self._lit(self.last)
        for view in self.views:
            self._show(view, shown)
        for listener in self._listeners:
            try:
                listener(self.status)
            except Exception:  # a failed callback must not end the show
                if listener not in self._failed:  # nor fill the disk
                    self._failed.append(listener)
                    log.exception("a listener of the show failed")

    def _lit(self, image: Image8) -> Image8:
        """Return an image as the master fader, blackout and flash light it."""
        parameters, flash = self._controls.parameters(), self._controls.flash()
        light = 0.0 if parameters.blackout else parameters.light
        if light == 1 and not flash:
            return image
        return np.asarray(cv2.convertScaleAbs(image, alpha=light, beta=255 * flash), np.uint8)

    def _show(self, view: View, image: Image8) -> None:
        """Show an image on a view, or give the view up."""
        try:
            problem = view.problem
            if problem is None:
                view.show(image, self.status)
        except Exception as error:  # of a plug-in's view: the show goes on
            problem = f"{type(view).__name__} failed: {type(error).__name__}: {error}"
        if problem is not None:
            self._give_up(view, problem)

    def _give_up(self, view: View, problem: str) -> None:
        self._message = " ".join(problem.split())
        log.warning("%s", self._message)
        self.views = tuple(other for other in self.views if other is not view)
        threading.Thread(target=view.close, name="closing", daemon=True).start()

    def _status(self, dreamed: Dreamed | None) -> LiveStatus:
        now = time.monotonic()
        last, self._shown_at = self._shown_at or now, now
        latency, took, loss = self.status.latency_ms, self.status.dream_ms, self.status.loss
        dream_size = self.status.dream_size
        if dreamed is not None:
            latency, loss = (now - dreamed.frame.time) * 1e3, dreamed.report.loss
            took = sum(dreamed.report.seconds.values()) * 1e3
            dream_size = max(dreamed.residual.shape[:2])
            self._times.append(now)
        while len(self._times) > 2 and now - self._times[0] > _RATE_SECONDS:
            self._times.popleft()
        span = now - self._times[0] if self._times else 0.0
        return LiveStatus(
            fps=(len(self._times) - 1) / span if span > 0 else 0.0,
            target_fps=self._controls.parameters().target_fps,
            dream_size=dream_size,
            latency_ms=latency,
            dream_ms=took,
            frame_ms=(now - last) * 1e3,
            camera=self._camera_state(),
            captured=self._camera.captured,
            dropped=self._stage.dropped,
            dreamed=self._dreamed,
            preset=self._controls.look,
            ready=self._looks.ready_now,
            loss=loss,
            frozen=self._controls.frozen,
            recording=self._saver.recording,
            unrecorded=self._saver.left_out,
            outputs={v.name: v.state for v in self.views if isinstance(v, SendingView)},
            uptime=now - self._begun,
            message=self._newest_message(),
            sound=None if self._program is None else self._program.heard(),
            bpm=self._controls.bpm(),
            beat=self._controls.beats(),
        )

    def _camera_state(self) -> CameraState:
        # A journey goes on without the clip that it began with.
        over = self._controls.journey and self._camera.ended.is_set()
        return "ok" if over else self._camera.state

    def _newest_message(self) -> str:
        said = {"looks": self._looks.error or "", "saver": self._saver.message}
        said["program"] = (self._program and self._program.problem) or ""
        said |= {view.name: view.message for view in self.views if isinstance(view, SendingView)}
        for who, message in said.items():
            if message and message != self._heard.get(who):
                self._message = message
        self._heard = said
        return self._message
