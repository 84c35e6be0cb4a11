"""What operators do: set from any thread by keys, page, OSC, MIDI and timers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, get_args

from stream_dream.errors import SettingsError
from stream_dream.live.control.beat_queue import BeatQueue
from stream_dream.live.control.gliding import Gliding
from stream_dream.live.control.history import History
from stream_dream.live.control.oscillator import swung
from stream_dream.live.control.show_state import (
    BESIDE_A_SOURCE,
    OF_A_LOOK,
    STEERING,
    DeckName,
    ShowState,
    between,
    deck_with,
)
from stream_dream.live.control.tempo import USUAL_BPM, Tempo
from stream_dream.settings.automation import BEATS_PER_BAR
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.scenes import Lfo, Scene

Action = Literal[
    "freeze",
    "reset",
    "snapshot",
    "record",
    "cut",
    "auto_fade",
    "fade_to_black",
    "flash",
    "tap",
    "begin_bar",
    "release_tempo",
    "undo",
    "redo",
]
ACTIONS: tuple[Action, ...] = get_args(Action)

# Faders follow the hand; times are no picture.
_AT_ONCE = ("glide", "target_fps", "fade", "fader", "light")
_BEATS = {"beat": 1, "bar": BEATS_PER_BAR, "4bars": 4 * BEATS_PER_BAR}
# A flash halves in this many seconds.
_FLASH_SECONDS = 0.12
# Three flashes a second is the most that WCAG 2.3.1 calls safe for people with epilepsy.
_FLASH_PAUSE = 0.34
# Snapshots and recordings that are asked for between two frames.
_MOST_PRESSED = 16


class Controls:
    """Two decks with a cross-fader, gliding parameters, LFOs, scenes, and actions.

    Each deck has a look and that look's parameters. The one in front is meant where no deck is
    named: ``step_size`` is that of the deck in front, ``b/step_size`` that of deck B. All methods
    may be called from any thread. An invalid request is refused and changes nothing.

    Attributes:
        state: What was asked for last, reached or not.
        frozen: True while the picture is to be held.
        resets: Number of resets of the dream so far.
        touched: Names of parameters that operators have moved since the last reset: a score moves
            them no more.
        tempo: The beat that operators give.
        bpm: Returns the pace of the show's beat, in beats per minute; set by the show.
        beats: Returns the number of beats so far, which never falls; set by the show.
        begin_bar: Makes this moment the beginning of a bar; set by the show.
        reacts: True if a show follows sound: there is something for ``reactivity`` to do.
        journey: True if the show is a journey, which can be steered.
        automate: Returns the parameters as a score and sound move them; set by a show that has any.
        on_store: Called when scenes have changed; it must return at once.
        revision: Number of changes so far, for views to notice new ones.
    """

    def __init__(
        self,
        parameters: LiveParameters,
        looks: Mapping[str, DreamSettings],
        look: str,
        *,
        other: str | None = None,
        scenes: Mapping[str, Scene] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with a look on both decks and parameters, without a glide.

        Args:
            parameters: Initial values.
            looks: Looks that can be selected.
            look: Initial look; must be in ``looks``.
            other: The look of deck B, that a first fade goes to; None for the same.
            scenes: Stored scenes by name.
            clock: Returns the time in seconds.
        """
        self._lock = threading.RLock()
        self._clock = clock
        self._looks = dict(looks)
        self.state = ShowState.of(parameters, look, scenes or {})
        if other is not None:
            self.state = self.state.loaded("b", deck_with(other, self._looks[other]))
        self._gliding = Gliding(self.state.flat(), clock(), _AT_ONCE)
        # Parameters of each deck, made of these values.
        self._made: tuple[object, dict[DeckName, LiveParameters]] = None, {}
        self._history: History[ShowState] = History()
        self._waiting: BeatQueue[str | Lfo] = BeatQueue()
        self.tempo = Tempo(clock=clock)
        self.bpm: Callable[[], float] = lambda: self.tempo.tempo or USUAL_BPM
        self.beats: Callable[[], float] = lambda: self._clock() * self.bpm() / 60
        self.begin_bar = self.tempo.begin_bar
        self.frozen = False
        self.resets = 0
        self._flashed = -math.inf
        self._lit = 1.0  # the light before it was faded to black
        self._pressed: list[Action] = []
        self.touched: frozenset[str] = frozenset()
        self.reacts = self.journey = False
        self.automate: Callable[[LiveParameters], LiveParameters] | None = None
        self.on_store: Callable[[], None] = lambda: None
        self.revision = 0
        self._acts: Mapping[str, Callable[[], None]] = {
            "freeze": self._freeze,
            "reset": self._reset,
            "cut": lambda: self._on_beat("fader", "cut", partial(self._cross, 0.0)),
            "auto_fade": lambda: self._on_beat("fader", "fade", self._cross),
            "fade_to_black": self._fade_to_black,
            "flash": self._flash,
            "tap": self.tempo.tap,
            "begin_bar": lambda: self.begin_bar(),
            "release_tempo": self.tempo.release,
            "undo": self._undo,
            "redo": lambda: self._restore(self._history.redo(self.state), "redo"),
        }

    @property
    def idle(self) -> frozenset[str]:
        """Names of the parameters that have nothing to do in this show."""
        idle = BESIDE_A_SOURCE if self.journey else STEERING
        return idle if self.reacts else idle | {"reactivity"}

    @property
    def looks(self) -> tuple[str, ...]:
        """Names of the looks that can be selected."""
        return tuple(self._looks)

    @property
    def look(self) -> str:
        """Name of the look that was selected last for the deck in front."""
        state = self.state
        return state.decks[state.front].look

    @property
    def target(self) -> LiveParameters:
        """Parameters that were asked for last, reached or not; those of the deck in front."""
        state = self.state
        return state.parameters(state.front)

    @property
    def waiting(self) -> dict[str, str]:
        """Names of what waits for the beat, by what it changes: ``{"a": "eyes"}``."""
        with self._lock:
            asked = self._waiting.asked.items()
        return {what: name if isinstance(name, str) else "LFO" for what, name in asked}

    def lfo(self, name: str) -> Lfo | None:
        """Return the LFO of a parameter that was asked for last, waiting or not; None without one.

        Raises ``SettingsError`` if no LFO moves the parameter.
        """
        name = self.state.modulated_name(name)
        with self._lock:
            asked = self._waiting.asked.get(_lfo(name), self.state.lfos.get(name))
        return asked if isinstance(asked, Lfo) else None

    @property
    def scenes(self) -> Mapping[str, Scene]:
        """Stored scenes by name; replaced, never modified."""
        return self.state.scenes

    @property
    def can_undo(self) -> bool:
        """True if there is a change to undo, or one that waits."""
        with self._lock:
            return self._history.can_undo or bool(self._waiting.by_hand)

    @property
    def can_redo(self) -> bool:
        """True if there is a change that was undone."""
        return self._history.can_redo

    @property
    def is_fading(self) -> bool:
        """True while a fade or a flash is under way."""
        return bool(self._gliding.ramping) or self.flash() > 0

    def change(self, values: Mapping[str, Any], *, origin: str = "") -> None:
        """Change parameters: all of these or, if one is invalid, none.

        Args:
            values: New values by name, such as ``{"strength": 0.5, "b/step_size": 0.01}``.
            origin: Where they come from, put before the error message.

        Raises:
            SettingsError: A name is unknown, or a value of the wrong type or out of range.
        """
        with self._up_to_date():
            state = self.state.changed(values, origin)
            if "fader" in values:  # a hand on it comes before a cut that waits
                self._waiting.remove("fader")
            self._gliding.stop(values)
            self._go_to(state, series=tuple(sorted(values)))
            self.touched |= {name.rpartition("/")[2] for name in values}

    def use(self, look: str, deck: str | None = None, *, by_hand: bool = True) -> None:
        """Change to a look, on the next beat if looks wait for it, and glide to its parameters.

        Args:
            look: Name of the look.
            deck: The deck that it goes to; None for the one in front.
            by_hand: False for a timer's change, which undo passes over. It is left out where a
                look or scene that somebody has asked for waits for the beat.

        Raises:
            SettingsError: There is no such look or deck.
        """
        with self._up_to_date():
            if look not in self._looks:
                known = ", ".join(self._looks)
                raise SettingsError(f"there is no look {str(look)[:40]!r} at hand: choose {known}")
            name = self.state.deck(deck)
            if not by_hand and self._waiting.by_hand & {name, "scene"}:
                return
            load = partial(self._load, look, name, by_hand)
            self._on_beat(name, look, load, by_hand=by_hand)

    def press(self, action: str) -> None:
        """Perform an action; ``freeze``, ``record`` and ``fade_to_black`` are toggles.

        Raises:
            SettingsError: There is no such action, or it cannot be done now.
        """
        with self._up_to_date():
            found = next((known for known in ACTIONS if known == action), None)
            if found is None:
                known = ", ".join(ACTIONS)
                raise SettingsError(f"there is no action {str(action)[:40]!r}: choose {known}")
            if found in self._acts:
                self._acts[found]()
            elif len(self._pressed) >= _MOST_PRESSED:
                raise SettingsError(f"{found} is left out: more are asked for than a frame allows")
            else:
                self._pressed.append(found)
            self.revision += 1

    def pressed(self) -> list[Action]:
        """Return snapshots and recordings asked for since the last call, and forget them."""
        with self._lock:
            pressed, self._pressed = self._pressed, []
            return pressed

    def flash(self) -> float:
        """Return how bright a flash is now, 0..1."""
        brightness = math.pow(0.5, (self._clock() - self._flashed) / _FLASH_SECONDS)
        return brightness if brightness > 0.01 else 0.0

    def drop(self, look: str) -> None:
        """Remove a look that cannot be dreamed."""
        with self._up_to_date():
            if look in self._looks and len(self._looks) > 1:
                del self._looks[look]
                state = self._at_hand(self.state)
                self._history.amend(self._at_hand, state)
                self._go_to(state, recorded=False)

    def modulate(self, name: str, lfo: Lfo) -> None:
        """Move a parameter by an LFO, from the next beat on if changes wait for it.

        Args:
            name: The parameter, such as ``strength`` or ``a/step_size``.
            lfo: The LFO; with a depth of 0 the parameter rests.

        Raises:
            SettingsError: There is no such parameter, or no LFO moves it.
        """
        with self._up_to_date():
            name = self.state.modulated_name(name)
            self._on_beat(_lfo(name), lfo, partial(self._modulate, name, lfo))

    def store(self, name: str) -> None:
        """Store the present state as a scene, in place of one of that name.

        Raises:
            SettingsError: The name is empty or too long, or there are too many scenes.
        """
        with self._up_to_date():
            self._go_to(self.state.stored(name))

    def forget(self, name: str) -> None:
        """Remove a scene. Raises ``SettingsError`` if there is none of that name."""
        with self._up_to_date():
            self._go_to(self.state.forgotten(name))

    def recall(self, name: str) -> None:
        """Glide to a scene, from the next beat on if changes wait for it.

        Raises:
            SettingsError: There is no such scene, or a look of it is not at hand.
        """
        with self._up_to_date():
            scene = self.state.scene(name)
            for deck in (scene.a, scene.b):
                if deck.look not in self._looks:
                    problem = f"needs the look {deck.look}: add it to --presets"
                    raise SettingsError(f"scene {name!r} {problem}")
            self._on_beat("scene", name, partial(self._recall, scene))

    def parameters(self, deck: DeckName | None = None) -> LiveParameters:
        """Return the parameters as they are now: gliding, automated, moved by LFOs.

        Args:
            deck: The deck; None for the parameters of the picture, between both decks.
        """
        with self._up_to_date():
            if deck is not None:
                return self._moved(deck)
            return between(self._moved("a"), self._moved("b"))

    @contextmanager
    def _up_to_date(self) -> Iterator[None]:
        """Hold the lock, with all values as they are now and all done that has waited till now."""
        with self._lock:
            now = self._clock()
            self._gliding.advance(now, self.state.stage.glide)
            if due := self._waiting.take(self.beats()):
                for act in due:
                    act()
                self._gliding.advance(now, self.state.stage.glide)  # what jumps has arrived
            yield

    # The lock is held below.

    def _freeze(self) -> None:
        self.frozen = not self.frozen

    def _reset(self) -> None:
        self.resets += 1
        self.touched = frozenset()

    def _flash(self) -> None:
        if self._clock() - self._flashed < _FLASH_PAUSE:
            raise SettingsError("more than three flashes a second are a danger: wait a moment")
        self._flashed = self._clock()

    def _fade_to_black(self) -> None:
        light = self.state.stage.light
        if light > 0:
            self._lit = light
        self._run_to("light", 0.0 if light > 0 else self._lit, self._fade_seconds())

    def _cross(self, seconds: float | None = None) -> None:
        """Go to the other deck; None takes the time of an automatic fade."""
        target = 0.0 if self.state.front == "b" else 1.0
        self._run_to("fader", target, self._fade_seconds() if seconds is None else seconds)

    def _fade_seconds(self) -> float:
        stage = self.state.stage
        return stage.fade * (60 / self.bpm() if stage.fade_unit == "beats" else 1.0)

    def _load(self, look: str, deck: DeckName, by_hand: bool) -> None:
        if look not in self._looks:  # it has failed while it waited
            return
        loaded = deck_with(look, self._looks[look])
        state = self.state.loaded(deck, loaded)
        if not by_hand:
            self._history.amend(lambda state: state.loaded(deck, loaded), state)
        self._go_to(state, recorded=by_hand)

    def _at_hand(self, state: ShowState) -> ShowState:
        """Return a state with a look that is at hand on both decks."""
        look = next(iter(self._looks))
        for name, deck in state.decks.items():
            if deck.look not in self._looks:
                state = state.loaded(name, deck_with(look, self._looks[look]))
        return state

    def _modulate(self, name: str, lfo: Lfo) -> None:
        self._go_to(self.state.modulated(name, lfo), series=_lfo(name))

    def _recall(self, scene: Scene) -> None:
        state = self._at_hand(self.state.recalled(scene))
        self._touch(state)
        self._go_to(state, ramp=("fader", state.stage.glide))

    def _touch(self, state: ShowState) -> None:
        """Mark the parameters that going to a state changes as moved by an operator."""
        before = self.state.flat()
        changed = [name for name, value in state.flat().items() if value != before[name]]
        self.touched |= {name.rpartition("/")[2] for name in changed}

    def _undo(self) -> None:
        if self._waiting.by_hand:
            self._waiting.withdraw()  # it has not happened yet
        else:
            self._restore(self._history.undo(self.state), "undo")

    def _restore(self, state: ShowState | None, what: str) -> None:
        if state is None:
            raise SettingsError(f"there is nothing to {what}")
        self._waiting.withdraw()
        self._touch(state)
        self._go_to(state, recorded=False)

    def _go_to(
        self,
        state: ShowState,
        *,
        series: object = None,
        recorded: bool = True,
        ramp: tuple[str, float] | None = None,
    ) -> None:
        """Change the state.

        Args:
            state: The new one.
            series: What is being moved; see ``History.record``.
            recorded: False for a change that undo passes over.
            ramp: A parameter of the stage that goes straight to its value, in so many seconds.
        """
        if recorded and state != self.state:
            self._history.record(self.state, self._clock(), series)
        stored, self.state = self.state.scenes, state
        self._gliding.aim(state.flat())
        if ramp is not None:
            self._gliding.ramp(*ramp)
        self.revision += 1
        if state.scenes is not stored:
            self.on_store()

    def _run_to(self, name: str, target: float, seconds: float) -> None:
        """Move a parameter of the stage straight to a value."""
        self._go_to(self.state.changed({name: target}), ramp=(name, seconds))

    def _on_beat(
        self, what: str, asked: str | Lfo, act: Callable[[], None], *, by_hand: bool = True
    ) -> None:
        """Make a change now or, if changes wait, on the next beat, bar or four bars."""
        self._waiting.remove(what)  # the last wish counts
        beats = _BEATS.get(self.state.stage.quantize)
        if beats is None:
            act()
            return
        due = (math.floor(self.beats() / beats) + 1) * beats
        self._waiting.put(what, asked, act, due, by_hand=by_hand)
        self.revision += 1

    def _moved(self, deck: DeckName) -> LiveParameters:
        """Return the parameters of a deck as they are now."""
        values = self._gliding.values
        if self._made[0] is not values:
            self._made = values, {}
        made = self._made[1]
        if deck not in made:
            named: dict[str, Any] = {
                name: values[f"{deck}/{name}" if name in OF_A_LOOK else name]
                for name in LiveParameters.model_fields
            }
            made[deck] = LiveParameters.model_construct(**named)
        moved = made[deck] if self.automate is None else self.automate(made[deck])
        lfos = {
            key: lfo
            for name, lfo in self.state.lfos.items()
            for of, _, key in [name.rpartition("/")]
            if lfo.depth and of in ("", deck)
        }
        return swung(moved, lfos, self.beats(), self._clock()) if lfos else moved


def _lfo(name: str) -> str:
    """Return what an LFO's change is of, for the beat and for undo."""
    return f"lfo {name}"
