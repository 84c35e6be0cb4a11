"""Detect cuts in a stream of frames."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import cv2
from scenedetect import AdaptiveDetector, FrameTimecode

from stream_dream.frame import Frame

# PySceneDetect's own default: wide enough for cuts, and 4K costs no more than a small frame.
_DETECTION_WIDTH = 256
# A cut stands out against the frames around it: fast camera movement does not.
_LOOK_AHEAD = 2
# Flashes are pairs of jumps; shots are longer than this.
_SHORTEST_SHOT_SECONDS = 0.2


def mark_cuts(frames: Iterable[Frame], fps: Fraction) -> Iterator[Frame]:
    """Yield the frames, with ``cut`` set where a new shot starts.

    Uses PySceneDetect's adaptive content detector, which compares a frame with those around it: the
    output lags two frames behind the input.
    """
    detector = AdaptiveDetector(
        window_width=_LOOK_AHEAD, min_scene_len=max(1, round(_SHORTEST_SHOT_SECONDS * fps))
    )
    waiting: deque[Frame] = deque()
    for number, frame in enumerate(frames):
        waiting.append(frame)
        cuts = detector.process_frame(FrameTimecode(number, float(fps)), _reduced(frame))
        for cut in cuts:
            behind = number - cut.frame_num
            waiting[-1 - behind] = replace(waiting[-1 - behind], cut=True)
        if len(waiting) > _LOOK_AHEAD:
            yield waiting.popleft()
    yield from waiting


def _reduced(frame: Frame) -> cv2.typing.MatLike:
    height, width = frame.image.shape[:2]
    scale = min(1.0, _DETECTION_WIDTH / width)
    size = (round(width * scale), max(1, round(height * scale)))
    return cv2.cvtColor(cv2.resize(frame.image, size), cv2.COLOR_RGB2BGR)
