"""What the operators want: set from any thread by keys, page, OSC and timers; read by the show."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, get_args

from stream_dream.errors import SettingsError
from stream_dream.live_settings import LiveParameters
from stream_dream.settings import DreamSettings, validated

Action = Literal["freeze", "reset", "snapshot", "record"]
ACTIONS: tuple[Action, ...] = get_args(Action)

# What a look brings along; the rest is the operator's.
_OF_A_LOOK = ("step_size", "persistence", "jitter", "octaves")


class Look(NamedTuple):
    """The look in use, and the one that it comes from while it fades in.

    Attributes:
        name: Of the look.
        before: Name of the look before it.
        share: How much of the new look there is, 0..1; 1 when the change is over.
    """

    name: str
    before: str
    share: float


class Controls:
    """Parameters that glide, looks that fade over, and what was pressed.

    All methods may be called from any thread. What cannot be is refused and changes nothing.
    """

    def __init__(
        self,
        parameters: LiveParameters,
        looks: Mapping[str, DreamSettings],
        look: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with a look and parameters, all of them in place.

        Args:
            parameters: Where they start.
            looks: The looks that can be changed to.
            look: The first of them; it must be in ``looks``.
            clock: Tells the time in seconds.
        """
        self._lock = threading.RLock()
        self._clock = clock
        self._looks = dict(looks)
        self._look = Look(look, look, 1.0)
        self._look_begun = clock()
        self._from = self._target = parameters
        self._begun = clock()
        self._glide = 0.0
        self._frozen = False
        self._resets = 0
        self._pressed: list[Action] = []
        self._revision = 0

    @property
    def looks(self) -> tuple[str, ...]:
        """Names of the looks that can be changed to."""
        return tuple(self._looks)

    @property
    def revision(self) -> int:
        """Counts what was changed: a view that has seen it knows the rest."""
        return self._revision

    @property
    def frozen(self) -> bool:
        """True while the picture is to be held."""
        return self._frozen

    @property
    def resets(self) -> int:
        """How many times the dream was to start afresh."""
        return self._resets

    @property
    def target(self) -> LiveParameters:
        """The parameters that were asked for last, whether they are reached or not."""
        return self._target

    def change(self, values: Mapping[str, Any], *, origin: str = "") -> None:
        """Change parameters: all of these or, if one cannot be, none.

        Args:
            values: New values by name, such as ``{"strength": 0.5}``.
            origin: Where they come from, put before the message.

        Raises:
            SettingsError: A name is unknown, or a value of the wrong type or out of range.
        """
        with self._lock:
            asked = validated(
                LiveParameters, {**self._target.model_dump(), **values}, origin=origin
            )
            now = self._clock()
            # From where they are, which may be on the way to somewhere else.
            self._from, self._begun = self._at(now), now
            self._target, self._glide = asked, asked.glide
            self._revision += 1

    def use(self, look: str) -> None:
        """Change to a look, and glide to its parameters.

        Raises:
            SettingsError: There is no such look.
        """
        with self._lock:
            if look not in self._looks:
                known = ", ".join(self._looks)
                raise SettingsError(f"there is no look {str(look)[:40]!r} at hand: choose {known}")
            of_look = parameters_of(self._looks[look])
            self.change({name: getattr(of_look, name) for name in _OF_A_LOOK})
            if look != self._look.name:
                self._look = Look(look, self._look.name, 0.0)
                self._look_begun = self._clock()

    def press(self, action: str) -> None:
        """Do something once; ``freeze`` and ``record`` undo themselves at the next time.

        Raises:
            SettingsError: There is no such action.
        """
        with self._lock:
            if action not in ACTIONS:
                known = ", ".join(ACTIONS)
                raise SettingsError(f"there is no action {str(action)[:40]!r}: choose {known}")
            if action == "freeze":
                self._frozen = not self._frozen
            elif action == "reset":
                self._resets += 1
            elif len(self._pressed) < 16:  # nobody means more of them within a frame
                self._pressed.append(action)
            self._revision += 1

    def pressed(self) -> list[Action]:
        """Return snapshots and recordings asked for since the last call, and forget them."""
        with self._lock:
            pressed, self._pressed = self._pressed, []
            return pressed

    def parameters(self) -> LiveParameters:
        """Return the parameters as they are now, on their way to what was asked for."""
        with self._lock:
            return self._at(self._clock())

    def look(self) -> Look:
        """Return the look as it is now."""
        with self._lock:
            look = self._look
            if look.share < 1:
                share = _share(self._clock() - self._look_begun, self._target.glide)
                look = look._replace(share=share)
                if share >= 1:
                    self._look = look
            return look

    def _at(self, now: float) -> LiveParameters:
        share = _share(now - self._begun, self._glide)
        if share >= 1:
            return self._target
        values = {}
        for name, target in self._target:
            start = getattr(self._from, name)
            # Numbers of octaves and switches have nothing in between.
            gliding = isinstance(target, float) and name not in ("glide", "target_fps")
            values[name] = start + share * (target - start) if gliding else target
        return LiveParameters.model_construct(**values)


def parameters_of(dream: DreamSettings) -> LiveParameters:
    """Return the parameters that a look brings, where a show has them; others at their default."""
    values = {}
    for name in _OF_A_LOOK:
        field = LiveParameters.model_fields[name]
        most = next((limit.le for limit in field.metadata if hasattr(limit, "le")), None)
        value = getattr(dream, name)
        values[name] = value if most is None else min(value, most)
    return LiveParameters(**values)


def _share(passed: float, whole: float) -> float:
    """Return how much of a change is done: slow at both ends, 0 to 1."""
    if passed >= whole:
        return 1.0
    x = max(0.0, passed / whole)
    return x * x * (3 - 2 * x)
