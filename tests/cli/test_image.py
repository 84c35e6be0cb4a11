"""The command ``stream-dream image``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import synthetic
from commands import one_line

from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.settings.dream import DreamSettings
from stream_dream.still import batch
from stream_dream.still.batch import StillsSummary

Run = Callable[..., tuple[int, str, str]]


@pytest.mark.slow
def test_image_dreams_with_the_settings_of_a_still(run: Run, tmp_path: Path) -> None:
    synthetic.register_tiny()
    write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "in.png")
    tiny = ("--network", "tiny", "--warm-up", "0", "--octaves", "2")
    code, out, err = run("image", str(tmp_path / "in.png"), str(tmp_path / "out.jpg"), *tiny)
    assert (code, err) == (0, "")
    assert re.fullmatch(r"\S+out.jpg: 1 picture in [\d.]+ s", one_line(out))
    (tmp_path / "bad.png").write_text("nothing")
    inputs = [str(tmp_path / name) for name in ("in.png", "bad.png")]
    code, out, err = run("image", *inputs, str(tmp_path / "new"), *tiny)
    assert code == 1
    assert "bad.png is not a picture" in one_line(err)
    assert one_line(out).startswith(f"{tmp_path / 'new' / 'in.png'}: 1 picture")
    code, out, err = run("image", *inputs, str(tmp_path / "new"), *tiny, "--quiet")
    assert (code, out) == (1, "")
    assert "1 left as they are" in err


def test_image_changes_no_setting_that_a_preset_or_option_gives(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[DreamSettings] = []

    def dream(
        inputs: object, output: object, dream: DreamSettings, *_: object, **__: object
    ) -> Any:
        asked.append(dream)
        return StillsSummary()

    monkeypatch.setattr(batch, "dream_stills", dream)
    mine = tmp_path / "mine.toml"
    mine.write_text("dream_size = 480\n")
    for options in (), ("--preset", str(mine)), ("--schedule", "together"):
        assert run("image", "in.png", "out.png", "--quiet", *options)[0] == 0
    found = [(dream.dream_size, dream.schedule) for dream in asked]
    assert found == [(1536, "all"), (480, "all"), (1536, "together")]


def test_image_warns_of_clipped_values(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    clipped = StillsSummary(clipped="values were clipped")
    monkeypatch.setattr(batch, "dream_stills", lambda *_, **__: clipped)
    code, _, err = run("image", "in.png", "out.png")
    assert (code, one_line(err)) == (0, "stream-dream: warning: values were clipped")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("in.png",), "give the name of the dream as well"),
        (("no.png", "out.png"), "no.png does not exist"),
        (("in.png", "out.gif"), "--out"),
        (("in.png", "out.png", "--layer", "conf2"), "did you mean conv2"),
        (("in.png", "out.png", "--weights", "none.h5"), "none.h5"),
        (("in.png", "out.png", "--network", "none.keras"), "no model file none.keras"),
        (("in.png", "out.png", "--guide", "none.png"), "none.png does not exist"),
        (("in.png", "out.png", "--class", "unicorm"), "no ImageNet class 'unicorm'"),
    ],
)
def test_image_refuses_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    synthetic.register_tiny()
    monkeypatch.chdir(tmp_path)
    write_picture(Picture(synthetic.photo((60, 40))), tmp_path / "in.png")
    network = () if {"--network", "--weights"} & set(arguments) else ("--network", "tiny")
    code, out, err = run("image", *arguments, *network)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]
