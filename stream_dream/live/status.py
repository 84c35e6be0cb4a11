"""What a live show says of itself: the one object that every view, log and meter reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CameraState = Literal["connecting", "ok", "lost"]


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The state of a show after a frame.

    Attributes:
        fps: Frames shown per second, over about the last second.
        target_fps: What the governor holds.
        dream_size: Longer side that gradients are computed at now, in pixels.
        latency_ms: From the moment the camera handed the frame over to its being shown.
        dream_ms: What its motion and the ascent before it took.
        frame_ms: From the frame shown before to this one.
        camera: ``ok``, ``lost`` or ``connecting``.
        captured: Frames taken from the camera so far.
        dropped: Captured frames that were not dreamed, because a newer one was there.
        dreamed: Frames dreamed so far.
        preset: The look in use, or the one being changed to.
        ready: Looks that can be changed to without waiting.
        loss: Objective of the last dream (no unit).
        frozen: True while the picture is held.
        recording: Name of the file being recorded; None while there is none.
        uptime: Seconds since the first frame was shown.
        message: The last thing worth telling the operator; "" if there is none.
    """

    fps: float = 0.0
    target_fps: float = 0.0
    dream_size: int = 0
    latency_ms: float = 0.0
    dream_ms: float = 0.0
    frame_ms: float = 0.0
    camera: CameraState = "connecting"
    captured: int = 0
    dropped: int = 0
    dreamed: int = 0
    preset: str = ""
    ready: tuple[str, ...] = ()
    loss: float | None = None
    frozen: bool = False
    recording: str | None = None
    uptime: float = 0.0
    message: str = ""
