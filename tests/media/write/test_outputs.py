"""The rules for all written files: overwriting, inputs, names of every kind."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from datetime import datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import clips
import numpy as np
import pytest

from stream_dream.film.job.job_folder import JobFolder
from stream_dream.live.show_file import ShowFile, write_config
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.atomic import reserve
from stream_dream.media.write.output_paths import dated_name, free_name, interrupted_name
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings

Run = Callable[..., tuple[int, str, str]]
Write = Callable[[Path], object]

IMAGE = np.full((48, 64, 3), 90, np.uint8)
TINY = ("--network", "tiny", "--layer", "conv1", "--dream-size", "32", "--warm-up", "0", "-q")


def write_film(path: Path) -> None:
    with VideoSink(path, size=(64, 48), fps=Fraction(25), overwrite=True) as sink:
        sink.write(IMAGE)


def write_a_picture(path: Path) -> None:
    write_picture(Picture(IMAGE), path, overwrite=True)


def write_a_config(path: Path) -> None:
    write_config(path, ShowFile({"source": "test"}), overwrite=True)


WRITERS = pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.mp4", write_film),
        ("a.gif", write_film),
        ("a.png", write_a_picture),
        ("a.toml", write_a_config),
    ],
)


@pytest.fixture
def film(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a short film in the folder that commands are run in."""
    monkeypatch.chdir(tmp_path)
    return clips.make(tmp_path / "v.mp4", "-c:v", "libx264", seconds=0.12)


@WRITERS
def test_overwriting_keeps_the_permissions(tmp_path: Path, name: str, write: Write) -> None:
    path = tmp_path / name
    path.write_text("private")
    path.chmod(0o600)
    write(path)
    assert path.read_bytes() != b"private"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@WRITERS
@pytest.mark.parametrize("there", [True, False])
def test_links_are_followed(tmp_path: Path, name: str, write: Write, there: bool) -> None:
    (tmp_path / "big").mkdir()
    lies, link = tmp_path / "big" / name, tmp_path / f"link{Path(name).suffix}"
    if there:
        lies.write_text("old")
    link.symlink_to(lies)
    write(link)
    assert link.is_symlink()
    assert lies.stat().st_size > 10
    assert sorted(os.listdir(tmp_path)) == ["big", link.name]
    assert os.listdir(tmp_path / "big") == [name]


@pytest.mark.slow
@pytest.mark.parametrize("length", [244, 250, 251, 255])
@WRITERS
def test_long_names_are_written(tmp_path: Path, name: str, write: Write, length: int) -> None:
    suffix = Path(name).suffix
    for letter in ("y", "é"):
        letters = (length - len(suffix)) // len(os.fsencode(letter))
        path = tmp_path / f"{letter * letters}{suffix}"
        write(path)
        assert path.stat().st_size > 10
    assert len(os.listdir(tmp_path)) == 2


@pytest.mark.parametrize("stem", ["y" * 251, "é" * 125, "日" * 83])
def test_names_that_belong_to_a_long_one_are_not_longer(tmp_path: Path, stem: str) -> None:
    path = tmp_path / f"{stem}.mp4"
    path.touch()
    made = [
        free_name(path),
        interrupted_name(path),
        interrupted_name(path, ".mkv"),
        dated_name(path, datetime(2026, 1, 2, 3, 4, 5)),
        JobFolder(path).path,
        reserve(path),
    ]
    assert len({*made, path}) == 7
    for name in made:
        assert len(os.fsencode(name.name)) <= 255
        os.fsencode(name.name).decode()  # no character is cut in two
        assert not name.exists() or name == made[-1]
    assert JobFolder(tmp_path / f"{stem[:-1]}.mp4").path != JobFolder(path).path


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ("render", "v.mp4", "NAME"),
        ("render", "NAME", "o.mp4"),
        ("render", "v.mp4", "o.mp4", "--mask", "NAME"),
        ("render", "v.mp4", "o.mp4", "--guide", "NAME"),
        ("render", "v.mp4", "o.mp4", "--weights", "NAME"),
        ("render", "v.mp4", "o.mp4", "--report", "NAME"),
        ("render", "v.mp4", "o.mp4", "--preset", "NAME.toml"),
        ("image", "p.png", "--out", "NAME", "o.png"),
        ("image", "NAME", "o.png"),
        ("loop", "p.png", "NAME"),
        ("loop", "NAME", "o.gif"),
        ("looks", "p.png", "NAME"),
        ("looks", "NAME", "o.png"),
        ("plan", "v.mp4", "--contact-sheet", "NAME"),
        ("plan", "NAME"),
        ("live", "--source", "test", "--duration", "1", "--write-config", "NAME"),
        ("live", "--source", "test", "--duration", "1", "--record", "NAME"),
        ("live", "--source", "test", "--duration", "1", "--config", "NAME"),
        ("live", "--source", "NAME", "--duration", "1"),
        ("networks", "--out", "NAME", "--weights", "v.mp4", "--network", "tiny"),
    ],
    ids=" ".join,
)
def test_names_that_no_file_can_have_are_refused_in_one_line(
    run: Run, film: Path, tiny: Callable[..., DreamSettings], arguments: tuple[str, ...]
) -> None:
    tiny()
    write_a_picture(film.with_name("p.png"))
    film.with_name("folder").mkdir()
    before = sorted(os.listdir(film.parent))
    plays_folders = arguments[:3] == ("live", "--source", "NAME")
    folders = ("/", "..", "folder", "folder/")
    # A film may be a folder of pictures.
    reads_pictures = {"render NAME", "plan NAME", "--guide NAME"} & {
        " ".join(pair) for pair in pairwise(arguments)
    }
    for name in ("", ".", "/", "..", "folder", "folder/", "a\0b.mp4", "y" * 300):
        if plays_folders and name in (".", "..", "/"):
            continue  # whatever clips there are, a show plays them
        if arguments == ("render", "v.mp4", "NAME") and name in folders:
            continue  # a film may go to a folder
        if reads_pictures and name == ".":
            continue  # the one picture in it is a film
        code, _, said = run(*(word.replace("NAME", name) for word in arguments))
        assert code == 2, (name, said)
        assert len(said.splitlines()) == 1, said
        assert "Error" not in said
        assert sorted(os.listdir(film.parent)) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "lost"),
    [
        (("render", "v.mp4", "v.mp4"), "v.mp4"),
        (("render", "v.mp4", "g.mp4", "--guide", "g.mp4"), "g.mp4"),
        (("render", "v.mp4", "link.mp4", "--guide", "g.mp4"), "g.mp4"),
        (("render", "v.mp4", "g.mp4", "--mask", "g.mp4"), "g.mp4"),
        (("render", "v.mp4", "o.mp4", "--report", "v.mp4"), "v.mp4"),
        (("render", "v.mp4", "o.mp4", "--preset", "my.toml", "--report", "my.toml"), "my.toml"),
        (("render", "v.mp4", "g.mp4", "--guide", "g.mp4", "--chunk-seconds", "0.04"), "g.mp4"),
        (("image", "p.png", "q.png", "--guide", "q.png"), "q.png"),
        (("image", "p.png", "o.png", "--out", "g.mp4", "--guide", "g.mp4"), "g.mp4"),
        (("loop", "v.mp4", "g.mp4", "--guide", "g.mp4", "--bounce"), "g.mp4"),
        (("loop", "p.png", "o.gif", "--guide", "o.png", "--poster"), "o.png"),
        (("looks", "p.png", "p.png"), "p.png"),
        (("plan", "v.mp4", "--contact-sheet", "q.png", "--guide", "q.png"), "q.png"),
        (("live", "--source", "v.mp4", "--write-config", "v.mp4"), "v.mp4"),
        # A show may keep the file that it was started with, but only if it is told to overwrite it.
        (("live", "--config", "show.toml", "--write-config", "show.toml"), None),
        (("live", "--source", "test", "--write-config", "show.toml"), None),
        (("live", "--source", "test", "--guide", "q.png", "--write-config", "q.png"), "q.png"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_no_input_is_ever_replaced(
    run: Run,
    film: Path,
    tiny: Callable[..., DreamSettings],
    arguments: tuple[str, ...],
    lost: str | None,
) -> None:
    tiny()
    folder = film.parent
    for name in ("p.png", "q.png", "o.png"):
        write_a_picture(folder / name)
    (folder / "g.mp4").write_bytes(film.read_bytes())
    (folder / "link.mp4").symlink_to(folder / "g.mp4")
    (folder / "my.toml").write_text('extends = "dogs"\n')
    (folder / "show.toml").write_text('source = "test"\n')
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    if lost is None:  # it is no input, but exists, and overwriting was not requested
        code, _, said = run(*arguments, "--duration", "1")
        assert "exists already" in said
    else:
        ending = ("--duration", "1", "--overwrite") if arguments[0] == "live" else ("--overwrite",)
        code, _, said = run(*arguments, *ending)
        assert "is one of the inputs" in said
    assert code == 2
    assert len(said.splitlines()) == 1
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.slow
def test_a_film_is_made_in_a_folder_that_is_not_utf8(
    run: Run, film: Path, tiny: Callable[..., DreamSettings]
) -> None:
    tiny()
    folder = film.with_name(os.fsdecode(b"caf\xe9 'x'"))
    folder.mkdir()
    target, report = folder / os.fsdecode(b"\xff.mp4"), folder / "report.json"
    whole = ("render", "v.mp4", str(target), "--chunk-seconds", "0.04", "--report", str(report))
    code, _, said = run(*whole, *TINY)
    assert (code, said) == (0, "")
    assert sorted(path.name for path in folder.iterdir()) == ["report.json", target.name]


@pytest.mark.parametrize("chunks", [(), ("--chunk-seconds", "0.04")], ids=["whole", "chunks"])
def test_a_size_that_no_encoder_takes_is_refused_before_the_dream(
    run: Run, film: Path, tiny: Callable[..., DreamSettings], chunks: tuple[str, ...]
) -> None:
    tiny()
    code, _, said = run(
        "render", "v.mp4", "o.mp4", "--size", "9000x48", "--compare", *chunks, *TINY
    )
    assert code == 2
    assert said.splitlines()[-1].endswith(
        "o.mp4 would have 18000x48 pixels, its format holds 16384 a side: "
        "choose a smaller size or another format"
    )
    assert os.listdir(film.parent) == ["v.mp4"]
