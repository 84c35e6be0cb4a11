"""The program of a loop: what changes over time, and with its sound."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stream_dream.automation.assemble import Parsed, assemble, beats_of
from stream_dream.automation.program import Program
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import SettingsError
from stream_dream.loop.periodic_source import Cycle
from stream_dream.media.read.sound import probe_sound
from stream_dream.media.write.sound import Soundtrack
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import LoopSettings


def program_of(
    source: Path,
    cycle: Cycle,
    keyframes: Sequence[DreamSettings],
    settings: LoopSettings,
    automation: Automation,
) -> Program:
    """Return the settings of each frame of a loop.

    Args:
        source: The picture or clip.
        cycle: The loop's frames; its camera follows the program.
        keyframes: The looks that it passes through.
        settings: Settings of the loop.
        automation: What changes over time.

    Raises:
        SettingsError: What changes over time is not understood, needs what is not there, or cannot
            be computed.
        StreamDreamError: The sound cannot be read.
    """
    # Without looks, which a loop spreads evenly unless they have times: they need no beats.
    parsed = Parsed.of(automation.model_copy(update={"looks": ()}))
    found = None
    if parsed.needs_sound(automation):
        from stream_dream.automation.sound.analysis import analyse

        if automation.soundtrack is None and cycle.camera is not None:
            raise SettingsError("a picture has no sound: give --soundtrack, or --bpm for beats")
        heard = Soundtrack(automation.soundtrack or source, cycle.begins)
        found = analyse(heard, find_beats=parsed.beats_wanted(automation))
    timeline = Timeline(
        cycle.fps,
        frames=cycle.frames,
        shots=tuple(sorted({0, *cycle.cuts})),
        beats=beats_of(automation, None if found is None else found.beats, cycle.begins),
        begins=cycle.begins,
    )
    program = assemble(
        keyframes[0],
        automation.model_copy(update={"looks": tuple(keyframes)}),
        timeline,
        {} if found is None else found.curves,
        strength=settings.strength,
        camera=cycle.camera is not None,
        loop=True,
    )
    program.check(cycle.frames)
    if cycle.camera is not None and "zoom" in program.changing:
        cycle.camera.push = lambda index: program.at(index).push
    return program


def soundtrack_of(
    cycle: Cycle, settings: LoopSettings, automation: Automation
) -> Soundtrack | None:
    """Return the sound of a loop's film: that of --soundtrack, for as long as the film is.

    Raises:
        SettingsError, SourceError: It cannot be read, or has no sound.
    """
    if automation.soundtrack is None or not settings.audio:
        return None
    probe_sound(automation.soundtrack)  # only checks it
    length = float(cycle.frames * settings.repeat / cycle.fps)
    return Soundtrack(automation.soundtrack, cycle.begins, cycle.begins + length)
