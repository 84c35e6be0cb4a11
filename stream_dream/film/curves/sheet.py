"""A curve sheet: one picture of all that changes over a film, and of the sound it follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from stream_dream.automation.assemble import Parsed
from stream_dream.automation.curves import SOUND_CURVES, Curve
from stream_dream.automation.program import FrameValues
from stream_dream.film.contact_sheet import clock
from stream_dream.film.curves.chart import FAINT, INK, TEXT_SIZE, WIDTH, Chart
from stream_dream.film.curves.film_strip import FilmStrip
from stream_dream.film.curves.rows import SHOTS_SHOWN, STRIP_HEIGHT, FilmOverTime, rows_of
from stream_dream.film.plan.plan import Plan
from stream_dream.film.programming import Programmed
from stream_dream.film.request import RenderRequest
from stream_dream.frame import Frame, Image8, StreamInfo
from stream_dream.lettering import font_of, shortened
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.presets import look_name

_TITLE, _AXIS, _GAP = 76, 44, 8
_MARGIN, _TITLE_SIZE = 24, 24


class CurveSheet:
    """Collects pictures while the film is read, and draws the sheet when its plan is known."""

    def __init__(self, request: RenderRequest, info: StreamInfo, look_names: Sequence[str]) -> None:
        """Create a sheet for a film."""
        self._request, self._info, self._look_names = request, info, look_names
        self._strip = FilmStrip(info, STRIP_HEIGHT)

    def look(self, frame: Frame) -> None:
        """Look at the next frame of the film."""
        self._strip.look(frame)

    def write(
        self,
        path: Path,
        plan: Plan,
        made: Programmed,
        values: FrameValues | None,
        curves: Mapping[str, Curve],
        *,
        overwrite: bool,
    ) -> None:
        """Write the sheet to a file.

        Args:
            path: The file.
            plan: The film's plan.
            made: Its program, sound and beats.
            values: The settings of all its frames; None if nothing changes.
            curves: The curves of files by name.
            overwrite: True to replace an existing file.

        Raises:
            SinkError: It cannot be written.
        """
        automation = self._request.automation
        parsed, sound = Parsed.of(automation), made.sound
        every = automation.react is not None or automation.soundtrack is not None
        film = FilmOverTime(
            name=self._request.source.name,
            info=self._info,
            plan=plan,
            strip=self._strip,
            values=values,
            clipped=() if values is None else values.beyond.keys(),
            looks=[look_name(name) for name in self._look_names],
            texts=_texts(parsed),
            curves={
                name: sound.curves[name]
                for name in SOUND_CURVES
                if sound is not None and (every or name in parsed.curves)
            }
            | {**curves},
            files={name: file.name for name, file in automation.curves.items()},
            sound=sound,
            soundtrack=(automation.soundtrack or self._request.source).name,
            beats=made.timeline.beats,
            rhythm=made.rhythm,
        )
        write_picture(Picture(curve_sheet(film)), path, overwrite=overwrite)


def curve_sheet(film: FilmOverTime) -> Image8:
    """Draw a film, its sound, and its settings over time, from the first frame to the last.

    Where several frames share a column, the column reaches from their lowest value to the highest.

    Returns:
        uint8 RGB, (height, ``chart.WIDTH``, 3).
    """
    rows = [*rows_of(film)]
    height = _TITLE + 2 * _AXIS + sum(row.height + _GAP for row in rows)
    chart = Chart(height, film.plan.frames, film.info.fps)
    _write_title(chart, film)
    chart.axis(_TITLE)
    top = _TITLE + _AXIS
    for row in rows:
        row.paint(chart, top, row.height)
        for begin in film.plan.begins[1:] if row.crossed else ():
            if film.plan.shots <= SHOTS_SHOWN:
                chart.upright(top, row.height, float(begin / film.info.fps), INK, 0.3)
        chart.label(top, row.height, row.name, row.text, row.note)
        top += row.height + _GAP
    chart.axis(top)
    return chart.drawn()


def _write_title(chart: Chart, film: FilmOverTime) -> None:
    name = shortened(film.name, WIDTH - 2 * _MARGIN, font_of(_TITLE_SIZE))
    chart.text(_MARGIN, 16, name, _TITLE_SIZE, INK)
    parts = [
        clock(chart.seconds),
        f"{film.plan.frames} frames at {float(film.info.fps):.5g} a second",
        f"{film.plan.shots} {'shot' if film.plan.shots == 1 else 'shots'}",
    ]
    if film.rhythm is not None:
        parts.append(film.rhythm.figures)
    chart.text(_MARGIN, 48, "    ".join(parts), TEXT_SIZE + 1, FAINT)


def _texts(parsed: Parsed) -> dict[str, str]:
    """Return what moves each setting, as it was written."""
    texts = {name: [track.text] for name, track in parsed.tracks.items()}
    for response in parsed.reaction.responses if parsed.reaction is not None else ():
        texts.setdefault(response.target, []).append(response.text)
    return {name: ", ".join(parts) for name, parts in texts.items()}
