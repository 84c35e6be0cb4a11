"""Settings, presets, and the messages about wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_dream.errors import SettingsError
from stream_dream.settings.dream import DreamSettings, merged
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import DEFAULT_PRESET, load_preset, look_text, presets
from stream_dream.settings.validation import validated
from stream_dream.settings.values import LayerTarget

CLASSICS = {"google", "keras_example", "notebook"}


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("block10", LayerTarget(name="block10")),
        ("block10=0.5", LayerTarget(name="block10", weight=0.5)),
        ("block10:42,57=-2", LayerTarget(name="block10", channels=(42, 57), weight=-2)),
    ],
)
def test_layers_are_read_and_written(text: str, target: LayerTarget) -> None:
    assert LayerTarget.parse(text) == target
    assert str(target) == text


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"octaves": 0}, "--octaves cannot be 0: give at least 1$"),
        ({"octaves": "2.5"}, "--octaves cannot be '2.5': give a whole number$"),
        ({"step_size": "nan"}, "--step-size cannot be 'nan': give a finite number$"),
        ({"schedule": "x"}, "give 'together', 'all', 'rotate' or 'restore'$"),
        ({"layer": ["a", "b=nan"]}, "--layer cannot be 'b=nan': give a finite number$"),
        ({"persistence": 1}, "--persistence"),
        ({"layer": ["block10:{}"]}, "NAME"),
        ({"layer": ["block10=x"]}, "not a number"),
        ({"class": ["cat=x"]}, "--class cannot be 'cat=x': the weight in 'cat=x' is not a number"),
        ({"octavs": 3}, "did you mean octaves"),
        ({"": 3}, "there is no setting ''"),
        ({"\ud800": 3}, "there is no setting .*ud800"),
    ],
)
def test_wrong_values_are_named(values: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        validated(DreamSettings, values)


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1:30", 90), ("1:00:01.5", 3601.5)])
def test_times(text: str, seconds: float) -> None:
    assert validated(OutputSettings, {"start": text}).start == seconds


@pytest.mark.parametrize(
    "values",
    [{"start": "1:2:3:4"}, {"end": "soon"}, {"start": "-3"}, {"size": "axb"}, {"size": "0x9"}],
)
def test_wrong_times_and_sizes(values: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="cannot be"):
        validated(OutputSettings, values)


def test_the_shipped_presets() -> None:
    names = [preset.name for preset in presets()]
    assert names[0] == DEFAULT_PRESET
    assert {"dogs", "eyes", "spirals", "stripes", "subtle", "wild", *CLASSICS} <= set(names)
    assert len(set(names) - CLASSICS) >= 14
    assert all(preset.description and preset.suits for preset in presets())
    looks = [preset.dream for preset in presets()]
    assert len(set(looks)) == len(looks)


def test_all_looks_but_the_classics_grow_gently_in_films() -> None:
    for preset in presets():
        dream = preset.dream
        if preset.name not in CLASSICS:
            assert dream.network == "efficientnet_lite0"
            assert (dream.steps, dream.schedule, dream.gradient_norm) == (
                1,
                "together",
                "laplacian",
            )
            assert dream.limit
            assert dream.momentum


@pytest.mark.parametrize("name", sorted(CLASSICS))
def test_the_classics_grow_as_they_always_did(name: str) -> None:
    dream = load_preset(name).dream
    assert dream.limit is None
    assert (dream.evenness, dream.colours, dream.momentum, dream.catch_up) == (0, 0, 0, 0)
    assert dream.detail == 1
    assert dream.warm_up == 0


@pytest.mark.parametrize("name", ["limit", "tile", "max_loss"])
def test_optional_settings_take_none(tmp_path: Path, name: str) -> None:
    assert getattr(validated(DreamSettings, {name: "none"}), name) is None
    with pytest.raises(SettingsError, match=f"{name.replace('_', '-')} cannot be 'nothing'"):
        validated(DreamSettings, {name: "nothing"})
    path = tmp_path / "mine.toml"
    path.write_text(f'{name} = "none"\n')
    dream = load_preset(path).dream
    assert (getattr(dream, name), dream.model_fields_set) == (None, {name})


def test_the_default_preset_is_the_models_defaults() -> None:
    dream = load_preset(DEFAULT_PRESET).dream
    assert dream.layer[0].name == "block10"
    assert dream == merged(DreamSettings(), {"layer": list(map(str, dream.layer))})


def test_a_preset_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('description = "mine"\nextends = "eyes"\nstep_size = 0.002\n')
    mine, eyes = load_preset(str(path)), load_preset("eyes")
    assert mine.name == "mine"
    assert mine.dream == eyes.dream.model_copy(update={"step_size": 0.002})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("octavs = 3", "did you mean octaves"),
        ("octaves = 300", "octaves cannot be 300"),
        ("octaves =", "not valid TOML"),
        ('extends = "nothing"', "no preset 'nothing'"),
        ("[dream]\noctaves = 3", r"above \[dream\]"),
        ("crf = 20", "crf is for one render"),
        ('layer = [{name = "block10", channels = [-1]}]', "layer cannot be"),
    ],
)
def test_a_wrong_preset_names_its_file(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=f"mine.toml.*{message}"):
        load_preset(path)


def test_a_printed_preset_is_the_preset(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    for preset in presets():
        path.write_text(look_text(preset))
        printed = load_preset(str(path))
        assert (printed.description, printed.dream) == (preset.description, preset.dream)
        assert printed.dream.model_fields_set == preset.dream.model_fields_set
    usual = DreamSettings().dream_size
    assert f"\n# dream_size = {usual}  # " in look_text(load_preset("dogs"))


def test_explicitly_given_settings_are_known(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "wild"\ndream_size = 480\n')
    mine = load_preset(path).dream
    wild = load_preset("wild").dream.model_fields_set
    assert "layer" in wild
    assert "dream_size" not in wild
    assert mine.model_fields_set == wild | {"dream_size"}
    assert merged(mine, {"class": ["281"]}).model_fields_set == mine.model_fields_set | {"classes"}
    assert merged(mine, {"class": ["281"]}).octaves == mine.octaves


@pytest.mark.parametrize("name", ["nothing", "../dogs", "no_such_file.toml"])
def test_unknown_presets(name: str) -> None:
    with pytest.raises(SettingsError, match="preset"):
        load_preset(name)
