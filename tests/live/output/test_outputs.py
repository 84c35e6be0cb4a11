"""Outputs of shows that plug-ins offer."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from packages import make_package, with_packages

from stream_dream.errors import SettingsError
from stream_dream.live.output.outputs import open_output
from stream_dream.runtime import plugins

COUNTER = """
from pathlib import Path


class Counter:
    problem = None

    def __init__(self, rest):
        if not rest:
            raise KeyError("a file")
        self.path, self.shapes = Path(rest), []

    def show(self, image, status):
        self.shapes.append(image.shape)
        if self.path.name == "fails":
            raise OSError("the lamp is\\nbroken")

    def close(self):
        self.path.write_text(f"{len(self.shapes)} {self.shapes[-1]}")


def nothing(rest):
    return rest
"""


@pytest.fixture
def counter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the package ``counting``; return the folder of its path."""
    entries = {"outputs count": "counting:Counter", "outputs hls": "counting:Counter"}
    entries |= {"outputs bad": "counting:nothing"}
    make_package(tmp_path / "lib", "counting", entries, {"counting.py": COUNTER})
    monkeypatch.syspath_prepend(tmp_path / "lib")
    plugins.plugins.cache_clear()
    yield tmp_path / "lib"
    plugins.plugins.cache_clear()
    sys.modules.pop("counting", None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("count:", "--out count:... of the plug-in counting 1.2 cannot be opened: KeyError"),
        ("bad:x", "--out bad:... of the plug-in counting 1.2 is no output: it has no show"),
        ("conut:x", "--out cannot be 'conut:...': give rtsp://.* or count:... or bad:...$"),
        ("hls:", "--out hls:: it is empty"),  # the one that comes with the package
    ],
)
def test_what_cannot_be_opened_is_one_line(counter: Path, text: str, told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        open_output(text)


def test_a_name_in_any_case_is_the_plugins(counter: Path, tmp_path: Path) -> None:
    view = open_output(f"COUNT:{tmp_path / 'a:b'}")
    assert (type(view).__name__, view.problem) == ("Counter", None)
    assert vars(view)["path"] == tmp_path / "a:b"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["works", "fails"])
def test_a_show_sends_to_the_output_of_a_plugin(counter: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    options = ("--duration", 1, "--size", "64x48", "--dream-size", 64)
    options = (*options, "--presets", "dogs", "--out", f"count:{target}")
    done = with_packages(counter, "live", "--source", "test", *options)
    assert done.returncode == 0, done.stderr
    count, shape = target.read_text().split(" ", 1)
    assert shape == "(48, 64, 3)"
    assert (int(count) > 1) == (name == "works")
    assert ("Counter failed: OSError: the lamp is broken" in done.stderr) == (name == "fails")
