"""The dreamer of journeys: a camera moves through a picture that is dreamed on."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from stream_dream.automation.moment import Moment
from stream_dream.frame import Frame, FrameReport, Image8, ImageF
from stream_dream.image import fit_size, resize, to_float
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.temporal.balance import Balance
from stream_dream.temporal.dreamer import Dreamed, DreamFunction, Prepared, ShotDreamer
from stream_dream.temporal.journey_closing import JourneyClosing
from stream_dream.temporal.journey_picture import JourneyPicture
from stream_dream.temporal.state_file import Arrays, read_state, write_state

_STATE_VERSION = 1


class JourneyDreamer:
    """Dreams the frames of a journey, each on the picture of the one before.

    The first frame's image is the picture that the journey begins with; the images of later frames
    are not looked at. See ``JourneyPicture``; where a journey is to close, ``JourneyClosing`` leads
    it back to its first picture.

    Call it as a ``TemporalDreamer``: ``prepare``, ``ascend`` and ``Dreamed.compose`` may run in
    threads of their own, each in order.
    """

    def __init__(
        self,
        dreams: Sequence[DreamFunction],
        settings: DreamSettings,
        journey: JourneySettings,
        *,
        moments: Callable[[int], Moment],
        depth_map: Image8 | None = None,
    ) -> None:
        """Create a dreamer that has not begun.

        Args:
            dreams: One dream function for each look of ``moments``.
            settings: ``dream_size``, ``enlarge`` and ``seed`` hold for all frames.
            journey: ``border``, and whether to close after ``frames`` frames.
            moments: Returns the look, settings and camera of a frame by its index; called from
                several threads.
            depth_map: Depths of the first picture, uint8 RGB, white where near; None to invent
                them.
        """
        self._dreams, self._settings, self._journey = list(dreams), settings, journey
        self._moment_of, self._depth_map = moments, depth_map
        self._rng = np.random.default_rng(settings.seed)
        self._journey_picture: JourneyPicture | None = None
        self._closing: JourneyClosing | None = None
        self._ascents = 0

    def prepare(self, frame: Frame) -> Prepared:
        """Resize a frame's image, if it is the first one; may run ahead of ``ascend``."""
        begun = time.perf_counter()
        height, width = frame.image.shape[:2]
        settings = self._settings
        size = fit_size((width, height), settings.dream_size, enlarged=settings.enlarge)
        small = resize(frame.image, size) if frame.index == 0 else np.empty((0, 0, 3), np.uint8)
        return Prepared(
            frame=frame,
            small=small,
            source=to_float(small),
            room=None,
            carry=None,
            visible_share=0.0,
            seconds=time.perf_counter() - begun,
        )

    def ascend(self, prepared: Prepared) -> Dreamed:
        """Dream a prepared frame."""
        begun, index = time.perf_counter(), prepared.frame.index
        moment = self._moment_of(index)
        loss, seen = None, 0.0
        picture = self._journey_picture
        if index == 0 or picture is None:
            picture = self._begin(prepared.source, moment)
            loss = self._push(picture, moment, moment.fade.growth().momentum)
        else:
            picture.settings = growth = moment.fade.growth()
            closing = self._closing
            move = moment.camera if closing is None else closing.move(index)
            seen = float(picture.move(move).visible.mean())
            if index % growth.cadence == 0:
                loss = self._push(picture, moment, growth.momentum)
            picture.grow()
            if closing is not None:
                closing.lead_back(picture, index)
        report = FrameReport(
            index=index,
            seconds={"flow": prepared.seconds, "ascent": time.perf_counter() - begun},
            loss=loss,
            visible_share=seen,
        )
        return self._dreamed(prepared.frame, picture.picture, report)

    def save(self, path: Path | str) -> None:
        """Write the state after the last dreamed frame to a NumPy ``.npz`` file.

        A dreamer of the same settings continues from it with identical frames.
        """
        state = {
            "version": _STATE_VERSION,
            "ascents": self._ascents,
            "rng": self._rng.bit_generator.state,
        }
        arrays: dict[str, Any] = {}
        picture = self._journey_picture
        if picture is not None:
            arrays |= {"picture": picture.picture, "age": picture.age}
            arrays |= {"wanted": picture.balance.wanted, "mean": picture.balance.mean}
            arrays["way"] = picture.border_noise.way
            more = {"velocity": picture.velocity, "depth": picture.depth}
            if self._closing is not None:
                more["start"] = self._closing.start
            arrays |= {name: array for name, array in more.items() if array is not None}
        write_state(path, state, arrays)

    def restore(self, path: Path | str) -> None:
        """Continue from a saved state.

        Raises:
            SettingsError: The file was not written by ``save``; the dreamer's state is unchanged.
        """
        self._rng, self._ascents, self._journey_picture, start = read_state(
            path, _STATE_VERSION, self._parsed
        )
        self._closing = self._closing_to(start)

    def _parsed(
        self, state: dict[str, Any], arrays: Arrays
    ) -> tuple[np.random.Generator, int, JourneyPicture, ImageF | None]:
        """Return the random numbers, the ascents so far, the picture, and the first one."""
        rng = np.random.default_rng()
        rng.bit_generator.state = state["rng"]
        picture = self._picture_of(arrays["picture"])
        picture.age, picture.border_noise.way = arrays["age"], arrays["way"]
        picture.balance = Balance(arrays["wanted"], arrays["mean"])
        picture.velocity, picture.depth = arrays.get("velocity"), arrays.get("depth")
        start = arrays["start"] if self._journey.loop else None
        return rng, int(state["ascents"]), picture, start

    def _begin(self, source: ImageF, moment: Moment) -> JourneyPicture:
        dream, settings = self._dreams[moment.look], moment.dream
        self._rng = np.random.default_rng(self._settings.seed)
        self._ascents = 0
        if settings.warm_up and isinstance(dream, ShotDreamer):
            added = dream.begin(source, index=0, rng=self._rng, settings=settings)
            source = np.clip(source + added, 0, 1)
        self._journey_picture = picture = self._picture_of(source)
        self._closing = self._closing_to(source if self._journey.loop else None)
        return picture

    def _picture_of(self, picture: ImageF) -> JourneyPicture:
        border = self._journey.border
        return JourneyPicture(picture, self._settings, border=border, depth_map=self._depth_map)

    def _closing_to(self, start: ImageF | None) -> JourneyClosing | None:
        if start is None:
            return None
        journey = self._journey
        return JourneyClosing(
            start, lambda index: self._moment_of(index).camera, journey.frames, float(journey.fps)
        )

    def _push(self, picture: JourneyPicture, moment: Moment, momentum: float) -> float:
        """Ascend on the picture; return the loss."""
        source = picture.picture
        residual, loss = self._dreams[moment.look](
            source,
            np.zeros_like(source),
            index=self._ascents,
            rng=self._rng,
            settings=moment.dream,
        )
        self._ascents += 1
        picture.push(np.array(residual, np.float32, order="C"), momentum)
        return loss

    def _dreamed(self, frame: Frame, picture: ImageF, report: FrameReport) -> Dreamed:
        """Return a frame of the picture: 8 bits, and as its residual what they leave out."""
        shape = frame.image.shape[:2]
        if picture.shape[:2] != shape:
            larger = cv2.resize(picture, shape[::-1], interpolation=cv2.INTER_CUBIC)
            picture = np.asarray(np.clip(larger, 0, 1), np.float32)
        image = np.asarray(cv2.convertScaleAbs(picture, alpha=255), np.uint8)
        residual = np.asarray(picture - to_float(image), np.float32)
        return Dreamed(replace(frame, image=image), residual, report)
