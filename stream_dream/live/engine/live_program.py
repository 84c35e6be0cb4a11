"""Moves the parameters and settings of a show by a score and by the sound that is heard."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from fractions import Fraction

import numpy as np

from stream_dream.automation.assemble import Parsed
from stream_dream.automation.changeable import base_values, check_names, value_range
from stream_dream.automation.curves import Curve, read_curve
from stream_dream.automation.expression import Scope
from stream_dream.automation.program import WHOLE, is_weight, varying_of, with_values
from stream_dream.automation.text import plainly
from stream_dream.automation.timeline import Length, Timeline, Values
from stream_dream.automation.track import PlacedTrack, Track
from stream_dream.errors import SettingsError, StreamDreamError, first_line
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import BESIDE_A_SOURCE, STEERING
from stream_dream.live.engine.hearing import HeardCurve, Sound, heard
from stream_dream.live.engine.live_beat import LiveBeat
from stream_dream.live.status import HeardSound
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, parameter_range

log = logging.getLogger("stream_dream.live")

# Settings that a show does not have, or that need it to begin anew.
_NOT_LIVE = {"cadence", "steps", "mask_strength", "zoom"}
# Threads that ask within this time get the same values.
_FRESH_SECONDS = 0.015
# Seconds in which settings follow the sound again after silence, and let go of it.
_WAKING_SECONDS = 1.0


class LiveProgram:
    """Changes the settings of a show over time.

    A parameter that an operator moves is the operator's, until the dream is reset; what follows the
    sound goes on around its value. Nothing fails while the show runs: a setting whose value cannot
    be computed stays as it was.

    Attributes:
        changing: Names of the settings that change.
        look_length: How long each look lasts, in beats or bars, if looks change with them.
        problem: Why a setting does not change as it should, in one line; None if all do.
    """

    def __init__(
        self,
        automation: Automation,
        looks: Mapping[str, DreamSettings],
        controls: Controls,
        sound: Sound | None,
        *,
        beat: LiveBeat | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Parse what changes.

        Args:
            automation: What changes; its looks are not used.
            looks: The looks of the show, by name.
            controls: Parameters as the operators want them.
            sound: What is heard; None if nothing listens.
            beat: The beat of the show; by default one of the score and the sound.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: A text is not understood, or names no setting that a show can change.
        """
        parsed = Parsed.of(automation)
        self._reaction = parsed.reaction
        self.look_length: Length | None = parsed.reaction.look_length if parsed.reaction else None
        targets = parsed.reaction.targets if parsed.reaction else frozenset()
        self.changing = targets | parsed.tracks.keys()
        steered = STEERING if controls.journey else frozenset()
        without = _NOT_LIVE | (BESIDE_A_SOURCE if controls.journey else frozenset())
        check_names(self.changing - steered, list(looks.values()), without=without)
        _check_needs(parsed, parsed.needs_sound(automation) and sound is None)
        self._tracks = {name: _Track(track) for name, track in parsed.tracks.items()}
        self._hearing = {name: HeardCurve() for name in parsed.curves - automation.curves.keys()}
        files = {
            name: read_curve(path)
            for name, path in automation.curves.items()
            if name in parsed.curves
        }
        self._curves: dict[str, Curve] = {**files, **self._hearing}
        self._controls, self._sound, self._clock = controls, sound, clock
        # By identity, which is quicker than by value. They are as many as the looks.
        self._looks = {id(look): (look, base_values(look)) for look in looks.values()}
        self._ranges = {
            name: parameter_range(name) if name in STEERING else value_range(name, LiveParameters)
            for name in self.changing
        }
        self.problem: str | None = None
        self._told: set[str] = set()
        self._kept: dict[tuple[str, int], float] = {}
        self._lock = threading.RLock()
        self._beat = beat or LiveBeat(automation, sound, clock=clock)
        # Frames of a score count at the rate that the show begins with.
        fps = Fraction(controls.target.target_fps).limit_denominator(1001)
        self._scope = Scope(Timeline(fps, beats=self._beat.grid_at(0.0)), self._curves)
        self._frames = np.zeros(1)
        self._begun: float | None = None
        self._at = 0.0
        # How far settings follow the sound, and parameters their tracks: 0..1.
        self._awake = 1.0 if sound is None else 0.0
        self._led = dict.fromkeys(self._tracks, 1.0)
        self._reactivity = controls.target.reactivity
        # What was moved last, and when.
        # For each deck; by identity.
        self._moved: tuple[Scope | None, dict[int, tuple[LiveParameters, LiveParameters]]]
        self._moved = None, {}
        self._dreams: dict[int, tuple[Scope, DreamSettings]] = {}

    @property
    def varying(self) -> frozenset[str]:
        """Those of ``dream.ascent.VARYING`` that change."""
        return varying_of(self.changing)

    @property
    def reacts(self) -> bool:
        """True if settings follow the sound."""
        return self._reaction is not None and bool(self._reaction.targets)

    def begin(self) -> None:
        """Start the clock, at the show's first frame. Nothing changes before."""
        with self._lock:
            self._begun = self._at = self._clock()
            self._beat.begin()
            self._update(0.0)

    def now(self) -> tuple[float, Timeline]:
        """Return the number of the present frame, and what is known of time."""
        with self._lock:
            self._refresh()
            return float(self._frames[0]), self._scope.timeline

    def beats(self) -> float | None:
        """Return the number of beats so far; None while there is no beat."""
        with self._lock:
            self._refresh()
            there = self._beat.is_there
            frames, timeline = self._frames, self._scope.timeline
            return float(timeline.elapsed("beats", frames)[0]) if there else None

    def heard(self) -> HeardSound | None:
        """Return what is heard now, for the status; None if nothing listens."""
        if self._sound is None:
            return None
        try:
            return heard(self._sound)
        except Exception as error:
            self._complain("the sound is not followed", error)
            return HeardSound("lost", None, {})

    def parameters(self, base: LiveParameters) -> LiveParameters:
        """Return parameters as they are now, from those that the operators set."""
        with self._lock:
            if self._begun is None:
                return base
            self._refresh()
            if self._moved[0] is not self._scope:
                self._moved = self._scope, {}
            if (known := self._moved[1].get(id(base))) is not None:
                return known[1]
            self._reactivity = base.reactivity
            values = {
                name: self._value(name, float(getattr(base, name)), 0)
                for name in self.changing & LiveParameters.model_fields.keys()
            }
            whole = {name: round(value) for name, value in values.items() if name in WHOLE}
            moved = base.model_copy(update=values | whole)
            self._moved[1][id(base)] = base, moved
            return moved

    def dream(self, dream: DreamSettings) -> DreamSettings:
        """Return the settings of a look as they are now; parameters are not among them."""
        names = self.changing - LiveParameters.model_fields.keys()
        with self._lock:
            if not names or self._begun is None or id(dream) not in self._looks:
                return dream
            self._refresh()
            scope, moved = self._dreams.get(id(dream), (None, dream))
            if scope is self._scope:
                return moved
            bases = self._looks[id(dream)][1]
            # A look without a limit gets that of a track; one without a target has no weight.
            values = {
                name: self._value(name, bases.get(name, math.nan), id(dream))
                for name in names
                if name in bases or not is_weight(name)
            }
            moved = with_values(dream, values) if values else dream
            self._dreams[id(dream)] = self._scope, moved
            return moved

    def _value(self, name: str, base: float, whose: int) -> float:
        """Return the value of a setting now; as it was before, if it cannot be computed.

        Args:
            name: Its name.
            base: Its value where nothing changes it.
            whose: What else it belongs to, for the value before.
        """
        try:
            values = np.array([base])
            if name in self._tracks and (led := self._led[name]):
                track = self._tracks[name].sample(self._frames, self._scope)
                values = track if led == 1 else base + led * (track - base)
            amount = self._awake * self._reactivity
            if self._reaction is not None and amount:
                values = self._reaction.apply(name, values, self._frames, self._scope, amount)
            least, most = self._ranges[name]
            value = min(max(float(values[0]), least), most)
        except Exception as error:  # a show goes on, whatever its score says
            self._complain(f"{plainly(name)} stays as it was", error)
            return self._kept.get((name, whose), base)
        self._kept[name, whose] = value = round(value) if name in WHOLE else value
        return value

    def _refresh(self) -> None:
        """Bring the time up to date."""
        now = self._clock()
        passed = now - self._at
        if self._begun is not None and passed >= _FRESH_SECONDS:
            self._at = now
            self._update(passed)

    def _update(self, passed: float) -> None:
        """Learn what is heard now, after so many seconds."""
        seconds = self._at - (self._begun or 0.0)
        timeline = self._scope.timeline
        self._frames = np.array([seconds * float(timeline.fps)])
        self._hand_over(passed)
        hears, grid = False, timeline.beats
        try:
            hears = self._sound is None or self._sound.state == "ok"
            values = self._sound.curves() if self._sound is not None and self._hearing else {}
            for name, curve in self._hearing.items():
                curve.hear(seconds, values.get(name, 0.0))
            grid = self._beat.grid_at(seconds)
        except Exception as error:  # whatever a driver does: the show goes on
            hears = False
            self._complain("the sound is not followed", error)
        step = passed / _WAKING_SECONDS
        self._awake = min(1.0, self._awake + step) if hears else max(0.0, self._awake - step)
        if grid is not timeline.beats:
            timeline = Timeline(timeline.fps, beats=grid)
        self._scope = Scope(timeline, self._curves)

    def _hand_over(self, passed: float) -> None:
        """Cross-fade parameters from their tracks to the operators', and back after a reset."""
        touched, glide = self._controls.touched, self._controls.target.glide
        step = passed / glide if glide else 1.0
        for name, led in self._led.items():
            self._led[name] = max(0.0, led - step) if name in touched else min(1.0, led + step)

    def _complain(self, what: str, error: Exception) -> None:
        """Report a failure, once for each setting."""
        if what in self._told:
            return
        self._told.add(what)
        self.problem = f"{what}: {first_line(error)}"
        known = isinstance(error, StreamDreamError)
        log.warning("score: %s", self.problem, exc_info=None if known else error)


class _Track:
    """A track whose keys are placed once, or again when the beat that they count by moves."""

    def __init__(self, track: Track) -> None:
        self._track = track
        self._moves = any(key.position.needs for key in track.keys)
        self._placed: tuple[Timeline, PlacedTrack] | None = None

    def sample(self, frames: Values, scope: Scope) -> Values:
        """Return the values at frames. Raises ``SettingsError``."""
        placed = self._placed
        if placed is None or (self._moves and placed[0] is not scope.timeline):
            placed = self._placed = scope.timeline, self._track.placed(scope.timeline)
        return placed[1].sample(frames, scope)


def _check_needs(parsed: Parsed, lacks_sound: bool) -> None:
    """Raise ``SettingsError`` if something is needed that a show does not have."""
    for name, part in {**parsed.tracks, "preset": parsed.looks}.items():
        if part is not None and part.needs & {"length", "shots"}:
            raise SettingsError(
                f"{plainly(name)}: a show has no length and no shots: give seconds, beats or bars"
            )
    if parsed.needs & {"length", "shots"}:
        raise SettingsError("--react: a show has no length and no shots: give seconds or beats")
    if lacks_sound:
        if parsed.curves:
            raise SettingsError("settings that follow sound need --listen")
        raise SettingsError("settings that follow beats need --bpm or --listen")
