"""The show: camera, motion, dream and views, running concurrently."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

import numpy as np

from stream_dream.errors import SettingsError, SourceError
from stream_dream.frame import Image8, ImageF, Shape
from stream_dream.image import fit_size
from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.feed import Feed, Origin
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.live_mask import LiveMask
from stream_dream.live.capture.motion import MotionStage, Staged
from stream_dream.live.capture.pushed_feed import PushedFeed
from stream_dream.live.control.controls import Controls
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.frame_pacer import FramePacer
from stream_dream.live.engine.governor import Governor, ladder
from stream_dream.live.engine.journey_steering import JourneySteering
from stream_dream.live.engine.live_dream import LiveDream, lasting
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.live.engine.presenter import Presenter
from stream_dream.live.output.saver import Saver
from stream_dream.live.output.view import View
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.stage_threads import StageThread, single_threads
from stream_dream.settings.dream import MOST_ENLARGED, DreamSettings
from stream_dream.temporal.async_dreamer import FRAMES_PER_ASCENT, AsyncDreamer
from stream_dream.temporal.async_journey import AsyncJourney
from stream_dream.temporal.dreamer import Dreamed
from stream_dream.tone import Headroom

log = logging.getLogger("stream_dream.live")

# Longest wait for the first frame and for the last one of a file, whose motion is being estimated.
_PATIENCE_SECONDS = 0.12
# A frozen show repeats its picture this often; the master fader moves at the usual rate.
_FROZEN_SECONDS = 0.2
# Enough ascents a second: a dream grows within seconds. At higher frame rates the governor accepts
# frames without an ascent before it chooses a smaller size (an ascent starts with a frame: where
# there is no time for 25 a second, there are 12.5).
_ASCENTS_ENOUGH = 16.0
_FIRST_PICTURE_SECONDS = 10.0
_FIRST_SHAPE = (360, 640)


class Show:
    """Dreams a camera's frames and shows them on any number of views.

    Attributes:
        ended: Set it to end the show; set when it is over.
        views: Views to show frames on; set before ``run``.
        listeners: Called with the status after every frame; must return at once.
    """

    def __init__(
        self,
        connect: Callable[[], Feed],
        framing: Framing,
        looks: CompiledLooks,
        controls: Controls,
        dream: DreamSettings,
        saver: Saver,
        *,
        program: LiveProgram | None = None,
        sizes: Sequence[int] | None = None,
        mask: LiveMask | None = None,
        pushed: PushedFeed | None = None,
    ) -> None:
        """Prepare a show; ``run`` starts it.

        Args:
            connect: Opens the camera.
            framing: Crop, rotation and size of the picture.
            looks: Looks that can be dreamed.
            controls: Parameters and look that the operators ask for.
            dream: Settings that no operator changes: dream size, cuts, seed.
            saver: Saves snapshots and recordings.
            program: Changes settings by a score and by sound; None if nothing does.
            sizes: Dream sizes to choose from (longer side in pixels), large to small; by default a
                ladder down from the dream size.
            mask: Where the dream shows; None for everywhere.
            pushed: While pictures are pushed to it, they take the place of the camera's.
        """
        self.ended = threading.Event()
        self.views: Sequence[View] = ()
        self.listeners: list[Callable[[LiveStatus], None]] = []
        self._pushed = pushed or PushedFeed()
        self._connect, self._framing, self._saver = connect, framing, saver
        self._looks, self._controls, self._settings = looks, controls, dream
        self._sizes = tuple(sizes or ladder(dream.dream_size))
        self._governor = Governor(self._sizes)
        self._shape = _FIRST_SHAPE
        self._mask = mask
        self._program = program
        changed = None if program is None else program.dream
        self._dream_function = LiveDream(looks, controls, changed=changed)
        self._dreamer: AsyncDreamer | AsyncJourney = (
            AsyncJourney(self._dream_function, dream, JourneySteering(controls))
            if controls.journey
            else AsyncDreamer(self._dream_function, dream)
        )
        self._presenter: Presenter | None = None

    @property
    def status(self) -> LiveStatus:
        """Status after the last frame."""
        return LiveStatus() if self._presenter is None else self._presenter.status

    @property
    def picture(self) -> Image8 | None:
        """The present picture before it is dreamed, uint8 RGB; None before the first."""
        return None if self._presenter is None else self._presenter.source

    def run(self) -> None:
        """Run until ``ended`` is set or the source is over.

        Raises:
            StreamDreamError: The show has failed.
        """
        camera = Camera(self._connect)
        self._pushed.begin = camera.take_over
        stage: MotionStage | None = None
        try:
            with single_threads():
                self._wait_for_first(camera)
                if self.ended.is_set():
                    return
                if not self._make_ready():
                    return
                stage = MotionStage(
                    camera,
                    self._framing,
                    self._controls,
                    lambda: self._governor.size,
                    self._reshape,
                    room=None if self._controls.journey else self._room,
                    cuts=self._settings.cuts,
                    mask=self._mask,
                )
                self._present(camera, stage)
        finally:
            self.ended.set()
            self._pushed.begin = None
            if stage is not None:
                stage.close()
            camera.close()
            self._dreamer.close()
            self._looks.close()

    def _room(self, source: ImageF) -> Headroom | None:
        return self._dream_function.fade().room(source)

    def _wait_for_first(self, camera: Camera) -> None:
        """Wait a while for the first frame, which sets the show's size."""
        deadline = time.monotonic() + _FIRST_PICTURE_SECONDS
        while not self.ended.is_set() and time.monotonic() < deadline:
            captured = camera.wait(0, 0.1)
            if captured is not None:
                height, width = self._framing(captured.image, captured.origin).shape[:2]
                self._shape = height, width
                return
            if camera.ended.is_set():
                raise SourceError("the source ended before its first picture")
        if not self.ended.is_set():
            log.warning("camera: no picture yet, the show begins without")
            standing_in = np.zeros((*_FIRST_SHAPE, 3), np.uint8)
            shown = self._framing(standing_in, Origin.SUBSTITUTE)
            self._shape = shown.shape[0], shown.shape[1]

    def _make_ready(self) -> bool:
        """Wait until the first look is traced; return False if the show is ended before.

        Raises ``SettingsError`` if it cannot be dreamed.
        """
        self._fit_sizes()
        self._looks.begin(self._shapes())
        # Operators may have selected another look meanwhile: it follows when it is traced.
        while self._looks.error is None:
            if self._looks.is_ready(self._looks.first, self._shape_at(self._governor.size)):
                return True
            if self.ended.wait(0.02):
                return False
        raise SettingsError(self._looks.error)

    def _fit_sizes(self) -> None:
        """Drop dream sizes that a small picture is not enlarged to."""
        largest = round(MOST_ENLARGED * max(self._shape))
        sizes = [size for size in self._sizes if size < largest]
        if len(sizes) < len(self._sizes):
            sizes = [largest, *sizes]
        self._governor = Governor(sizes)

    def _reshape(self, shape: Shape) -> None:
        """Change the size of the picture; the dream resumes when its look is traced for it."""
        if shape != self._shape:
            self._shape = shape
            self._fit_sizes()
            self._looks.reshape(self._shapes())

    def _shapes(self) -> list[Shape]:
        """Return the (height, width) of all dream sizes, those near the present one first."""
        governor = self._governor
        near = sorted(governor.sizes, key=lambda size: abs(size - governor.size))
        return list(dict.fromkeys(map(self._shape_at, near)))

    def _shape_at(self, size: int) -> Shape:
        width, height = fit_size((self._shape[1], self._shape[0]), size, enlarged=MOST_ENLARGED)
        return height, width

    def _present(self, camera: Camera, stage: MotionStage) -> None:
        self._presenter = presenter = Presenter(
            *(self.views, self.listeners, self._controls, self._looks, camera, stage, self._saver),
            program=self._program,
        )
        # Presenting has priority over dreaming.
        with StageThread(presenter, 2, urgent=True) as presenting:
            self._dream(camera, stage, presenting.put)
        if stage.error is not None:
            raise stage.error

    def _dream(
        self, camera: Camera, stage: MotionStage, present: Callable[[Dreamed | None], None]
    ) -> None:
        """Dream frame after frame, at most at the target rate."""
        staged: Staged | None = None
        if self._program is not None:
            self._program.begin()
        resets = self._controls.resets
        before = time.monotonic()
        pacer = FramePacer(before)
        while not self.ended.wait(max(0.0, pacer.due - time.monotonic())) and stage.error is None:
            parameters = self._controls.parameters()
            period = 1 / parameters.target_fps
            # A journey goes on where a clip that it began with has ended.
            ended = camera.ended.is_set() and not self._controls.journey
            if self._controls.frozen and staged is not None and not ended:
                present(None)
                fading = self._controls.is_fading
                before = time.monotonic() + (period if fading else _FROZEN_SECONDS)
                pacer.pause(before)
                continue
            self._dreamer.wait()
            patient = ended or staged is None
            fresh = stage.slot.take(
                _PATIENCE_SECONDS if patient else max(0.0, pacer.latest - time.monotonic())
            )
            if fresh is None and ended:
                return
            if (latest := fresh or staged) is None:
                continue
            if resets != self._controls.resets:
                resets = self._controls.resets
                self._dreamer.reset()
            begun = time.monotonic()
            stage.expect(pacer.expected(begun, period))
            prepared = latest.prepared if fresh is not None else stage.again(latest)
            staged = latest
            self._dreamer.use(self._dream_function.fade().growth())
            dreamed = self._dreamer(prepared, lasting(parameters.persistence))
            present(dreamed._replace(mask=latest.mask))
            now = time.monotonic()
            work = now - begun
            share = (self._dreamer.ascent.seconds + work) / FRAMES_PER_ASCENT
            pacer.shown(
                *(now, period, prepared.frame.index),
                work=work,
                share=share,
                source=None if camera.is_missing or self._controls.journey else camera.period,
            )
            self._govern(work, now - before)
            before = now

    def _govern(self, work: float, passed: float) -> None:
        """Choose the size of the next dream, of those that are traced."""
        governor, target = self._governor, self._controls.parameters().target_fps
        ascents = max(min(target, _ASCENTS_ENOUGH), target / FRAMES_PER_ASCENT)
        if self._dreamer.ascent.shape != self._shape_at(governor.size):
            return  # measured at another size
        governor.observe(
            max(work * target, self._dreamer.ascent.seconds * ascents),
            passed,
            can=lambda size: self._dream_function.can_dream(self._shape_at(size)),
        )
