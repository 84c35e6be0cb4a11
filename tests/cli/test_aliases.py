"""Other programs' names of options."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import typer
from commands import one_line
from fake_render import FakeRender

from stream_dream.cli.aliases import ALIASES, REFUSED, translated
from stream_dream.cli.app import app
from stream_dream.cli.help import page

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.parametrize(
    ("typed", "ours"),
    [
        ("render --num-octaves 3 a b", "render --octaves 3 a b"),
        ("render --pyramid_size=3 a b", "render --octaves=3 a b"),
        ("render a b --pyramid-ratio 1.8", "render a b --octave-scale 1.8"),
        ("render a b --spatial_shift_size 32 -jitter 3", "render a b --jitter 32 --jitter 3"),
        ("render -num_octaves 3 -octave_scale 2 a b", "render --octaves 3 --octave-scale 2 a b"),
        ("render --y --to 3 -hq", "render --y --to 3 -hq"),
        ("image a b --model VGG16 --guide-image c", "image a b --network VGG16 --guide c"),
        ("render -y -i a -ss 1:05 -to 2:00 -an -crf 20 b",
         "render a --overwrite --start 1:05 --end 2:00 --no-audio --crf 20 b"),
        ("render b -i a", "render a b"),
        ("render -o b -i a --dream_size 90", "render a --dream-size 90 b"),
        ("image -i a -i b out", "image a b out"),
        ("live -i rtsp://x --web", "live --source rtsp://x --web"),
        ("render a b --offset -0.5 -q", "render a b --offset -0.5 -q"),
        ("render --layer=block_1 -- -i -y", "render --layer=block_1 -- -i -y"),
        ("render a_b c_d --preset my_look", "render a_b c_d --preset my_look"),
        ("--version", "--version"),
        ("", ""),
    ],
)  # fmt: skip
def test_names_are_translated(typed: str, ours: str) -> None:
    assert translated(typed.split()) == (ours.split(), [])


@pytest.mark.parametrize("name", ["--iterations", "--num_iterations", "-num_iterations"])
def test_what_counts_otherwise_is_told(run: Run, fake: FakeRender, name: str) -> None:
    code, _, err = run("render", "a.mp4", "b.mp4", name, "2")
    assert code == 0
    assert one_line(err).startswith(f"stream-dream: {name} is --steps here: per octave and frame")
    assert fake.asked["dream"].steps == 2
    assert run("render", "a.mp4", "b.mp4", name, "2", "-q")[2] == ""


@pytest.mark.parametrize("name", ["--lr", "--learning-rate", "--learning_rate", "-learning_rate"])
def test_other_units_are_refused_and_converted(run: Run, fake: FakeRender, name: str) -> None:
    code, _, err = run("render", "a.mp4", "b.mp4", name, "0.09")
    assert code == 2
    assert one_line(err).startswith(f"stream-dream: error: {name} has other units")
    assert "give --step-size" in err
    assert "1.5 (DeepDreamVideo, Google's notebook) is 0.0059" in err
    assert round(1.5 / 255, 4) == 0.0059


def test_the_other_way_of_blending_is_refused(run: Run, fake: FakeRender) -> None:
    code, _, err = run("render", "a.mp4", "b.mp4", "--blend=0.85")
    assert (code, "give --persistence" in one_line(err)) == (2, True)


def test_a_file_must_follow(run: Run) -> None:
    assert run("render", "-i")[2] == "stream-dream: error: -i needs the name of a file\n"


def commands() -> dict[str, typer.core.TyperCommand]:
    group = typer.main.get_command(app)
    assert isinstance(group, typer.core.TyperGroup)
    return group.commands  # type: ignore[return-value]


def test_the_manual_names_our_options() -> None:
    rows = re.findall(r"^\| `?.*? \| (.*?) \|", page("coming-from"), re.MULTILINE)
    named = {name for cell in rows for name in re.findall(r"--[a-z][a-z-]+", cell)}
    assert len(named) > 25
    params = [param for command in commands().values() for param in command.params]
    assert named <= {name for param in params for name in (*param.opts, *param.secondary_opts)}


def test_aliases_are_options_here_and_no_option_has_their_names() -> None:
    params = [param for command in commands().values() for param in command.params]
    options = {name for param in params for name in (*param.opts, *param.secondary_opts)}
    assert {alias.ours for alias in ALIASES.values()} <= options
    for name in (*ALIASES, *REFUSED):
        assert not {f"-{name}", f"--{name}"} & options
    assert not [name for name in options if "_" in name]


def test_aliases_are_hidden_and_in_the_manual(run: Run) -> None:
    out = " ".join(run("render", "--help")[1].split())
    text = page("coming-from")
    for name in (*ALIASES, *REFUSED):
        assert f" --{name} " not in out
        assert re.search(rf"`-*{name}[` ]", text.replace("_", "-")), name
