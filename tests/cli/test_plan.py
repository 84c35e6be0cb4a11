"""The command ``stream-dream plan``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import films
import pytest

from stream_dream.media.read.picture import read_picture


@pytest.mark.slow
def test_the_plan_is_printed_and_drawn(
    run: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    source = films.make_film(tmp_path / "film.mp4")
    network = films.make_network(tmp_path / "tiny.keras")
    sheet = tmp_path / "shots.png"
    options = ("--network", str(network), "--layer", "conv1", "--chunk-seconds", "0.4")
    code, out, err = run("plan", str(source), *options, "--contact-sheet", str(sheet))
    assert (code, err) == (0, "")
    assert "43 frames (0:01.7), shots: 3, chunks: 5" in out
    assert "with one worker here" in out
    assert read_picture(sheet).image.shape[1] > 3 * 90
    code, out, _ = run("plan", str(source), *options, "--no-estimate", "--json")
    assert code == 0
    assert [chunk["frames"] for chunk in json.loads(out)["chunks"]] == [7, 7, 9, 10, 10]
    code, _, err = run("plan", str(source), "--contact-sheet", str(sheet))
    assert code == 2
    assert "exists already" in err
    code, _, err = run("plan", str(tmp_path / "nothing.mp4"))
    assert (code, "does not exist" in err) == (2, True)
