"""Films that are rendered one after the other, and those that arrive in a folder."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clips
import films
import pytest

import stream_dream
from stream_dream.dream import look_ascents
from stream_dream.dream.ascent import Ascent
from stream_dream.errors import (
    DiskFull,
    Interrupted,
    NetworkError,
    SettingsError,
    SinkError,
    SourceError,
)
from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.events import FilmSummary
from stream_dream.film.execution.chunk_task import ChunkDreamer
from stream_dream.film.execution.scheduler import ChunkFailed
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import RenderSummary, render
from stream_dream.film.queued_films import (
    QueuedFilm,
    is_queue,
    list_films,
    other_files,
    target_of,
)
from stream_dream.film.render_queue import (
    QueueEvents,
    QueueSummary,
    RenderQueue,
    prepare_folder,
)
from stream_dream.film.watch import FolderWatch, check_watched
from stream_dream.frame import FrameReport
from stream_dream.media.read.recipe_text import read_recipe
from stream_dream.runtime.progress import Progress
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.recipe import Recipe
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]

USUAL = OutputSettings()


def touched(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.write_text("film")


# Names


@pytest.mark.parametrize(
    ("source", "output", "target"),
    [
        ("a.mp4", {}, "a.mp4"),
        ("A.MOV", {}, "A.mov"),
        ("a.avi", {}, "a.mp4"),
        ("a.gif", {}, "a.gif"),
        ("a.webm", {}, "a.webm"),
        ("a.m4v", {"codec": "prores"}, "a.mov"),
        ("a.mkv", {"codec": "prores"}, "a.mkv"),
        ("a.gif", {"codec": "h264"}, "a.mp4"),
        ("a.mp4", {"bits": 16}, "a.mov"),
        ("a.gif", {"bits": 10}, "a.mp4"),
        ("a.mp4", {"dream_only": True}, "a.mov"),
        ("frames/%05d.png", {}, "frames.mp4"),
        ("frames/*.png", {}, "frames.mp4"),
    ],
)
def test_a_dream_has_the_name_of_its_source_and_a_format_that_holds_it(
    source: str, output: dict[str, Any], target: str
) -> None:
    settings = validated(OutputSettings, output)
    assert target_of(Path(source), Path("out"), settings) == Path("out", target)


@pytest.mark.parametrize(
    ("suffix", "output", "message"),
    [
        (None, {"codec": "prores", "bits": 8}, "prores has 10 bits, not 8"),
        (".mp4", {"codec": "prores"}, r"\.mp4 does not hold prores"),
        (".gif", {"bits": 10}, r"\.gif has 8 bits, not 10"),
    ],
)
def test_what_no_format_holds_is_refused(
    suffix: str | None, output: dict[str, Any], message: str
) -> None:
    with pytest.raises(SinkError, match=message) as refused:
        list_films([Path("a.gif")], Path("out"), validated(OutputSettings, output), suffix)
    assert refused.value.exit_code == 2


def test_a_format_for_all_is_that_of_all(tmp_path: Path) -> None:
    inputs = [tmp_path / "a.mp4", tmp_path / "b.gif"]
    for path in inputs:
        path.touch()
    found = list_films(inputs, Path("out"), USUAL, ".mkv")
    assert [film.target for film in found] == [Path("out/a.mkv"), Path("out/b.mkv")]


def test_a_folder_gives_its_films_and_names_the_rest(tmp_path: Path) -> None:
    names = ("b.mov", "a.MP4", "notes.txt", "._a.mp4", ".DS_Store", "still.png")
    touched(*(tmp_path / "clips" / name for name in names))
    (tmp_path / "clips" / "deeper.mp4").mkdir()
    found = list_films([tmp_path / "clips"], tmp_path / "out", USUAL)
    assert [film.source.name for film in found] == ["a.MP4", "b.mov"]
    assert [film.target.name for film in found] == ["a.mp4", "b.mov"]
    assert [path.name for path in other_files(tmp_path / "clips")] == ["notes.txt", "still.png"]
    assert other_files(tmp_path / "clips" / "a.MP4") == []


def test_a_folder_of_pictures_is_one_film(tmp_path: Path) -> None:
    touched(*(tmp_path / "frames" / f"{n}.png" for n in range(3)))
    (film,) = list_films([tmp_path / "frames"], tmp_path / "out", USUAL)
    assert film == (tmp_path / "frames", tmp_path / "out" / "frames.mp4")
    assert other_files(tmp_path / "frames") == []


def test_several_films_go_to_a_folder_and_one_to_a_file(tmp_path: Path) -> None:
    frames, clips_folder, mixed = (tmp_path / name for name in ("frames", "clips", "mixed"))
    touched(frames / "1.png", clips_folder / "a.mp4", mixed / "1.png", mixed / "a.mp4")
    film, a, b = tmp_path / "out.mp4", Path("a.mp4"), Path("b.mp4")
    for inputs, output, queued in (
        ([a, b], film, True),
        ([a], film, False),
        ([a], tmp_path, True),
        ([a], tmp_path / "new", True),
        ([a], Path("-"), False),
        ([Path("-")], film, False),
        ([Path("-")], tmp_path, False),
        ([frames], film, False),
        ([mixed], film, False),
        ([frames], tmp_path, True),
        ([mixed], tmp_path, True),
        ([clips_folder], film, True),
    ):
        assert is_queue(inputs, output) == queued, (inputs, output)


def test_what_cannot_be_a_queue_is_refused_in_one_line(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        touched(tmp_path / folder / "a.mp4")
    (tmp_path / "empty").mkdir()
    touched(tmp_path / "mattes" / "a.mp4", tmp_path / "mattes" / "a-visibility.mp4")
    a, one, two = tmp_path / "one" / "a.mp4", tmp_path / "one", tmp_path / "two"
    out, file = tmp_path / "out", tmp_path / "file"
    touched(file)
    for inputs, output, error, message in (
        ([one, two], out, SourceError, "would both become .*out/a.mp4: dream them into two"),
        ([tmp_path / "empty"], out, SourceError, "empty holds no films and no pictures"),
        ([one, two], out / "all.mp4", SinkError, "cannot become .*all.mp4: give a folder"),
        ([one], file, SinkError, "file is a file: give a folder"),
        ([one], one, SinkError, "a.mp4 is one of the inputs"),
        ([a, Path("-")], out, SettingsError, "- is one film"),
        ([a, one], Path("-"), SettingsError, "- is one film"),
    ):
        with pytest.raises(error, match=message) as refused:
            list_films(inputs, output, USUAL)
        assert refused.value.exit_code == 2
    with pytest.raises(SourceError, match=r"would both become .*out/a-visibility\.mp4"):
        list_films([tmp_path / "mattes"], out, validated(OutputSettings, {"matte": True}))
    assert len(list_films([tmp_path / "mattes"], out, USUAL)) == 2
    assert not out.exists()


def test_a_film_that_is_given_twice_is_dreamed_once(tmp_path: Path) -> None:
    touched(tmp_path / "clips" / "a.mp4")
    inputs = [tmp_path / "clips", tmp_path / "clips" / "a.mp4"]
    assert len(list_films(inputs, tmp_path / "out", USUAL)) == 1
    (tmp_path / "clips" / "link.mp4").symlink_to(tmp_path / "clips" / "a.mp4")
    assert len(list_films(inputs, tmp_path / "out", USUAL)) == 2


def test_a_name_that_is_missing_is_told_before_anything_is_done(tmp_path: Path) -> None:
    clips.make(tmp_path / "a.mp4", seconds=0.2)
    for name in ("b.mp4", "no/*.mp4", "*.avi"):
        with pytest.raises(SourceError, match="check the name"):
            list_films([tmp_path / "a.mp4", tmp_path / name], tmp_path / "dreams", USUAL)
    assert not (tmp_path / "dreams").exists()


def test_a_wildcard_that_no_shell_has_filled_in_gives_its_films(tmp_path: Path) -> None:
    for name in ("a1.mp4", "a2.mp4", "b.mp4", "a3.mov"):
        (tmp_path / name).touch()
    found = list_films([tmp_path / "a*.mp4"], tmp_path / "dreams", USUAL)
    assert [film.source.name for film in found] == ["a1.mp4", "a2.mp4"]


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    prepare_folder(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()
    touched(tmp_path / "file")
    with pytest.raises(SinkError, match="cannot be made"):
        prepare_folder(tmp_path / "file" / "folder")


# One after the other


@dataclass
class FakeRender:
    """Writes an empty target; does what is told of a source instead."""

    instead: Mapping[str, BaseException] = field(default_factory=dict)
    rendered: list[str] = field(default_factory=list)
    resumed: list[str] = field(default_factory=list)

    def __call__(self, film: QueuedFilm, ascents: AscentCache, *, resume: bool) -> RenderSummary:
        """Write the target of a film."""
        self.rendered.append(film.source.name)
        if resume:
            self.resumed.append(film.source.name)
        if film.source.name in self.instead:
            raise self.instead[film.source.name]
        film.target.write_text("dream")
        return RenderSummary(film.target, 5, 0.5, 10.0, {}, None, "software")


def queued(folder: Path, *names: str) -> list[QueuedFilm]:
    folder.mkdir(exist_ok=True)
    return [QueuedFilm(Path(name), folder / name) for name in names]


def test_one_failure_does_not_stop_the_rest(tmp_path: Path) -> None:
    failures = {"b.mp4": SourceError("b.mp4 is no film"), "c.mp4": ValueError("odd\nmore")}
    fake, told = FakeRender(failures), list[object]()
    events = QueueEvents(
        started=lambda film, number, count: told.append((number, count)),
        finished=lambda film, done: told.append(done.frames),
        failed=lambda film, line, exit_code: told.append((line, exit_code)),
    )
    with RenderQueue(fake, events=events) as queue:
        queue.run(queued(tmp_path, "a.mp4", "b.mp4", "c.mp4", "d.mp4"))
    assert [path.name for path in queue.summary.written] == ["a.mp4", "d.mp4"]
    lines = ["b.mp4 is no film", "c.mp4: ValueError: odd"]
    assert list(queue.summary.failed.values()) == lines
    assert queue.summary.frames == 10
    assert told == [(1, 4), 5, (2, 4), (lines[0], 2), (3, 4), (lines[1], 1), (4, 4), 5]


def test_what_is_done_is_left_alone(tmp_path: Path) -> None:
    names, told = ("a.mp4", "b.mp4", "c.mp4"), list[Sequence[QueuedFilm]]()
    jobs = queued(tmp_path, *names)
    touched(tmp_path / "b.mp4")
    for overwrite, rendered in ((False, ["a.mp4", "c.mp4"]), (False, []), (True, [*names])):
        fake = FakeRender()
        with RenderQueue(
            fake, overwrite=overwrite, events=QueueEvents(skipped=told.append)
        ) as queue:
            queue.run(jobs)
        assert fake.rendered == rendered
        assert len(queue.summary.skipped) == 3 - len(rendered)
    assert [len(films) for films in told] == [1, 3]


def test_what_another_process_has_done_meanwhile_is_left_alone(tmp_path: Path) -> None:
    fake = FakeRender()
    events = QueueEvents(started=lambda *_: touched(tmp_path / "b.mp4"))
    with RenderQueue(fake, events=events) as queue:
        queue.run(queued(tmp_path, "a.mp4", "b.mp4"))
    assert fake.rendered == ["a.mp4"]
    assert (tmp_path / "b.mp4").read_text() == "film"


def test_a_wrong_network_ends_the_queue(tmp_path: Path) -> None:
    fake = FakeRender({"a.mp4": NetworkError("no such layer")})
    with RenderQueue(fake) as queue, pytest.raises(NetworkError, match="no such layer"):
        queue.run(queued(tmp_path, "a.mp4", "b.mp4"))
    assert fake.rendered == ["a.mp4"]


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    "error",
    [
        DiskFull("no space"),
        OSError(errno.ENOSPC, "no space"),
        caused(SinkError("no space"), caused(SinkError("no"), DiskFull("full"))),
        caused(SinkError("no space"), OSError(errno.EDQUOT, "quota")),
    ],
)
def test_a_full_disk_ends_the_queue(tmp_path: Path, error: Exception) -> None:
    fake = FakeRender({"b.mp4": error})
    with RenderQueue(fake) as queue, pytest.raises(DiskFull, match="1 done, 2 left: make room"):
        queue.run(queued(tmp_path, "a.mp4", "b.mp4", "c.mp4"))
    assert fake.rendered == ["a.mp4", "b.mp4"]


def test_a_film_in_chunks_ends_the_queue_on_a_full_disk(
    source: Path, network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise DiskFull("no space left")

    monkeypatch.setattr(ChunkDreamer, "dream", full)

    def in_chunks(film: QueuedFilm, ascents: AscentCache, *, resume: bool) -> FilmSummary:
        dream = films.dream_of(network)
        return render_film(*film, dream, USUAL, films.SHORT_CHUNKS, ascents=ascents)

    jobs = [QueuedFilm(source, tmp_path / name) for name in ("a.mp4", "b.mp4")]
    with RenderQueue(in_chunks) as queue, pytest.raises(DiskFull, match="no space left") as full_:
        queue.run(jobs)
    assert isinstance(full_.value.__cause__, ChunkFailed)
    assert not (tmp_path / "b.mp4.dream").exists()


@pytest.mark.parametrize(
    ("stop", "message"),
    [
        (Interrupted("the first 3 frames are in b.interrupted.mp4"), "the first 3 frames are in"),
        (KeyboardInterrupt(), "interrupted at b.mp4"),
        (caused(SinkError("it is cut"), KeyboardInterrupt()), "it is cut"),
        (
            caused(AttributeError("partially initialized module"), KeyboardInterrupt()),
            "interrupted at b.mp4",
        ),
    ],
)
def test_ctrl_c_keeps_what_is_finished_and_says_where(
    tmp_path: Path, stop: BaseException, message: str
) -> None:
    fake = FakeRender({"b.mp4": stop})
    with (
        RenderQueue(fake) as queue,
        pytest.raises(Interrupted, match=f"{message}.*; 1 done, 2 not begun"),
    ):
        queue.run(queued(tmp_path, "a.mp4", "b.mp4", "c.mp4", "d.mp4"))
    assert fake.rendered == ["a.mp4", "b.mp4"]
    assert [path.name for path in queue.summary.written] == ["a.mp4"]


@pytest.mark.slow
def test_resume_goes_on_with_what_was_begun_alone(
    source: Path, network: Path, tmp_path: Path
) -> None:
    dream = films.dream_of(network)
    folder = films.interrupted_job(source, tmp_path / "b.mp4", dream, 2)
    touched(tmp_path / "a.mp4")
    asked: list[tuple[str, bool]] = []

    def either(film: QueuedFilm, ascents: AscentCache, *, resume: bool) -> Any:
        asked.append((film.target.name, resume))
        if resume:
            settings = films.SHORT_CHUNKS
            return render_film(*film, dream, USUAL, settings, resume=True, ascents=ascents)
        return FakeRender()(film, ascents, resume=False)

    jobs = [QueuedFilm(source, tmp_path / name) for name in ("a.mp4", "b.mp4", "c.mp4")]
    with RenderQueue(either, resume=True) as queue:
        queue.run(jobs)
    assert asked == [("b.mp4", True), ("c.mp4", False)]
    assert (tmp_path / "a.mp4").read_text() == "film"
    assert not folder.exists()
    assert len(films.frames_of(tmp_path / "b.mp4")) == sum(films.SHOTS)


# The network


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[DreamSettings]:
    """Return the list of the looks whose networks were built."""
    found: list[DreamSettings] = []

    def build(settings: DreamSettings, *rest: Any, **more: Any) -> Ascent:
        found.append(settings)
        return Ascent(settings, *rest, **more)

    monkeypatch.setattr(look_ascents, "Ascent", build)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("tracks", [{}, {"evenness": "0:(0.2), 10:(0.8)"}])
def test_the_network_is_built_once_for_films_of_any_length(
    source: Path, tmp_path: Path, tiny: Make, built: list[DreamSettings], tracks: dict[str, str]
) -> None:
    dream, automation = tiny(), Automation(tracks=tracks)
    short = clips.make(tmp_path / "short.mp4", seconds=0.2)
    found: dict[str, list[int]] = {}

    def either(film: QueuedFilm, ascents: AscentCache, *, resume: bool) -> Any:
        reports: list[FrameReport] = []
        if film.source == source:
            done = render_film(*film, dream, USUAL, films.SHORT_CHUNKS, automation, ascents=ascents)
            found[film.target.stem] = films.checksums(done)
            return done
        summary = render(
            *film,
            dream,
            USUAL,
            automation,
            checksums=True,
            ascents=ascents,
            on_report=reports.append,
        )
        found[film.target.stem] = [report.checksum or 0 for report in reports]
        return summary

    names = {"a": short, "b": source, "c": short, "d": source}
    with RenderQueue(either) as queue:
        queue.run([QueuedFilm(path, tmp_path / f"{name}.mp4") for name, path in names.items()])
    assert queue.summary.failed == {}
    assert built == [dream]
    # A network that was used before dreams the same.
    assert found["a"] == found["c"]
    assert found["b"] == found["d"]


@pytest.mark.slow
def test_a_film_in_chunks_builds_its_network_once(
    source: Path, tmp_path: Path, tiny: Make, built: list[DreamSettings]
) -> None:
    render_film(source, tmp_path / "film.mp4", tiny(), USUAL, films.SHORT_CHUNKS)
    assert len(built) == 1


def test_another_look_replaces_the_network(tiny: Make, built: list[DreamSettings]) -> None:
    cache, other = AscentCache(), tiny(layer=["conv1"])
    first = cache.of_looks([tiny()])
    assert cache.of_looks([tiny()]) is first
    assert cache.of_looks([other]) is not first
    cache.close()
    assert built == [tiny(), other]


@pytest.mark.slow
def test_films_are_rendered_from_python(source: Path, network: Path, tmp_path: Path) -> None:
    inputs, dreams = tmp_path / "in", tmp_path / "dreams"
    inputs.mkdir()
    shutil.copy(source, inputs / "long.mp4")
    clips.make(inputs / "short.avi", seconds=0.2)
    recipe = Recipe.of_look(films.dream_of(network), command="render", source="other.mp4")

    def render_all(**more: Any) -> QueueSummary:
        return stream_dream.render_films(
            [inputs], dreams, films.dream_of(network), USUAL, films.SHORT_CHUNKS, **more
        )

    def interrupt(film: QueuedFilm, number: int, count: int | None) -> None:
        if number == 2:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted, match=r"interrupted at .*short\.avi; 1 done"):
        render_all(recipe=recipe, events=QueueEvents(started=interrupt))
    summary = render_all(recipe=recipe)
    assert summary.skipped == [dreams / "long.mp4"]
    assert summary.written == [dreams / "short.mp4"]
    assert len(films.frames_of(dreams / "long.mp4")) == sum(films.SHOTS)
    assert len(films.frames_of(dreams / "short.mp4")) == 5
    assert read_recipe(dreams / "long.mp4").source == "long.mp4"
    assert read_recipe(dreams / "short.mp4").source == "short.avi"
    found = films.interrupted_job(
        source, tmp_path / "dreams" / "left.mp4", films.dream_of(network), 1
    )
    shutil.copy(source, inputs / "left.mp4")
    (line,) = render_all().failed.values()
    assert f"{found} holds a render that was begun" in line
    assert render_all(resume=True).written == [dreams / "left.mp4"]


@pytest.mark.slow
def test_a_queue_is_cancelled_from_python(tiny: Make, source: Path, tmp_path: Path) -> None:
    cancel, seen = threading.Event(), []

    def follow(progress: Progress) -> None:
        seen.append(progress.done)
        if len(seen) == 3:
            cancel.set()

    shutil.copy(source, tmp_path / "film.mp4")
    shutil.copy(source, tmp_path / "other.mp4")
    inputs, dreams = [tmp_path / "film.mp4", tmp_path / "other.mp4"], tmp_path / "dreams"
    with pytest.raises(Interrupted, match=r"film\.interrupted\.mp4; 0 done, 1 not begun"):
        stream_dream.render_films(inputs, dreams, tiny(), USUAL, on_progress=follow, cancel=cancel)
    assert [path.name for path in dreams.iterdir()] == ["film.interrupted.mp4"]


# Watching


@dataclass
class Steps:
    """Does one thing after the other where a watch pauses, then presses Ctrl-C."""

    left: list[Callable[[], object]]

    def __call__(self) -> None:
        """Do the next thing."""
        if not self.left:
            raise KeyboardInterrupt
        self.left.pop(0)()


def watched(queue: RenderQueue, folder: Path, output: Path, *steps: Callable[[], object]) -> None:
    """Watch a folder whose files need not stand still."""
    queue.watch(
        folder,
        lambda source: target_of(source, output, USUAL),
        FolderWatch(folder, still_seconds=0),
        Steps([*steps]),
    )


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Return a folder to watch and one for its dreams."""
    inbox, dreams = tmp_path / "in", tmp_path / "in" / "dreams"
    dreams.mkdir(parents=True)
    return inbox, dreams


def test_a_watch_dreams_what_arrives_until_ctrl_c(folders: tuple[Path, Path]) -> None:
    inbox, dreams = folders
    touched(inbox / "a.mp4")
    fake = FakeRender()
    with RenderQueue(fake) as queue:
        watched(queue, inbox, dreams, lambda: touched(inbox / "b.mov", inbox / "b.txt"))
    assert fake.rendered == ["a.mp4", "b.mov"]
    assert sorted(path.name for path in dreams.iterdir()) == ["a.mp4", "b.mov"]
    fake = FakeRender()
    with RenderQueue(fake) as queue:  # after a restart
        watched(queue, inbox, dreams)
    assert fake.rendered == []
    assert len(queue.summary.skipped) == 2


def test_a_film_that_failed_is_tried_again_when_it_has_changed(
    folders: tuple[Path, Path],
) -> None:
    inbox, dreams = folders
    fake = FakeRender({"a.mp4": SourceError("a.mp4 is cut short")})

    def complete() -> None:
        fake.instead = {}
        (inbox / "a.mp4").write_text("the whole film")

    touched(inbox / "a.mp4")
    with RenderQueue(fake) as queue:
        watched(queue, inbox, dreams, lambda: None, lambda: None, complete)
    assert fake.rendered == ["a.mp4", "a.mp4"]
    assert queue.summary.failed == {}
    assert (dreams / "a.mp4").exists()


def test_a_film_that_is_gone_again_is_no_failure(folders: tuple[Path, Path]) -> None:
    inbox, dreams = folders
    fake, film = FakeRender({"a.mp4": SourceError("it does not exist")}), inbox / "a.mp4"
    touched(film)
    os.utime(film, (1, 1))

    def back() -> None:
        fake.instead = {}
        touched(film)
        os.utime(film, (1, 1))

    with RenderQueue(fake, events=QueueEvents(started=lambda *_: film.unlink())) as queue:
        watched(queue, inbox, dreams, lambda: None, back)
    assert fake.rendered == ["a.mp4", "a.mp4"]
    assert queue.summary.failed == {}


def test_two_films_that_arrive_with_one_target_do_not_get_lost(
    folders: tuple[Path, Path],
) -> None:
    inbox, dreams = folders
    fake = FakeRender()
    touched(inbox / "a.avi", inbox / "a.mp4")
    with RenderQueue(fake) as queue:
        watched(queue, inbox, dreams, lambda: touched(inbox / "a.mpg"))
    assert fake.rendered == ["a.avi"]
    assert list(queue.summary.failed) == [inbox / "a.mp4", inbox / "a.mpg"]
    assert "a.mp4 is the dream of" in queue.summary.failed[inbox / "a.mpg"]


def test_ctrl_c_in_the_middle_of_a_film_is_an_interruption(folders: tuple[Path, Path]) -> None:
    inbox, dreams = folders
    touched(inbox / "a.mp4", inbox / "b.mp4")
    fake = FakeRender({"b.mp4": KeyboardInterrupt()})
    with (
        RenderQueue(fake) as queue,
        pytest.raises(Interrupted, match=r"interrupted at .*b\.mp4; 1 done$"),
    ):
        watched(queue, inbox, dreams)


def test_ctrl_c_after_a_film_is_the_end_of_a_watch(folders: tuple[Path, Path]) -> None:
    inbox, dreams = folders
    touched(inbox / "a.mp4", inbox / "b.mp4")

    def interrupt(film: QueuedFilm, done: object) -> None:
        raise KeyboardInterrupt

    with RenderQueue(FakeRender(), events=QueueEvents(finished=interrupt)) as queue:
        watched(queue, inbox, dreams)
    assert [path.name for path in queue.summary.written] == ["a.mp4"]
    with (
        RenderQueue(FakeRender(), events=QueueEvents(finished=interrupt)) as queue,
        pytest.raises(Interrupted, match="interrupted between two films; 1 done"),
    ):
        queue.run(queued(inbox.with_name("others"), "a.mp4", "b.mp4"))


def test_a_folder_that_is_away_for_a_while_is_waited_for(folders: tuple[Path, Path]) -> None:
    inbox, dreams = folders
    away, notes, fake = inbox.with_name("away"), films.Notes(), FakeRender()
    dreams = dreams.rename(inbox.with_name("dreams"))
    steps = (lambda: inbox.rename(away), lambda: None, lambda: away.rename(inbox))
    with RenderQueue(fake, events=QueueEvents(note=notes)) as queue:
        watched(queue, inbox, dreams, *steps, lambda: touched(inbox / "a.mp4"))
    assert fake.rendered == ["a.mp4"]
    assert len(notes.lines) == 1
    assert "no folder that can be read: waiting for it" in notes


def test_a_file_is_taken_when_it_has_stood_still(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr("stream_dream.film.watch.time.monotonic", lambda: clock[0])
    folder, film = FolderWatch(tmp_path, still_seconds=5), tmp_path / "a.mp4"

    def after(seconds: float) -> list[str]:
        clock[0] += seconds
        return [path.name for path in folder.arrived()]

    film.write_text("a")
    assert after(0) == []
    assert after(4) == []
    film.write_text("ab")  # it grows
    assert after(4) == []
    assert after(4) == []
    os.utime(film, ns=(1, 1))  # its size is final, its contents are not
    assert after(4) == []
    assert after(5) == ["a.mp4"]
    assert after(50) == []
    film.write_text("abc")
    assert after(50) == []
    assert after(5) == ["a.mp4"]
    film.unlink()
    assert after(5) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_no_film_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    (tmp_path / "a.mp4").touch()
    watch = FolderWatch(tmp_path, still_seconds=0)
    assert watch.arrived() == [tmp_path / "a.mp4"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_is_taken_when_it_can_be_opened(tmp_path: Path) -> None:
    folder, film = FolderWatch(tmp_path, still_seconds=0), tmp_path / "a.mp4"
    film.write_text("a")
    film.chmod(0)
    assert folder.arrived() == []
    film.chmod(0o600)
    assert folder.arrived() == [film]


def test_what_cannot_be_watched_is_refused_in_one_line(tmp_path: Path) -> None:
    out, film = tmp_path / "out", tmp_path / "a.mp4"
    touched(film)
    (tmp_path / "link").symlink_to(tmp_path)
    for inputs, output, error, message in (
        ([film], out, SettingsError, "--watch needs one folder, not .*a.mp4"),
        ([Path("-")], out, SettingsError, "--watch needs one folder, not -"),
        ([tmp_path / "none"], out, SettingsError, "--watch needs one folder, not .*none"),
        ([tmp_path, tmp_path], out, SettingsError, "--watch needs one folder"),
        ([tmp_path], tmp_path, SinkError, "is watched, and dreams would be dreamed again"),
        ([tmp_path], tmp_path / "link", SinkError, "is watched"),
        ([tmp_path], out / "all.mp4", SinkError, "give a folder"),
        ([tmp_path], Path("-"), SettingsError, "- is one film"),
    ):
        with pytest.raises(error, match=message) as refused:
            check_watched(inputs, output)
        assert refused.value.exit_code == 2
