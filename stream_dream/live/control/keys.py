"""Keyboard controls of a show, independent of the window."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Action, Controls
from stream_dream.settings.live import parameter_range

# Codes of cv2.waitKeyEx beyond ASCII: X11 keysyms (Qt and GTK), Windows, macOS.
_NAMES = {
    **dict(zip(range(0xFF51, 0xFF55), ("left", "up", "right", "down"), strict=True)),
    **dict(zip(range(0xFF96, 0xFF9A), ("left", "up", "right", "down"), strict=True)),  # keypad
    **dict(zip(range(0x250000, 0x290000, 0x10000), ("left", "up", "right", "down"), strict=True)),
    **dict(zip(range(0xF700, 0xF704), ("up", "down", "left", "right"), strict=True)),
    **{0xFFB0 + digit: str(digit) for digit in range(10)},  # keypad
    0xFFAB: "+",
    0xFFAD: "-",
    27: "esc",
    ord(" "): "space",
    # The other signs of the same keys on many keyboards.
    ord("="): "+",
    ord("_"): "-",
}

KEYS: dict[str, Action] = {
    "space": "freeze",
    "r": "reset",
    "s": "snapshot",
    "v": "record",
    "x": "cut",
    "c": "auto_fade",
    "n": "fade_to_black",
    "i": "flash",
    "t": "tap",
    "z": "undo",
    "y": "redo",
}
SWITCHES = {"b": "blackout", "o": "bypass"}

# Multiplication never leaves a step size of 0.
_LEAST_STEP_SIZE = 0.001

_Step = tuple[str, Callable[[float], float]]
_STEPS: dict[str, _Step] = {
    ".": ("reactivity", lambda value: value + 0.1),
    ",": ("reactivity", lambda value: value - 0.1),
    "'": ("fader", lambda value: value + 0.1),
    ";": ("fader", lambda value: value - 0.1),
}
_DREAM_STEPS: dict[str, _Step] = {
    "up": ("strength", lambda value: value + 0.05),
    "down": ("strength", lambda value: value - 0.05),
    "right": ("step_size", lambda value: max(value, _LEAST_STEP_SIZE / 1.1) * 1.1),
    "left": ("step_size", lambda value: value / 1.1),
    "+": ("octaves", lambda value: value + 1),
    "-": ("octaves", lambda value: value - 1),
    "]": ("persistence", lambda value: value + 0.005),
    "[": ("persistence", lambda value: value - 0.005),
}
# The picture moves where the arrows point, and turns where the brackets do.
_JOURNEY_STEPS: dict[str, _Step] = {
    "up": ("pan_y", lambda value: value - 0.05),
    "down": ("pan_y", lambda value: value + 0.05),
    "right": ("pan_x", lambda value: value + 0.05),
    "left": ("pan_x", lambda value: value - 0.05),
    "+": ("zoom", lambda value: value + 0.05),
    "-": ("zoom", lambda value: value - 0.05),
    "]": ("turn", lambda value: value - 5),
    "[": ("turn", lambda value: value + 5),
}

_WAITED = {"off": "nothing", "beat": "the beat", "bar": "the bar", "4bars": "four bars"}

_HELP = {
    "1 - 9": "change to a look",
    "space": "hold the picture, or go on",
    "b": "blackout",
    "n": "fade to black, or back",
    "o": "source instead of the dream",
    "i": "flash",
    "x": "cut to the other deck",
    "c": "fade to the other deck",
    "; '": "cross-fader",
    "t": "tap the beat",
    "r": "begin the dream afresh",
    "s": "snapshot",
    "v": "record, or end the film",
    "z y": "undo, redo",
    ", .": "reactivity",
}
_DREAM_HELP = {
    "↑ ↓": "strength",
    "← →": "step size",
    "+ -": "octaves",
    "[ ]": "persistence",
}
_JOURNEY_HELP = {
    "← → ↑ ↓": "move the picture",
    "+ -": "faster or slower, in or out",
    "[ ]": "turn the picture",
    "p": "throw the source's picture in, or no more",
}


class Answer(NamedTuple):
    """What a key has done or, if ``refused``, why not; shown for a moment."""

    text: str
    refused: bool = False


def steps(controls: Controls) -> Mapping[str, tuple[str, Callable[[float], float]]]:
    """Return the keys that move a parameter of a show, with its name and its next value."""
    return _STEPS | (_JOURNEY_STEPS if controls.journey else _DREAM_STEPS)


def keys_help(controls: Controls) -> dict[str, str]:
    """Return what the keys do in a show, in a few words."""
    help_ = _HELP | (_JOURNEY_HELP if controls.journey else _DREAM_HELP)
    return {keys: does for keys, does in help_.items() if not (controls.journey and keys == "o")}


def name_of(code: int) -> str:
    """Return the name of a key by its code from ``cv2.waitKeyEx``.

    That is ``up``, ``down``, ``left``, ``right``, ``esc``, ``space`` or a lower-case letter, digit
    or sign; "" for any other key, and for none (-1).
    """
    if code & 0xFFFF and code > 0:
        code &= 0xFFFF  # GTK puts modifiers (Shift, Num Lock) above
    printable = chr(code).lower() if 0x20 < code < 0x7F else ""
    return _NAMES.get(code, printable)


def play(key: str, controls: Controls, *, recording: bool = False) -> Answer | None:
    """Perform the action of a key, named as by ``name_of``.

    Returns:
        What was done or why not; None if the key has no action.
    """
    try:
        if key in KEYS:
            return Answer(_act(KEYS[key], controls, recording))
        if key in SWITCHES:
            return Answer(_switch(SWITCHES[key], controls))
        if key in steps(controls):
            return _step(key, controls)
        if key == "p" and controls.journey:
            return Answer(_throw(controls))
        if len(key) == 1 and key.isdecimal() and key != "0":
            return Answer(_use(int(key), controls))
    except SettingsError as error:
        return Answer(str(error).removeprefix("--"), refused=True)
    return None


def _act(action: Action, controls: Controls, recording: bool) -> str:
    controls.press(action)
    state = controls.state
    if action in ("cut", "auto_fade"):
        if "fader" in controls.waiting:
            return f"{action.replace('_', ' ')} waits for {_WAITED[state.stage.quantize]}"
        return f"{'deck' if action == 'cut' else 'fades to deck'} {state.front.upper()}"
    texts = {
        "freeze": "held" if controls.frozen else "goes on",
        "record": "recording ends" if recording else "recording begins",
        "reset": "the dream begins afresh",
        "snapshot": "snapshot taken",
        "fade_to_black": "comes back" if state.stage.light > 0 else "fades to black",
        "flash": "flash",
        "tap": f"{controls.bpm():.0f} beats a minute",
        "undo": "undone",
        "redo": "done again",
    }
    return texts[action]


def _switch(name: str, controls: Controls) -> str:
    if name in controls.idle:
        raise SettingsError("a journey has no source beside it")
    on = not getattr(controls.target, name)
    controls.change({name: on})
    return {"blackout": ("light again", "blackout"), "bypass": ("the dream", "the source")}[name][
        on
    ]


def _throw(controls: Controls) -> str:
    thrown = controls.target.throw > 0
    controls.change({"throw": 0.0 if thrown else 1.0})
    return "the journey goes on alone" if thrown else "the source's picture comes in"


def _use(number: int, controls: Controls) -> str:
    looks = controls.looks
    if number > len(looks):
        raise SettingsError(f"there is no look {number}: there are {len(looks)}")
    look, state = looks[number - 1], controls.state
    controls.use(look)
    waits = controls.waiting.get(state.front) == look
    return f"look {look}" + (f" waits for {_WAITED[state.stage.quantize]}" if waits else "")


def _step(key: str, controls: Controls) -> Answer:
    name, stepped = steps(controls)[key]
    if name == "reactivity" and not controls.reacts:
        return Answer("nothing follows sound: start the show with --listen", refused=True)
    now = getattr(controls.target, name)
    least, most = parameter_range(name)
    # Rounded to four digits: 0.1 + 0.2 is 0.3, here and on the screen.
    value = float(f"{min(max(stepped(now), least), most):.4g}")
    shown = f"{name.replace('_', ' ')} {value:g}"
    if value == now:
        return Answer(f"{shown} is the {'most' if value >= most else 'least'}", refused=True)
    controls.change({name: value})
    return Answer(shown)
