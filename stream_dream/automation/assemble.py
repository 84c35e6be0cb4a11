"""Assemble the program of a render from its settings, what is known of its time, and its sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from stream_dream.automation.changeable import (
    OF_SOURCE,
    base_values,
    check_names,
    value_range,
    with_layers,
)
from stream_dream.automation.curves import SOUND_CURVES, Curve, read_beats, read_curve
from stream_dream.automation.expression import Scope
from stream_dream.automation.journey_camera import (
    CAMERA_NAMES,
    RATES,
    camera_move,
    camera_range,
    check_unit,
    check_zoom,
    setting_of,
)
from stream_dream.automation.look_order import looks_of_loop, looks_over_time
from stream_dream.automation.look_track import LookTrack
from stream_dream.automation.program import Program
from stream_dream.automation.reaction import DEFAULT_REACTION, Reaction
from stream_dream.automation.schedule import Schedule
from stream_dream.automation.text import plainly, shown
from stream_dream.automation.timeline import BeatGrid, Timeline
from stream_dream.automation.track import Track
from stream_dream.errors import SettingsError
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.journey import CameraSettings


@dataclass(frozen=True, slots=True)
class Parsed:
    """The parsed texts of an automation.

    Attributes:
        tracks: Values over time by the name of a setting.
        reaction: How settings follow the sound; None if they do not.
        looks: When the look changes; None if it never does.
    """

    tracks: Mapping[str, Track]
    reaction: Reaction | None
    looks: LookTrack | None

    @classmethod
    def of(cls, automation: Automation) -> Self:
        """Parse an automation. Raises ``SettingsError``."""
        tracks = {}
        for name, text in automation.tracks.items():
            try:
                rate = name in RATES
                tracks[name] = Track.parse(text, names=automation.curves, rate=rate)
                check_unit(name, tracks[name])
            except SettingsError as error:
                raise SettingsError(f"{_option(name)}: {error}") from None
        reaction = None
        if automation.react is not None:
            try:
                reaction = Reaction.parse(automation.react, names=automation.curves)
            except SettingsError as error:
                raise SettingsError(f"--react: {error}") from None
        return cls(tracks, reaction, looks_over_time(automation, reaction))

    @property
    def needs(self) -> frozenset[str]:
        """What has to be known of a timeline: some of ``length``, ``shots`` and ``beats``."""
        return frozenset().union(*(part.needs for part in self._parts()))

    @property
    def changing(self) -> frozenset[str]:
        """Names of the settings that change."""
        return frozenset(self.tracks) | (self.reaction.targets if self.reaction else set())

    @property
    def curves(self) -> frozenset[str]:
        """Names of the curves that are read."""
        parts = [part for part in self._parts() if not isinstance(part, LookTrack)]
        return frozenset().union(*(part.curves for part in parts))

    def needs_sound(self, automation: Automation) -> bool:
        """Return whether sound has to be analysed: for a curve, or for beats."""
        return bool(self.curves & {*SOUND_CURVES}) or self.beats_wanted(automation)

    def beats_wanted(self, automation: Automation) -> bool:
        """Return whether beats have to be found in the sound: needed, and not given."""
        return "beats" in self.needs and not automation.gives_beats

    def check_zoom(self) -> None:
        """Check the zoom of a journey. Raises ``SettingsError``."""
        if "zoom" in self.tracks:
            try:
                check_zoom(self.tracks["zoom"])
            except SettingsError as error:
                raise SettingsError(f"--zoom: {error}") from None

    def check_push(self) -> None:
        """Check the zoom of a loop, which is no factor. Raises ``SettingsError``."""
        track = self.tracks.get("zoom")
        if track is not None and track.per_second:
            raise SettingsError("zoom is no motion in a loop: leave out /s, per second")
        for response in self.reaction.responses if self.reaction else ():
            if response.target == "zoom" and response.scale[0] == 1 != response.scale[1]:
                hint = "zoom is 0 at rest, so that no factor moves it: write zoom+0.06"
                raise SettingsError(f"--react: {shown(response.text)}: {hint}")

    def late_keys(self, timeline: Timeline) -> Iterator[str]:
        """Yield a line for each setting with keys after the end of a film of known length."""
        for name, track in (*self.tracks.items(), ("preset", self.looks)):
            late = [
                key.text
                for key in getattr(track, "keys", ())
                if key.text and key.frame(timeline) > timeline.last_frame + 1
            ]
            if len(late) == 1:
                yield f"{plainly(name)}: key {late[0]} comes after the end of the film"
            elif late:
                keys = f"{len(late)} keys, such as {late[0]},"
                yield f"{plainly(name)}: {keys} come after the end of the film"

    def _parts(self) -> list[Any]:
        # Not the reaction itself: with one look, it does not matter when looks change.
        formulas = () if self.reaction is None else (r.source for r in self.reaction.responses)
        return [*self.tracks.values(), *formulas, *filter(None, [self.looks])]


def beats_of(
    automation: Automation, found: BeatGrid | None = None, begins: float = 0.0
) -> BeatGrid | None:
    """Return the beats: those of the settings or, by default, those found in the sound.

    Args:
        automation: The settings.
        found: Those found, on the clock of what is rendered.
        begins: Seconds that the sound has played before the first frame.

    Raises:
        SettingsError: The file of beats cannot be read.
    """
    if automation.beats is not None:
        return read_beats(automation.beats).since(begins)
    if automation.bpm is not None:
        return BeatGrid.regular(automation.bpm, automation.offset or 0.0).since(begins)
    return found


def assemble(
    dream: DreamSettings,
    automation: Automation,
    timeline: Timeline,
    sound: Mapping[str, Curve],
    *,
    strength: float = 1.0,
    mask_strength: float = 1.0,
    camera: bool = False,
    journey: CameraSettings | None = None,
    loop: bool = False,
) -> Program:
    """Return the program of a render.

    Args:
        dream: Settings of the dream where nothing changes.
        automation: What changes.
        timeline: What is known of its time; beats included.
        sound: Curves of the sound by name.
        strength: How much of the dream is shown where nothing changes that.
        mask_strength: How far the mask holds the dream back where nothing changes that.
        camera: True if there is the camera of a loop, which ``zoom`` brings closer.
        journey: How the camera of a journey moves where nothing changes that; None without one.
        loop: True for a loop, around which several looks are spread.

    Raises:
        SettingsError: A text is not understood, names no setting that can change, or needs what is
            not known.
        NetworkError: There is no such network.
    """
    parsed, looks = checked(dream, automation, camera=camera, journey=journey)
    move = None if journey is None else camera_move(journey)
    fixed = {"strength": strength, "mask_strength": mask_strength, "zoom": 0.0}
    fixed |= {} if move is None else move._asdict()
    bases = [base_values(look) | fixed for look in looks]
    # The default reaction names the zoom even where there is no camera.
    changing = parsed.changing if camera or journey else parsed.changing - {"zoom"}
    track = parsed.looks
    if loop and automation.look_track is None:
        track = looks_of_loop(automation, timeline)
    if not changing and track is None:
        return Program(looks, strength, mask_strength, camera=move)
    curves: dict[str, Curve] = {
        name: read_curve(path).since(timeline.begins)
        for name, path in automation.curves.items()
        if name in parsed.curves
    }
    schedule = Schedule(
        Scope(timeline, {**sound, **curves}, dream.seed),
        bases,
        {
            name: camera_range(name) if journey and name in CAMERA_NAMES else value_range(name)
            for name in sorted(changing)
        },
        tracks=parsed.tracks,
        reaction=parsed.reaction,
        looks=track,
        loop=loop,
    )
    return Program(looks, strength, mask_strength, schedule, changing, move)


def checked(
    dream: DreamSettings,
    automation: Automation,
    *,
    camera: bool = False,
    journey: CameraSettings | None = None,
) -> tuple[Parsed, tuple[DreamSettings, ...]]:
    """Return a parsed automation, and its looks, which name the layers whose weights change.

    Arguments are those of ``assemble``.

    Raises:
        SettingsError: A text is not understood, or names no setting that can change here.
        NetworkError: There is no such network.
    """
    parsed, looks = Parsed.of(automation), automation.looks or (dream,)
    looks = tuple(with_layers(look, parsed.changing) for look in looks)
    if journey is not None:
        check_names(parsed.changing, looks, without=OF_SOURCE, also=CAMERA_NAMES)
        parsed.check_zoom()
        return parsed, looks
    check_names(parsed.changing, looks, also={"zoom"})
    usual = automation.react == DEFAULT_REACTION and "zoom" not in parsed.tracks
    if "zoom" in parsed.changing and not camera and not usual:
        problem = "zoom moves the camera of a picture's loop or of a journey"
        raise SettingsError(f"{problem}: leave it out here")
    parsed.check_push()
    return parsed, looks


def _option(name: str) -> str:
    kind, dot, target = setting_of(name).partition(".")
    return f"--{kind.replace('_', '-')}{' ' if dot else ''}{target}"
