"""What commands write into their outputs: no folders, all that is needed, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import films
import pytest
import synthetic
from commands import one_line
from fake_render import FakeRender
from films import SHORT_CHUNKS

from stream_dream.errors import SettingsError
from stream_dream.media.read.picture import Picture
from stream_dream.media.read.recipe_text import read_recipe
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.output import StillSettings

Run = Callable[..., tuple[int, str, str]]
TINY = ("--layer", "conv1", "--dream-size", "32", "--octaves", "2", "--warm-up", "1", "-q")


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder whose name no output may contain, and run commands beside it."""
    folder = tmp_path / "my-secret-folder"
    folder.mkdir()
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


@pytest.fixture
def network(secret: Path) -> str:
    """Return a tiny network in a file in the secret folder."""
    return str(films.make_network(secret / "net.keras"))


def checksums(report: str) -> list[int]:
    found = json.loads(Path(report).read_text())["checksums"]
    assert len(set(found)) > 5
    return list(found)


def test_no_folder_is_told(
    run: Run, fake: FakeRender, secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chunked: list[Any] = []
    in_chunks = "stream_dream.cli.one_film._render_in_chunks"
    monkeypatch.setattr(in_chunks, lambda wanted, **_: chunked.append(wanted))
    for name in ("face.png", "mask.png", "w.h5", "net.keras", "song.wav", "beats.txt", "c.csv"):
        (secret / name).touch()
    (secret / "c.csv").write_text("0,0\n1,1\n")
    (secret / "beats.txt").write_text("0.5\n")
    (secret / "a.toml").write_text('guide = "face.png"\nweights = "w.h5"\nnetwork = "net.keras"\n')
    (secret / "b.toml").write_text("steps = 2\n")
    (secret / "score.toml").write_text(
        'preset = "0:a.toml, 1s:b.toml"\nbeats = "beats.txt"\nsoundtrack = "song.wav"\n'
        'strength = "0:(c1)"\n[curves]\nc1 = "c.csv"\n'
    )
    files = {"--guide": "face.png", "--mask": "mask.png", "--weights": "w.h5"}
    files |= {"--network": "net.keras", "--soundtrack": "song.wav", "--beats": "beats.txt"}
    given = [word for option, name in files.items() for word in (option, str(secret / name))]
    looks = f"0:{secret / 'a.toml'}, 1s:{secret / 'b.toml'}~1s"
    for options in (
        given,
        ["--score", str(secret / "score.toml")],
        ["--score", "../my-secret-folder/score.toml", "--preset", looks],
        ["--preset", f"{secret / 'a.toml'},{secret / 'b.toml'}", "--react", "bar->preset"],
        ["--cluster", "local", "--keep-chunks", "--report", str(secret / "r.json")],
    ):
        code, _, err = run("render", str(secret / "a.mp4"), str(secret / "b.mp4"), *options)
        assert code == 0, err
        recipe = chunked.pop().recipe if chunked else fake.asked["recipe"]
        assert recipe.source == "a.mp4"
        for word in ("secret", secret.parent.name, "here", "local", ".."):
            assert word not in recipe.text, options


def test_the_seed_of_a_surprise_is_told(run: Run, fake: FakeRender) -> None:
    code, _, err = run("render", "a.mp4", "b.mp4", "--preset", "surprise")
    assert code == 0
    recipe = fake.asked["recipe"]
    assert f"--seed {recipe.options['seed']} " in one_line(err)
    first = fake.asked["dream"]
    run("render", "a.mp4", "b.mp4", "--preset", "surprise", "--seed", recipe.options["seed"])
    assert fake.asked["dream"] == first


def test_what_is_too_long_is_left_out_with_a_warning(run: Run, fake: FakeRender) -> None:
    track = ", ".join(f"{frame}:({frame % 7 / 10})" for frame in range(9000))
    code, _, err = run("render", "a.mp4", "b.mov", "-q", "--strength", track)
    assert code == 0
    assert fake.asked["recipe"] is None
    assert "warning: b.mov cannot hold its recipe" in one_line(err)
    assert run("render", "a.mp4", "b.mp4", "-q", "--strength", track) == (0, "", "")
    assert fake.asked["recipe"] is not None


def test_no_recipe_leaves_it_out(run: Run, fake: FakeRender) -> None:
    assert run("render", "a.mp4", "b.mp4", "-q", "--no-recipe") == (0, "", "")
    assert fake.asked["recipe"] is None


@pytest.mark.slow
def test_a_film_is_made_again_from_its_recipe(run: Run, secret: Path, network: str) -> None:
    source = str(films.make_film(secret / "film.mp4", (6, 4)))
    look = secret / "mine.toml"
    look.write_text('network = "net.keras"\njitter = 3\n')
    options = ("--preset", str(look), "--step-size", "0:(0.005), 5:(0.03)", "--start", "0.04")
    assert run("render", source, "b.mp4", *options, *TINY, "--report", "b.json")[0] == 0
    assert b"secret" not in Path("b.mp4").read_bytes()
    look.unlink()
    Path(network).rename("net.keras")
    made = {
        "c.mp4": (),
        "d.mkv": ("--chunk-seconds", "0.12", "--keep-chunks"),
        "e.webm": ("--chunk-seconds", "0.12", "--workers", "2"),
    }
    for name, more in made.items():
        report = f"{name}.json"
        done = run("render", source, name, "--like", "b.mp4", "-q", *more, "--report", report)
        assert done[0] == 0
        assert checksums(report) == checksums("b.json")
        assert read_recipe(name) == read_recipe("b.mp4")
    assert Path("c.mp4").read_bytes() == Path("b.mp4").read_bytes()
    assert "recipe" not in Path("d.mkv.dream/job.json").read_text()
    run("render", source, "bare.mp4", "--like", "b.mp4", "-q", "--no-recipe", "--report", "n.json")
    assert checksums("n.json") == checksums("b.json")
    with pytest.raises(SettingsError, match="carries no recipe"):
        read_recipe("bare.mp4")


@pytest.mark.slow
def test_a_film_that_is_resumed_carries_the_recipe(run: Run, secret: Path, network: str) -> None:
    source, target = films.make_film(secret / "film.mp4", (6, 4)), Path("b.mp4").absolute()
    options = ("--network", network, *TINY)
    chunks = ("--chunk-seconds", str(SHORT_CHUNKS.chunk_seconds))
    run("render", str(source), "whole.mp4", *options)
    from stream_dream.cli import one_film as command

    asked: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            command, "_render_in_chunks", lambda wanted, **_: asked.append(wanted.request)
        )
        run("render", str(source), str(target), *options, *chunks, "--keep-chunks")
    request = asked[0]
    films.interrupted_job(source, target, request.dream, 1)  # by a version without recipes
    assert run("render", str(source), str(target), *options, *chunks, "--resume")[0] == 0
    assert read_recipe(target) == read_recipe("whole.mp4")


@pytest.mark.slow
def test_pictures_carry_recipes_with_their_own_sources(
    run: Run, secret: Path, network: str
) -> None:
    for name in ("one.png", "two.jpg"):
        write_picture(Picture(synthetic.photo((60, 40))), secret / name)
    options = ("--network", network, *TINY)
    assert run("image", str(secret / "one.png"), str(secret / "two.jpg"), "out", *options)[0] == 0
    assert read_recipe("out/one.png").source == "one.png"
    assert read_recipe("out/two.jpg").source == "two.jpg"
    assert StillSettings().quality == read_recipe("out/two.jpg").defaults["quality"]
    more = ("--out", "film.gif", "--progress-dir", "steps", "--seed", "5")
    source = str(secret / "one.png")
    for target in ("a.png", "a.webp", "a.tif"):
        assert run("image", source, target, *options, *more, "--overwrite")[0] == 0
        assert read_recipe(target).options["seed"] == "5"
        assert b"secret" not in Path(target).read_bytes()
    recipe = read_recipe("a.png")
    assert not {"out", "progress_dir"} & recipe.options.keys()
    for path in (Path("film.gif"), *Path("steps").iterdir()):
        assert read_recipe(path) == recipe
    Path(network).rename("net.keras")
    assert run("image", source, "b.png", "--like", "a.png", "-q")[0] == 0
    assert Path("b.png").read_bytes() == Path("a.png").read_bytes()
    assert run("image", source, "c.png", "--like", "a.png", "-q", "--no-recipe")[0] == 0
    with pytest.raises(SettingsError, match="carries no recipe"):
        read_recipe("c.png")


@pytest.mark.slow
def test_loops_carry_their_recipe_and_are_made_again_from_it(
    run: Run, secret: Path, network: str
) -> None:
    source = str(write_picture(Picture(synthetic.photo((60, 40))), secret / "one.png"))
    options = ("--network", network, *TINY, "--frames", "6", "--motion", "sway")
    for target in ("a.gif", "a.webp", "a.apng", "a.mp4", "a-%02d.png"):
        assert run("loop", source, target, *options, "--overwrite")[0] == 0
    assert run("loop", source, "p.gif", *options, "--poster")[0] == 0
    recipe = read_recipe("a.gif")
    assert recipe.command == "loop"
    for name in ("a.webp", "a.apng", "a.mp4", "a-01.png", "a-06.png"):
        assert read_recipe(name) == recipe
        assert b"secret" not in Path(name).read_bytes()
    assert read_recipe("p.png") == read_recipe("p.gif")
    Path(network).rename("net.keras")
    assert run("loop", source, "b.gif", "--like", "a.webp", "-q")[0] == 0
    assert Path("b.gif").read_bytes() == Path("a.gif").read_bytes()
    assert run("loop", source, "c.gif", "--like", "a.gif", "-q", "--no-recipe")[0] == 0
    with pytest.raises(SettingsError, match="carries no recipe"):
        read_recipe("c.gif")
