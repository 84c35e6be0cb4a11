"""Films dreamed in chunks have the frames of a render in one piece."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import films
import numpy as np
import pytest

from stream_dream.errors import SettingsError
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import render_film
from stream_dream.media.read import guide as guide_module
from stream_dream.media.read.picture import read_picture
from stream_dream.runtime.scheduling import cores
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings

Make = Callable[..., DreamSettings]


@pytest.mark.slow
def test_chunks_make_the_same_film_as_one_piece(tiny: Make, source: Path, tmp_path: Path) -> None:
    dream = tiny(schedule="rotate", jitter=8)  # uses every part of a saved state
    one = films.in_one_piece(source, tmp_path / "one.mp4", dream, crf=4)
    done: list[int] = []
    events = FilmEvents(done=lambda chunk, record: done.append(chunk.number))
    summary = render_film(
        source,
        tmp_path / "film.mp4",
        dream,
        OutputSettings(crf=4),
        films.SHORT_CHUNKS,
        events=events,
    )
    assert films.checksums(summary) == one
    assert sorted(done) == list(range(9))
    assert (summary.plan.shots, summary.retries, summary.warning) == (3, 0, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "one.mp4"]
    whole, joined = (tmp_path / name for name in ("one.mp4", "film.mp4"))
    assert clips.delays(joined) == clips.delays(whole)
    assert abs(clips.sound_length(joined) - clips.sound_length(whole)) < 0.03
    # Chunks are encoded one by one, so frames differ as much as by encoding.
    pairs = zip(films.frames_of(whole), films.frames_of(joined), strict=True)
    assert max(float(np.abs(a.astype(int) - b).mean()) for a, b in pairs) < 2


@pytest.mark.slow
def test_a_clip_guides_chunks_as_it_does_one_piece(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    guide = clips.make(tmp_path / "guide.mp4", "-c:v", "libx264", seconds=0.44)
    dream = tiny(guide=guide)
    one = films.in_one_piece(source, tmp_path / "one.mp4", dream)
    opened: list[Path] = []
    clip = guide_module._Clip
    monkeypatch.setattr(guide_module, "_Clip", lambda path: (opened.append(path), clip(path))[1])
    summary = render_film(
        source, tmp_path / "film.mp4", dream, OutputSettings(), films.SHORT_CHUNKS
    )
    assert films.checksums(summary) == one
    assert len(opened) == 2  # once for the check, once to dream


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.gif", "%03d.png", "a.webm", "a.mkv", "a.webp"])
def test_every_format_can_be_joined(tiny: Make, source: Path, tmp_path: Path, name: str) -> None:
    dream, output = tiny(step_size=0), OutputSettings(end=0.8)
    summary = render_film(source, tmp_path / name, dream, output, FilmSettings(chunk_seconds=0.1))
    assert len(summary.plan.chunks) > 7
    made = sorted(tmp_path.iterdir())
    if name == "%03d.png":
        assert [path.name for path in made] == [f"{n:03d}.png" for n in range(1, 21)]
        return
    assert [path.name for path in made] == [name]
    if name != "a.webp":  # OpenCV does not play it
        assert len(films.frames_of(tmp_path / name)) == 20


@pytest.mark.slow
def test_a_folder_name_with_special_characters_can_be_joined(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "a#b?c'd %05d"
    folder.mkdir()
    render_film(source, folder / "film.mp4", tiny(), OutputSettings(end=0.6), films.SHORT_CHUNKS)
    assert [path.name for path in folder.iterdir()] == ["film.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("workers", [2, "auto"])
def test_worker_processes_make_the_same_frames(
    network: Path, source: Path, tmp_path: Path, workers: Any
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", films.dream_of(network))
    measured: list[int] = []
    summary = render_film(
        source,
        tmp_path / "film.mp4",
        films.dream_of(network),
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=workers),
        events=FilmEvents(measured=lambda count, fps: measured.append(count)),
    )
    assert films.checksums(summary) == one
    assert measured == ([] if workers == 2 else [1, 2][: cores()])
    if workers == 2:
        assert len({record.worker for record in summary.records}) == 2


@pytest.mark.slow
def test_workers_without_a_chunk_are_reported(network: Path, source: Path, tmp_path: Path) -> None:
    notes = films.Notes()
    one_shot = films.dream_of(network).model_copy(update={"cuts": False})
    render_film(
        source,
        tmp_path / "film.mp4",
        one_shot,
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=2),
        events=FilmEvents(note=notes),
    )
    assert "1 at work instead of 2 workers" in notes


@pytest.mark.slow
def test_batched_shots_match_shots_dreamed_alone(tiny: Make, source: Path, tmp_path: Path) -> None:
    # Few steps: differences of rounding between two traces grow with each.
    dream, exact = tiny(warm_up=2, octaves=1), OutputSettings()
    made = []
    for batch in (1, 3):
        target = tmp_path / f"{batch}-%03d.png"
        film = FilmSettings(chunk_seconds=0.24, batch=batch)
        summary = render_film(source, target, dream, exact, film)
        assert summary.plan.frames == 43
        pictures = sorted(tmp_path.glob(f"{batch}-*.png"))
        made.append([read_picture(path).image.astype(int) for path in pictures])
    assert max(int(np.abs(a - b).max()) for a, b in zip(*made, strict=True)) <= 1
    wrong = FilmSettings(batch=2, workers=2)
    with pytest.raises(SettingsError, match="leave out --workers"):
        render_film(source, tmp_path / "a.mp4", dream, exact, wrong)
