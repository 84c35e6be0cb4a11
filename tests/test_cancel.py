"""Every long call reports its progress, can be cancelled, and leaves nothing behind."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import clips
import films
import pytest
import synthetic
from gates import Gate
from waiting import SECONDS, wait_for

from stream_dream import (
    DreamSettings,
    FilmSettings,
    Interrupted,
    LoopSettings,
    OutputSettings,
    Progress,
    StillSettings,
    dream_stills,
    make_loop,
    render,
    render_film,
)
from stream_dream.film.events import FilmEvents
from stream_dream.media.read.picture import Picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.picture import write_picture

Make = Callable[..., DreamSettings]
PIECES = FilmSettings(chunk_seconds=0.24)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """Fail if a thread or a process is left behind."""
    before = set(threading.enumerate())
    yield
    assert [thread.name for thread in set(threading.enumerate()) - before] == []
    assert "ffmpeg" not in " ".join(clips.children())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return films.make_film(tmp_path_factory.mktemp("source") / "source.mp4")


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "photos"
    folder.mkdir()
    picture = Picture(synthetic.photo((48, 32)))
    return [write_picture(picture, folder / f"{name}.png") for name in "ab"]


@dataclass
class Call:
    """What a call reports; it is cancelled once enough is done.

    Attributes:
        enough: How much is done when it is cancelled.
        elsewhere: True to cancel it from another thread, which the callback waits for.
        error: What the callback raises instead of cancelling.
    """

    enough: float
    elsewhere: bool = False
    error: Exception | None = None
    cancel: threading.Event = field(default_factory=threading.Event)
    told: list[Progress] = field(default_factory=list)

    def __call__(self, progress: Progress) -> None:
        """Record the progress; cancel the call, or raise the error."""
        self.told.append(progress)
        if progress.done < self.enough:
            return
        if self.error is not None:
            raise self.error
        if self.elsewhere:
            other = threading.Thread(target=self.cancel.set)
            other.start()
            other.join()
        else:
            self.cancel.set()

    @property
    def given(self) -> dict[str, Any]:
        """The arguments of a call."""
        return {"on_progress": self, "cancel": self.cancel}


def rendered(source: Path, target: Path, dream: DreamSettings, call: Call) -> None:
    render(source, target, dream, OutputSettings(), **call.given)


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_cancelled_render_keeps_its_frames(
    tiny: Make, source: Path, tmp_path: Path, elsewhere: bool
) -> None:
    call = Call(5, elsewhere)
    with pytest.raises(Interrupted, match=r"frames are in \S+a\.interrupted\.mp4") as caught:
        rendered(source, tmp_path / "a.mp4", tiny(), call)
    assert caught.value.exit_code == 130
    with VideoSource(tmp_path / "a.interrupted.mp4") as kept:
        assert 5 <= len(list(kept)) < sum(films.SHOTS)
    assert [path.name for path in tmp_path.iterdir()] == ["a.interrupted.mp4"]
    assert [round(progress.done) for progress in call.told[:5]] == [1, 2, 3, 4, 5]
    assert {progress.total for progress in call.told} == {sum(films.SHOTS)}


@pytest.mark.slow
def test_progress_ends_with_all_frames(tiny: Make, source: Path, tmp_path: Path) -> None:
    call = Call(999)
    rendered(source, tmp_path / "a.mp4", tiny(), call)
    last = call.told[-1]
    assert (last.done, last.total, last.seconds_left) == (43, 43, 0)
    assert last.rate > 0


@pytest.mark.parametrize(
    "function", [rendered, lambda *given: film(*given[:-1], call=given[-1])], ids=["render", "film"]
)
def test_what_was_cancelled_before_does_not_begin(
    tiny: Make, source: Path, tmp_path: Path, function: Callable[..., None]
) -> None:
    call = Call(0)
    call.cancel.set()
    with pytest.raises(Interrupted, match="nothing is lost"):
        function(source, tmp_path / "a.mp4", tiny(), call)
    assert not list(tmp_path.iterdir())
    assert not call.told


def test_cancel_is_an_event(tiny: Make, source: Path, tmp_path: Path) -> None:
    wrong: Any = True
    with pytest.raises(TypeError, match=r"give a threading\.Event"):
        render(source, tmp_path / "a.mp4", tiny(), OutputSettings(), cancel=wrong)


@pytest.mark.slow
def test_an_error_of_a_callback_ends_a_render(tiny: Make, source: Path, tmp_path: Path) -> None:
    error = LookupError("of the callback")
    with pytest.raises(LookupError) as caught:
        rendered(source, tmp_path / "a.mp4", tiny(), Call(3, error=error))
    assert caught.value is error
    assert not list(tmp_path.iterdir())


_PIPED = """
import sys, threading
from pathlib import Path
from stream_dream import DreamSettings, Interrupted, OutputSettings, render
cancel = threading.Event()
if sys.argv[2] == "nothing":
    threading.Timer(0.5, cancel.set).start()
dream = DreamSettings(dream_size=32, warm_up=0, step_size=0, cuts=False)
try:
    render("-", sys.argv[1], dream, OutputSettings(), cancel=cancel,
           on_progress=lambda progress: cancel.set())
except Interrupted as stopped:
    print(stopped)
for thread in threading.enumerate():
    if thread.name == "standard-input":
        thread.join()
print([thread.name for thread in threading.enumerate()])
"""


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize(
    ("sent", "told"), [("nothing", "nothing is lost"), ("frames", "in {}.interrupted.mp4")]
)
def test_a_render_that_waits_for_a_pipe_is_cancelled(tmp_path: Path, sent: str, told: str) -> None:
    target = tmp_path / "a.mp4"
    command = [sys.executable, "-c", _PIPED, str(target), sent]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, stderr=subprocess.PIPE, **pipes) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if sent == "frames":
            given = ("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25", "-frames:v", "20")
            film = clips.ffmpeg(*given, "-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe", "-")
            process.stdin.write(film)
            process.stdin.flush()
        out = process.stdout.read().decode()  # while the pipe stays open
        assert process.wait(SECONDS) == 0
    assert told.format(target.with_suffix("")) in out
    assert out.endswith("['MainThread']\n")


def film(source: Path, target: Path, dream: DreamSettings, *, call: Call, **rest: Any) -> None:
    given = {"film": PIECES, **rest}
    render_film(source, target, dream, OutputSettings(), **given, **call.given)


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_cancelled_film_is_resumed(
    tiny: Make, source: Path, tmp_path: Path, elsewhere: bool
) -> None:
    target, call = tmp_path / "a.mp4", Call(14, elsewhere)
    with pytest.raises(Interrupted, match=r"of 9 chunks are done and kept in .*: continue with"):
        film(source, target, tiny(), call=call)
    assert not target.exists()
    assert not list(tmp_path.glob("a.mp4.dream/*.part"))
    again = Call(999)
    summary = render_film(
        source, target, tiny(), OutputSettings(), PIECES, resume=True, on_progress=again
    )
    assert films.checksums(summary) == films.in_one_piece(source, tmp_path / "b.mp4", tiny())
    assert again.told[0].done > 0
    assert (again.told[-1].done, again.told[-1].total) == (43, 43)


def test_a_film_is_cancelled_while_it_is_planned(tiny: Make, source: Path, tmp_path: Path) -> None:
    call = Call(999)
    events = FilmEvents(planning=lambda frames, total: call.cancel.set())
    with pytest.raises(Interrupted, match="before the first frame: nothing is lost"):
        film(source, tmp_path / "a.mp4", tiny(), call=call, events=events)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_an_error_of_a_callback_ends_a_film(tiny: Make, source: Path, tmp_path: Path) -> None:
    target, error = tmp_path / "a.mp4", LookupError("of the callback")
    with pytest.raises(LookupError) as caught:
        film(source, target, tiny(), call=Call(14, error=error))
    assert caught.value is error
    film(source, target, tiny(), call=Call(999), resume=True)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.slow
@pytest.mark.stops
def test_a_film_that_waits_for_its_workers_is_cancelled(
    gate: Gate, source: Path, tmp_path: Path
) -> None:
    dream = films.dream_of(films.make_network(tmp_path / "network.keras"))
    target, call = tmp_path / "a.mp4", Call(999)
    gate.hold(*range(9))

    def cancel() -> None:
        wait_for(lambda: len(gate.waiting) == 2)
        call.cancel.set()

    other = threading.Thread(target=cancel)
    other.start()
    two = FilmSettings(chunk_seconds=0.24, workers=2)
    with pytest.raises(Interrupted, match="no chunk was finished, nothing is kept"):
        film(source, target, dream, call=call, film=two)
    other.join()
    gate.open()
    assert not multiprocessing.active_children()
    assert not target.with_name("a.mp4.dream").exists()


def stills(photos: list[Path], folder: Path, dream: DreamSettings, call: Call) -> None:
    dream_stills(photos, folder, dream, StillSettings(), **call.given)


@pytest.mark.parametrize("elsewhere", [False, True])
def test_cancelled_pictures_are_kept_as_far_as_they_came(
    tiny: Make, photos: list[Path], tmp_path: Path, elsewhere: bool
) -> None:
    call, folder = Call(1.4, elsewhere), tmp_path / "dreams"
    with pytest.raises(Interrupted, match=r"as far as it came is in \S+; 1 are done"):
        stills(photos, folder, tiny(), call)
    assert sorted(path.name for path in folder.iterdir()) == ["a.png", "b.interrupted.png"]
    assert {progress.total for progress in call.told} == {2}
    rest = Call(999)
    stills(photos, folder, tiny(), rest)  # leaves those that are done
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.png",
        "b.interrupted.png",
        "b.png",
    ]
    assert (rest.told[-1].done, rest.told[-1].total) == (1, 1)


def test_an_error_of_a_callback_ends_pictures(
    tiny: Make, photos: list[Path], tmp_path: Path
) -> None:
    error = LookupError("of the callback")
    with pytest.raises(LookupError) as caught:
        stills(photos, tmp_path / "dreams", tiny(), Call(1.4, error=error))
    assert caught.value is error
    assert [path.name for path in (tmp_path / "dreams").iterdir()] == ["a.png"]


def loop(photo: Path, target: Path, dream: DreamSettings, call: Call) -> None:
    make_loop(photo, target, [dream], LoopSettings(frames=6), **call.given)


@pytest.mark.slow
@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_cancelled_loop_is_closed_as_it_stands(
    tiny: Make, photos: list[Path], tmp_path: Path, elsewhere: bool
) -> None:
    target, call = tmp_path / "a.gif", Call(8, elsewhere)
    with pytest.raises(Interrupted, match=r"as it stood is in \S+a\.interrupted\.gif"):
        loop(photos[0], target, tiny(), call)
    with VideoSource(tmp_path / "a.interrupted.gif") as kept:
        assert len(list(kept)) == 6
    assert not target.exists()
    assert [progress.done for progress in call.told] == list(range(1, 9))


@pytest.mark.slow
def test_a_loop_cancelled_in_its_first_round_is_nothing(
    tiny: Make, photos: list[Path], tmp_path: Path
) -> None:
    with pytest.raises(Interrupted, match="first round: nothing was written"):
        loop(photos[0], tmp_path / "a.gif", tiny(), Call(2))
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


@pytest.mark.slow
def test_an_error_of_a_callback_ends_a_loop(tiny: Make, photos: list[Path], tmp_path: Path) -> None:
    error = LookupError("of the callback")
    with pytest.raises(LookupError) as caught:
        loop(photos[0], tmp_path / "a.gif", tiny(), Call(8, error=error))
    assert caught.value is error
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]
