"""Status of a live show: the one object that all views, logs and metrics read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

CameraState = Literal["connecting", "ok", "dark", "lost"]


@dataclass(frozen=True, slots=True)
class HeardSound:
    """The sound that a show follows.

    Attributes:
        state: ``waiting`` before the first sound, ``ok``, ``silent`` after two seconds of silence,
            ``lost``.
        tempo: Beats per minute; None while there is no beat.
        curves: The value of each curve, 0..1.
    """

    state: str
    tempo: float | None
    curves: dict[str, float]


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """The state of a show after a frame.

    Attributes:
        fps: Frames shown per second, over about the last second.
        target_fps: Rate that the governor holds.
        dream_size: Longer side that gradients are computed at now, in pixels.
        latency_ms: Time from the camera's delivery of the frame to its display.
        dream_ms: Time of its motion estimation and of the ascent before it.
        frame_ms: Time since the previous frame was shown.
        camera: ``ok``; ``dark`` after ten seconds of black pictures; ``lost`` after two seconds, or
            three periods of a slow camera, without a picture; ``connecting`` before the first one.
        captured: Frames received from the camera so far.
        dropped: Captured frames that were not dreamed because a newer one arrived.
        dreamed: Frames dreamed so far.
        preset: The look in use, or the one being faded to.
        ready: Looks that can be changed to without waiting.
        loss: Objective of the last dream (no unit).
        frozen: True while the picture is held.
        recording: Name of the file being recorded; None if there is none.
        unrecorded: Frames that the recording left out because the encoder was busy.
        outputs: State of each stream that is sent, by its receiver.
        uptime: Seconds since dreaming began.
        message: Last message for the operator; "" if there is none.
        sound: What is heard; None if nothing listens.
        bpm: Pace of the show's beat, in beats per minute.
        beat: Number of beats so far.
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
    unrecorded: int = 0
    outputs: dict[str, str] = field(default_factory=dict)
    uptime: float = 0.0
    message: str = ""
    sound: HeardSound | None = None
    bpm: float = 120.0
    beat: float = 0.0
