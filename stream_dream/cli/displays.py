"""Chooses the display that suits the options and the terminal."""

from __future__ import annotations

import sys
from pathlib import Path

from stream_dream.cli.event_displays import JsonLines, PictureJson
from stream_dream.cli.events import Kind
from stream_dream.cli.progress import (
    Bar,
    Display,
    Lines,
    PictureBar,
    PictureDisplay,
    own_console,
)


def display(source: Path, target: Path, *, quiet: bool, as_json: bool) -> Display:
    """Return the display of a render that suits the options and the terminal."""
    if as_json:
        return JsonLines(source, target)
    if quiet:
        return Display()
    if not sys.stderr.isatty():
        return Lines()
    return Bar(own_console())


def picture_display(kind: Kind, source: Path, *, quiet: bool, as_json: bool) -> PictureDisplay:
    """Return events, or a bar on a terminal, else a display that shows nothing."""
    if as_json:
        return PictureJson(kind, source)
    return PictureDisplay() if quiet or not sys.stderr.isatty() else PictureBar(own_console())
