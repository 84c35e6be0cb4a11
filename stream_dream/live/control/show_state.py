"""The state of a show that operators change: decks, parameters, LFOs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, Self, get_args

from stream_dream.errors import SettingsError
from stream_dream.live.control.gliding import Value
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import (
    DeckParameters,
    LiveParameters,
    PictureParameters,
    StageParameters,
    SteeringParameters,
    parameter_range,
)
from stream_dream.settings.scenes import LONGEST_NAME, MOST_SCENES, Deck, Lfo, Scene, scene_name
from stream_dream.settings.validation import own, validated

DeckName = Literal["a", "b"]
DECKS: tuple[DeckName, ...] = get_args(DeckName)

OF_A_LOOK: tuple[str, ...] = tuple(DeckParameters.model_fields)
"""Parameters that a look sets, for each deck; the others belong to the operator."""

STEERING: frozenset[str] = frozenset(SteeringParameters.model_fields)
"""Parameters that steer a journey."""

BESIDE_A_SOURCE: frozenset[str] = frozenset({"strength", "persistence", "only", "bypass"})
"""Parameters of a dream that lies over its source, which a journey has not."""

_OF_A_SCENE = (*PictureParameters.model_fields, "fader")
# Times are no part of the picture.
_NO_LFO = {"target_fps", "glide", "fade"}


@dataclass(frozen=True, slots=True)
class ShowState:
    """What operators have asked for last.

    Attributes:
        stage: Parameters of the whole show.
        decks: Look and parameters of each deck.
        lfos: LFOs by the name of their parameter, ``strength`` or ``a/step_size``.
        scenes: Stored scenes by name.
    """

    stage: StageParameters
    decks: Mapping[DeckName, Deck]
    lfos: Mapping[str, Lfo]
    scenes: Mapping[str, Scene]

    @classmethod
    def of(cls, parameters: LiveParameters, look: str, scenes: Mapping[str, Scene]) -> Self:
        """Return a state with the same look and parameters on both decks."""
        stage = StageParameters(**own(StageParameters, dict(parameters)))
        deck = Deck(look=look, **own(DeckParameters, dict(parameters)))
        return cls(stage, dict.fromkeys(DECKS, deck), {}, dict(scenes))

    @property
    def front(self) -> DeckName:
        """The deck in front: the one nearer to the cross-fader."""
        return "b" if self.stage.fader > 0.5 else "a"

    def deck(self, name: str | None) -> DeckName:
        """Return the deck of a name, that in front for None. Raises ``SettingsError``."""
        if name is None:
            return self.front
        for deck in DECKS:
            if name == deck:
                return deck
        raise SettingsError(f"there is no deck {name[:40]!r}: choose a or b")

    def parameters(self, deck: DeckName) -> LiveParameters:
        """Return all parameters, with those of a deck."""
        values = {**dict(self.stage), **self.decks[deck].model_dump(exclude={"look"})}
        return LiveParameters.model_construct(**values)

    def flat(self) -> dict[str, Value]:
        """Return all parameters by name; those of a deck as ``a/step_size``."""
        values: dict[str, Value] = dict(self.stage)
        for name, deck in self.decks.items():
            values |= {f"{name}/{key}": value for key, value in deck if key != "look"}
        return values

    def changed(self, values: Mapping[str, Any], origin: str = "") -> ShowState:
        """Return the state with other parameters.

        Args:
            values: New values by name; those of a deck without its name are of the one in front.
            origin: Where they come from, put before the error message.

        Raises:
            SettingsError: A name is unknown, or a value of the wrong type or out of range.
        """
        asked: dict[DeckName, dict[str, Any]] = {name: {} for name in DECKS}
        shared: dict[str, Any] = dict(self.stage)
        for name, value in values.items():
            deck, _, key = str(name).rpartition("/")
            if key not in LiveParameters.model_fields:
                validated(LiveParameters, {key: value}, origin=origin)  # names a similar one
            if key in OF_A_LOOK:
                asked[self.deck(deck or None)][key] = value
            elif deck:
                raise SettingsError(f"{key} is of the whole show: leave out {deck[:40]}/")
            else:
                shared[key] = value
        decks = {
            name: validated(Deck, {**dict(deck), **asked[name]}, origin=origin)
            for name, deck in self.decks.items()
        }
        stage = validated(StageParameters, shared, origin=origin)
        return replace(self, stage=stage, decks=decks)

    def loaded(self, name: DeckName, deck: Deck) -> ShowState:
        """Return the state with another look and its parameters on a deck; see ``deck_with``."""
        return replace(self, decks={**self.decks, name: deck})

    def modulated(self, name: str, lfo: Lfo) -> ShowState:
        """Return the state with another LFO for a parameter."""
        return replace(self, lfos={**self.lfos, name: lfo})

    def modulated_name(self, name: str) -> str:
        """Return the full name of a parameter that an LFO can move. Raises ``SettingsError``."""
        deck, _, key = name.rpartition("/")
        if key not in MODULATED:
            known = ", ".join(MODULATED)
            raise SettingsError(f"no LFO moves {name[:40]!r}: choose one of {known}")
        return f"{self.deck(deck or None)}/{key}" if key in OF_A_LOOK else key

    def scene(self, name: str) -> Scene:
        """Return a stored scene. Raises ``SettingsError`` if there is none of that name."""
        if name not in self.scenes:
            known = "choose " + ", ".join(self.scenes) if self.scenes else "none is stored yet"
            raise SettingsError(f"there is no scene {str(name)[:LONGEST_NAME]!r}: {known}")
        return self.scenes[name]

    def stored(self, name: str) -> ShowState:
        """Return the state with itself stored as a scene, in place of one of that name.

        Raises:
            SettingsError: The name is empty or too long, or there are too many scenes.
        """
        name = scene_name(name)
        if name not in self.scenes and len(self.scenes) >= MOST_SCENES:
            raise SettingsError(f"there are {MOST_SCENES} scenes already: remove one")
        shared = {key: getattr(self.stage, key) for key in _OF_A_SCENE}
        scene = Scene(**shared, a=self.decks["a"], b=self.decks["b"], lfos=dict(self.lfos))
        return replace(self, scenes={**self.scenes, name: scene})

    def forgotten(self, name: str) -> ShowState:
        """Return the state without a scene. Raises ``SettingsError`` if there is none."""
        self.scene(name)
        return replace(self, scenes={key: at for key, at in self.scenes.items() if key != name})

    def recalled(self, scene: Scene) -> ShowState:
        """Return the state with what a scene holds."""
        shared = {name: getattr(scene, name) for name in _OF_A_SCENE}
        stage = self.stage.model_copy(update=shared)
        decks: dict[DeckName, Deck] = {"a": scene.a, "b": scene.b}
        return replace(self, stage=stage, decks=decks, lfos=dict(scene.lfos))


MODULATED: tuple[str, ...] = tuple(
    name
    for name, field in LiveParameters.model_fields.items()
    if field.annotation in (int, float) and name not in _NO_LFO
)
"""Parameters that LFOs can move."""

LFO_NAMES: tuple[str, ...] = tuple(
    f"{place}{name}"
    for name in MODULATED
    for place in ([f"{deck}/" for deck in DECKS] if name in OF_A_LOOK else [""])
)
"""The same with the deck that they are of: ``strength``, ``a/step_size``."""


def deck_with(look: str, dream: DreamSettings) -> Deck:
    """Return a deck with a look and the parameters that it sets."""
    of_look = parameters_of(dream)
    return Deck(look=look, **{name: getattr(of_look, name) for name in OF_A_LOOK})


def parameters_of(dream: DreamSettings) -> LiveParameters:
    """Return the parameters that a look sets, cut to a show's range; others at default."""
    return LiveParameters(
        **{name: min(getattr(dream, name), parameter_range(name)[1]) for name in OF_A_LOOK}
    )


def between(a: LiveParameters, b: LiveParameters) -> LiveParameters:
    """Return the parameters of the picture, between those of both decks by the cross-fader.

    Counts and words are those of the deck in front.
    """
    if a.fader <= 0:
        return a
    if a.fader >= 1:
        return b
    mixed = {
        name: now + a.fader * (getattr(b, name) - now)
        for name in OF_A_LOOK
        if isinstance(now := getattr(a, name), float)
    }
    return (a if a.fader <= 0.5 else b).model_copy(update=mixed)
