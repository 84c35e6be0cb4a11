"""Presets and configs as files: their encoding, and the paths that they contain."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from stream_dream.errors import SettingsError
from stream_dream.live.show_file import ShowFile, read_config, write_config
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import Preset, load_preset, look_text
from stream_dream.settings.toml_file import read_text
from stream_dream.settings.validation import validated

MARK = "\ufeff"


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_bytes(f'{MARK}extends = "dogs"\r\nsteps = 2\r\n'.encode())
    assert load_preset(path).dream.steps == 2
    path.write_bytes(f'{MARK}source = "test"\r\npresets = ["dogs"]\r\n'.encode())
    assert read_config(path).settings == {"source": "test", "presets": ["dogs"]}


@pytest.mark.parametrize("read", [load_preset, read_config])
def test_another_encoding_is_reported(tmp_path: Path, read: Any) -> None:
    path = tmp_path / "my.toml"
    path.write_text("steps = 2", encoding="utf-16")
    with pytest.raises(
        SettingsError, match=r"my.toml cannot be read: .* save it in that encoding$"
    ):
        read(path)


def test_file_names_in_a_preset_are_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "looks"
    folder.mkdir()
    path = folder / "my.toml"
    path.write_text('guide = "../guide.jpg"\nweights = "w.h5"\nnetwork = "net.keras"\n')
    monkeypatch.chdir(tmp_path)
    for name in (path, Path("looks/my.toml")):
        dream = load_preset(name).dream
        assert dream.guide == folder / "../guide.jpg"
        assert dream.weights == folder / "w.h5"
        assert dream.network == str(folder / "net.keras")
    path.write_text('guide = "/pictures/guide.jpg"\nnetwork = "vgg16"\n')
    dream = load_preset(path).dream
    assert (dream.guide, dream.network) == (Path("/pictures/guide.jpg"), "vgg16")


def test_a_look_that_is_printed_names_files_wherever_it_is_kept(tmp_path: Path) -> None:
    dream = load_preset("dogs").dream.model_copy(update={"guide": Path("guide.jpg")})
    dream = type(dream)(**dream.model_dump(exclude_unset=True) | {"guide": Path("guide.jpg")})
    path = tmp_path / "my.toml"
    path.write_text(look_text(Preset("my", "", dream)), encoding="utf-8")
    assert load_preset(path).dream.guide == Path.cwd() / "guide.jpg"


@pytest.mark.parametrize("name", ["été.jpg", "\N{WATER WAVE}.jpg", 'a "b"\\c.jpg', "a\x7f\tb.jpg"])
def test_any_name_of_a_file_can_be_written(tmp_path: Path, name: str) -> None:
    dream = validated(DreamSettings, {"guide": name})
    path = tmp_path / "my.toml"
    path.write_text(look_text(Preset("my", name, dream)), encoding="utf-8")
    assert (load_preset(path).dream.guide, load_preset(path).description) == (
        Path.cwd() / name,
        name,
    )
    write_config(path, ShowFile({"guide": name}), overwrite=True)
    assert read_config(path).settings == {"guide": str(Path.cwd() / name)}


def test_a_name_that_is_not_utf_8_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"is UTF-8 and cannot hold .*dcff"):
        write_config(tmp_path / "show.toml", ShowFile({"guide": "a\udcff.jpg"}))


def test_file_names_in_a_config_are_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text(
        'source = "clip.mp4"\npreset = "a.toml"\npresets = "dogs, looks/b.toml"\n'
        'cycle = ["c.toml", "eyes"]\nguide = "g.png"\nrecord = "show.mkv"\nnetwork = "n.keras"\n'
    )
    assert read_config(path).settings == {
        "source": str(tmp_path / "clip.mp4"),
        "preset": str(tmp_path / "a.toml"),
        "presets": f"dogs,{tmp_path / 'looks/b.toml'}",
        "cycle": [str(tmp_path / "c.toml"), "eyes"],
        "guide": str(tmp_path / "g.png"),
        "record": str(tmp_path / "show.mkv"),
        "network": str(tmp_path / "n.keras"),
    }


@pytest.mark.parametrize("source", ["test", "0", "rtsp://host/1", "/dev/video0"])
def test_sources_that_are_no_files_stay_as_they_are(tmp_path: Path, source: str) -> None:
    path = tmp_path / "show.toml"
    path.write_text(f'source = "{source}"\n')
    assert read_config(path).settings == {"source": source}


def test_a_config_that_is_written_elsewhere_finds_the_files_of_the_command_line(
    tmp_path: Path,
) -> None:
    path = tmp_path / "show.toml"
    write_config(
        path, ShowFile({"source": "clip.mp4", "guide": "g.png", "presets": ["dogs,a.toml"]})
    )
    assert read_config(path).settings == {
        "source": os.path.abspath("clip.mp4"),
        "guide": os.path.abspath("g.png"),
        "presets": [f"dogs,{os.path.abspath('a.toml')}"],
    }


@pytest.mark.parametrize("line", ["extends = true", "extends = ['dogs']", "description = 5"])
def test_texts_of_presets_are_texts(tmp_path: Path, line: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(line)
    with pytest.raises(SettingsError, match=r"my.toml: \w+ is a text: write it in quotes$"):
        load_preset(path)


def test_the_preset_of_a_config_is_a_text(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text("preset = true")
    with pytest.raises(SettingsError, match=r"show.toml: preset cannot be true: give text in"):
        read_config(path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs an endless file")
def test_an_endless_file_is_refused() -> None:
    with pytest.raises(SettingsError, match="it has more than 64 million characters"):
        read_text(Path("/dev/zero"), "score")
