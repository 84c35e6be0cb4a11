"""The dream of a show: settings adapted to it, and looks that fade into each other."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from stream_dream.automation.look_track import follows
from stream_dream.automation.moment import Fade
from stream_dream.frame import ImageF, Shape
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import DECKS, DeckName
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import MOST_OCTAVES
from stream_dream.tone import Headroom, room_between

if TYPE_CHECKING:
    from stream_dream.dream.ascent import Ascent

_MOST_STEPS = 2
# Factor on a film's ``catch_up``: a show's ascents are fewer, each of one octave.
_CATCH_UP = 8 / 3
# Ascents of a show over which a dream decays as much as over one frame of a film.
_ASCENTS_OF_A_FRAME = 3
_SQUARE_ROOT_OF_TWO = math.sqrt(2)


def for_live(dream: DreamSettings) -> DreamSettings:
    """Return the settings of a film adapted to a show; see ``step_factor``.

    One octave a frame, in turn, is what time allows; all of them together in every fourth frame
    cost as much and grow more slowly (measured). There is no warm-up: on a stage, a picture that
    stands still for a dozen rounds is worse than a dream that catches up in a second.
    """
    values: dict[str, object] = {
        "warm_up": 0,
        "cadence": 1,
        "catch_up": dream.catch_up * _CATCH_UP,
        "tile": None,
        "steps": min(dream.steps, _MOST_STEPS),
        "octaves": min(dream.octaves, MOST_OCTAVES),
        "step_size": min(0.2, dream.step_size * step_factor(dream)),
    }
    if dream.schedule == "together":
        values["schedule"] = "rotate"
    return dream.model_copy(update=values)


def step_factor(dream: DreamSettings) -> float:
    """Return the ratio of a show's step size to that of the film with these settings.

    Octaves in turn take longer steps than octaves together, by the root of their number. Still
    longer steps add noise, and no strength to the dream (measured).
    """
    octaves = min(dream.octaves, MOST_OCTAVES)
    return math.sqrt(octaves) if dream.schedule == "together" else 1.0


def lasting(persistence: float) -> float:
    """Return the share of a dream that survives an ascent, from that of a film's frame (0..1)."""
    return float(persistence ** (1 / _ASCENTS_OF_A_FRAME))


class CrossFade(NamedTuple):
    """Two decks, each of which may fade between two looks; ``share`` is that of deck B, 0..1."""

    a: Fade
    b: Fade
    share: float

    def growth(self) -> DreamSettings:
        """Return the settings of ``temporal``, interpolated."""
        if self.share in (0, 1):
            return (self.b if self.share else self.a).growth()
        return Fade(self.a.growth(), self.b.growth(), self.share).growth()

    def room(self, source: ImageF) -> Headroom | None:
        """Return how far a picture, float32 (height, width, 3) in [0, 1], may be changed."""
        if self.share in (0, 1):
            return (self.b if self.share else self.a).room(source)
        return room_between(self.a.room(source), self.b.room(source), self.share, source)


@dataclass(slots=True)
class _Deck:
    """What a deck dreams.

    Attributes:
        in_use: Its look.
        fading: The look that it is fading to; None if it is not.
        begun: When that began, in seconds.
        asked: The look and the number of octaves that operators ask for.
        octaves: The numbers of octaves that it has been moved to since they asked.
    """

    in_use: str
    fading: str | None = None
    begun: float = 0.0
    asked: tuple[str, int] | None = None
    octaves: set[int] = field(default_factory=set)


class LiveDream:
    """Ascends on each frame with the looks of both decks and their parameters.

    Between two decks, and during a fade from look to look, their ascents alternate in proportion to
    their shares; the carried residual mixes them. A deck that the cross-fader hides costs nothing.
    """

    def __init__(
        self,
        looks: CompiledLooks,
        controls: Controls,
        *,
        changed: Callable[[DreamSettings], DreamSettings] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with the look that is traced first.

        Args:
            looks: Looks that can be dreamed.
            controls: Parameters and looks that the operators ask for.
            changed: Returns the settings of a look as a score and sound change them now; None if
                nothing does.
            clock: Returns the time in seconds.
        """
        self._looks, self._controls, self._clock = looks, controls, clock
        self._changed = changed or (lambda dream: dream)
        self._decks = {name: _Deck(looks.first) for name in DECKS}

    def __call__(
        self,
        source: ImageF,
        carried: ImageF,
        *,
        index: int,
        rng: np.random.Generator,
        settings: DreamSettings,
    ) -> tuple[ImageF, float]:
        """Ascend on one frame; see ``temporal.dreamer.DreamFunction``."""
        fader, shape = self._controls.parameters().fader, source.shape[:2]
        # That in front first: it is traced first.
        shown = sorted(_shown(fader), key=self._controls.state.front.__ne__)
        self._looks.want([wanted for name in shown for wanted in self._wanted(name)], shape)
        chosen = {name: self._choose(name, shape, index) for name in shown}
        deck: DeckName = "b" if _in_turn(fader, index) else "a"
        if chosen[deck] is None:
            deck = next((name for name in shown if chosen[name] is not None), deck)
        ready = chosen[deck]
        if ready is None:
            return carried, 0.0  # nothing is ready at this shape: the dream fades until it is
        look, ascent, octaves = ready
        parameters = self._controls.parameters(deck)
        values = {"step_size": parameters.step_size, "jitter": parameters.jitter}
        now = self._changed(self._looks.settings[look])
        settings = now.model_copy(update={**values, "octaves": octaves})
        residual, loss = ascent(source, carried, index=index, rng=rng, settings=settings)
        return residual, loss

    def fade(self) -> CrossFade:
        """Return the progress of the present fades; thread-safe."""
        fader = self._controls.parameters().fader
        return CrossFade(self._fade_of("a"), self._fade_of("b"), fader)

    def can_dream(self, shape: Shape) -> bool:
        """Return True if a look of each deck that is shown is traced for a shape."""
        decks = self._controls.state.decks
        octaves = {name: self._controls.parameters(name).octaves for name in DECKS}
        return all(
            self._best(decks[name].look, shape, octaves[name])
            or self._best(self._decks[name].in_use, shape, octaves[name])
            for name in _shown(self._controls.parameters().fader)
        )

    def _fade_of(self, name: DeckName) -> Fade:
        deck, glide = self._decks[name], self._controls.state.stage.glide
        before = self._changed(self._looks.settings[deck.in_use])
        fading = deck.fading
        if fading is None or glide == 0:
            return Fade(before, before, 1.0)
        share = min(1.0, (self._clock() - deck.begun) / glide)
        return Fade(before, self._changed(self._looks.settings[fading]), share)

    def _wanted(self, name: DeckName) -> list[tuple[str, int]]:
        """Return a deck's look with every number of octaves that a score or an LFO moves it to.

        With the present one alone, tracing would follow a quick movement to and fro.
        """
        deck, target = self._decks[name], self._controls.state.decks[name]
        asked = target.look, target.octaves
        if deck.asked != asked:
            deck.asked, deck.octaves = asked, set()
        deck.octaves.add(self._controls.parameters(name).octaves)
        return [(target.look, octaves) for octaves in sorted(deck.octaves)]

    def _choose(self, name: DeckName, shape: Shape, index: int) -> _Ready | None:
        """Return what a deck dreams in this frame; None if no look is ready."""
        deck, parameters = self._decks[name], self._controls.parameters(name)
        look = self._controls.state.decks[name].look
        now = self._best(look, shape, parameters.octaves)
        before = self._best(deck.in_use, shape, parameters.octaves)
        if now is None or look == deck.in_use:
            deck.fading = None
            return now or before
        if deck.fading != look:  # it became ready or was selected only now
            deck.begun, deck.fading = self._clock(), look
        passed = self._clock() - deck.begun
        if before is None or passed >= parameters.glide:
            deck.in_use, deck.fading = look, None
            return now
        return now if follows(passed / parameters.glide, index) else before

    def _best(self, look: str, shape: Shape, octaves: int) -> _Ready | None:
        """Return a look and its ascent with as many octaves as are ready, at most those wanted."""
        for count in range(octaves, 0, -1):
            ascent = self._looks.ready(look, shape, count)
            if ascent is not None:
                return _Ready(look, ascent, count)
        return None


class _Ready(NamedTuple):
    """A look that can be dreamed with a number of octaves."""

    look: str
    ascent: Ascent
    octaves: int


def _shown(fader: float) -> list[DeckName]:
    """Return the decks that a cross-fader does not hide."""
    return [name for name, share in zip(DECKS, (1 - fader, fader), strict=True) if share > 0]


def _in_turn(share: float, index: int) -> bool:
    """Return whether an ascent is deck B's: of all ascents its share, as evenly as can be.

    Its multiples are of another irrational number than those of ``follows``, so that the choice of
    the deck and of the look on it are independent.
    """
    return index * _SQUARE_ROOT_OF_TWO % 1 < share
