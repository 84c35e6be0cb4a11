"""Plug-ins: networks, looks and outputs of other packages, and broken ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import one_line
from films import make_film
from packages import NETWORK, make_night, make_package, with_packages

from stream_dream.cli.help import page
from stream_dream.media.read.video import VideoSource
from stream_dream.runtime.plugins import LOOKS, NETWORKS, OUTPUTS, log, plugins

TRAP = "import pathlib\n(pathlib.Path(__file__).parent / 'imported').touch()\nraise OSError('no')\n"


COMMANDS = {"looks x": "presets", "networks x": "networks"}


@pytest.mark.parametrize("group", [LOOKS, NETWORKS, OUTPUTS])
def test_the_manual_names_the_groups(group: str) -> None:
    assert f'[project.entry-points."{group}"]' in page("plugins")


def row_of(table: str, name: str) -> str:
    return next(line for line in table.splitlines() if line.split()[:1] == [name])


@pytest.mark.slow
def test_networks_and_looks_are_listed_with_their_package(tmp_path: Path) -> None:
    make_night(tmp_path)
    listed = with_packages(tmp_path, "presets", COLUMNS="160")
    assert (listed.returncode, listed.stderr) == (0, "")
    assert "What owls see" in row_of(listed.stdout, "night")
    assert "owl-dreams 1.2" in row_of(listed.stdout, "night")
    assert "owl-dreams" not in row_of(listed.stdout, "dogs")
    listed = with_packages(tmp_path, "networks", COLUMNS="160")
    assert "owl-dreams 1.2" in row_of(listed.stdout, "night_net")
    assert "owl-dreams" not in row_of(listed.stdout, "vgg16")
    assert "second" in with_packages(tmp_path, "networks", "Night-Net").stdout


def test_a_look_may_extend_one_of_its_package(tmp_path: Path) -> None:
    make_night(tmp_path)
    printed = with_packages(tmp_path, "presets", "dusk").stdout
    assert 'network = "night_net"' in printed
    assert "octaves = 3 " in printed


def test_looks_in_a_circle_are_refused(tmp_path: Path) -> None:
    looks = {f"circle/{a}.toml": f'extends = "{b}"\n' for a, b in ("ab", "ba")}
    make_package(tmp_path, "circle", {"looks x": "circle"}, {"circle/__init__.py": "", **looks})
    done = with_packages(tmp_path, "presets", "a")
    assert (done.returncode, "a extends b extends a" in one_line(done.stderr)) == (2, True)


@pytest.mark.slow
def test_names_of_plugins_are_suggested_and_completed(tmp_path: Path) -> None:
    make_night(tmp_path)
    for option, value in (("--preset", "nigth"), ("--network", "nightnets")):
        done = with_packages(tmp_path, "image", "a.png", "b.png", option, value)
        assert done.returncode == 2
        assert "did you mean night" in one_line(done.stderr)
    make_package(tmp_path, "broken", {"looks x": "nope", "networks x": "nope"}, {})
    script = {"_STREAM_DREAM_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    for option, name in (("--preset", "night"), ("--network", "night_net")):
        words = f"stream-dream image {option} nig"
        done = with_packages(tmp_path, COMP_WORDS=words, **script)
        assert (done.stdout.split(), done.stderr) == ([name], "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("entry", "files", "told"),
    [
        ("looks x", {"broken.py": TRAP}, "OSError: no"),
        ("looks x", {"broken.py": ""}, "it names no package"),
        ("looks x", {"broken/__init__.py": ""}, "without .toml files"),
        ("looks x", {"broken/__init__.py": "", "broken/x.toml": "octavs = 2"}, "octavs"),
        ("looks x", {"broken/__init__.py": "", "broken/a,b.toml": ""}, "letters, digits"),
        ("looks x", {"broken/__init__.py": "", "broken/dogs.toml": ""}, "a shipped look has that"),
        ("looks x", {"broken/__init__.py": "", "broken/surprise.toml": ""}, "chance"),
        ("looks x", {}, "ModuleNotFoundError"),
        ("networks x", {"broken.py": "raise SystemExit(7)"}, "SystemExit: 7"),
        ("networks x", {"broken.py": ""}, "TypeError"),
    ],
)
def test_a_broken_plugin_is_one_line_and_breaks_nothing_else(
    tmp_path: Path, entry: str, files: dict[str, str], told: str
) -> None:
    make_night(tmp_path)
    make_package(tmp_path, "broken-thing", {entry: "broken"}, files)
    done = with_packages(tmp_path, COMMANDS[entry])
    assert done.returncode == 0
    line = one_line(done.stderr)
    assert line.startswith("stream-dream: warning: the ")
    assert " plug-in broken-thing 1.2: " in line
    assert told in line
    assert row_of(done.stdout, "night" if entry == "looks x" else "night_net")
    assert row_of(done.stdout, "dogs" if entry == "looks x" else "vgg16")


def test_entry_points_that_cannot_be_read_break_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    make_night(tmp_path)
    make_package(tmp_path, "broken-thing", {}, {})
    (tmp_path / "broken-thing-1.2.dist-info" / "entry_points.txt").write_bytes(b"[a]\nb=\xff\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(log, "propagate", True)  # the command prints it instead
    assert [plugin.provider for plugin in plugins.__wrapped__(LOOKS)] == ["owl-dreams 1.2"]
    assert "the plug-in broken-thing 1.2: its entry points cannot be" in caplog.text


@pytest.mark.slow
def test_a_network_never_replaces_another(tmp_path: Path) -> None:
    files = {"nets.py": NETWORK + "\n\ndef specs():\n    return [spec('VGG-16'), spec('own')]\n"}
    make_package(tmp_path, "twice", {"networks x": "nets:specs"}, files)
    done = with_packages(tmp_path, "networks")
    told = "'VGG-16' of the plug-in twice 1.2: left out: stream-dream has that name"
    assert told in one_line(done.stderr)
    assert "own" in done.stdout
    assert "block5_conv3" in with_packages(tmp_path, "networks", "vgg16").stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("render", "--help"),
        ("presets", "dogs"),
        ("networks", "efficientnet_lite0"),
        ("image", "no.png", "b.png"),
    ],
)
def test_plugins_are_imported_only_where_they_may_be_meant(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    entries = {"looks x": "trap", "networks x": "trap", "outputs x": "trap"}
    make_package(tmp_path, "trap", entries, {"trap.py": TRAP})
    done = with_packages(tmp_path, *arguments)
    assert "trap" not in done.stderr
    assert not (tmp_path / "imported").exists()
    with_packages(tmp_path, "presets")
    assert (tmp_path / "imported").exists()


@pytest.mark.slow
def test_workers_find_the_networks_of_plugins(tmp_path: Path) -> None:
    make_night(tmp_path)
    make_package(tmp_path, "broken-thing", {"networks x": "broken"}, {})
    film, target = make_film(tmp_path / "film.mp4", (6, 6)), tmp_path / "out.mp4"
    done = with_packages(
        tmp_path,
        *("render", film, target, "--preset", "night", "--workers", 2, "--chunk-seconds", 0.24),
        *("--report", tmp_path / "report.json"),
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("broken-thing") == 1
    made_with = json.loads((tmp_path / "report.json").read_text())["made_with"]
    assert made_with["owl-dreams"] == "1.2"
    with VideoSource(target) as made:
        assert made.info.frame_count == 12
