"""Parameters, look and actions: set from any thread by keys, page, OSC and timers."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Literal, get_args

from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters, parameter_range
from stream_dream.settings.validation import validated

Action = Literal["freeze", "reset", "snapshot", "record"]
ACTIONS: tuple[Action, ...] = get_args(Action)

# Parameters that a look sets; the others belong to the operator.
OF_A_LOOK = ("step_size", "persistence", "jitter", "octaves")

_AT_ONCE = ("glide", "target_fps")
# 98 % of a change is done after the glide's seconds; this relative distance counts as reached.
_HASTE, _CLOSE = 4.0, 1e-3


class Controls:
    """Gliding parameters, the selected look, and actions.

    All methods may be called from any thread. An invalid request is refused and changes nothing.

    Attributes:
        look: Name of the look that was selected last.
        target: Parameters that were asked for last, reached or not.
        frozen: True while the picture is to be held.
        resets: Number of resets of the dream so far.
        touched: Names of parameters that operators have moved since the last reset: a score moves
            them no more.
        reacts: True if a show follows sound: there is something for ``reactivity`` to do.
        automate: Returns the parameters as a score and sound move them; set by a show that has any.
        revision: Number of changes so far, for views to notice new ones.
    """

    def __init__(
        self,
        parameters: LiveParameters,
        looks: Mapping[str, DreamSettings],
        look: str,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with a look and parameters, without a glide.

        Args:
            parameters: Initial values.
            looks: Looks that can be selected.
            look: Initial look; must be in ``looks``.
            clock: Returns the time in seconds.
        """
        self._lock = threading.RLock()
        self._clock = clock
        self._looks = dict(looks)
        self.look = look
        self._now = self.target = parameters
        self._at = clock()
        self.frozen = False
        self.resets = 0
        self._pressed: list[Action] = []
        self.touched: frozenset[str] = frozenset()
        self.reacts = False
        self.automate: Callable[[LiveParameters], LiveParameters] | None = None
        self.revision = 0

    @property
    def looks(self) -> tuple[str, ...]:
        """Names of the looks that can be selected."""
        return tuple(self._looks)

    def change(self, values: Mapping[str, Any], *, origin: str = "") -> None:
        """Change parameters: all of these or, if one is invalid, none.

        Args:
            values: New values by name, such as ``{"strength": 0.5}``.
            origin: Where they come from, put before the error message.

        Raises:
            SettingsError: A name is unknown, or a value of the wrong type or out of range.
        """
        with self._lock:
            self._glide_to(values, origin)
            self.touched |= values.keys()

    def use(self, look: str) -> None:
        """Change to a look, and glide to its parameters. Raises ``SettingsError`` if unknown."""
        with self._lock:
            if look not in self._looks:
                known = ", ".join(self._looks)
                raise SettingsError(f"there is no look {str(look)[:40]!r} at hand: choose {known}")
            of_look = parameters_of(self._looks[look])
            self._glide_to({name: getattr(of_look, name) for name in OF_A_LOOK}, "")
            self.look = look

    def press(self, action: str) -> None:
        """Perform an action; ``freeze`` and ``record`` are toggles. Raises ``SettingsError``."""
        with self._lock:
            if action not in ACTIONS:
                known = ", ".join(ACTIONS)
                raise SettingsError(f"there is no action {str(action)[:40]!r}: choose {known}")
            if action == "freeze":
                self.frozen = not self.frozen
            elif action == "reset":
                self.resets += 1
                self.touched = frozenset()
            elif len(self._pressed) < 16:  # bounded: they are cleared every frame
                self._pressed.append(action)
            self.revision += 1

    def pressed(self) -> list[Action]:
        """Return snapshots and recordings asked for since the last call, and forget them."""
        with self._lock:
            pressed, self._pressed = self._pressed, []
            return pressed

    def drop(self, look: str) -> None:
        """Remove a look that cannot be dreamed."""
        with self._lock:
            if look in self._looks and len(self._looks) > 1:
                del self._looks[look]
                if self.look == look:
                    self.use(next(iter(self._looks)))
                self.revision += 1

    def parameters(self) -> LiveParameters:
        """Return the parameters as they are now, on their glide to the target, and automated."""
        with self._lock:
            self._advance()
            now = self._now
        return now if self.automate is None else self.automate(now)

    def _glide_to(self, values: Mapping[str, Any], origin: str) -> None:
        asked = validated(LiveParameters, {**self.target.model_dump(), **values}, origin=origin)
        self._advance()
        self.target = asked
        self.revision += 1

    def _advance(self) -> None:
        """Move every parameter towards its target.

        ``value += (target - value) * (1 - exp(-4 t / glide))``: the result does not depend on how
        often it is called, and a stream of new targets, from a fader, is followed at once.
        """
        now, target = self._clock(), self.target
        passed, self._at = now - self._at, now
        if self._now == target:
            return
        share = 1.0 if target.glide == 0 else -math.expm1(-_HASTE * passed / target.glide)
        values = {}
        for name, wanted in target:
            value = getattr(self._now, name)
            # Octaves and switches have no values in between.
            follows = isinstance(wanted, float) and name not in _AT_ONCE
            close = not follows or abs(wanted - value) < _CLOSE * max(abs(wanted), 1e-3)
            values[name] = wanted if close else value + share * (wanted - value)
        self._now = LiveParameters.model_construct(**values)


def parameters_of(dream: DreamSettings) -> LiveParameters:
    """Return the parameters that a look sets, cut to a show's range; others at default."""
    return LiveParameters(
        **{name: min(getattr(dream, name), parameter_range(name)[1]) for name in OF_A_LOOK}
    )
