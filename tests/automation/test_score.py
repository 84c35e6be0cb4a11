"""Scores: what they hold, what they extend, and what is said of wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from stream_dream.automation.reaction import DEFAULT_REACTION
from stream_dream.automation.score import read_score
from stream_dream.errors import SettingsError

SCORE = """
description = "two minutes"   # a comment
strength = "0:(0), 2s:(fader)"
step_size = 1.5
octaves = 3
preset = "0:dogs, 2s:looks/mine.toml~1s"
react = "bass->strength*2, fader->zoom+1"
bpm = 120
offset = 0.25
beats = "beats.txt"
soundtrack = "../song.mp3"

[layer]
block10 = "sine(2s)"
"block5:42" = 0.5

[class]
"tabby cat" = "0:(0), 1s:(1)"
281 = 1

[guide_layer]
block2 = "t/100"

[curves]
fader = "fader.csv"
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_score_holds_tracks_curves_and_settings(tmp_path: Path) -> None:
    path = write(tmp_path / "score.toml", SCORE)
    score = read_score(path)
    assert score.tracks == {
        "strength": "0:(0), 2s:(fader)",
        "step_size": "1.5",
        "octaves": "3",
        "layer.block10": "sine(2s)",
        "layer.block5:42": "0.5",
        "class.tabby cat": "0:(0), 1s:(1)",
        "class.281": "1",
        "guide_layer.block2": "t/100",
    }
    assert score.curves == {"fader": tmp_path / "fader.csv"}
    assert score.settings == {
        "preset": f"0:dogs, 2s:{tmp_path / 'looks/mine.toml'}~1s",
        "react": "bass->strength*2, fader->zoom+1",
        "bpm": 120,
        "offset": 0.25,
        "beats": tmp_path / "beats.txt",
        "soundtrack": tmp_path / "../song.mp3",
    }
    assert score.files == (path, tmp_path / "fader.csv")


def test_react_may_be_true(tmp_path: Path) -> None:
    score = read_score(write(tmp_path / "score.toml", "react = true"))
    assert score.settings == {"react": DEFAULT_REACTION}


def test_a_score_extends_another_and_wins_over_it(tmp_path: Path) -> None:
    base = 'strength = 1\noctaves = 2\nbpm = 90\n[layer]\na = 1\nb = "fader"\n'
    base += '[curves]\nfader = "a.csv"'
    base_path = write(tmp_path / "base/base.toml", base)
    own = (
        'extends = "base/base.toml"\nstrength = "fader"\n[layer]\na = 2\n[curves]\nfader = "b.csv"'
    )
    path = write(tmp_path / "score.toml", own)
    score = read_score(path)
    assert score.tracks == {"strength": "fader", "octaves": "2", "layer.a": "2", "layer.b": "fader"}
    assert score.curves == {"fader": tmp_path / "b.csv"}
    assert score.settings == {"bpm": 90}
    assert score.files == (path, base_path, tmp_path / "b.csv")


def test_a_score_that_extends_itself_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.toml", 'extends = "b.toml"')
    write(tmp_path / "b.toml", 'extends = "../' + tmp_path.name + '/a.toml"')
    with pytest.raises(SettingsError, match="it extends itself"):
        read_score(path)


def test_scores_extend_seven_others_at_most(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / f"{number}.toml", f'strength = 1\nextends = "{number + 1}.toml"')
        for number in range(8)
    ]
    write(tmp_path / "8.toml", "octaves = 2")
    assert read_score(paths[1]).tracks == {"strength": "1", "octaves": "2"}
    with pytest.raises(SettingsError, match=r"0.toml: it extends more than 7 scores in a row"):
        read_score(paths[0])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('strength = "0:(0), 8s:(1+)"', "PATH: strength: key 8s, column 14: a value is missing"),
        ('strength = "shot 2:(1/)"', "PATH: strength: key shot 2, column 11: a value is missing"),
        ("strength = true", "PATH: strength: give a number, or a track in quotes"),
        ("strength = [1]", "PATH: strength: give a number, or a track in quotes"),
        ("strength = inf", "PATH: strength: give a finite number"),
        ('[layer]\nb = "x"', "PATH: layer.b: column 1: there is no 'x'"),
        ("[layer.b]\nx = 1", "PATH: layer.b: give a number, or a track in quotes"),
        ("layer = 1", "PATH: layer is a section: write a line [layer]"),
        (
            "[tracks]\nb = 1",
            "PATH: a score has no sections but [layer], [class], [guide_layer], [cur",
        ),
        ("[layers]\nb = 1", "PATH: there is no section [layers]: did you mean [layer]?"),
        ("[layer]\nstrength = 1", "PATH: strength is a setting: write it above [layer]"),
        (
            '["lay\\ners"]\nb = 1',
            "PATH: a score has no sections but [layer], [class], [guide_layer], [cur",
        ),
        ('preset = "0:"', "PATH: preset: column 3: the name of a look is missing"),
        (
            'preset = "0:dogs, 2s:eyez"',
            "PATH: preset: there is no preset 'eyez': did you mean eyes?",
        ),
        ('preset = "dogs, eyez"', "PATH: preset: there is no preset 'eyez': did you mean eyes?"),
        ("preset = 3", "PATH: preset: this is a text: write it in quotes"),
        ('react = "bass"', "PATH: react: column 1: 'bass' moves nothing"),
        ("react = 1", "PATH: react: this is a text: write it in quotes"),
        ('bpm = "fast"', "PATH: bpm: give a number"),
        ("soundtrack = 1", "PATH: soundtrack: this is a text"),
        ('soundtrack = ""', "PATH: soundtrack: it is empty: give the name of a file"),
        ('extends = "\\u0000"', "PATH: extends: '\\x00' is no name of a file"),
        ("description = 1", "PATH: description: this is a text"),
        ("extends = false", "PATH: extends: this is a text"),
        ('[curves]\nbass = "a.csv"', "PATH: [curves]: 'bass' has a meaning in every formula"),
        ('"curves.sin" = "a.csv"', "PATH: [curves]: 'sin' has a meaning in every formula"),
        ('[curves]\n"a b" = "a.csv"', "PATH: [curves]: 'a b' is no name of a curve"),
        ("[curves]\na = 1", "PATH: curves.a: this is a text"),
        ('extends = "none.toml"', "score FOLDER/none.toml cannot be read: No such file"),
        ("strength = ", "score PATH cannot be read: it is not valid TOML"),
        ("a = " + "[" * 5000, "score PATH cannot be read: its lists are nested too deeply"),
        ("a = " + "9" * 5000, "score PATH cannot be read: a number in it has too many digits"),
    ],
)
def test_errors_name_file_setting_key_and_column(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path / "score.toml", text)
    with pytest.raises(SettingsError) as caught:
        read_score(path)
    found = str(caught.value)
    assert "\n" not in found
    assert found.replace(str(path), "PATH").replace(str(tmp_path), "FOLDER").startswith(message)
