"""A program of its own that lists the sound cards and records one of them.

SoundCard runs in a child process because on Linux it connects to the sound server once, when it is
imported: after the server has ended, only a new process connects again, a call may wait for ever,
and its C library aborts the process on an error of its own. It needs nothing of this package.

It writes a line of JSON: the cards, or why there are none. It reads a line: the card to record.
It writes a line: the number of channels. Then it writes blocks of float32 samples, until its
standard input ends or the card does.

    card_program.py RATE BLOCK
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

# Seconds between two looks at whether it is still the card to record; one takes 5 ms.
_LOOK_SECONDS = 1.0


def main() -> None:
    """List the cards, then record the chosen one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    warnings.simplefilter("ignore")  # gaps in a recording
    rate, block = int(sys.argv[1]), int(sys.argv[2])
    sys.argv[:] = ["stream-dream"]  # the name that the system's mixer shows
    out = _claim_output()
    try:
        import soundcard

        defaults = _defaults(soundcard)
        found = _cards(soundcard)
        _say(out, cards=[_described(card, defaults) for card in found])
    except Exception as error:
        _say(out, problem=_reason(error))
        return
    request = json.loads(sys.stdin.readline() or "null")
    if request is None:
        return
    threading.Thread(target=_end_with_parent, daemon=True).start()
    card = next(card for card in found if card.id == request["id"])
    follows = request["follows"]
    default = defaults[follows] if follows else None

    def is_meant() -> bool:
        # PulseAudio goes on with another card in place of one that is gone.
        here = any(other.id == card.id for other in _cards(soundcard))
        return here and (not follows or _defaults(soundcard)[follows] == default)

    try:
        _record(card.recorder(rate, blocksize=block), block, out, is_meant)
    except Exception:
        traceback.print_exc()  # seen when debugging
    finally:
        os._exit(0)  # SoundCard's own end waits for a server that may be gone


def _record(recorder: Any, block: int, out: BinaryIO, is_meant: Callable[[], bool]) -> None:
    """Write blocks for as long as the card is the one that is meant."""
    recorder.__enter__()  # never left: see above
    _say(out, channels=recorder.record(block).shape[1])
    looked = time.monotonic()
    while True:
        out.write(recorder.record(block).astype("float32").tobytes())
        if time.monotonic() > looked + _LOOK_SECONDS:
            looked = time.monotonic()
            if not is_meant():
                return


def _claim_output() -> BinaryIO:
    """Return standard output for us alone: what a library prints goes to standard error."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return out


def _say(out: BinaryIO, **message: Any) -> None:
    out.write(json.dumps(message).encode() + b"\n")


def _cards(soundcard: Any) -> list[Any]:
    # macOS has no loopbacks, and warns.
    found: list[Any] = soundcard.all_microphones(include_loopback=sys.platform != "darwin")
    return found


def _defaults(soundcard: Any) -> dict[str, str | int | None]:
    """Return the ids of the default speaker and microphone; None where there is none."""
    found: dict[str, str | int | None] = {"speaker": None, "microphone": None}
    for kind, ask in (
        ("speaker", soundcard.default_speaker),
        ("microphone", soundcard.default_microphone),
    ):
        with suppress(Exception):  # each system raises another one if there is none
            found[kind] = ask().id
    return found


def _described(card: Any, defaults: dict[str, str | int | None]) -> dict[str, Any]:
    loopback = bool(card.isloopback)
    # On Linux a speaker's loopback is a card of its own, on Windows the speaker itself.
    speaker = (defaults["speaker"], f"{defaults['speaker']}.monitor")
    default = card.id in speaker if loopback else card.id == defaults["microphone"]
    return {"id": card.id, "name": card.name, "loopback": loopback, "default": default}


def _reason(error: Exception) -> str:
    if isinstance(error, AssertionError):  # SoundCard's only sign
        return "no sound server answers: start PulseAudio or PipeWire (pipewire-pulse)"
    if isinstance(error, OSError) and sys.platform == "linux":
        return "the library libpulse is missing: install it (on Debian the package libpulse0)"
    text = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"the sound cards cannot be listed: {text}"


def _end_with_parent() -> None:
    """End the process, even one that waits for a card, when standard input does."""
    while sys.stdin.read(1):
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
