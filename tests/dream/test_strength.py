"""Strength, the share of the dream that is shown: the same everywhere, and the dream stays."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import films
import numpy as np
import pytest
import synthetic

from stream_dream.cli.help import page
from stream_dream.errors import Interrupted, SettingsError
from stream_dream.film.events import FilmEvents
from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import render
from stream_dream.frame import FrameReport, Image8, ImageF
from stream_dream.image import add_residual
from stream_dream.loop.make_loop import make_loop
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.live import ShowParameters
from stream_dream.settings.output import LoopSettings, OutputSettings, StillSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import validated
from stream_dream.still.batch import dream_stills
from stream_dream.temporal.dreamer import TemporalDreamer

Make = Callable[..., DreamSettings]
Run = Callable[..., tuple[int, str, str]]
ROOT = Path(__file__).parents[2]
FRAMES = 31


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a pan over a photo."""
    path = tmp_path_factory.mktemp("clips") / "pan.mp4"
    with VideoSink(path, size=(96, 64), fps=Fraction(25), crf=5) as sink:
        for frame in synthetic.pan(FRAMES, step=(1, 1), size=(96, 64))[0]:
            sink.write(frame.image)
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "photo.png")


def pictures(folder: Path) -> list[Image8]:
    return [read_picture(path).image for path in sorted(folder.glob("*.png"))]


def lies_between(half: Image8, source: Image8, whole: Image8) -> bool:
    """Return whether an image is the mean of two others, where none is clipped."""
    middle = (source.astype(float) + whole) / 2
    inner = (whole > 0) & (whole < 255)
    assert inner.mean() > 0.5
    return bool((np.abs(half - middle)[inner] <= 1).all() and (source != whole).mean() > 0.3)


# An image


def test_strength_scales_the_shown_residual() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    residual = rng.uniform(-1, 1, (24, 32, 3)).astype(np.float32)
    mask = np.full((48, 64), 255, np.uint8)
    np.testing.assert_array_equal(add_residual(image, residual, strength=0), image)
    np.testing.assert_array_equal(add_residual(image, residual, mask, strength=0), image)
    np.testing.assert_array_equal(
        add_residual(image, residual, strength=1), add_residual(image, residual)
    )
    grey = np.full((4, 4, 3), 100, np.uint8)
    change = np.full((4, 4, 3), 0.2, np.float32)  # 51 levels
    shown = [add_residual(grey, change, strength=s)[0, 0, 0] for s in (0, 0.4, 1, 2)]
    assert shown == [100, 120, 151, 202]


def test_a_mask_multiplies_with_strength() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    residual = np.full((4, 4, 3), 0.2, np.float32)  # 51 levels
    mask = np.array([[0, 51, 127, 255]] * 4, np.uint8)
    shown = add_residual(image, residual, mask, strength=2)[0, :, 0]
    np.testing.assert_array_equal(shown, [100, 120, 151, 202])


def noisy(
    source: ImageF, carried: ImageF, *, index: int, rng: np.random.Generator, **_: object
) -> tuple[ImageF, float]:
    """Replace the ascent by noise, different in each frame."""
    return carried + rng.normal(0, 0.05, source.shape).astype(np.float32), 0.0


def test_strength_does_not_change_the_carried_dream(tiny: Make) -> None:
    frames, _ = synthetic.pan(5)

    def residuals(*strengths: float) -> list[ImageF]:
        dreamer = TemporalDreamer(noisy, tiny())
        dreamed = []
        for frame, strength in zip(frames, strengths, strict=True):
            dreamed.append(dreamer.ascend(dreamer.prepare(frame)))
            dreamed[-1].compose(strength=strength)
        return [item.residual for item in dreamed]

    whole = residuals(1, 1, 1, 1, 1)
    assert np.abs(whole[-1]).mean() > 0.01
    np.testing.assert_array_equal(residuals(0, 0.5, 2, 0, 1), whole)


# Films


def rendered(clip: Path, folder: Path, dream: DreamSettings, **output: object) -> list[Image8]:
    folder.mkdir()
    render(clip, folder / "%03d.png", dream, validated(OutputSettings, output))
    return pictures(folder)


@pytest.mark.slow
def test_a_render_shows_none_half_or_all_of_the_dream(
    tiny: Make, clip: Path, tmp_path: Path
) -> None:
    def shown(name: str, **output: object) -> list[Image8]:
        return rendered(clip, tmp_path / name, tiny(), **output)

    plain = shown("plain")
    with VideoSource(clip) as source:
        frames = [frame.image for frame in source]
    assert len(frames) == FRAMES
    np.testing.assert_array_equal(shown("none", strength=0), frames)
    np.testing.assert_array_equal(shown("all", strength=1), plain)
    triples = zip(shown("half", strength=0.5), frames, plain, strict=True)
    assert all(lies_between(*images) for images in triples)


@pytest.mark.slow
def test_size_compare_and_mask_combine_with_strength(
    tiny: Make, clip: Path, tmp_path: Path
) -> None:
    drawn = np.zeros((64, 96, 3), np.uint8)
    drawn[:, 48:] = 255
    mask = write_picture(Picture(drawn), tmp_path / "mask.png")
    same = {"end": 0.2, "size": "48x32", "compare": True, "mask": mask, "mask_softness": 0}
    for image in rendered(clip, tmp_path / "none", tiny(), strength=0, **same):
        np.testing.assert_array_equal(image[:, :48], image[:, 48:])
    half = rendered(clip, tmp_path / "half", tiny(), strength=0.5, **same)[-1]
    whole = rendered(clip, tmp_path / "whole", tiny(), **same)[-1]
    source = whole[:, :48]
    np.testing.assert_array_equal(half[:, 48:72], source[:, :24])
    assert lies_between(half[:, 73:], source[:, 25:], whole[:, 73:])


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_film_in_chunks_is_as_strong_as_one_piece(
    tiny: Make, tmp_path: Path, workers: int
) -> None:
    source = films.make_film(tmp_path / "film.mp4", sound=False)
    dream = tiny()
    if workers > 1:  # worker processes do not know the tiny network
        dream = tiny(network=str(films.make_network(tmp_path / "tiny.keras")), layer=["conv0"])
    output, reports = validated(OutputSettings, {"end": 0.8, "strength": 0.5}), []

    def take(report: FrameReport) -> None:
        reports.append(report.checksum)

    render(source, tmp_path / "one.mp4", dream, output, checksums=True, on_report=take)
    pieces = FilmSettings(chunk_seconds=0.24, workers=workers)
    summary = render_film(source, tmp_path / "many.mp4", dream, output, pieces)
    assert len(summary.records) > 2
    assert [check for record in summary.records for check in record.checksums] == reports


@pytest.mark.slow
def test_a_film_is_not_resumed_with_another_strength(tiny: Make, tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "film.mp4", sound=False)
    target, pieces = tmp_path / "dream.mp4", FilmSettings(chunk_seconds=0.24)

    def stop(progress: FilmProgress) -> None:
        if progress.chunks_done and not progress.stopping:
            raise KeyboardInterrupt

    begun = OutputSettings(end=0.8, strength=0.5)
    with pytest.raises(Interrupted):
        render_film(source, target, tiny(), begun, pieces, events=FilmEvents(progress=stop))
    with pytest.raises(SettingsError, match=r"strength was 0\.5, not 1\.0\. Give the same"):
        render_film(source, target, tiny(), OutputSettings(end=0.8), pieces, resume=True)
    render_film(source, target, tiny(), begun, pieces, resume=True)
    assert target.is_file()


# Pictures


def stills(photo: Path, folder: Path, dream: DreamSettings, strength: float) -> Image8:
    """Dream a picture, with a film and its octaves."""
    values = {"strength": strength, "progress_dir": folder / "octaves", "out": folder / "film.gif"}
    folder.mkdir()
    dream_stills([photo], folder / "dream.png", dream, validated(StillSettings, values))
    return read_picture(folder / "dream.png").image


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["all", pytest.param("restore", marks=pytest.mark.slow)])
def test_a_picture_shows_none_half_or_all_of_the_dream(
    tiny: Make, photo: Path, tmp_path: Path, schedule: str
) -> None:
    dream = tiny(schedule=schedule, warm_up=0, steps=4)
    dream_stills([photo], tmp_path / "plain.png", dream, StillSettings())
    source, plain = (read_picture(path).image for path in (photo, tmp_path / "plain.png"))
    none, half, whole = (stills(photo, tmp_path / str(s), dream, s) for s in (0, 0.5, 1))
    np.testing.assert_array_equal(none, source)
    np.testing.assert_array_equal(whole, plain)
    assert lies_between(half, source, whole)
    octaves = [pictures(tmp_path / str(s) / "octaves") for s in (0, 0.5, 1)]
    assert all(lies_between(b, a, c) for a, b, c in zip(*octaves, strict=True))
    with VideoSource(tmp_path / "0" / "film.gif") as film:
        frames = [frame.image for frame in film]
    assert len(frames) > 15
    np.testing.assert_array_equal(frames, [frames[0]] * len(frames))


@pytest.mark.slow
@pytest.mark.stops
def test_an_interrupted_picture_has_the_chosen_strength(
    tiny: Make, photo: Path, tmp_path: Path
) -> None:
    def interrupted(strength: float) -> Image8:
        steps: list[object] = []

        def stop(step: object) -> None:
            steps.append(step)
            if len(steps) > 2:
                raise KeyboardInterrupt

        target, still = tmp_path / f"{strength}.png", StillSettings(strength=strength)
        with pytest.raises(Interrupted):
            dream_stills([photo], target, tiny(), still, on_step=stop)
        return read_picture(tmp_path / f"{strength}.interrupted.png").image

    source = read_picture(photo).image
    np.testing.assert_array_equal(interrupted(0.0), source)
    assert lies_between(interrupted(0.5), source, interrupted(1.0))


# Loops


@pytest.mark.slow
def test_a_loop_and_its_poster_show_none_half_or_all_of_the_dream(
    tiny: Make, photo: Path, tmp_path: Path
) -> None:
    def looped(name: str, **values: object) -> list[Image8]:
        (tmp_path / name).mkdir()
        settings = validated(LoopSettings, {"frames": 5, "motion": "still", **values})
        make_loop(photo, tmp_path / name / "%d.png", [tiny()], settings)
        return pictures(tmp_path / name)

    source, plain = read_picture(photo).image, looped("plain")
    np.testing.assert_array_equal(looped("none", strength=0), [source] * 5)
    np.testing.assert_array_equal(looped("all", strength=1), plain)
    half = looped("half", strength=0.5)
    assert all(lies_between(image, source, whole) for image, whole in zip(half, plain, strict=True))
    settings = LoopSettings(frames=5, motion="still", strength=0.5, poster=True)
    summary = make_loop(photo, tmp_path / "x.gif", [tiny()], settings)
    np.testing.assert_array_equal(read_picture(tmp_path / "x.png").image, half[0])
    whole = make_loop(photo, tmp_path / "y.gif", [tiny()], LoopSettings(frames=5, motion="still"))
    assert summary.seam == pytest.approx(whole.seam / 2)


@pytest.mark.slow
def test_a_loop_at_strength_zero_is_the_clip(tiny: Make, clip: Path, tmp_path: Path) -> None:
    def looped(name: str, dream: DreamSettings, strength: float) -> list[Image8]:
        (tmp_path / name).mkdir()
        values = {"strength": strength, "bounce": True, "longer_side": 96, "end": 0.4}
        settings = validated(LoopSettings, values)
        make_loop(clip, tmp_path / name / "%02d.png", [dream], settings)
        return pictures(tmp_path / name)

    undreamed = looped("undreamed", tiny(step_size=0), 1)
    np.testing.assert_array_equal(looped("none", tiny(dream_size=48), 0), undreamed)


# Messages and manual


@pytest.mark.parametrize("strength", ["-0.1", "2.1", "nan", "much"])
@pytest.mark.parametrize("command", ["render", "image", "loop", "live"])
def test_a_strength_out_of_range_ends_in_one_line(
    run: Run, photo: Path, tmp_path: Path, command: str, strength: str
) -> None:
    files = () if command == "live" else (str(photo), str(tmp_path / "x.png"))
    code, out, err = run(command, *files, "--strength", strength)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"stream-dream: error: --strength cannot be '{strength}': give ")
    assert not (tmp_path / "x.png").exists()


def test_strength_is_one_setting_with_one_row_in_the_manual() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "scripts" / "settings_table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    rows = [row for row in table.table().splitlines() if row.startswith("| `--strength` |")]
    assert len(rows) == 1
    assert rows[0].startswith("| `--strength` | render, plan, image, loop, live | ")
    assert rows[0] in page("settings")
    for model in (OutputSettings, StillSettings, LoopSettings, ShowParameters):
        assert model().strength == 1


def test_strength_is_no_part_of_a_look(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("strength = 0.5\n")
    with pytest.raises(SettingsError, match="strength is for one render: give it as an option"):
        load_preset(tmp_path / "mine.toml")
