"""Finds the motion of each captured picture, and keeps the newest one ready for the dream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import cv2
import numpy as np
from scenedetect import ContentDetector, FrameTimecode

from stream_dream.frame import Frame, Image8
from stream_dream.image import fit_size, resize, to_float
from stream_dream.live.bridge import Bridge
from stream_dream.live.camera import Camera
from stream_dream.live.controls import Controls
from stream_dream.live.framing import Framing
from stream_dream.priority import step_back
from stream_dream.temporal.dreamer import Carry, Prepared
from stream_dream.temporal.flow import FlowEstimator, Motion, chained, scaled, still

T = TypeVar("T")

# Flow is estimated at this size whatever the dream's: the governor may change that one any time.
_FLOW_SIZE = 320
# A picture that has not come by then is not waited for: a lost camera drifts at this rate.
_DRIFT_SECONDS = 1 / 25


class Slot(Generic[T]):
    """Holds the newest item until it is taken."""

    def __init__(self) -> None:
        """Begin empty."""
        self._changed = threading.Condition()
        self._item: T | None = None

    def put(self, item: T) -> None:
        """Replace the item."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def take(self, seconds: float = 0.0) -> T | None:
        """Return the item and forget it; None where there is none in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None, seconds)
            item, self._item = self._item, None
            return item


@dataclass(frozen=True, slots=True, eq=False)
class Staged:
    """A picture whose motion since the last dreamed picture is known.

    Attributes:
        frame: The picture as it is shown, with its cut; ``time`` is when it was captured, on
            ``time.monotonic``'s clock, and ``index`` the camera's number.
        motion: Since the last picture that was dreamed, at flow size; None after a cut.
        prepared: The same, ready to be dreamed.
    """

    frame: Frame
    motion: Motion | None
    prepared: Prepared


class MotionStage:
    """Takes pictures from the camera, or from the bridge while it has none, in a thread.

    Attributes:
        slot: The newest picture that was not dreamed yet.
        error: What ended the thread; None while all is well.
    """

    def __init__(
        self,
        camera: Camera,
        framing: Framing,
        controls: Controls,
        dream_size: Callable[[], int],
        *,
        cuts: bool,
    ) -> None:
        """Start.

        Args:
            camera: Where pictures come from.
            framing: What of them is shown.
            controls: Tell whether to mirror, and the persistence.
            dream_size: Tells the longer side of the dream.
            cuts: True to start afresh where another shot begins.
        """
        self.slot: Slot[Staged] = Slot()
        self.error: BaseException | None = None
        self._camera, self._framing, self._controls = camera, framing, controls
        self._dream_size = dream_size
        self._cuts = ContentDetector() if cuts else None
        self._pictures = 0
        self._bridge = Bridge()
        self._estimate = FlowEstimator()
        self._shape: tuple[int, ...] | None = None
        self._mirrored = False
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="motion", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._stopped.set()
        self._thread.join(2)

    def again(self, staged: Staged) -> Prepared:
        """Prepare a picture once more, to be dreamed further where no newer one has come."""
        shape = staged.prepared.small.shape[:2]
        return self._prepared(staged.frame, still(shape), time.perf_counter())

    def _work(self) -> None:
        step_back()
        try:
            number = 0
            while not self._stopped.is_set():
                captured = self._camera.wait(number, _DRIFT_SECONDS)
                now = time.monotonic()
                if captured is not None:
                    number = captured.number
                    image = self._bridge.fresh(captured.image, now)
                    self._stage(image, captured.time, number)
                elif self._camera.state != "ok":
                    self._stage(self._bridge.missing(now), now, number)
        except BaseException as error:
            self.error = error

    def _stage(self, image: Image8, captured: float, number: int) -> None:
        begun = time.perf_counter()
        mirror = self._controls.target.mirror
        shown = self._framing(image, mirror=mirror)
        small = resize(shown, fit_size((shown.shape[1], shown.shape[0]), _FLOW_SIZE))
        cut = self._is_cut(small) or shown.shape != self._shape or mirror != self._mirrored
        self._shape, self._mirrored = shown.shape, mirror
        if cut:
            self._estimate.reset()
        motion = self._estimate(small)
        # From here on the dream cannot take the picture before: it is either dreamed or skipped.
        skipped = self.slot.take()
        if skipped is not None and motion is not None:
            motion = chained(motion, skipped.motion) if skipped.motion is not None else None
        frame = Frame(shown, number, captured, cut or (skipped is not None and skipped.frame.cut))
        self.slot.put(Staged(frame, motion, self._prepared(frame, motion, begun)))

    def _prepared(self, frame: Frame, motion: Motion | None, begun: float) -> Prepared:
        height, width = frame.image.shape[:2]
        small = resize(frame.image, fit_size((width, height), self._dream_size()))
        carry = None
        if motion is not None:
            persistence = self._controls.parameters().persistence
            carry = Carry(scaled(motion, small.shape[:2]), persistence)
        return Prepared(
            frame=frame,
            small=small,
            source=to_float(small),
            carry=carry,
            visible_share=0.0 if motion is None else float(motion.visible.mean()),
            seconds=time.perf_counter() - begun,
        )

    def _is_cut(self, small: Image8) -> bool:
        if self._cuts is None:
            return False
        self._pictures += 1
        picture = np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2BGR), np.uint8)
        return bool(self._cuts.process_frame(FrameTimecode(self._pictures, 25.0), picture))
