"""The program of a film: what changes over time, in its shots and with its sound."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from stream_dream.automation.assemble import Parsed, assemble, beats_of
from stream_dream.automation.curves import SOUND_CURVES, Curve, read_curve
from stream_dream.automation.program import Program
from stream_dream.automation.sound.analysis import SoundAnalysis, analyse
from stream_dream.automation.sound.tempo import check_librosa
from stream_dream.automation.timeline import Timeline
from stream_dream.errors import SettingsError
from stream_dream.film.journey_source import JourneySource
from stream_dream.film.plan.plan import Plan
from stream_dream.film.request import RenderRequest
from stream_dream.film.rhythm import Rhythm, rhythm_of
from stream_dream.media.read.probe import probe
from stream_dream.media.read.sound import probe_sound
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.sound import Soundtrack


class Programmed(NamedTuple):
    """The program of a film, and what it was made from.

    Attributes:
        program: The settings of each frame.
        timeline: What is known of the film's time.
        sound: Its sound; None if it was not analysed.
        rhythm: Its beats; None if they were neither given nor looked for.
    """

    program: Program
    timeline: Timeline
    sound: SoundAnalysis | None
    rhythm: Rhythm | None


def needs_plan(request: RenderRequest) -> bool:
    """Return whether the film's length or shots have to be known. Raises ``SettingsError``."""
    return bool(Parsed.of(request.automation).needs & {"length", "shots"})


def needs_sound(request: RenderRequest) -> bool:
    """Return whether sound has to be analysed. Raises ``SettingsError``."""
    return Parsed.of(request.automation).needs_sound(request.automation)


def soundtrack_of(request: RenderRequest, source: VideoSource | JourneySource) -> Soundtrack | None:
    """Return the sound that settings follow, and that the output gets: the source's by default.

    Another one begins with the source's first picture, whatever part of it is rendered. A journey
    has none of its own: None.

    Raises:
        SettingsError, SourceError: The soundtrack cannot be read, or has no sound.
    """
    other = request.automation.soundtrack
    if other is None and request.journey is not None:
        return None
    if other is None:
        return Soundtrack(source.path, source.start, source.end)
    probe_sound(other)  # only checks it
    return Soundtrack(other, source.start, source.end, ends_with_picture=True)


def read_files(request: RenderRequest, source: VideoSource | JourneySource) -> dict[str, Curve]:
    """Return the curves of files by name, on the clock of what is rendered.

    Also checks all else that a program needs of files.

    Call it before a film is planned, which takes a while.

    Raises:
        SettingsError, SourceError: A file cannot be read, there is no sound, or its beats cannot be
            found without the extra ``music``.
    """
    automation, track = request.automation, soundtrack_of(request, source)
    parsed = Parsed.of(automation)
    if parsed.needs_sound(automation):
        if track is None:
            raise SettingsError("a journey has no sound: give --soundtrack, or --bpm for beats")
        if not parsed.curves & {*SOUND_CURVES} and probe(track.path).audio is None:
            raise SettingsError(f"{track.path} has no sound with beats: give --bpm or --soundtrack")
        probe_sound(track.path)
        if parsed.beats_wanted(automation):
            check_librosa()
    beats_of(automation)  # only checks them
    begins = source.start
    return {name: read_curve(path).since(begins) for name, path in automation.curves.items()}


def programmed(
    request: RenderRequest,
    source: VideoSource | JourneySource,
    plan: Plan | None,
    *,
    cache: Path | None = None,
    listen: bool = False,
) -> Programmed:
    """Return the settings of each frame of a film, and what they were made from.

    Args:
        request: The film and its settings.
        source: The film, opened.
        plan: Its plan; None if the program does not need one.
        cache: Folder that keeps what was found in the sound.
        listen: True to analyse the sound, if there is any, even if nothing follows it.

    Raises:
        SettingsError: What changes over time is not understood, needs what the film lacks, or
            cannot be computed.
        StreamDreamError: Its sound cannot be read.
    """
    automation, output, journey = request.automation, request.output, request.journey
    parsed = Parsed.of(automation)
    find_beats = parsed.beats_wanted(automation)
    sound, track = None, soundtrack_of(request, source)
    if listen and track is not None and probe(track.path).audio is not None:
        given = automation.gives_beats
        find_beats = find_beats or (not given and find_spec("librosa") is not None)
        sound = analyse(track, cache=cache, find_beats=find_beats)
    elif track is not None and parsed.needs_sound(automation):
        sound = analyse(track, cache=cache, find_beats=find_beats)
    frames = None if plan is None else plan.frames
    if journey is not None:
        frames = journey.frames
    timeline = Timeline(
        source.info.fps,
        frames=frames,
        shots=None if plan is None else plan.begins,
        beats=beats_of(automation, None if sound is None else sound.beats, source.start),
        begins=source.start,
    )
    program = assemble(
        request.dream,
        automation,
        timeline,
        {} if sound is None else sound.curves,
        strength=output.strength,
        mask_strength=output.mask_strength,
        journey=journey,
        loop=journey is not None and journey.loop,
    )
    program.check(source.info.frame_count if plan is None else plan.frames)
    rhythm = rhythm_of(automation, timeline, sound if find_beats else None)
    return Programmed(program, timeline, sound, rhythm)
