"""The command ``stream-dream recipe``: a command that a shell gives back, word for word."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clips
import pytest
from commands import one_line
from fake_render import FakeRender

from stream_dream.cli.recipe import quoted
from stream_dream.settings.presets import load_preset
from stream_dream.settings.recipe import Recipe, look_values, parse_recipe

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def made(recipe: Recipe, name: str = "b.mp4") -> str:
    """Write a film, or numbered pictures, that carry a recipe."""
    clips.make(Path(name).absolute(), "-metadata", f"comment={recipe.text}", seconds=0.1)
    return name


def dogs(**values: Any) -> Recipe:
    looks = {"dogs": look_values(load_preset("dogs").dream)}
    return Recipe(**{"command": "render", "source": "a.mp4", "looks": looks, **values})


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        "",
        "--preset dogs --octaves 3 --layer block5 --layer block10:42,57=0.5 --no-cuts --compare",
        "--class 'tabby cat=0.3' --step-size '0:(0.01), 2s:(0.02)'",
        "--react 'bass->step-size*2' --bpm 120",
    ],
)
def test_the_command_is_printed_as_it_was_given(run: Run, fake: FakeRender, options: str) -> None:
    words = ["render", "a.mp4", "b.mp4", *shlex.split(options)]
    assert run(*words)[0] == 0
    code, out, err = run("recipe", made(fake.asked["recipe"]))
    assert (code, err) == (0, "")
    assert out.startswith("stream-dream render a.mp4 b.mp4")
    printed = shlex.split(out)[1:]
    assert sorted(printed) == sorted(words)
    first = dict(fake.asked)
    Path("b.mp4").unlink()
    assert run(*printed)[0] == 0
    for part in ("dream", "output", "automation", "recipe"):
        assert fake.asked[part] == first[part]


def test_json_is_printed_for_like(run: Run, fake: FakeRender) -> None:
    recipe = dogs(options={"octaves": "3"}, source="夢\udcff.mp4")
    code, out, err = run("recipe", made(recipe), "--json")
    assert (code, err) == (0, "")
    assert parse_recipe(out, origin="a") == recipe
    Path("look.json").write_text(out)
    assert run("recipe", "look.json")[1].startswith("stream-dream render ")
    assert run("render", "a.mp4", "c.mp4", "--like", "look.json", "-q") == (0, "", "")
    assert fake.asked["dream"].octaves == 3


def test_it_says_what_no_command_line_holds(run: Run) -> None:
    score = {"name": "film.toml", "tracks": {"strength": "1"}}
    looks = {**dogs().looks, "mine.toml": {"steps": 2}, "wild": {"steps": 9}}
    options = {"preset": "0:dogs, 1s:mine.toml, 2s:wild"}
    recipe = dogs(looks=looks, options=options).values | {"score": score}
    code, out, err = run("recipe", made(parse_recipe(json.dumps(recipe), origin="a")))
    assert code == 0
    assert "--score film.toml" in out
    assert one_line(err).startswith("stream-dream: mine.toml, wild, film.toml may be missing or")
    assert "--like b.mp4 takes what was used" in err


def test_it_says_where_defaults_have_changed(run: Run) -> None:
    recipe = dogs(defaults={"crf": 3, "momentum": 0.5}, stream_dream="0.0.1")
    err = run("recipe", made(recipe))[2]
    assert "dogs, 1 default of 0.0.1 may be missing or have changed" in one_line(err)


@pytest.mark.parametrize(
    ("command", "name", "target"),
    [
        ("render", "dream-00017.png", "dream-%05d.png"),
        ("loop", "7.png", "%01d.png"),
        ("image", "photo-7.png", "photo-7.png"),
        ("render", "-b.mp4", "./-b.mp4"),
    ],
)
def test_the_output_is_named_so_that_it_can_be_made_again(
    run: Run, command: str, name: str, target: str
) -> None:
    from stream_dream.media.read.picture import Picture
    from stream_dream.media.write.picture import write_picture

    recipe = dogs(command=command)
    if name.endswith(".png"):
        write_picture(Picture(clips.counting_image(1)), name, recipe=recipe.text)
    else:
        made(recipe, f"./{name}")
    assert shlex.split(run("recipe", f"./{name}")[1])[3] == target


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
@pytest.mark.parametrize(
    "word",
    [
        "a",
        "",
        "two words",
        "it's",
        "$HOME",
        "`x`",
        "ü 夢",
        "\x1b[2J",
        "a\nb",
        "'\\\n",
        "\udcff.mp4",
    ],
)
def test_a_shell_reads_each_word_as_it_was(word: str) -> None:
    text = quoted(word)
    assert text.isprintable()
    printed = subprocess.run(["bash", "-c", f"printf %s {text}"], capture_output=True, check=True)
    assert printed.stdout == os.fsencode(word)


def test_words_that_no_file_can_have_are_printed(run: Run) -> None:
    recipe = dogs(source="\ud800\x1b[2J; rm -rf ~", options={"\x1b": "\x1b", "preset": "$(reboot)"})
    code, out, err = run("recipe", made(recipe))
    assert code == 0
    assert out.strip().isprintable()
    assert err.strip().isprintable()
    assert "'$(reboot)'" in out


def test_files_without_a_recipe_are_refused_in_one_line(run: Run) -> None:
    clips.make(Path("bare.mp4"), seconds=0.1)
    Path("words.txt").write_text("words")
    Path("damaged.json").write_text(dogs().text[:-9])
    Path("newer.json").write_text(json.dumps(dogs().values | {"recipe": 2}))
    for name in ("bare.mp4", "words.txt", "damaged.json", "newer.json", "missing.mp4", "."):
        code, out, err = run("recipe", name)
        assert (code, out) == (2, "")
        assert name in one_line(err)
