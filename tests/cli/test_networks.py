"""The command ``stream-dream networks``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import synthetic
from commands import one_line

from stream_dream.media.read.picture import read_picture

Run = Callable[..., tuple[int, str, str]]


def test_networks_and_their_layers_are_listed(run: Run) -> None:
    assert "efficientnet_lite0" in run("networks")[1]
    row = next(
        line for line in run("networks", "efficientnet_lite0")[1].splitlines() if "block10" in line
    )
    assert row.split()[:3] == ["block10", "112", "16"]


def test_networks_are_listed_with_where_they_come_from(run: Run) -> None:
    code, out, _ = run("networks")
    assert code == 0
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert "embedded" in rows["efficientnet_lite0"]
    assert "stream-dream[lite]" in rows["efficientnet_lite1"]
    assert "download" in rows["inception_v1"]
    assert "download" in rows["vgg16"]


@pytest.mark.slow
def test_layers_are_listed_without_their_parts(run: Run) -> None:
    code, short, _ = run("networks", "vgg16")
    assert code == 0
    assert "block5_conv3" in short
    _, out, _ = run("networks", "inception_v1")
    _, all_parts, _ = run("networks", "inception_v1", "--all")
    assert "Mixed_4c_Concatenated" in out
    assert "Conv2d_1a_7x7_bn" not in out
    assert "Conv2d_1a_7x7_bn" in all_parts


@pytest.mark.slow
def test_a_contact_sheet(run: Run, tmp_path: Path) -> None:
    synthetic.register_tiny()
    sheet = tmp_path / "sheet.png"
    code, out, _ = run("networks", "tiny", "--show", "conv1", "--out", str(sheet))
    assert code == 0
    assert "sheet.png" in one_line(out)
    image = read_picture(sheet).image
    assert image.shape == (2 * 182 + 4, 8 * 164 + 4, 3)  # 12 channels in rows of 8
    assert image[4:164, 4:164].std() > 10
    code, _, err = run("networks", "tiny", "--show", "conv1", "--out", str(sheet))
    assert (code, "exists already" in one_line(err)) == (2, True)
    code, _, err = run("networks", "tiny", "--show", "conv1:3", "--out", str(tmp_path / "b.png"))
    assert (code, "the name of a layer alone" in one_line(err)) == (2, True)
    code, _, err = run("networks", "tiny", "--out", str(tmp_path / "b.png"))
    assert (code, "belong to --show" in one_line(err)) == (2, True)
    code, _, err = run("networks", "--show", "conv1")
    assert (code, "--show needs a network" in one_line(err)) == (2, True)


@pytest.mark.slow
def test_speed_is_measured(run: Run) -> None:
    synthetic.register_tiny()
    code, out, _ = run("networks", "tiny", "--measure")
    assert code == 0
    header, row = out.splitlines()
    assert header.split() == ["network", "weights", "MB", "ms", "speed"]
    assert float(row.split()[-1]) > 0
