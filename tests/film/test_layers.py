"""The dream alone, as a layer to lay over the source, and the mattes beside a film."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import clips
import cv2
import films
import numpy as np
import pytest
from numpy.typing import NDArray

from stream_dream.errors import Interrupted, SinkError
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job import publish
from stream_dream.film.one_piece import render
from stream_dream.frame import FrameReport, MatteKind
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]
SIZE = (96, 64)
FRAMES = 10


def levels_of(path: Path, pixels: str) -> NDArray[np.float64]:
    """Return what another program reads, 0 to 255: (frames, height, width, channels)."""
    raw = clips.ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", pixels, "-")
    channels = 4 if "a" in pixels else 3
    return np.frombuffer(raw, "<u2").reshape(-1, SIZE[1], SIZE[0], channels) / 257


def light_of(path: Path, *, alpha: bool) -> NDArray[np.float64]:
    """Return the light of EXRs as another program reads it, RGB and alpha."""
    pixels = "gbrapf16le" if alpha else "gbrpf16le"  # as they are: conversions are not exact
    raw = clips.ffmpeg("-i", path, "-f", "rawvideo", "-pix_fmt", pixels, "-")
    planes = np.frombuffer(raw, "<f2").reshape(-1, 4 if alpha else 3, SIZE[1], SIZE[0])
    return np.moveaxis(planes[:, [2, 0, 1, *range(3, planes.shape[1])]], 1, -1).astype(np.float64)


def srgb(light: NDArray[np.float64]) -> NDArray[np.float64]:
    curved = 1.055 * np.maximum(light, 0.0031308) ** (1 / 2.4) - 0.055
    return np.where(light < 0.0031308, 12.92 * light, curved) * 255


def output_of(**values: object) -> OutputSettings:
    return validated(OutputSettings, {"end": FRAMES / 25} | values)


@pytest.fixture
def both(tiny: Make, source: Path, tmp_path: Path) -> tuple[NDArray[np.float64], ...]:
    """Return the source and the dream, losslessly written, 0 to 255."""
    still, dream = tmp_path / "still.mkv", tmp_path / "dream.mkv"
    render(source, still, tiny(step_size=0), output_of(codec="ffv1"))
    render(source, dream, tiny(), output_of(codec="ffv1"))
    return levels_of(still, "rgb48le"), levels_of(dream, "rgb48le")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("layer.mov", {}),
        ("layer.mkv", {}),
        ("layer.mkv", {"codec": "prores4444"}),
        ("%03d.png", {}),
        ("%03d.png", {"bits": 16}),
        ("%03d.tif", {"bits": 16}),
    ],
)
def test_over_the_source_it_is_the_dream(
    tiny: Make,
    source: Path,
    tmp_path: Path,
    both: tuple[NDArray[np.float64], ...],
    name: str,
    wanted: dict[str, object],
) -> None:
    render(source, tmp_path / name, tiny(), output_of(dream_only=True, **wanted))
    layer, (below, dream) = levels_of(tmp_path / name, "rgba64le"), both
    assert len(layer) == len(dream) == FRAMES
    alpha = layer[..., 3:] / 255
    over = alpha * layer[..., :3] + (1 - alpha) * below
    assert np.abs(over - dream).max() <= 2
    assert np.abs(dream - below).max() > 20  # something was dreamed
    assert 0.02 < alpha.mean() < 0.9


@pytest.mark.slow
def test_an_exr_holds_light_multiplied_by_alpha(tiny: Make, source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "s%d.exr", tiny(step_size=0), output_of())
    render(source, tmp_path / "d%d.exr", tiny(), output_of())
    render(source, tmp_path / "l%d.exr", tiny(), output_of(dream_only=True))
    below, dream = (light_of(tmp_path / f"{name}%d.exr", alpha=False) for name in "sd")
    layer = light_of(tmp_path / "l%d.exr", alpha=True)
    assert len(layer) == FRAMES
    over = layer[..., :3] + (1 - layer[..., 3:]) * below
    assert np.abs(srgb(over) - srgb(dream)).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("curve", ["smpte2084", "arib-std-b67"])
def test_an_exr_of_hdr_is_the_dream_over_its_source(tiny: Make, tmp_path: Path, curve: str) -> None:
    film = clips.make_hdr(tmp_path / "hdr.mp4", curve)
    dream, size = tiny(octaves=1, dream_size=64), {"size": "96x64", "end": 0.12}
    render(film, tmp_path / "s%d.exr", tiny(step_size=0), output_of(**size))
    render(film, tmp_path / "d%d.exr", dream, output_of(**size))
    render(film, tmp_path / "l%d.exr", dream, output_of(dream_only=True, **size))
    below, above = (light_of(tmp_path / f"{name}%d.exr", alpha=False) for name in "sd")
    layer = light_of(tmp_path / "l%d.exr", alpha=True)
    over = layer[..., :3] + (1 - layer[..., 3:]) * below
    assert np.abs(above - below).max() > 0.05
    e = np.abs(over - above)
    i = np.unravel_index(e.argmax(), e.shape)
    print(i, e[i[:3]], above[i[:3]], below[i[:3]], layer[i[:3]], (e > 0.005).mean())
    assert (np.abs(over - above) <= 0.01 * np.maximum(above, 1)).all()


@pytest.mark.slow
def test_chunks_make_the_same_layer_and_mattes(tiny: Make, source: Path, tmp_path: Path) -> None:
    mask = write_mask(tmp_path / "mask.png")
    wanted = {"codec": "ffv1", "dream_only": True, "matte": True, "mask": mask}
    one = films.in_one_piece(source, tmp_path / "one.mkv", tiny(), **wanted, end=0.8)
    output = output_of(**wanted, end=0.8)
    summary = render_film(source, tmp_path / "a.mkv", tiny(), output, films.SHORT_CHUNKS)
    assert len(summary.plan.chunks) > 2
    assert films.checksums(summary) == one
    for end, pixels in (("", "rgba64le"), ("-mask", "rgb48le"), ("-visibility", "rgb48le")):
        whole, joined = (levels_of(tmp_path / f"{n}{end}.mkv", pixels) for n in ("one", "a"))
        assert np.array_equal(whole, joined)
        assert len(joined) == 20


def write_mask(path: Path) -> Path:
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[:, SIZE[0] // 2 :] = 255
    cv2.imwrite(str(path), mask)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.mov", "a-%02d.png", "%d.exr", "a.gif", "a.webm"])
def test_mattes_show_the_mask_and_what_was_visible(
    tiny: Make, source: Path, tmp_path: Path, name: str
) -> None:
    mask, codec = write_mask(tmp_path / "mask.png"), "prores" if name == "a.mov" else None
    output = output_of(matte=True, mask=mask, mask_softness=0, codec=codec, end=0.72)
    reports: list[FrameReport] = []
    render(source, tmp_path / name, tiny(), output, on_report=reports.append)
    before, number, after = name.partition("%")
    if number:
        names = [f"{before}{kind}-%{after}" for kind in ("mask", "visibility")]
    else:
        names = [f"a-{kind}{Path(name).suffix}" for kind in ("mask", "visibility")]
    masks, visible = (levels_of(tmp_path / each, "rgb48le") for each in names)
    assert len(masks) == len(visible) == len(reports) == 18
    assert masks[:, :, :40].max() <= 6
    assert masks[:, :, 56:].min() >= 249
    shares = visible.mean(axis=(1, 2, 3)) / 255
    assert np.allclose(shares, [report.visible_share for report in reports], atol=0.02)
    assert max(shares[0], shares[14]) < 0.01  # where shots begin
    assert shares[5] > 0.8


@pytest.mark.slow
def test_without_a_mask_there_is_one_matte(tiny: Make, source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "a.mp4", tiny(), output_of(matte=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-visibility.mp4", "a.mp4"]


@pytest.mark.slow
def test_odd_sizes_have_mattes_too(tiny: Make, source: Path, tmp_path: Path) -> None:
    render(source, tmp_path / "a.mp4", tiny(), output_of(matte=True, size="7x5", end=0.2))
    assert len(films.frames_of(tmp_path / "a-visibility.mp4")) == 5


@pytest.mark.slow
def test_ctrl_c_keeps_the_mattes_so_far(tiny: Make, source: Path, tmp_path: Path) -> None:
    def stop(report: FrameReport) -> None:
        if report.index == 4:
            raise KeyboardInterrupt

    names = r"a\.interrupted\.mp4 and .*a-visibility\.interrupted\.mp4"
    with pytest.raises(Interrupted, match=names):
        render(source, tmp_path / "a.mp4", tiny(), output_of(matte=True), on_report=stop)
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["a-visibility.interrupted.mp4", "a.interrupted.mp4"]
    counts = {len(films.frames_of(tmp_path / name)) for name in kept}
    assert len(counts) == 1
    assert counts.pop() >= 5


@pytest.mark.slow
@pytest.mark.stops
def test_a_film_killed_after_its_matte_is_finished_by_resume(
    tiny: Make, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    place = publish.place

    def placed_then_killed(made: Path, path: Path, *, overwrite: bool) -> Path:
        place(made, path, overwrite=overwrite)
        raise Killed

    monkeypatch.setattr(publish, "place", placed_then_killed)
    target, output = tmp_path / "a.mp4", output_of(matte=True)
    with pytest.raises(Killed):
        render_film(source, target, tiny(), output, films.SHORT_CHUNKS)
    assert not target.exists()
    assert (tmp_path / "a-visibility.mp4").exists()
    monkeypatch.undo()
    films.resume(source, target, tiny(), matte=True, end=FRAMES / 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-visibility.mp4", "a.mp4"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a-visibility.mp4"])
def test_what_was_deleted_is_made_again_from_kept_chunks(
    tiny: Make, source: Path, tmp_path: Path, name: str
) -> None:
    target, keep = tmp_path / "a.mp4", FilmSettings(chunk_seconds=0.24, keep_chunks=True)
    render_film(source, target, tiny(), output_of(matte=True), keep)
    (tmp_path / name).unlink()
    again = films.resume(source, target, tiny(), matte=True, end=FRAMES / 25)
    assert "dream" not in again.stages
    assert (again.target, again.mattes) == (target, (tmp_path / "a-visibility.mp4",))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a-visibility.mp4", "a.mp4"]


@pytest.mark.slow
def test_a_matte_that_appears_meanwhile_is_kept(tiny: Make, source: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "a-visibility.mp4"

    def written(report: FrameReport) -> None:
        theirs.write_text("mine")

    with pytest.raises(SinkError, match=r"a-visibility\.mp4 has appeared .* see .*visibility\.2"):
        render(source, tmp_path / "a.mp4", tiny(), output_of(matte=True), on_report=written)
    assert theirs.read_text() == "mine"
    assert len(films.frames_of(tmp_path / "a-visibility.2.mp4")) == FRAMES


@pytest.mark.slow
def test_chunks_tell_where_such_a_matte_is(tiny: Make, source: Path, tmp_path: Path) -> None:
    theirs, notes = tmp_path / "a-visibility.mp4", films.Notes()
    events = FilmEvents(joining=lambda: theirs.write_text("mine"), note=notes)  # type: ignore[arg-type, return-value]
    target, output = tmp_path / "a.mp4", output_of(matte=True)
    done = render_film(source, target, tiny(), output, films.SHORT_CHUNKS, events=events)
    assert done.mattes == (tmp_path / "a-visibility.2.mp4",)
    assert theirs.read_text() == "mine"
    assert "was kept: see" in notes


def test_a_sink_refuses_mattes_that_do_not_fit(tmp_path: Path) -> None:
    mattes: dict[MatteKind, Path] = {"mask": tmp_path / "a-mask.mp4"}
    finalizer = Finalizer(tmp_path / "a.mp4", size=(16, 8), fps=Fraction(25), mattes=mattes)
    image, matte = np.zeros((8, 16, 3), np.uint8), np.zeros((8, 16), np.uint8)
    sink = VideoSink.of(finalizer)
    for wrong in ((), (matte[:4],), (matte, matte), (matte.astype(np.float32),)):
        with pytest.raises(SinkError, match="takes 1 mattes of uint8"):
            sink.write(image, *wrong)
    sink.write(image, matte)
    sink.close()
    assert len(films.frames_of(tmp_path / "a-mask.mp4")) == 1


@pytest.mark.parametrize(
    ("name", "wanted", "problem"),
    [
        ("a.mp4", {"dream_only": True}, "would have no alpha channel, .* choose prores4444"),
        ("a.gif", {"dream_only": True}, "would have no alpha channel"),
        ("a.mov", {"dream_only": True, "codec": "h264"}, "would have no alpha channel"),
        ("-", {"dream_only": True}, "standard output would have no alpha channel"),
        ("a.mov", {"dream_only": True, "compare": True}, "leave out --compare"),
        ("a.mp4", {"matte": True, "compare": True}, "leave out --matte or --compare"),
        ("-", {"matte": True}, "standard output takes no mattes"),
    ],
)
def test_what_cannot_be_is_refused_first(
    tiny: Make,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    wanted: dict[str, object],
    problem: str,
) -> None:
    monkeypatch.setattr("stream_dream.film.request.check_standard_output", lambda: None)
    target = Path("-") if name == "-" else tmp_path / name
    with pytest.raises(SinkError, match=problem) as caught:
        render(source, target, tiny(), output_of(**wanted))
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a-mask.mp4", "a-visibility.mp4"])
def test_a_matte_never_replaces_a_file_unasked(
    tiny: Make, source: Path, tmp_path: Path, name: str
) -> None:
    mask = write_mask(tmp_path / "mask.png")
    (tmp_path / name).write_text("mine")
    with pytest.raises(SinkError, match=rf"{name} exists already"):
        render(source, tmp_path / "a.mp4", tiny(), output_of(matte=True, mask=mask))
    assert (tmp_path / name).read_text() == "mine"
