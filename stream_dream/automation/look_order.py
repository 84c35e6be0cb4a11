"""When the looks of an automation change."""

from __future__ import annotations

from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.reaction import Reaction
from stream_dream.automation.timeline import Length, Timeline
from stream_dream.settings.automation import Automation

# How long looks that change with beats or bars take to fade into each other.
_FADE_TO_BEATS = Length(0.5, "beats")
# The same by the clock: seconds, but half the time of a look at the most.
_FADE_BY_CLOCK = 2.0


def looks_over_time(automation: Automation, reaction: Reaction | None) -> LookTrack | None:
    """Return when the look of a film changes; None if it never does. Raises ``SettingsError``."""
    count = len(automation.looks)
    if automation.look_track is not None:
        return LookTrack.parse(automation.look_track)
    if count < 2:
        return None
    if reaction is not None and reaction.look_length is not None:
        return LookTrack.every(count, reaction.look_length, _FADE_TO_BEATS)
    if automation.every is not None:
        fade = min(_FADE_BY_CLOCK, automation.every / 2)
        return LookTrack.every(count, Length(automation.every, "seconds"), Length(fade, "seconds"))
    return LookTrack.every(count, Length(100 / count, "percent"), Length(1, "seconds"))


def looks_of_loop(automation: Automation, timeline: Timeline) -> LookTrack | None:
    """Return when the look of a loop changes where looks have no times: evenly around it."""
    count, frames = len(automation.looks), timeline.frames
    if count < 2 or frames is None:
        return None
    if automation.every is None:
        return LookTrack.around(count, frames)
    # As many whole rounds as come closest to the time that is asked for.
    rounds = max(1, round(float(frames / timeline.fps) / (count * automation.every)))
    dwell = max(0.2, 0.5 - _FADE_BY_CLOCK * float(timeline.fps) * count * rounds / frames / 2)
    return LookTrack.around(count, frames, dwell, rounds=rounds)
