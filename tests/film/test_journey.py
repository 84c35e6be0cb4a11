"""Journeys as films: count, rate, sound, chunks that equal one piece, resumed jobs."""

from __future__ import annotations

import threading
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import clips
import cv2
import films
import numpy as np
import pytest
import synthetic

from stream_dream.errors import Interrupted, SettingsError, SinkError
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.journey import journey_request, make_journey
from stream_dream.film.one_piece import render
from stream_dream.frame import FrameReport
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings, for_journeys
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.journey import JourneySettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Tiny = Callable[..., DreamSettings]
IN_CHUNKS = FilmSettings(chunk_seconds=0.12)


def settings(**values: Any) -> JourneySettings:
    return validated(JourneySettings, {"seconds": 0.6, "longer_side": 48, **values})


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "cat.png"
    cv2.imwrite(str(path), synthetic.photo((60, 40)))
    return path


def checksums(
    picture: Path,
    target: Path,
    dream: DreamSettings,
    journey: JourneySettings,
    automation: Automation | None = None,
) -> list[int]:
    """Render a journey in one piece; return the checksums of its frames."""
    found: list[FrameReport] = []
    request = journey_request(picture, target, dream, journey, None, automation)
    render(
        picture,
        target,
        request.dream,
        request.output,
        request.automation,
        journey=journey,
        checksums=True,
        on_report=found.append,
    )
    return [report.checksum or 0 for report in found]


def test_a_journey_has_the_length_rate_and_size_that_are_asked_for(
    tmp_path: Path, picture: Path, tiny: Tiny
) -> None:
    target = tmp_path / "out.mp4"
    done = make_journey(picture, target, tiny(), settings(fps="12", seconds="0.5"))
    assert done.frames == 6
    with VideoSource(target) as made:
        assert made.info.size == (48, 32)
        assert made.info.fps == Fraction(12)
        frames = [frame.image.astype(int) for frame in made]
    assert len(frames) == 6
    assert all(np.abs(a - b).mean() > 0.5 for a, b in pairwise(frames))


@pytest.mark.slow
@pytest.mark.parametrize("more", [{}, {"loop": True}])
def test_chunks_equal_one_piece(
    tmp_path: Path, picture: Path, tiny: Tiny, more: dict[str, Any]
) -> None:
    journey = settings(**more)
    automation = Automation(tracks={"zoom": "0:(1.01), 0.4s:(1.05)", "angle": "sin(t)"})
    whole = checksums(picture, tmp_path / "whole.mp4", tiny(), journey, automation)
    done = make_journey(
        picture, tmp_path / "chunks.mp4", tiny(), journey, automation, film=IN_CHUNKS
    )
    assert isinstance(done, FilmSummary)
    assert (done.plan.shots, len(done.records)) == (1, 5)
    assert films.checksums(done) == whole
    assert len(set(whole)) == 15


@pytest.mark.slow
def test_an_interrupted_journey_goes_on_exactly(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    target = tmp_path / "out.mp4"

    def interrupt(progress: FilmProgress) -> None:
        if progress.chunks_done >= 2 and not progress.stopping:
            raise KeyboardInterrupt

    events = FilmEvents(progress=interrupt)
    with pytest.raises(Interrupted, match=r"are done and kept .* with --resume"):
        make_journey(picture, target, tiny(), settings(), film=IN_CHUNKS, events=events)
    assert not target.exists()
    with pytest.raises(SinkError, match="begun and not finished"):
        make_journey(picture, target, tiny(), settings(), film=IN_CHUNKS)
    for other, told in (
        (settings(seconds=0.8), "seconds was 0.6, not 0.8"),
        (settings(angle=3), r"angle was 0.0, not 3.0"),
        (settings(border="wrap"), "border was mirror, not wrap"),
    ):
        with pytest.raises(SettingsError, match=told):
            make_journey(picture, target, tiny(), other, film=IN_CHUNKS, resume=True)
    done = make_journey(picture, target, tiny(), settings(), film=IN_CHUNKS, resume=True)
    assert isinstance(done, FilmSummary)
    whole = checksums(picture, tmp_path / "whole.mp4", tiny(), settings())
    assert films.checksums(done) == whole
    assert not JobFolder(target).has_job


def test_another_picture_is_not_gone_on_with(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    target = tmp_path / "out.mp4"

    def interrupt(progress: FilmProgress) -> None:
        if progress.chunks_done >= 1 and not progress.stopping:
            raise KeyboardInterrupt

    events = FilmEvents(progress=interrupt)
    with pytest.raises(Interrupted):
        make_journey(picture, target, tiny(), settings(), film=IN_CHUNKS, events=events)
    cv2.imwrite(str(picture), 255 - synthetic.photo((60, 40)))
    with pytest.raises(SettingsError, match="the source was another file"):
        make_journey(picture, target, tiny(), settings(), film=IN_CHUNKS, resume=True)


@pytest.mark.slow
def test_a_journey_gets_as_much_of_a_soundtrack_as_it_lasts(
    tmp_path: Path, picture: Path, tiny: Tiny
) -> None:
    sound, target = tmp_path / "tone.wav", tmp_path / "out.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", "sine=d=3", sound)
    automation = Automation(soundtrack=sound)
    make_journey(picture, target, tiny(), settings(), automation)
    assert clips.sound_length(target) == pytest.approx(0.6, abs=0.1)
    make_journey(picture, target, tiny(), settings(audio=False), automation, overwrite=True)
    assert "Audio:" not in clips.report(target)


def test_sound_to_follow_has_to_be_given(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    automation = Automation(react="bass->step_size*2")
    with pytest.raises(SettingsError, match="a journey has no sound: give --soundtrack"):
        make_journey(picture, tmp_path / "out.mp4", tiny(), settings(), automation)
    assert not (tmp_path / "out.mp4").exists()


def test_noise_needs_no_file(tmp_path: Path, tiny: Tiny) -> None:
    done = make_journey(None, tmp_path / "out.mp4", tiny(), settings(), film=IN_CHUNKS)
    assert done.frames == 15


def test_noise_and_a_picture_are_two_starts(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    with pytest.raises(SettingsError, match=r"begins with noise: leave out .*cat\.png"):
        make_journey(picture, tmp_path / "out.mp4", tiny(), settings(start_from="noise"))


@pytest.mark.slow
def test_presets_are_the_looks(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    network = 'network = "tiny"\nlayer = ["conv2"]\nwarm_up = 1\n'
    for name, step in (("calm", 0.0), ("wild", 0.05)):
        (tmp_path / f"{name}.toml").write_text(f"{network}step_size = {step}\n")
    looks = [str(tmp_path / f"{name}.toml") for name in ("calm", "wild")]
    made = []
    for count in (1, 2):
        journey = settings(presets=",".join(looks[:count]), every=0.2)
        target = tmp_path / f"{count}.mp4"
        done = make_journey(picture, target, tiny(), journey, film=IN_CHUNKS)
        assert isinstance(done, FilmSummary)
        made.append(films.checksums(done))
    assert made[0][0] == made[1][0]
    assert made[0] != made[1]


@pytest.mark.slow
def test_progress_and_cancel(tmp_path: Path, picture: Path, tiny: Tiny) -> None:
    seen: list[tuple[float, int | None]] = []
    make_journey(
        picture,
        tmp_path / "out.mp4",
        tiny(),
        settings(),
        on_progress=lambda now: seen.append((now.done, now.total)),
    )
    assert seen[-1] == (15, 15)
    cancel = threading.Event()
    cancel.set()
    with pytest.raises(Interrupted):
        make_journey(picture, tmp_path / "no.mp4", tiny(), settings(), cancel=cancel)
    assert not (tmp_path / "no.mp4").exists()


def test_what_needs_a_source_or_several_shots_is_refused(
    tmp_path: Path, picture: Path, tiny: Tiny
) -> None:
    target, journey = tmp_path / "out.mp4", settings()
    for name in ("compare", "dream_only", "matte"):
        output = validated(OutputSettings, {name: True})
        with pytest.raises(SinkError, match=f"leave out --{name.replace('_', '-')}"):
            render(picture, target, tiny(), output, journey=journey)
    workers = FilmSettings(workers=2)
    with pytest.raises(SettingsError, match="dreamed by one worker"):
        render_film(picture, target, tiny(), OutputSettings(), workers, journey=journey)


def test_a_journey_is_dreamed_at_its_own_size() -> None:
    look = DreamSettings()
    usual, large, small = (for_journeys(look, {}, size=size) for size in (640, 1920, 240))
    assert [dream.dream_size for dream in (usual, large, small)] == [640, 1920, 240]
    assert usual.octaves == look.octaves
    assert large.octaves > usual.octaves > small.octaves >= 2
    assert usual.enlarge == 1
    given = {"dream_size": "320", "octaves": "5"}
    chosen = for_journeys(look, given, size=1920)
    assert (chosen.dream_size, chosen.octaves) == (320, 5)
