"""Recipes in outputs: every format carries them, still plays, and keeps them when remuxed."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest
import synthetic
from PIL import Image

from stream_dream.errors import SettingsError, SinkError
from stream_dream.frame import Image8
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.read.recipe_text import read_recipe
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.formats import FORMATS
from stream_dream.media.write.output_paths import numbered
from stream_dream.media.write.picture import PICTURE_FORMATS, write_picture
from stream_dream.media.write.recipe_tags import holds
from stream_dream.media.write.sound import Soundtrack
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.recipe import Recipe

RECIPE = Recipe(
    command="render",
    # What ffmpeg's metadata, shells and encodings give a meaning.
    source="Ferien = #1; 50%\\ 'ü' \"夢\" \udcff\n.mp4",
    options={"preset": "mine.toml", "cuts": False, "layer": ["conv0", "conv1:3=0.5"]},
    looks={"mine.toml": {"layer": ["conv0"], "limit": None}},
)
FILMS = [suffix for suffix, made in FORMATS.items() if made.film]
ANIMATIONS = [".gif", ".webp", ".apng"]


def long_recipe(characters: int) -> Recipe:
    """Return a recipe of so many characters."""
    short = RECIPE.model_copy(update={"options": {"step_size": ""}})
    value = "x" * (characters - len(short.text))
    return short.model_copy(update={"options": {"step_size": value}})


def write(
    path: Path,
    frames: int = 3,
    recipe: Recipe | None = RECIPE,
    sound: Soundtrack | None = None,
) -> Path:
    text = None if recipe is None else recipe.text
    with VideoSink(path, size=(64, 48), fps=Fraction(25), recipe=text, sound=sound) as sink:
        for index in range(frames):
            sink.write(clips.counting_image(index))
    return path


def same(images: Sequence[Image8], others: Sequence[Image8]) -> bool:
    return len(images) == len(others) and all(map(np.array_equal, images, others))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [*FILMS, *ANIMATIONS])
@pytest.mark.parametrize("frames", [1, 3])
def test_films_carry_their_recipe_and_show_the_same(
    tmp_path: Path, suffix: str, frames: int
) -> None:
    carries = write(tmp_path / f"a{suffix}", frames)
    bare = write(tmp_path / f"b{suffix}", frames, None)
    assert read_recipe(carries) == RECIPE
    if frames == 1 and suffix in ANIMATIONS:
        with Image.open(carries) as one, Image.open(bare) as other:
            assert np.array_equal(np.asarray(one.convert("RGB")), np.asarray(other.convert("RGB")))
    else:
        assert same(synthetic.images_of(carries), synthetic.images_of(bare))
    with pytest.raises(SettingsError, match="carries no recipe"):
        read_recipe(bare)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a{suffix}", f"b{suffix}"]


@pytest.mark.parametrize("suffix", ANIMATIONS)
def test_animations_still_loop_for_ever(tmp_path: Path, suffix: str) -> None:
    with Image.open(write(tmp_path / f"a{suffix}")) as file:
        assert (file.n_frames, file.info["loop"]) == (3, 0)
    clips.ffmpeg("-xerror", "-i", tmp_path / f"a{suffix}", "-f", "null", "-")


def test_equal_films_are_equal_files(tmp_path: Path) -> None:
    for suffix in (".mp4", ".gif", ".webp", ".apng"):
        one, other = write(tmp_path / f"a{suffix}"), write(tmp_path / f"b{suffix}")
        assert one.read_bytes() == other.read_bytes(), suffix


@pytest.mark.parametrize("suffix", FILMS)
def test_remuxing_keeps_the_recipe(tmp_path: Path, suffix: str) -> None:
    film, steps = write(tmp_path / f"a{suffix}"), [".mkv", ".mp4", ".mov", ".mkv"]
    for number, step in enumerate([".webm", ".mkv"] if suffix == ".webm" else steps):
        copy = tmp_path / f"{number}{step}"
        clips.ffmpeg("-i", film, "-c", "copy", copy)
        assert read_recipe(copy) == RECIPE
        film = copy


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_films_with_sound_carry_their_recipe(tmp_path: Path, suffix: str) -> None:
    beep = clips.make_beep(tmp_path / "beep.mp4")
    film = write(tmp_path / f"a{suffix}", 50, sound=Soundtrack(beep))
    assert read_recipe(film) == RECIPE
    assert clips.beep_onset(film) == pytest.approx(1, abs=0.03)


def test_every_numbered_picture_carries_the_recipe(tmp_path: Path) -> None:
    pattern = write(tmp_path / "a-%03d.png")
    plain = write(tmp_path / "b-%03d.png", recipe=None)
    for number in (1, 2, 3):
        assert read_recipe(numbered(pattern, number)) == RECIPE
        pictures = [read_picture(numbered(path, number)).image for path in (pattern, plain)]
        assert np.array_equal(*pictures)


@pytest.mark.slow
def test_the_size_limit_counts_the_recipe(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)
    recipe, limit = long_recipe(10_000), 18_000
    for name, text in (("a.gif", None), ("b.gif", recipe.text)):
        path = tmp_path / name
        with VideoSink(
            path, size=(128, 96), fps=Fraction(25), max_bytes=limit, recipe=text
        ) as sink:
            sink.write(noise)
        assert path.stat().st_size <= limit
        assert (sink.compression.scale == 1) is (text is None)
    assert read_recipe(tmp_path / "b.gif") == recipe


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mov", ".mp4", ".mkv", ".gif", ".webp", ".apng"])
def test_what_is_too_long_for_a_format_is_left_out(tmp_path: Path, suffix: str) -> None:
    longest = long_recipe(65_000)
    assert read_recipe(write(tmp_path / f"a{suffix}", recipe=longest)) == longest
    longer = long_recipe(300_000)
    film = write(tmp_path / f"b{suffix}", recipe=longer)
    with VideoSource(film) as source:
        assert sum(1 for _ in source) == 3
    if suffix == ".mov":
        assert not holds(film, longer.text)
        with pytest.raises(SettingsError, match="carries no recipe"):
            read_recipe(film)
    else:
        assert read_recipe(film) == longer


@pytest.mark.parametrize("suffix", PICTURE_FORMATS)
@pytest.mark.parametrize("alpha", [False, True])
def test_pictures_carry_their_recipe_and_show_the_same(
    tmp_path: Path, suffix: str, alpha: bool
) -> None:
    opacity = np.arange(64 * 48, dtype=np.uint8).reshape(48, 64) if alpha else None
    picture = Picture(clips.counting_image(1), opacity)
    carries = write_picture(picture, tmp_path / f"a{suffix}", recipe=RECIPE.text)
    bare = write_picture(picture, tmp_path / f"b{suffix}")
    assert read_recipe(carries) == RECIPE
    assert np.array_equal(read_picture(carries).image, read_picture(bare).image)
    with pytest.raises(SettingsError, match="carries no recipe"):
        read_recipe(bare)


def test_a_jpeg_leaves_out_what_it_cannot_hold(tmp_path: Path) -> None:
    for characters, carried in ((65_000, True), (65_001, False)):
        recipe = long_recipe(characters)
        path = tmp_path / f"{characters}.jpg"
        write_picture(Picture(clips.counting_image(1)), path, recipe=recipe.text)
        assert holds(path, recipe.text) is carried
        if carried:
            assert read_recipe(path) == recipe
        else:
            with pytest.raises(SettingsError, match="carries no recipe"):
                read_recipe(path)


def test_a_recipe_that_is_not_ascii_is_refused(tmp_path: Path) -> None:
    picture = Picture(clips.counting_image(1))
    for name in ("a.mp4", "a.gif", "a-%d.png"):
        with pytest.raises(SinkError, match="in ASCII") as refused:
            VideoSink(tmp_path / name, size=(64, 48), fps=Fraction(25), recipe="ü")
        assert refused.value.exit_code == 2
    with pytest.raises(SinkError, match="in ASCII"):
        write_picture(picture, tmp_path / "a.jpg", recipe="ü")
    assert not list(tmp_path.iterdir())


def test_recipes_survive_names_that_are_not_utf_8(tmp_path: Path) -> None:
    for suffix in (".mp4", ".gif", ".apng"):
        film = write(tmp_path / f"tr\udce4um = #1 'x'{suffix}")
        assert read_recipe(film) == RECIPE
