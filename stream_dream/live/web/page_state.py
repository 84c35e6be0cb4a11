"""What a web page is told of the show: the form of its controls, and their state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.live.control.catalogue import LFO_PARTS, described
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.gliding import Value
from stream_dream.live.control.keys import keys_help, steps
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.show_state import DECKS, LFO_NAMES, OF_A_LOOK
from stream_dream.live.control.surface import Surface
from stream_dream.live.status import LiveStatus
from stream_dream.settings.live import StageParameters
from stream_dream.settings.presets import load_preset


def form(surface: Surface, descriptions: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Describe the controls of a page.

    Args:
        surface: What can be controlled.
        descriptions: One line on looks, by name; those of the package are known.

    Returns:
        JSON values: ``stage`` and ``deck``, the parameters of the show and of each deck;
        ``others``; the parts of an ``lfo``; ``modulated``, what an LFO can move; ``looks`` and
        ``keys`` with what they do; ``steps``, the keys that go on while they are held.
    """
    known, controls = descriptions or {}, surface.controls
    stage = [name for name in StageParameters.model_fields if name not in controls.idle]
    of_a_look = [name for name in OF_A_LOOK if name not in controls.idle]
    return {
        "stage": _described(surface, stage),
        "deck": {
            deck: _described(surface, [f"{deck}/{name}" for name in of_a_look]) for deck in DECKS
        },
        "others": _described(surface, ["bpm"]),
        "lfo": _described(surface, [f"lfo/light/{part}" for part in LFO_PARTS]),
        "modulated": LFO_NAMES,
        "looks": [
            {"name": look, "description": known.get(look) or _description(look)}
            for look in controls.looks
        ],
        "keys": keys_help(controls),
        "steps": tuple(steps(controls)),
    }


def state(surface: Surface, status: LiveStatus, midi: MidiMap | None = None) -> dict[str, Any]:
    """Return the state that a page shows.

    ``values`` of the parameters are what was asked for last, reached or not; ``now`` are those that
    differ from them: gliding, automated, moved by an LFO.
    """
    controls = surface.controls
    asked = controls.state
    values = asked.flat()
    return {
        "values": values,
        "now": _on_their_way(controls, values),
        "parameters": controls.target.model_dump(),
        "look": controls.look,
        "looks": controls.looks,
        "decks": {name: deck.look for name, deck in asked.decks.items()},
        "front": asked.front,
        "waiting": controls.waiting,
        "frozen": controls.frozen,
        "scenes": sorted(controls.scenes, key=str.casefold),
        "undo": controls.can_undo,
        "redo": controls.can_redo,
        "lfos": {name: lfo.model_dump() for name in LFO_NAMES if (lfo := controls.lfo(name))},
        "bpm": controls.bpm(),
        "beat": controls.beats(),
        "midi": midi
        and {
            "learning": midi.learning,
            "bindings": dict(midi.bindings),
            "message": midi.message,
        },
        "status": asdict(status),
    }


def _on_their_way(controls: Controls, values: Mapping[str, Value]) -> dict[str, Value]:
    moved = {deck: controls.parameters(deck) for deck in DECKS}
    found: dict[str, Value] = {}
    for address, asked in values.items():
        deck, _, name = address.rpartition("/")
        now = getattr(moved["b" if deck == "b" else "a"], name)
        if now != asked:
            found[address] = now
    return found


def _described(surface: Surface, addresses: list[str]) -> list[dict[str, Any]]:
    return [described(surface.find(address)) for address in addresses]


def _description(look: str) -> str:
    try:
        return load_preset(look).description
    except SettingsError:
        return ""  # a look of the user's own
