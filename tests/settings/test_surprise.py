"""Random looks: the same for a seed on every machine, and kept by saving the output."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import synthetic

from stream_dream.cli.options import dreamed
from stream_dream.errors import SettingsError
from stream_dream.media.read.picture import Picture, read_picture
from stream_dream.media.write.picture import write_picture
from stream_dream.networks import imagenet, registry
from stream_dream.settings.dream import merged
from stream_dream.settings.presets import load_preset, look_text, presets
from stream_dream.settings.presets.surprise import NETWORK, surprise

Run = Callable[..., tuple[int, str, str]]
SEEDS = range(300)


def test_a_seed_stands_for_a_look() -> None:
    looks = [surprise(seed) for seed in SEEDS]
    assert looks == [surprise(seed) for seed in SEEDS]
    assert all(look.dream.seed == seed for look, seed in zip(looks, SEEDS, strict=True))
    without_seed = {look.dream.model_copy(update={"seed": 0}) for look in looks}
    assert len(without_seed) > 250


@pytest.mark.parametrize(
    ("seed", "layers", "classes", "numbers"),
    [
        (0, ["block12"], ["macaw=0.4"], (4, 1.4, 32, 0.4)),
        (7, ["block4", "block5=0.5"], [], (4, 1.4, 8, 0.6)),
        (42, ["block11:53"], [], (6, 1.5, 24, 0.4)),
        (5, ["block11:135,158,184"], [], (5, 1.5, 40, 0.4)),
    ],
)
def test_a_seed_stands_for_the_same_look_on_every_machine(
    seed: int, layers: list[str], classes: list[str], numbers: tuple[float, ...]
) -> None:
    dream = surprise(seed).dream
    assert [str(layer) for layer in dream.layer] == layers
    assert [str(one) for one in dream.classes] == classes
    assert (dream.octaves, dream.octave_scale, dream.jitter, dream.colours) == numbers


def test_surprises_are_what_the_network_can_dream() -> None:
    spec = registry.find(NETWORK)
    for look in map(surprise, SEEDS):
        assert look.description
        assert look.suits
        assert look.dream.layer or look.dream.classes
        for target in look.dream.layer:
            assert max(target.channels, default=0) < spec.layer(target.name).channels
        for target in look.dream.classes:
            assert 0 <= imagenet.class_number(target.name) < 1000


def test_no_shipped_look_is_called_a_surprise() -> None:
    assert "surprise" not in {preset.name for preset in presets()}


@pytest.mark.slow
def test_a_surprise_that_is_saved_is_the_same_look(tmp_path: Path) -> None:
    path = tmp_path / "found.toml"
    for look in map(surprise, SEEDS):
        path.write_text(look_text(look), encoding="utf-8")
        saved = load_preset(path)
        assert (saved.dream, saved.description, saved.suits) == (
            look.dream,
            look.description,
            look.suits,
        )


def test_the_printed_look_has_what_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = {"seed": "42", "octaves": "5", "crf": None}
    dream = dreamed("surprise", options)
    out, err = capsys.readouterr()
    assert err == ""
    (tmp_path / "found.toml").write_text(out, encoding="utf-8")
    assert load_preset(tmp_path / "found.toml").dream == dream
    assert dream == merged(surprise(42).dream, {"octaves": 5})


def test_the_look_is_not_printed_with_json_or_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    dreamed("surprise", {"seed": "42"}, as_json=True)
    out, err = capsys.readouterr()
    assert (out, "octaves = " in err) == ("", True)
    dreamed("surprise", {"seed": "42"}, quiet=True)
    assert capsys.readouterr() == ("", "")


def test_a_random_seed_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    dream = dreamed("surprise", {}, quiet=True)
    said = re.fullmatch(
        r"stream-dream: --preset surprise --seed (\d+) is this look again\n",
        capsys.readouterr().err,
    )
    assert said is not None
    assert dream == surprise(int(said[1])).dream


@pytest.mark.parametrize(
    ("options", "message"),
    [({"network": "vgg16"}, "leave out --network"), ({"seed": "x"}, "--seed cannot be 'x'")],
)
def test_options_that_contradict_a_surprise_are_refused(
    options: dict[str, str], message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        dreamed("surprise", options)


@pytest.mark.slow
def test_a_saved_surprise_gives_the_same_dream(run: Run, tmp_path: Path) -> None:
    photo = write_picture(Picture(synthetic.photo((80, 60))), tmp_path / "in.png")
    code, out, _ = run(
        "image", str(photo), str(tmp_path / "a.png"), "--preset", "surprise", "--seed", "7"
    )
    assert code == 0
    toml = out[: out.rindex("\n", 0, len(out) - 1) + 1]  # without the last line, the summary
    (tmp_path / "found.toml").write_text(toml, encoding="utf-8")
    run("image", str(photo), str(tmp_path / "b.png"), "--preset", str(tmp_path / "found.toml"))
    a, b = (read_picture(tmp_path / f"{name}.png").image for name in "ab")
    assert (a == b).all()


@pytest.mark.slow
def test_a_film_of_a_surprise_is_resumed(run: Run, tmp_path: Path) -> None:
    film = tmp_path / "out.mp4"
    clip = Path(__file__).parents[2] / "stream_dream" / "demo_clip.mp4"
    arguments = ("render", str(clip), str(film), "--end", "0.2", "--chunk-seconds", "0.1")
    arguments += ("--dream-size", "64", "--size", "64x36", "--keep-chunks", "--json")
    arguments += ("--preset", "surprise")
    code, out, _ = run(*arguments, "--seed", "3")
    assert code == 0
    assert all(json.loads(line) for line in out.splitlines())
    film.unlink()
    assert run(*arguments, "--seed", "3", "--resume")[0] == 0
    assert film.is_file()
    code, _, err = run(*arguments, "--resume")
    assert code == 2
    assert "seed" in err
