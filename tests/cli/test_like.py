"""The option ``--like``: what it takes over, what comes before it, and what it refuses."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import one_line
from fake_render import FakeRender

from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.recipe import Recipe, defaults_of, parse_recipe

Run = Callable[..., tuple[int, str, str]]
PARTS = ("dream", "output", "automation")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run commands in an empty folder."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path


@pytest.fixture
def rendered(run: Run, fake: FakeRender) -> Callable[..., dict[str, Any]]:
    """Return a function that renders with options and returns what was asked."""

    def render(*options: str) -> dict[str, Any]:
        code, _, err = run("render", "a.mp4", "b.mp4", "-q", *options)
        assert code == 0, err
        return dict(fake.asked)

    return render


def saved(recipe: Recipe, name: str = "recipe.json") -> str:
    Path(name).write_text(recipe.text)
    return name


def own_look(path: Path, text: str) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return str(path)


OPTIONS = [
    "",
    "--octaves 3 --layer block5 --layer block10:42,57=0.5 --no-cuts --limit none",
    "--preset wild --start 0:01 --end 2 --size 64x48 --crf 30 --no-audio --compare",
    "--class tiger=0.3 --strength 0.5 --seed 7 --background white",
    "--preset surprise --seed 42",
    "--step-size 0:(0.01),2s:(0.02) --layer block5=0:(1),1s:(0)",
    "--react bass->step_size*2 --bpm 120 --offset 0.25",
    "--react",
]


@pytest.mark.parametrize("options", OPTIONS)
def test_everything_is_taken_over(rendered: Callable[..., dict[str, Any]], options: str) -> None:
    first = rendered(*options.split())
    again = rendered("--like", saved(first["recipe"]))
    for part in PARTS:
        assert again[part] == first[part]
        assert again[part].model_fields_set == first[part].model_fields_set
    assert again["recipe"] == first["recipe"]


def test_looks_over_time_and_of_files_are_taken_over_without_their_files(
    rendered: Callable[..., dict[str, Any]], folder: Path
) -> None:
    mine = own_look(folder / "looks" / "mine.toml", 'layer = ["block3=0.123456789"]\nsteps = 2\n')
    other = own_look(folder / "others" / "mine.toml", 'extends = "eyes"\nkeep_colours = true\n')
    first = rendered("--preset", f"0:{mine}, 1s:eyes~0.5s, 2s:{other}")
    names = [*first["recipe"].looks]
    assert names == ["mine.toml", "eyes", "mine.2.toml"]
    recipe = saved(first["recipe"])
    for path in (mine, other):
        Path(path).unlink()
    again = rendered("--like", recipe)
    assert again["automation"].looks == first["automation"].looks
    assert again["automation"].look_track == "0:mine.toml, 1s:eyes~0.5s, 2s:mine.2.toml"
    assert again["recipe"] == first["recipe"]


def test_a_shipped_look_is_taken_as_it_was(rendered: Callable[..., dict[str, Any]]) -> None:
    recipe = rendered("--preset", "wild")["recipe"]
    was = {**recipe.looks["wild"], "octaves": 2}
    then = recipe.model_copy(update={"looks": {"wild": was}})
    assert rendered("--like", saved(then))["dream"].octaves == 2


def test_a_score_is_taken_over_without_its_file(
    run: Run, rendered: Callable[..., dict[str, Any]], folder: Path
) -> None:
    inner = own_look(folder / "scores" / "wild.toml", "steps = 2\n")
    curve = folder / "scores" / "throb.csv"
    curve.write_text("0,0\n1,1\n")
    base = folder / "scores" / "base.toml"
    base.write_text('persistence = "0:(0.9), 1s:(0.95)"\n')
    score = folder / "scores" / "film.toml"
    score.write_text(
        'extends = "base.toml"\npreset = "0:wild.toml, 1s:dogs"\n'
        'strength = """0:(1),\n1s:(throb)"""\nreact = "throb->jitter*2"\nbpm = 120\n'
        '[layer]\nblock5 = "0:(0), 1s:(1)"\n[curves]\nthrob = "throb.csv"\n'
    )
    first = rendered("--score", str(score))
    recipe = saved(first["recipe"])
    for path in (Path(inner), base, score):
        path.unlink()
    code, _, err = run("render", "a.mp4", "b.mp4", "--like", recipe)
    assert code == 2
    assert "the curve throb in throb.csv, which is neither beside it nor" in one_line(err)
    curve.rename("throb.csv")
    again = rendered("--like", recipe)
    for name in ("tracks", "looks", "react", "bpm"):
        assert getattr(again["automation"], name) == getattr(first["automation"], name)
    assert again["automation"].curves == {"throb": Path("throb.csv")}
    assert again["recipe"] == first["recipe"]


def test_options_come_before_the_recipe(rendered: Callable[..., dict[str, Any]]) -> None:
    first = rendered("--octaves", "3", "--jitter", "9", "--layer", "block5", "--crf", "30")
    recipe = saved(first["recipe"])
    again = rendered("--like", recipe, "--octaves", "2", "--layer", "block3", "--strength", "0.5")
    dream, output = again["dream"], again["output"]
    assert (dream.octaves, dream.jitter, output.crf, output.strength) == (2, 9, 30, 0.5)
    assert [str(layer) for layer in dream.layer] == ["block3"]
    assert again["recipe"].options["octaves"] == "2"


def test_a_value_comes_before_a_track_of_the_recipe_and_a_track_before_a_value(
    rendered: Callable[..., dict[str, Any]],
) -> None:
    moving = saved(rendered("--jitter", "0:(0), 1s:(9)")["recipe"])
    again = rendered("--like", moving, "--jitter", "5")
    assert (again["dream"].jitter, again["automation"].tracks) == (5, {})
    fixed = saved(rendered("--jitter", "5")["recipe"])
    assert rendered("--like", fixed, "--jitter", "0:(0), 1s:(9)")["automation"].tracks


def test_another_preset_replaces_the_look_alone(rendered: Callable[..., dict[str, Any]]) -> None:
    first = rendered("--layer", "block5", "--octaves", "3", "--crf", "30", "--start", "1")
    again = rendered("--like", saved(first["recipe"]), "--preset", "wild")
    assert again["dream"] == load_preset("wild").dream
    assert (again["output"].crf, again["output"].start) == (30, 1)


def test_beats_are_given_in_one_way(rendered: Callable[..., dict[str, Any]]) -> None:
    recipe = saved(rendered("--react", "beat->jitter*2", "--bpm", "120", "--offset", "1")["recipe"])
    Path("beats.txt").write_text("0.5\n1\n")
    automation = rendered("--like", recipe, "--beats", "beats.txt")["automation"]
    assert (automation.beats, automation.bpm, automation.offset) == (Path("beats.txt"), None, None)


def test_another_score_replaces_that_of_the_recipe(
    rendered: Callable[..., dict[str, Any]],
) -> None:
    Path("a.toml").write_text('jitter = "0:(0), 1s:(9)"\n')
    Path("b.toml").write_text('strength = "0:(0), 1s:(1)"\n')
    recipe = saved(rendered("--score", "a.toml")["recipe"])
    automation = rendered("--like", recipe, "--score", "b.toml")["automation"]
    assert [*automation.tracks] == ["strength"]


def test_files_are_found_beside_the_recipe_or_here(
    rendered: Callable[..., dict[str, Any]], folder: Path
) -> None:
    for place in ("beside", "there"):
        (folder / place).mkdir()
    for name in ("face.png", "mask.png", "song.wav"):
        (folder / "there" / name).touch()
    guide, mask, song = (folder / "there" / name for name in ("face.png", "mask.png", "song.wav"))
    files = ("--guide", str(guide), "--mask", str(mask), "--soundtrack", str(song))
    recipe = rendered(*files)["recipe"]
    assert str(folder) not in recipe.text
    path = str(folder / "beside" / "recipe.json")
    Path(path).write_text(recipe.text)
    (folder / "beside" / "face.png").touch()
    Path("mask.png").touch()
    Path("song.wav").touch()
    again = rendered("--like", path)
    assert again["dream"].guide == folder / "beside" / "face.png"
    assert again["output"].mask == Path("mask.png")
    assert again["automation"].soundtrack == Path("song.wav")


@pytest.mark.parametrize("option", ["--guide", "--mask", "--soundtrack", "--weights"])
def test_a_file_that_is_not_found_has_to_be_given(
    run: Run, rendered: Callable[..., dict[str, Any]], folder: Path, option: str
) -> None:
    (folder / "file.png").touch()
    recipe = saved(rendered(option, str(folder / "file.png"))["recipe"])
    code, _, err = run("render", "a.mp4", "b.mp4", "--like", recipe)
    assert code == 2
    assert f"{option} file.png, which is neither beside it nor in this folder" in one_line(err)
    Path("other.png").touch()
    rendered("--like", recipe, option, "other.png")


def test_the_file_of_a_look_that_is_not_found_has_to_be_given(
    run: Run, rendered: Callable[..., dict[str, Any]], folder: Path
) -> None:
    (folder / "looks").mkdir()
    (folder / "looks" / "face.png").touch()
    look = own_look(folder / "looks" / "mine.toml", 'guide = "face.png"\n')
    recipe = saved(rendered("--preset", look)["recipe"])
    assert str(folder) not in Path(recipe).read_text()
    code, _, err = run("render", "a.mp4", "b.mp4", "--like", recipe)
    assert code == 2
    assert "--guide face.png, which is neither beside it" in one_line(err)
    Path("other.png").touch()
    assert rendered("--like", recipe, "--guide", "other.png")["dream"].guide == Path("other.png")


def hostile(**values: Any) -> Recipe:
    """Return a recipe that somebody else has written."""
    usual = {"command": "render", "source": "a.mp4", "looks": {"dogs": {"layer": ["block10"]}}}
    return parse_recipe(json.dumps(Recipe.model_validate(usual).values | values), origin="a")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "problem"),
    [
        (hostile(options={"guide": "/etc/passwd"}), "names files without their folders"),
        (hostile(options={"mask": "../x.png"}), "names files without their folders"),
        (hostile(options={"network": "../x.keras"}), "names files without their folders"),
        (hostile(options={"guide": ".."}), "neither beside it nor in this folder"),
        (hostile(options={"guide": ""}), "--guide"),
        (hostile(options={"guide": True}), "--guide cannot be true"),
        (hostile(options={"out": "x.mp4"}), "'out' that this version does not know"),
        (hostile(options={"workers": "1024"}), "'workers' that this version does not know"),
        (hostile(options={"cluster": "evil:1"}), "'cluster' that this version does not know"),
        (hostile(options={"\x1b[2J": "x"}), "does not know"),
        (hostile(options={"octaves": "many"}), "--octaves cannot be 'many'"),
        (hostile(options={"octaves": ["1", "2"]}), "--octaves cannot be"),
        (hostile(options={"strength": "0:(1"}), "--strength"),
        (hostile(options={"preset": "/tmp/x.toml"}), "lacks the look '/tmp/x.toml'"),
        (hostile(options={"preset": "0:dogs, 1s:wild"}), "lacks the look 'wild'"),
        (hostile(options={"preset": True}), "lacks the look 'True'"),
        (hostile(looks={"dogs": {"guide": "/etc/passwd"}}), "names files without their folders"),
        (hostile(looks={"dogs": {"steps": -1}}), "look dogs: steps cannot be -1"),
        (hostile(looks={"\x1b": {"steps": -1}}), "steps cannot be -1"),
        (hostile(score={"name": "\x1b", "tracks": {"strength": "\x1b"}}), "--strength"),
        (hostile(score={"name": "a", "tracks": {"crf": "1"}}), "a: crf cannot change"),
        (hostile(score={"name": "a", "curves": {"x": "/etc/passwd"}}), "without their folders"),
        (hostile(score={"name": "a", "settings": {"beats": "/x"}}), "without their folders"),
        (hostile(score={"name": "a", "settings": {"bpm": 1e9}}), "bpm cannot be"),
        (hostile(score={"name": "a", "settings": {"preset": "/x.toml"}}), "lacks the look"),
    ],
)
def test_recipes_of_others_are_refused_in_one_line(
    run: Run, fake: FakeRender, recipe: Recipe, problem: str
) -> None:
    code, out, err = run("render", "a.mp4", "b.mp4", "-q", "--like", saved(recipe))
    assert (code, out) == (2, "")
    assert problem in one_line(err)
    assert one_line(err).isprintable()


def test_the_file_of_the_recipe_is_never_replaced(run: Run, fake: FakeRender) -> None:
    path = Path(saved(hostile(), "b.mp4"))
    code, _, err = run("render", "a.mp4", "b.mp4", "--like", "b.mp4", "--overwrite")
    assert code == 2
    assert "is one of the inputs" in one_line(err)
    assert path.exists()


def test_files_without_a_recipe_are_refused(run: Run, fake: FakeRender) -> None:
    Path("words.txt").write_text("words")
    Path("folder").mkdir()
    for name in ("words.txt", "folder", "missing.mp4", ""):
        code, out, err = run("render", "a.mp4", "b.mp4", "--like", name)
        assert (code, out) == (2, "")
        assert one_line(err)


def test_other_commands_take_what_they_have(
    run: Run, rendered: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: dict[str, Any] = {}

    def loop(*arguments: Any, **rest: Any) -> Any:
        asked.update(keyframes=arguments[2], settings=arguments[3], **rest)
        raise KeyboardInterrupt

    monkeypatch.setattr("stream_dream.loop.make_loop.make_loop", loop)
    options = ("--preset", "wild", "--octaves", "3", "--crf", "30", "--compare", "--no-audio")
    recipe = saved(rendered(*options)["recipe"])
    _, _, err = run("loop", "a.png", "b.gif", "--like", recipe, "-q")
    assert "warning: loop has no --compare: left out" in err
    assert asked["keyframes"][0].layer == load_preset("wild").dream.layer
    assert (asked["keyframes"][0].octaves, asked["settings"].crf) == (3, 30)
    assert asked["settings"].audio is False
    assert asked["recipe"].command == "loop"


def test_a_look_of_a_film_becomes_that_of_a_still(
    run: Run, rendered: Callable[..., dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []

    def stills(*arguments: Any, **rest: Any) -> Any:
        asked.append((arguments[2], rest["recipe"]))
        raise KeyboardInterrupt

    monkeypatch.setattr("stream_dream.still.batch.dream_stills", stills)
    recipe = saved(rendered("--preset", "wild", "--jitter", "5")["recipe"])
    run("image", "a.png", "b.png", "--like", recipe)
    run("image", "a.png", "b.png", "--preset", "wild", "--jitter", "5")
    assert asked[0] == asked[1]
    assert asked[0][0].dream_size == 1536


def test_looks_of_a_loop_are_taken_over(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def loop(*arguments: Any, **rest: Any) -> Any:
        asked.append({"keyframes": arguments[2], "settings": arguments[3], **rest})
        raise KeyboardInterrupt

    monkeypatch.setattr("stream_dream.loop.make_loop.make_loop", loop)
    Path("mine.toml").write_text('layer = ["block3"]\n')
    options = "--presets dogs,mine.toml,eyes --motion sway --frames 12 --max-size 2MB --reverse"
    run("loop", "a.png", "b.gif", *options.split())
    recipe = saved(asked[0]["recipe"])
    Path("mine.toml").unlink()
    run("loop", "a.png", "b.gif", "--like", recipe)
    for part in ("keyframes", "settings", "recipe"):
        assert asked[1][part] == asked[0][part]
    run("loop", "a.png", "b.gif", "--like", recipe, "--preset", "wild")
    assert asked[2]["keyframes"] == [load_preset("wild").dream]
    assert asked[2]["settings"].frames == 12
    groups = ("--morph-layer", "block10+block5=0.5", "--morph-layer", "block3")
    run("loop", "a.png", "b.gif", *groups)
    recipe = saved(asked[3]["recipe"])
    run("loop", "a.png", "b.gif", "--like", recipe)
    assert asked[4]["keyframes"] == asked[3]["keyframes"]
    run("loop", "a.png", "b.gif", "--like", recipe, "--preset", "wild")
    assert asked[5]["keyframes"] == [load_preset("wild").dream]


def test_defaults_of_another_version_are_kept(rendered: Callable[..., dict[str, Any]]) -> None:
    defaults = {**defaults_of("render"), "mask_softness": 3.0, "momentum": 0.5, "audio": False}
    recipe = hostile(defaults=defaults)
    asked = rendered("--like", saved(recipe))
    output, dream = asked["output"], asked["dream"]
    assert (output.mask_softness, output.audio, dream.momentum) == (3, False, 0.5)
    assert dream.layer == DreamSettings(layer=["block10"]).layer  # type: ignore[arg-type]


def test_names_that_are_no_utf_8(rendered: Callable[..., dict[str, Any]], folder: Path) -> None:
    (folder / "fre\udcffd").mkdir()
    look = own_look(folder / "fre\udcffd" / "m\udcffin.toml", "steps = 2\n")
    first = rendered("--preset", look)
    assert "m\udcffin.toml" in first["recipe"].looks
    assert "fre" not in first["recipe"].text
    again = rendered("--like", saved(first["recipe"]))
    assert again["dream"] == first["dream"]
    assert os.fsencode("m\udcffin.toml") == b"m\xffin.toml"
