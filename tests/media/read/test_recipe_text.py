"""Reading recipes: from what carries one, from JSON, and refusals of everything else."""

from __future__ import annotations

import os
from pathlib import Path

import clips
import pytest
from PIL import Image

from stream_dream.errors import SettingsError, SourceError
from stream_dream.media.read.recipe_text import LONGEST, read_recipe
from stream_dream.settings.recipe import Recipe

RECIPE = Recipe(command="image", source="a.png")


def commented(path: Path, comment: str) -> Path:
    """Write a film with a comment."""
    return clips.make(path, "-metadata", f"comment={comment}", seconds=0.1)


@pytest.mark.parametrize("encoding", ["ascii", "utf-8-sig"])
def test_json_is_read_as_it_is(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "look.json"
    path.write_text(f"\n {RECIPE.text}\n", encoding)
    assert read_recipe(path) == RECIPE
    assert read_recipe(str(path)) == RECIPE


def test_the_tag_of_other_programs_is_read(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.mkv", "a.mov"):
        assert read_recipe(commented(tmp_path / name, RECIPE.text)) == RECIPE


def test_comments_of_others_are_no_recipes(tmp_path: Path) -> None:
    films = [commented(tmp_path / "a.mp4", "holidays"), commented(tmp_path / "b.mkv", "{}")]
    with Image.new("RGB", (8, 8)) as image:
        image.save(tmp_path / "a.gif", comment=b"holidays")
        image.save(tmp_path / "a.jpg", comment=b"{")
        image.save(tmp_path / "a.png")
        image.save(tmp_path / "a.tif", description="{}")
    (tmp_path / "a.txt").write_text("words")
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 9)
    for path in [*films, *tmp_path.glob("a.*")]:
        with pytest.raises(SettingsError, match="carries no recipe") as refused:
            read_recipe(path)
        assert str(path) in str(refused.value)
        assert refused.value.exit_code == 2


def test_a_recipe_that_was_cut_is_refused(tmp_path: Path) -> None:
    film = commented(tmp_path / "a.mp4", RECIPE.text[:-20])
    with pytest.raises(SettingsError, match="cut short or damaged"):
        read_recipe(film)


@pytest.mark.parametrize("suffix", [".png", ".gif", ".jpg", ".webp", ".mp4", ".tif"])
def test_files_that_are_cut_short_are_refused_in_one_line(tmp_path: Path, suffix: str) -> None:
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".mp4":
        clips.make(whole, seconds=0.1)
    else:
        with Image.effect_noise((64, 64), 90) as noise:
            noise.convert("RGB").save(whole)
    data = whole.read_bytes()
    for length in (1, 3, 9, 13, 20, 40, len(data) // 2):
        path = tmp_path / f"{length}{suffix}"
        path.write_bytes(data[:length])
        with pytest.raises(SettingsError, match="carries no recipe"):
            read_recipe(path)


def test_no_more_is_read_than_a_recipe_may_have(tmp_path: Path) -> None:
    path = tmp_path / "huge.json"
    with path.open("wb") as file:
        file.write(b'{"stream_dream": "')
        file.truncate(LONGEST * 100)
    with pytest.raises(SettingsError, match="cut short or damaged") as refused:
        read_recipe(path)
    assert len(str(refused.value)) < 300


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "empty.mp4").touch()
    for name in ("missing.mp4", "pipe", "empty.mp4", "."):
        with pytest.raises(SourceError):
            read_recipe(tmp_path / name)
