"""Films whose settings change with time and sound: the same frames in every way they are made."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import clips
import films
import numpy as np
import pytest
import sounds
from commands import Command, one_line
from gates import Gate
from numpy.typing import NDArray

from stream_dream.automation.sound import analysis
from stream_dream.cli.over_time import over_time
from stream_dream.dream import look_ascents
from stream_dream.dream.ascent import Ascent
from stream_dream.dream.build import Guide
from stream_dream.dream.look_ascents import LOOKS_KEPT
from stream_dream.errors import Interrupted, SettingsError, SourceError
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import RenderSummary, render
from stream_dream.frame import FrameReport
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]

SCORE = """
soundtrack = "song.wav"
preset = "0:first.toml, shot 2:second.toml~5, 38:first.toml~20%"
react = "onset->strength+0.2, beat->step_size*1.5"
strength = "0:(0.3), 50%:(1) @smooth, max_f:(0.6)"
step_size = "0.01*(1+bass)"
octaves = "0:(1) @step, shot 2:(2)"
colours = "0.5+0.5*sine(1s)"
cadence = "0:(1) @step, shot 3:(2) @step, 34:(1)"
catch_up = "noise(0.5s)"

[layer]
conv1 = "0:(1), 20:(0), 25:(0), 43:(-0.5)"
"""


@dataclass(frozen=True)
class Scored:
    """A film with a score, its files, and the checksums of its frames in one piece."""

    source: Path
    score: Path
    dream: DreamSettings
    automation: Automation
    checksums: list[int]


def changing(**values: Any) -> Automation:
    return validated(Automation, values)


def one_piece(
    source: Path, target: Path, dream: DreamSettings, automation: Automation, **output: Any
) -> tuple[list[int], RenderSummary]:
    """Render in one piece; return the checksums of the frames and the summary."""
    reports: list[FrameReport] = []
    settings = validated(OutputSettings, output)
    summary = render(
        source, target, dream, settings, automation, checksums=True, on_report=reports.append
    )
    return [report.checksum or 0 for report in reports], summary


def in_chunks(
    source: Path,
    target: Path,
    dream: DreamSettings,
    automation: Automation,
    *,
    stop: int | None = None,
    note: Callable[[str], None] = print,
    resume: bool = False,
    output: dict[str, Any] | None = None,
    **film: Any,
) -> FilmSummary:
    """Render in chunks; interrupt when ``stop`` of them are done."""

    def interrupt(progress: FilmProgress) -> None:
        if stop is not None and progress.chunks_done >= stop and not progress.stopping:
            raise KeyboardInterrupt

    return render_film(
        source,
        target,
        dream,
        validated(OutputSettings, output or {}),
        validated(FilmSettings, {"chunk_seconds": 0.24, **film}),
        automation,
        resume=resume,
        events=FilmEvents(progress=interrupt, note=note),
    )


def pictures(folder: Path) -> list[NDArray[np.int64]]:
    return [read_picture(path).image.astype(np.int64) for path in sorted(folder.glob("*.png"))]


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write(tmp_path_factory.mktemp("song") / "song.wav", sounds.song(length=12))


@pytest.fixture(scope="module")
def scored(
    source: Path, network: Path, song: Path, tmp_path_factory: pytest.TempPathFactory
) -> Scored:
    folder = tmp_path_factory.mktemp("scored")
    shutil.copy(song, folder / "song.wav")
    look = f'network = "{network}"\nlayer = ["conv1"]\nwarm_up = 2\njitter = 4\n'
    (folder / "first.toml").write_text(look)
    (folder / "second.toml").write_text(look.replace('"conv1"', '"conv0", "conv1=0.5"'))
    score = folder / "score.toml"
    score.write_text(SCORE)
    dream, automation = over_time(None, {"score": str(score)}).with_dreams(
        quiet=True, as_json=False
    )
    made, summary = one_piece(source, folder / "one.mp4", dream, automation)
    assert summary.warning is None
    return Scored(source, score, dream, automation, made)


@pytest.mark.slow
def test_each_frame_of_a_scored_film_is_its_own(scored: Scored, tmp_path: Path) -> None:
    plain, _ = one_piece(scored.source, tmp_path / "plain.mp4", scored.dream, Automation())
    assert len(set(scored.checksums)) == len(scored.checksums) == len(plain) == 43
    assert not set(plain) & set(scored.checksums)


@pytest.mark.slow
@pytest.mark.parametrize("film", [{}, {"workers": 2}, {"batch": 3}, {"chunk_seconds": 0.04}])
def test_chunks_and_workers_make_the_same_frames(
    scored: Scored, tmp_path: Path, film: dict[str, Any]
) -> None:
    target = tmp_path / "film.mp4"
    summary = in_chunks(scored.source, target, scored.dream, scored.automation, **film)
    assert films.checksums(summary) == scored.checksums
    assert summary.warning is None
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
@pytest.mark.stops
def test_a_stopped_film_resumes_with_the_sound_that_was_analysed(
    scored: Scored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, folder = tmp_path / "film.mp4", tmp_path / "film.mp4.dream"
    job = scored.source, target, scored.dream, scored.automation
    with pytest.raises(Interrupted, match=r"chunks are done and kept"):
        in_chunks(*job, stop=3)
    (kept,) = folder.glob("sound-*.npz")
    before = kept.stat().st_mtime_ns

    def fail(*arguments: object, **named: object) -> None:
        raise AssertionError("analysed again")

    monkeypatch.setattr(analysis, "_analyse_file", fail)
    with pytest.raises(Interrupted, match=r"chunks are done and kept"):
        in_chunks(*job, stop=6, resume=True)
    assert kept.stat().st_mtime_ns == before
    summary = in_chunks(*job, resume=True)
    assert films.checksums(summary) == scored.checksums
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.slow
@pytest.mark.stops
def test_a_killed_command_with_a_score_can_be_resumed(
    scored: Scored, gate: Gate, tmp_path: Path
) -> None:
    target, report = tmp_path / "film.mp4", tmp_path / "report.json"
    arguments = (
        *("render", scored.source, target, "--score", scored.score, "--resume"),
        *("--chunk-seconds", "0.24", "--workers", "2", "--report", report),
    )
    gate.hold(0)
    command = Command(*arguments)
    try:
        command.wait_until(lambda said: "chunk" in said)
        command.stop(signal.SIGKILL)
        assert command.ended() == (-signal.SIGKILL, "")
    finally:
        command.end()
    gate.open()
    assert list((tmp_path / "film.mp4.dream").glob("000*.json"))
    again = Command(*arguments)
    assert again.ended() == (0, "")
    assert json.loads(report.read_text())["checksums"] == scored.checksums
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.json"]


@pytest.mark.slow
def test_batched_shots_have_settings_of_their_own(
    tiny: Make, source: Path, song: Path, tmp_path: Path
) -> None:
    # Few and small steps: differences of rounding between two traces grow with each.
    dream = tiny(octaves=1, warm_up=0, step_size=0.001)
    automation = changing(
        soundtrack=song, tracks={"strength": "0:(0), max_f:(1)", "layer.conv2": "1+bass"}
    )
    made = []
    for batch in (1, 3):
        folder = tmp_path / str(batch)
        folder.mkdir()
        in_chunks(source, folder / "%03d.png", dream, automation, batch=batch)
        made.append(pictures(folder))
    assert len(made[0]) == 43
    assert max(int(np.abs(a - b).max()) for a, b in zip(*made, strict=True)) <= 1


@pytest.mark.slow
def test_each_look_has_its_guide(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, clip = tmp_path / "guide.png", tmp_path / "guide.mp4"
    write_picture(Picture(clips.patch_image()), picture)
    clips.make(clip, "-c:v", "libx264", seconds=0.44)
    looks = (tiny(guide=picture), tiny(guide=clip), tiny())
    automation = changing(looks=looks, look_track="0:a, 10:b~8, shot 3:c~4, 38:a")
    one, _ = one_piece(source, tmp_path / "one.mp4", looks[0], automation)
    assert len(set(one)) == 43
    shown: list[int] = []
    show = Guide.show

    def spy(self: Guide, image: Any) -> None:
        shown.append(int(image.sum()))
        show(self, image)

    monkeypatch.setattr(Guide, "show", spy)
    summary = in_chunks(source, tmp_path / "film.mp4", looks[0], automation)
    assert films.checksums(summary) == one
    # The picture once a look is built, the clip anew with each of its frames.
    assert 5 < len(set(shown)) <= 12
    other = automation.model_copy(update={"looks": (looks[0], tiny(guide=picture), looks[2])})
    swapped, _ = one_piece(source, tmp_path / "other.mp4", looks[0], other)
    assert swapped[:10] == one[:10]
    assert swapped[20:23] != one[20:23]


@pytest.mark.slow
def test_the_mask_weakens_over_time(tiny: Make, source: Path, tmp_path: Path) -> None:
    mask = tmp_path / "mask.png"
    half = np.zeros((64, 96, 3), np.uint8)
    half[:, 48:] = 255
    write_picture(Picture(half), mask)

    def frames(name: str, **automation: Any) -> list[NDArray[np.int64]]:
        (tmp_path / name).mkdir()
        one_piece(
            *(source, tmp_path / name / "%03d.png", tiny(), changing(**automation)),
            mask=str(mask),
            mask_softness=0,
            end=0.4,
        )
        return pictures(tmp_path / name)

    weakened = frames("a", tracks={"mask_strength": "0:(1) @step, 5:(0)"})
    masked = frames("b")
    open_ = frames("c", tracks={"mask_strength": "0"})
    for number, image in enumerate(weakened):
        expected = masked if number < 5 else open_
        np.testing.assert_array_equal(image, expected[number])
    assert (masked[9] != open_[9]).any()
    np.testing.assert_array_equal(masked[9][:, 60:], open_[9][:, 60:])


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.8, 1.72, 6.0])
@pytest.mark.parametrize("chunks", [False, True])
def test_the_sound_of_another_file_ends_with_the_picture(
    tiny: Make, source: Path, tmp_path: Path, seconds: float, chunks: bool
) -> None:
    track, target = tmp_path / "song.wav", tmp_path / "film.mp4"
    sounds.write(track, sounds.sine(440, seconds))
    automation = changing(soundtrack=track, tracks={"strength": "level"})
    if chunks:
        in_chunks(source, target, tiny(), automation)
    else:
        one_piece(source, target, tiny(), automation)
    assert len(films.frames_of(target)) == 43
    assert clips.sound_length(target) == pytest.approx(min(seconds, 1.72), abs=0.06)


@pytest.mark.slow
def test_an_excerpt_has_its_part_of_the_sound(tiny: Make, tmp_path: Path) -> None:
    source, track = clips.make(tmp_path / "a.mp4", seconds=3), tmp_path / "song.mp4"
    clips.make_beep(track)  # from 1.0 to 1.1 s
    automation = changing(soundtrack=track, tracks={"strength": "level"})
    one_piece(source, tmp_path / "film.mp4", tiny(), automation, start=0.4, end=1.6)
    assert clips.beep_onset(tmp_path / "film.mp4") == pytest.approx(0.6, abs=0.05)
    assert clips.sound_length(tmp_path / "film.mp4") == pytest.approx(1.2, abs=0.06)


@pytest.mark.slow
def test_sound_moves_a_film_that_is_to_be_silent(
    tiny: Make, source: Path, song: Path, tmp_path: Path
) -> None:
    automation = changing(soundtrack=song, tracks={"strength": "level"})
    heard, _ = one_piece(source, tmp_path / "a.mp4", tiny(), automation)
    silent, _ = one_piece(source, tmp_path / "b.mp4", tiny(), automation, audio=False)
    assert heard == silent
    assert "Audio" in clips.report(tmp_path / "a.mp4")
    assert "Audio" not in clips.report(tmp_path / "b.mp4")


@pytest.mark.slow
def test_a_film_moves_with_its_own_sound(tiny: Make, source: Path, tmp_path: Path) -> None:
    automation = changing(tracks={"strength": "level"})
    moved, _ = one_piece(source, tmp_path / "a.mp4", tiny(), automation)
    still, _ = one_piece(source, tmp_path / "b.mp4", tiny(), Automation())
    assert moved != still
    mute = films.make_film(tmp_path / "mute.mp4")
    clips.ffmpeg("-i", mute, "-an", "-c", "copy", tmp_path / "no-sound.mp4")
    with pytest.raises(SettingsError, match=r"has no sound: give --soundtrack"):
        one_piece(tmp_path / "no-sound.mp4", tmp_path / "c.mp4", tiny(), automation)


@pytest.fixture
def stopped(tiny: Make, source: Path, song: Path, tmp_path: Path) -> tuple[Any, ...]:
    """Return the arguments of a film in chunks that was begun."""
    shutil.copy(song, tmp_path / "song.wav")
    automation = changing(
        soundtrack=tmp_path / "song.wav",
        tracks={"strength": "0:(0), 1s:(level)", "step_size": "0.01"},
        looks=(tiny(), tiny(layer=["conv1"])),
        look_track="0:a, shot 2:b~5",
    )
    job = source, tmp_path / "film.mp4", tiny(), automation
    with pytest.raises(Interrupted):
        in_chunks(*job, stop=2)
    return job


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"tracks": {"strength": "0:(0), 1s:(level)", "step_size": "0.02"}},
            "step-size over time was 0.01, not 0.02.",
        ),
        (
            {"tracks": {"step_size": "0.01"}},
            "strength over time was 0:(0), 1s:(level), not none.",
        ),
        ({"look_track": "0:a, shot 2:b~6"}, "looks over time was 0:a, shot 2:b~5, not 0:a, "),
        ({"react": "bass->strength+1"}, "react was none, not bass->strength+1."),
        ({"soundtrack": None}, "song.wav, not none."),
        ({"looks": ()}, "number of looks was 2, not 1."),
    ],
)
def test_another_score_is_refused_in_one_readable_line(
    stopped: tuple[Any, ...], changes: dict[str, Any], said: str
) -> None:
    other = stopped[3].model_copy(update=changes)
    with pytest.raises(SettingsError) as refused:
        in_chunks(*stopped[:3], other, resume=True)
    assert said in str(refused.value)
    assert len(str(refused.value)) < 400
    assert "\n" not in str(refused.value)


@pytest.mark.slow
@pytest.mark.stops
def test_a_setting_of_another_look_is_named(tiny: Make, stopped: tuple[Any, ...]) -> None:
    looks = (tiny(), tiny(layer=["conv1"], octaves=1))
    other = stopped[3].model_copy(update={"looks": looks})
    with pytest.raises(SettingsError, match=r"otherwise: octaves of look 2 was 2, not 1\. Give"):
        in_chunks(*stopped[:3], other, resume=True)


@pytest.mark.slow
@pytest.mark.stops
def test_another_soundtrack_of_that_name_is_refused_and_a_moved_one_is_not(
    stopped: tuple[Any, ...], tmp_path: Path
) -> None:
    track, moved = tmp_path / "song.wav", tmp_path / "moved.wav"
    track.rename(moved)
    sounds.write(track, sounds.sine(440, 2))
    with pytest.raises(SettingsError, match=r"the soundtrack was another file than it is now"):
        in_chunks(*stopped, resume=True)
    track.unlink()
    with pytest.raises(SourceError, match=r"song\.wav"):
        in_chunks(*stopped, resume=True)
    automation = stopped[3].model_copy(update={"soundtrack": moved})
    summary = in_chunks(*stopped[:3], automation, resume=True)
    assert summary.plan.frames == 43


@pytest.mark.slow
@pytest.mark.stops
def test_a_job_of_a_version_without_automation_resumes(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", tiny())
    folder = films.interrupted_job(source, tmp_path / "film.mp4", tiny(), 3)
    job = folder / "job.json"
    data = json.loads(job.read_text())
    del data["automation"]
    job.write_text(json.dumps(data))
    assert films.checksums(films.resume(source, tmp_path / "film.mp4", tiny())) == one


@pytest.mark.slow
def test_a_formula_that_fails_is_said_before_the_first_frame(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    automation = changing(tracks={"strength": "1/(40-t)"})
    reports: list[FrameReport] = []
    with pytest.raises(SettingsError, match=r"strength: "):
        render(
            *(source, tmp_path / "a.mp4", tiny(), OutputSettings(), automation),
            on_report=reports.append,
        )
    with pytest.raises(SettingsError, match=r"strength: .* no chunk was finished"):
        in_chunks(source, tmp_path / "b.mp4", tiny(), automation)
    assert not reports
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_clipped_values_are_a_warning(tiny: Make, source: Path, tmp_path: Path) -> None:
    wild = changing(tracks={"strength": "0:(0), 40:(4)", "jitter": "0:(3) @step, 500:(9999)"})
    said = "values beyond the range of strength were clipped to it"
    assert one_piece(source, tmp_path / "a.mp4", tiny(), wild)[1].warning == said
    assert in_chunks(source, tmp_path / "b.mp4", tiny(), wild).warning == said
    assert one_piece(source, tmp_path / "c.mp4", tiny(), wild, end=0.6)[1].warning is None


@pytest.mark.slow
def test_names_that_no_look_has_are_refused_before_the_film_is_planned(
    tiny: Make, source: Path, tmp_path: Path
) -> None:
    automation = changing(tracks={"layer.conv1": "0:(0), 9:(1)"})
    with pytest.raises(SettingsError, match=r"^--layer conv1: .* those are conv2$"):
        in_chunks(source, tmp_path / "film.mp4", tiny(), automation)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_hundred_changes_of_look_keep_few_networks_and_trace_none_twice(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = clips.make(tmp_path / "a.mp4", fps="10", seconds=20, size="32x24")
    looks = tuple(tiny(seed=number, octaves=1, warm_up=0, cuts=False) for number in range(20))
    built: list[int] = []
    most, ascents = 0, look_ascents.LookAscents

    class Spy(ascents):  # type: ignore[misc, valid-type]
        def of(self, look: int) -> Ascent:
            nonlocal most
            found: Ascent = super().of(look)
            most = max(most, len(self._ascents))
            return found

    def build(settings: DreamSettings, *arguments: Any, **named: Any) -> Ascent:
        built.append(settings.seed)
        return Ascent(settings, *arguments, **named)

    monkeypatch.setattr(look_ascents, "LookAscents", Spy)
    monkeypatch.setattr(look_ascents, "Ascent", build)
    # Five turns through four looks, and then on to the next four.
    order = [group * 4 + look for group in range(5) for _ in range(5) for look in range(4)]
    names = [f"look{number}" for number in range(20)]
    text = ", ".join(f"{2 * place}:{names[look]}" for place, look in enumerate(order))
    checksums, _ = one_piece(
        source, tmp_path / "b.mp4", looks[0], changing(looks=looks, look_track=text)
    )
    assert len(checksums) == 200
    assert most == LOOKS_KEPT
    assert sorted(built) == list(range(20))


def test_a_score_that_is_refused_is_one_line(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    score = tmp_path / "score.toml"
    score.write_text("strength = '0:(0), 1s:(bas)'\n")
    code, _, err = run("render", "a.mp4", str(tmp_path / "b.mp4"), "--score", str(score))
    assert code == 2
    assert f"{score}: strength: key 1s, column 12" in one_line(err)
