"""Contact sheets of one picture in all looks: contents, omissions and refusals."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
from commands import one_line

from stream_dream.errors import Interrupted, SinkError, SourceError
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.networks import registry
from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.presets import Preset, load_preset, presets
from stream_dream.still import look_sheet, sharpest_frame
from stream_dream.still.captioned_grid import Cell, captioned_grid, column_count
from stream_dream.still.look_sheet import dream_look_sheet, left_out, read_subject

Run = Callable[..., tuple[int, str, str]]
Make = Callable[..., DreamSettings]
Sheet = Callable[..., look_sheet.LookSheetSummary]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "photo.png")


@pytest.fixture
def looks(tiny: Make) -> list[Preset]:
    names = ("one", "two", "three")
    return [
        Preset(name, f"The look {name}", tiny(layer=[f"conv{index}"], warm_up=0, steps=2))
        for index, name in enumerate(names)
    ]


@pytest.fixture
def sheet(photo: Path, looks: list[Preset], tmp_path: Path) -> Sheet:
    """Return a function that makes a sheet of looks of the tiny network."""

    def call(target: str = "sheet.png", **rest: object) -> look_sheet.LookSheetSummary:
        return dream_look_sheet(
            read_subject(photo), tmp_path / target, looks, dream_size=48, inputs=[photo], **rest
        )  # type: ignore[arg-type]

    return call


@pytest.fixture
def toml(tmp_path: Path) -> str:
    """Return a preset file for the tiny network."""
    synthetic.register_tiny()
    path = tmp_path / "tiny.toml"
    path.write_text('description = "Tiny"\nnetwork = "tiny"\nlayer = ["conv1"]\nwarm_up = 0\n')
    return str(path)


def clip(path: Path, images: list[np.ndarray], fps: int = 25) -> Path:
    height, width = images[0].shape[:2]
    with VideoSink(path, size=(width, height), fps=Fraction(fps), crf=8) as sink:
        for image in images:
            sink.write(image)
    return path


# The sheet


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_a_sheet_has_the_source_and_each_look(sheet: Sheet, tmp_path: Path, suffix: str) -> None:
    done = sheet(f"sheet.{suffix}")
    image = read_picture(tmp_path / f"sheet.{suffix}").image
    assert (done.looks, done.size) == (3, (image.shape[1], image.shape[0]))
    assert image.shape[1] == 2 * 480 + 24 + 64  # two columns of two
    first, second = image[32:352, 32:512], image[32:352, 536:1016]
    assert first.std() > 10
    assert np.abs(first.astype(int) - second).mean() > 0.5


@pytest.mark.slow
def test_progress_is_reported_look_by_look(sheet: Sheet) -> None:
    told: list[tuple[str, int]] = []
    sheet(on_look=lambda look, count: told.append((look.name, count)))
    assert told == [("one", 3), ("two", 3), ("three", 3)]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_sheet(sheet: Sheet, tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        sheet(f"{name}.png", seed=seed)
    a, b, c = (read_picture(tmp_path / f"{name}.png").image for name in "abc")
    np.testing.assert_array_equal(a, b)
    assert (a != c).any()


@pytest.mark.slow
def test_ctrl_c_keeps_the_looks_that_are_done(sheet: Sheet, tmp_path: Path) -> None:
    def stop_at(name: str) -> Callable[[Preset, int], None]:
        def on_look(look: Preset, count: int) -> None:
            if look.name == name:
                raise KeyboardInterrupt

        return on_look

    with pytest.raises(Interrupted, match="nothing was written"):
        sheet(on_look=stop_at("one"))
    assert not list(tmp_path.glob("sheet*"))
    with pytest.raises(Interrupted, match=r"first 2 of 3 looks are in \S+sheet.interrupted.png"):
        sheet(on_look=stop_at("three"))
    assert [path.name for path in tmp_path.glob("sheet*")] == ["sheet.interrupted.png"]
    assert read_picture(tmp_path / "sheet.interrupted.png").image.shape[1] == 2 * 480 + 24 + 64


@pytest.mark.slow
def test_nothing_is_overwritten(sheet: Sheet, tmp_path: Path) -> None:
    (tmp_path / "sheet.png").write_text("precious")
    with pytest.raises(SinkError, match="exists already"):
        sheet()
    with pytest.raises(SinkError, match="is one of the inputs"):
        sheet("photo.png", overwrite=True)
    assert (tmp_path / "sheet.png").read_text() == "precious"
    sheet(overwrite=True)


@pytest.mark.parametrize("count", range(1, 25))
@pytest.mark.parametrize("size", [(480, 380), (300, 540), (480, 120)])
def test_sheets_are_about_four_to_three(count: int, size: tuple[int, int]) -> None:
    columns = column_count(count, size)
    rows = -(-count // columns)
    assert columns * rows - count < max(columns, 2)
    if count > 8:
        assert 0.85 < columns * size[0] / (rows * size[1]) < 2.1


@pytest.mark.parametrize("shape", [(480, 60), (60, 480), (480, 480)])
def test_captions_stay_in_their_cells(shape: tuple[int, int]) -> None:
    words = "far too long a description for anybody to read beneath a picture " * 3
    blank = np.zeros((*shape, 3), np.uint8)
    cells = [Cell(blank, "Unpronounceable" * 5, words), Cell(blank, "b", "")]
    sheet = captioned_grid(cells)
    background = sheet[0, 0]
    width = max(shape[1], 300)
    between = sheet[:, 32 + width : 32 + width + 24]
    if sheet.shape[1] > 2 * width:
        assert (between == background).all()
    assert (sheet[:, -32:] == background).all()
    assert (sheet[-24:] == background).all()


# What is dreamed


def test_the_sharpest_frame_of_a_clip_is_found(tmp_path: Path) -> None:
    sharp = synthetic.photo((160, 120))
    blurred = cv2.GaussianBlur(sharp, (0, 0), 3)
    images = [np.asarray(blurred, np.uint8)] * 20
    images[13] = sharp
    frame = sharpest_frame.sharpest_frame(clip(tmp_path / "clip.mp4", images))
    assert (frame.index, round(frame.time, 2)) == (13, 0.52)
    subject = read_subject(tmp_path / "clip.mp4")
    assert subject.text == "its sharpest frame, number 14 at 0:00.52"


def test_a_short_clip_of_unknown_length_has_a_sharpest_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = clip(tmp_path / "clip.mp4", [synthetic.photo((32, 24))] * 3)
    monkeypatch.setattr(sharpest_frame.VideoSource, "_expected", lambda self, fps: None)
    assert sharpest_frame.sharpest_frame(path).index == 0


@pytest.mark.slow
def test_only_a_few_frames_of_a_long_clip_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sharp = synthetic.photo((32, 24))
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 3), np.uint8)
    path = clip(tmp_path / "clip.mp4", [blurred] * 150 + [sharp] * 10 + [blurred] * 140, fps=10)
    measured = []

    def sharpness(image: np.ndarray) -> float:
        measured.append(image)
        return float(cv2.Laplacian(image, cv2.CV_32F).var())

    monkeypatch.setattr(sharpest_frame, "sharpness", sharpness)
    for read_through in (1200, 50):  # decoded completely, and by seeking
        measured.clear()
        monkeypatch.setattr(sharpest_frame, "_READ_THROUGH", read_through)
        assert 150 <= sharpest_frame.sharpest_frame(path).index < 160
        assert len(measured) <= 40


@pytest.mark.parametrize(
    ("size", "message"),
    [((1, 1), "1x1 pixels: a sheet of looks needs at least 16"), ((400, 20), "cut out a part")],
)
def test_tiny_and_slender_pictures_are_refused(
    tmp_path: Path, size: tuple[int, int], message: str
) -> None:
    path = write_picture(Picture(np.zeros((size[1], size[0], 3), np.uint8)), tmp_path / "in.png")
    with pytest.raises(SourceError, match=message):
        read_subject(path)


# Which looks


def test_looks_without_weights_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert {"notebook", "keras_example"} <= {look.name for look in left_out(presets())}
    assert "dogs" not in {look.name for look in left_out(presets())}
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5").touch()
    assert "keras_example" not in {look.name for look in left_out(presets())}
    own = merged(load_preset("notebook").dream, {"weights": "mine.h5"})
    assert not left_out([Preset("mine", "", own)])


@pytest.mark.parametrize(
    ("file", "network"),
    [
        ("resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5", "resnet50v2"),
        ("efficientnetv2-b0_notop.h5", "efficientnet_v2b0"),
        ("weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5", "mobilenet_v3_large"),
        ("mobilenet_1_0_224_tf_no_top.h5", "mobilenet"),
        ("nasnet_mobile_no_top.h5", "nasnet_mobile"),
    ],
)
def test_weights_of_keras_are_known_by_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str, network: str
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / file).touch()
    here = [
        spec.name
        for spec in registry.networks()
        if spec.origin == "download" and spec.has_weights()
    ]
    assert here == [network]


def test_every_shipped_look_fits_on_a_sheet() -> None:
    for look in presets():
        dream = look_sheet.for_sheet(look.dream, 320, seed=None)
        assert (dream.dream_size, dream.enlarge) == (320, 1)
        assert dream.octaves >= 1


# The command


@pytest.mark.slow
def test_the_command_writes_a_sheet(run: Run, photo: Path, toml: str, tmp_path: Path) -> None:
    target = tmp_path / "sheet.png"
    arguments = ("looks", str(photo), str(target), "--only", f"{toml},notebook")
    code, out, err = run(*arguments, "--dream-size", "48", "--seed", "3")
    assert code == 0
    assert out.startswith(f"{target}: 1 look of photo.png (the picture, 60x40), 1048x")
    assert err.count("\n") == 1
    assert "notebook has no weights on this machine" in err
    code, out, err = run(*arguments, "--dream-size", "48", "--overwrite", "--quiet")
    assert (code, out) == (0, "")
    assert "left out" in err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("none.png", "sheet.png"), "none.png does not exist"),
        (("none.mp4", "sheet.png"), "none.mp4 does not exist"),
        ((".", "sheet.png"), "is a folder: give a picture or a clip"),
        (("notes.txt", "sheet.png"), "is not a video"),
        (("notes.png", "sheet.png"), "is not a picture"),
        (("one.png", "sheet.png"), "one.png has 1x1 pixels"),
        (("photo.png", "there.png"), "there.png exists already"),
        (("photo.png", "photo.png", "--overwrite"), "is one of the inputs"),
        (("photo.png", "sheet.mp4"), "would be a film"),
        (("photo.png", "sheet"), "has no extension"),
        (("photo.png", "no/sheet.png"), "a folder that does not exist"),
        (("photo.png", "sheet.png", "--only", "dogs,nope"), "there is no preset 'nope'"),
        (("photo.png", "sheet.png", "--only", ""), "there is no preset ''"),
        (("photo.png", "sheet.png", "--only", "notebook"), "choose other looks"),
        (("photo.png", "sheet.png", "--dream-size", "9"), "--dream-size cannot be '9'"),
        (("photo.png", "sheet.png", "--seed", "x"), "--seed cannot be 'x'"),
    ],
)
def test_the_command_refuses_in_one_line(
    run: Run,
    photo: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "notes.png", "there.png"):
        (tmp_path / name).write_text("some text\n")
    write_picture(Picture(np.zeros((1, 1, 3), np.uint8)), tmp_path / "one.png")
    before = sorted(tmp_path.iterdir())
    code, out, err = run("looks", *arguments)
    assert (code, out) == (2, "")
    assert one_line(err).startswith("stream-dream: error: ")
    assert message in err
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_real_looks_differ(run: Run, tmp_path: Path) -> None:
    path = write_picture(Picture(synthetic.photo((96, 64))), tmp_path / "photo.png")
    target = tmp_path / "sheet.jpg"
    code, out, _ = run(
        "looks", str(path), str(target), "--only", "dogs,stripes,wild", "--dream-size", "96"
    )
    assert code == 0
    assert "3 looks" in out
    image = read_picture(target).image.astype(int)
    height = (image.shape[0] - 64 - 24) // 2 + 24
    cells = [image[t : t + 320, x : x + 480] for t in (32, 32 + height) for x in (32, 536)]
    for index, cell in enumerate(cells):
        for other in cells[:index]:
            assert np.abs(cell - other).mean() > 2
