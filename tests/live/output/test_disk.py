"""Old films that go, and everything else that stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stream_dream.errors import SinkError
from stream_dream.live.output import disk as module
from stream_dream.live.output.disk import check_room, prune

DATES = ("20260101-000000", "20260102-000000", "20260103-000000", "20260104-000000")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for date in DATES:
        (tmp_path / f"show_{date}.mkv").write_bytes(bytes(1000))
    return tmp_path


def left(folder: Path) -> list[str]:
    names = [path.stem.removeprefix("show_") for path in folder.glob("show_2*.mkv")]
    return sorted(names)


def test_the_oldest_go_until_the_rest_fits(folder: Path) -> None:
    removed = prune(folder / "show.mkv", 2500, keep=())
    assert [path.stem.removeprefix("show_") for path in removed] == list(DATES[:2])
    assert left(folder) == list(DATES[2:])
    assert prune(folder / "show.mkv", 2500, keep=()) == []


def test_films_being_written_stay(folder: Path) -> None:
    keep = [folder / f"show_{date}.mkv" for date in (DATES[0], DATES[3])]
    prune(folder / "show.mkv", 0, keep=keep)
    assert left(folder) == [DATES[0], DATES[3]]


def test_a_film_goes_even_if_all_fit(folder: Path) -> None:
    oldest = folder / f"show_{DATES[0]}.mkv"
    removed = prune(folder / "show.mkv", 10**9, keep=[oldest], at_least=1)
    assert removed == [folder / f"show_{DATES[1]}.mkv"]
    assert left(folder) == [DATES[0], *DATES[2:]]
    assert prune(folder / "nothing.mkv", 10**9, keep=(), at_least=1) == []


def test_a_clock_that_was_behind_makes_no_film_the_oldest(folder: Path) -> None:
    newest = folder / "show_20240101-000000.mkv"
    newest.write_bytes(bytes(1000))
    for number, path in enumerate([*sorted(folder.glob("show_2026*.mkv")), newest]):
        os.utime(path, (number, number))
    prune(folder / "show.mkv", 1500, keep=())
    assert left(folder) == ["20240101-000000"]


def test_nothing_else_is_removed(folder: Path) -> None:
    others = [
        "show.mkv",
        "show_20260101-000000.mkv.part",
        "show_20260101-000000_1.mkv",
        "show_2026.mkv",
        "myshow_20260101-000000.mkv",
        "show_20260101-000000.mp4",
        "snapshot_20260101-000000.png",
    ]
    for name in others:
        (folder / name).touch()
    (folder / "show_20250101-000000.mkv").mkdir()
    os.symlink(folder / "show.mkv", folder / "show_20250102-000000.mkv")
    prune(folder / "show.mkv", 0, keep=())
    stay = [*others, "show_20250101-000000.mkv", "show_20250102-000000.mkv"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(stay)


def test_a_disk_that_is_nearly_full_is_told(folder: Path) -> None:
    check_room(folder, least=1)
    with pytest.raises(SinkError, match=r"the disk has only .* GB left: free some of it"):
        check_room(folder, least=10**18)
    with pytest.raises(SinkError, match="cannot be read"):
        check_room(folder / "gone")


def test_a_film_that_cannot_be_removed_is_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unlink = Path.unlink

    def refuse(path: Path, missing_ok: bool = False) -> None:
        if DATES[0] in path.name:
            raise PermissionError(13, "Permission denied")
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    assert len(prune(folder / "show.mkv", 1500, keep=())) == 3
    assert left(folder) == [DATES[0]]


def test_a_film_that_somebody_else_removes_meanwhile_is_no_fault(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = module.dated_films(folder / "show.mkv")
    next(iter(films)).unlink()
    monkeypatch.setattr(module, "dated_films", lambda film: films)
    prune(folder / "show.mkv", 2000, keep=())
    assert left(folder) == list(DATES[2:])
