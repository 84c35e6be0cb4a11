"""Tells settings that change over time from those that do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from stream_dream.automation.changeable import automated_fields
from stream_dream.automation.journey_camera import CAMERA_SETTINGS, names_of, pair_tracks
from stream_dream.automation.program import TARGETS
from stream_dream.automation.score import Score
from stream_dream.automation.track import looks_like_track
from stream_dream.errors import SettingsError
from stream_dream.settings.journey import PAIR_RANGES
from stream_dream.settings.values import LayerTarget


def tell_apart(
    options: Mapping[str, Any], score: Score | None = None, *, also: Collection[str] = ()
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings that do not change, and the tracks of those that do.

    Args:
        options: Settings by field name, as text; None for those that were not given.
        score: Tracks and curves of a score; a setting of ``options`` comes before its tracks.
        also: Names of what else may change: the parameters that steer a show.

    Raises:
        SettingsError: A target is not understood.
    """
    rest, tracks = dict(options), dict(score.tracks if score else {})
    names = score.curves if score else {}

    def is_track(text: object) -> bool:
        return isinstance(text, str) and looks_like_track(text, names=names)

    for name in (automated_fields() | CAMERA_SETTINGS.difference(PAIR_RANGES)).union(also):
        if options.get(name) is not None:
            tracks.pop(name, None)
        if is_track(options.get(name)):
            tracks[name], rest[name] = options[name], None
    for name in PAIR_RANGES:
        _take_pair(name, rest, tracks, names)
    for kind, name in TARGETS.items():
        given = options.get(name)
        if not given:
            _take_targets(kind, name, rest, tracks)
            continue
        tracks = {key: text for key, text in tracks.items() if not key.startswith(f"{kind}.")}
        rest[name] = []
        # A file may name one alone, a class by its number.
        for text in given if isinstance(given, list | tuple) else [given]:
            target, _, weight = str(text).partition("=")
            moves = is_track(weight)
            if moves:
                tracks[f"{kind}.{_plain(kind, target)}"] = weight
            rest[name].append(target if moves else text)
    return rest, tracks


def _take_pair(
    name: str, rest: dict[str, Any], tracks: dict[str, str], names: Collection[str]
) -> None:
    """Put a pair that changes among the tracks, as two of them."""
    pair = rest.get(name)
    for axis in names_of(name) if pair is not None else ():
        tracks.pop(axis, None)
    parts = pair.split(",") if isinstance(pair, str) else []
    if any(looks_like_track(part, names=names) for part in parts):
        try:
            tracks |= pair_tracks(name, str(pair), names=names)
        except SettingsError as error:
            raise SettingsError(f"--{name}: {error}") from None
        rest[name] = None


def _take_targets(kind: str, name: str, rest: dict[str, Any], tracks: dict[str, str]) -> None:
    """Put the targets of a score where those of the command line are, for the look's."""
    weights = [track for track in tracks if track.startswith(f"{kind}.")]
    for track in weights:
        target = track.removeprefix(f"{kind}.")
        tracks[f"{kind}.{_plain(kind, target)}"] = tracks.pop(track)
        rest[name] = [*(rest.get(name) or ()), target]


def _plain(kind: str, target: str) -> str:
    """Return a target as it is written without a weight."""
    try:
        return target.strip() if kind == "class" else str(LayerTarget.parse(target))
    except ValueError as error:
        raise SettingsError(f"--{kind.replace('_', '-')}: {error}") from None
