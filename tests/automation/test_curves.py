"""Curves: interpolation, rises above a threshold, and CSV files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from stream_dream.automation.curves import TimeCurve, read_beats, read_curve
from stream_dream.errors import SettingsError

HITS = TimeCurve(np.arange(6.0), np.array([0, 1, 0, 1, 0, 1], np.float32))


def test_a_curve_is_linear_and_held_at_its_ends() -> None:
    curve = TimeCurve(np.array([1.0, 3.0]), np.array([0.25, 0.75], np.float32))
    seconds = np.array([0.0, 1.0, 2.0, 3.0, 9.0])
    assert curve.sample(seconds) == pytest.approx([0.25, 0.25, 0.5, 0.75, 0.75])


@pytest.mark.parametrize(
    ("threshold", "cooldown", "rises"),
    [
        (0.5, 0.0, [0.5, 2.5, 4.5]),
        (0.25, 0.0, [0.25, 2.25, 4.25]),
        (0.5, 2.0, [0.5, 2.5, 4.5]),
        (0.5, 2.1, [0.5, 4.5]),
        (1.0, 0.0, []),
        (-0.5, 0.0, [0.0]),
    ],
)
def test_rises_are_found(threshold: float, cooldown: float, rises: list[float]) -> None:
    assert HITS.rises(threshold, cooldown).tolist() == rises


@pytest.mark.parametrize(
    "text",
    [
        "0,0.5\n2,1",
        "\ufefftime,value\r\n0,0.5\r\n2,1\r\n",
        "# drums\n\ntime;value\n0;0.5 # begin\n2;1\n",
        "0\t0.5\tx\n2\t1\ty\n",
    ],
)
def test_files_of_curves_are_read(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text, encoding="utf-8", newline="")
    curve = read_curve(path)
    assert (curve.times.tolist(), curve.values.tolist()) == ([0, 2], [0.5, 1])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the curve is empty: give lines of time,value"),
        ("time,value", "the curve is empty"),
        ("time,value\n0,1\nx,2", "line 3: 'x,2' is not time,value"),
        ("0,1\n1", "line 2: '1' is not time,value"),
        ("0,1\n1,inf", "line 2: '1,inf' is not time,value"),
        ("0,1\n\n0,2", "line 3: 0 s does not come after 0 s"),
        ("0,1\n1,1e300", "line 2: '1,1e300' is not time,value"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    with pytest.raises(SettingsError) as caught:
        read_curve(path)
    assert str(caught.value).startswith(f"{path}: {message}")


def test_a_curve_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"^curve .*none.csv cannot be read: No such file"):
        read_curve(tmp_path / "none.csv")


@pytest.mark.parametrize("name", ["long" * 80 + ".csv", "no\0name.csv"])
def test_a_name_that_no_file_can_have_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=r"^curve .* cannot be read: "):
        read_curve(Path(name))


def test_files_of_beats_are_read(tmp_path: Path) -> None:
    path = tmp_path / "beats.txt"
    path.write_text("0.5\t1\n1.0\t2\n1.6\t3\n")
    assert read_beats(path).times == (0.5, 1.0, 1.6)
    path.write_text("0.5\n")
    with pytest.raises(SettingsError, match="give at least two"):
        read_beats(path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipes_and_devices_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/zero")):
        for read in (read_curve, read_beats):
            with pytest.raises(SettingsError, match="is a pipe or a device"):
                read(path)


@pytest.mark.parametrize("text", ["0;1\n1,5;0,5\n", "0\t1\n1,5\t0,5\n", "0,1\n1.5,0.5\n"])
def test_decimals_may_have_commas_where_columns_have_not(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.csv"
    path.write_text(text)
    curve = read_curve(path)
    assert curve.times.tolist() == [0, 1.5]
    assert curve.values.tolist() == [1, 0.5]
