"""Moves the parameters and settings of a show by a score and by the sound that is heard."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Protocol

import numpy as np

from stream_dream.automation.assemble import Parsed, base_values, check_names, value_range
from stream_dream.automation.curves import Curve, TimeCurve, read_curve
from stream_dream.automation.expression import Scope
from stream_dream.automation.program import WHOLE, varying_of, with_values
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.status import HeardSound
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters

# Settings that a show does not have, or that need it to begin anew.
_NOT_LIVE = {"cadence", "steps", "mask_strength", "zoom"}
# Threads that ask within this time get the same values.
_FRESH_SECONDS = 0.005
# Seconds in which settings follow the sound again after silence, and let go of it.
_WAKING_SECONDS = 1.0
_REMEMBERED_SECONDS = 12.0
# Without sound or --bpm there is still a beat to count by.
_USUAL_BPM = 120.0


class Sound(Protocol):
    """What is heard now, as a ``live.sound`` listener tells it."""

    @property
    def state(self) -> str:
        """``ok`` while there is sound."""

    @property
    def tempo(self) -> float | None:
        """Beats per minute; None while there is no beat."""

    def curves(self) -> Mapping[str, float]:
        """Return the value of each curve, 0..1."""

    def beats(self) -> float | None:
        """Return the number of beats so far; None while there is no beat."""


class LiveProgram:
    """Changes the settings of a show over time.

    A parameter that an operator moves is the operator's, until the dream is reset; what follows the
    sound goes on around its value.
    """

    def __init__(
        self,
        automation: Automation,
        looks: Mapping[str, DreamSettings],
        controls: Controls,
        sound: Sound | None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Parse what changes.

        Args:
            automation: What changes; its looks are not used.
            looks: The looks of the show, by name.
            controls: Parameters as the operators want them.
            sound: What is heard; None if nothing listens.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: A text is not understood, or names no setting that a show can change.
        """
        parsed = Parsed.of(automation)
        self._tracks, self._reaction = parsed.tracks, parsed.reaction
        self._bpm, self._offset = automation.bpm, automation.offset or 0.0
        targets = set() if parsed.reaction is None else {*parsed.reaction.targets}
        self.changing = frozenset({*parsed.tracks, *targets} - {"zoom"})
        check_names(self.changing, list(looks.values()), without=_NOT_LIVE)
        if parsed.needs & {"length", "shots"}:
            raise SettingsError("a show has no length and no shots: give seconds, beats or bars")
        if parsed.needs_sound(automation) and sound is None:
            raise SettingsError("settings that follow sound need --listen")
        self._files: dict[str, Curve] = {
            name: read_curve(path)
            for name, path in automation.curves.items()
            if name in parsed.curves
        }
        self._heard = {name: deque[tuple[float, float]]() for name in parsed.curves}
        self._controls, self._sound, self._clock = controls, sound, clock
        self._lock = threading.RLock()
        self._begun = self._at = clock()
        self._awake = 0.0
        self._scope: Scope | None = None
        self._base: LiveParameters | None = None
        self._moved: LiveParameters | None = None

    @property
    def varying(self) -> frozenset[str]:
        """Those of ``dream.ascent.VARYING`` that change."""
        return varying_of(self.changing)

    def timeline(self) -> Timeline:
        """Return what is known of time now: the rate of frames, and the beat."""
        return self._now().timeline

    def frame(self) -> float:
        """Return the number of the present frame, at the show's rate since its start."""
        return (self._at - self._begun) * float(self._now().timeline.fps)

    def parameters(self, base: LiveParameters) -> LiveParameters:
        """Return parameters as they are now, from those that the operators set."""
        with self._lock:
            fresh = self._clock() - self._at < _FRESH_SECONDS and self._scope is not None
            if fresh and base is self._base and self._moved is not None:
                return self._moved
            names = self.changing & LiveParameters.model_fields.keys()
            values = {name: self._value(name, float(getattr(base, name))) for name in names}
            self._base = base
            self._moved = base.model_copy(
                update={
                    name: int(value) if name in WHOLE else value for name, value in values.items()
                }
            )
            return self._moved

    def dream(self, dream: DreamSettings) -> DreamSettings:
        """Return the settings of a look as they are now; parameters are not among them."""
        names = self.changing - LiveParameters.model_fields.keys()
        if not names:
            return dream
        bases = base_values(dream)
        with self._lock:
            values = {name: self._value(name, bases[name]) for name in names if name in bases}
        return with_values(dream, values)

    def _value(self, name: str, base: float) -> float:
        scope = self._now()
        frames = np.array([(self._at - self._begun) * float(scope.timeline.fps)])
        values = np.array([base])
        track = self._tracks.get(name)
        if track is not None and name not in self._controls.touched:
            values = track.sample(frames, scope)
        if self._reaction is not None:
            amount = self._awake * self._controls.target.reactivity
            values = self._reaction.apply(name, values, frames, scope, amount)
        least, most = value_range(name, LiveParameters)
        value = float(np.clip(values[0], least, most))
        return round(value) if name in WHOLE else value

    def _now(self) -> Scope:
        """Return what formulas are evaluated in, brought up to date."""
        with self._lock:
            now = self._clock()
            if self._scope is not None and now - self._at < _FRESH_SECONDS:
                return self._scope
            passed, self._at = now - self._at, now
            hears = self._sound is not None and self._sound.state == "ok"
            step = passed / _WAKING_SECONDS
            self._awake = min(1.0, self._awake + step) if hears else max(0.0, self._awake - step)
            seconds = now - self._begun
            fps = Fraction(self._controls.target.target_fps).limit_denominator(1001)
            timeline = Timeline(fps, beats=self._beats(seconds))
            curves: dict[str, Curve] = {**self._files, **self._remembered(seconds)}
            self._scope = Scope(timeline, curves)
            return self._scope

    def _beats(self, seconds: float) -> BeatGrid:
        beats = None if self._sound is None else self._sound.beats()
        tempo = None if self._sound is None else self._sound.tempo
        if beats is not None and tempo:
            return BeatGrid.regular(tempo, seconds - beats * 60 / tempo)
        return BeatGrid.regular(self._bpm or _USUAL_BPM, self._offset)

    def _remembered(self, seconds: float) -> dict[str, Curve]:
        """Return the curves of the last seconds: a rise above a threshold is found in them."""
        if self._sound is None:
            return {}
        values = self._sound.curves()
        found: dict[str, Curve] = {}
        for name, points in self._heard.items():
            if name not in values:
                continue
            points.append((seconds, values[name]))
            while points[0][0] < seconds - _REMEMBERED_SECONDS:
                points.popleft()
            times, heights = np.array(points).T
            found[name] = TimeCurve(times, heights.astype(np.float32))
        return found


def heard(sound: Sound) -> HeardSound:
    """Return what is heard now, for the status."""
    curves = {name: round(value, 3) for name, value in sound.curves().items()}
    return HeardSound(sound.state, sound.tempo, curves)
