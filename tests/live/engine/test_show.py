"""A whole show on the tiny network, with the test picture."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import synthetic
from waiting import SECONDS, wait_for

from stream_dream.errors import SourceError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.live.capture.feed import Ended, Feed
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.live_mask import LiveMask
from stream_dream.live.capture.pushed_feed import PushedFeed
from stream_dream.live.capture.sources import feed_opener
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.live_dream import for_live
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.live.engine.show import Show
from stream_dream.live.output.saver import Saver
from stream_dream.live.status import LiveStatus
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveSettings

pytestmark = pytest.mark.stops


class _RecordingView:
    """A view that records its images and statuses."""

    def __init__(self) -> None:
        self.images: list[Image8] = []
        self.statuses: list[LiveStatus] = []
        self.problem: str | None = None
        self.closed = False

    def show(self, image: Image8, status: LiveStatus) -> None:
        self.images.append(image)
        self.statuses.append(status)

    def close(self) -> None:
        self.closed = True


class _Playing:
    """A show in a thread, with its controls, looks, views and saver."""

    def __init__(
        self,
        tiny: Callable[..., DreamSettings],
        folder: Path,
        connect: Callable[[], Feed],
        listener: Callable[[LiveStatus], None] = lambda status: None,
        mask: LiveMask | None = None,
        journey: bool = False,
        **tracks: str,
    ) -> None:
        made = {
            "one": for_live(tiny(step_size=0.02, dream_size=160)),
            "other": for_live(tiny(layer=["conv1"], step_size=0.02, dream_size=160)),
        }
        self.controls = Controls(parameters_of(made["one"]), made, "one")
        self.controls.journey = journey
        self.controls.change({"glide": 0.2})
        program = LiveProgram(Automation(tracks=tracks), made, self.controls, None)
        self.controls.automate = program.parameters
        self.looks = CompiledLooks(made, "one", program.varying)
        self.saver = Saver(folder, minutes=5, fps=25)
        self.recorded = _RecordingView()
        framing = Framing(LiveSettings())
        parts = (connect, framing, self.looks, self.controls, made["one"], self.saver)
        self.pushed = PushedFeed()
        self.show = Show(*parts, program=program, mask=mask, pushed=self.pushed)
        self.show.views = (self.saver, self.recorded)
        self.show.listeners.append(listener)
        self.error: StreamDreamError | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.show.run()
        except StreamDreamError as error:
            self.error = error

    def until(self, condition: Callable[[], bool]) -> None:
        wait_for(lambda: condition() or not self.thread.is_alive())
        assert condition(), self.error

    def end(self) -> None:
        self.show.ended.set()
        self.thread.join(SECONDS)
        assert not self.thread.is_alive()
        self.saver.close()
        ours = {"camera", "capture", "motion", "looks", "behind", "ascent_0"}
        # The thread of the looks finishes its trace.
        wait_for(lambda: not ours & {thread.name for thread in threading.enumerate()})


@pytest.fixture
def playing(tiny: Callable[..., DreamSettings], tmp_path: Path) -> Iterator[_Playing]:
    connect = feed_opener(LiveSettings(source="test"))
    made = _Playing(tiny, tmp_path / "kept", connect)
    yield made
    made.end()


@pytest.mark.slow
def test_a_show_dreams_and_reports_it(playing: _Playing) -> None:
    playing.until(lambda: playing.show.status.dreamed > 30)
    playing.until(lambda: playing.show.status.camera == "ok")
    status = playing.show.status
    assert status.captured >= status.dreamed * 0.5
    assert status.fps > 0
    assert status.latency_ms > 0
    assert status.loss is not None
    assert status.preset == "one"
    assert playing.recorded.images[-1].shape == (360, 640, 3)
    dreamed = [status.dreamed for status in playing.recorded.statuses]
    assert dreamed == sorted(dreamed)


@pytest.mark.slow
def test_a_look_is_used_only_when_it_is_ready(playing: _Playing) -> None:
    playing.until(lambda: set(playing.show.status.ready) == {"one", "other"})
    traces = playing.looks.traces
    playing.controls.use("other")
    begun = playing.show.status.dreamed
    playing.until(lambda: playing.show.status.dreamed > begun + 30)
    assert playing.show.status.preset == "other"
    assert playing.looks.traces == traces


@pytest.mark.slow
def test_strength_zero_shows_the_source(playing: _Playing) -> None:
    playing.until(lambda: playing.show.status.dreamed > 10)
    flat = np.abs(np.diff(playing.recorded.images[-1].astype(int), axis=0)).mean()
    playing.controls.change({"strength": 0, "glide": 0})
    begun = playing.show.status.dreamed
    playing.until(lambda: playing.show.status.dreamed > begun + 4)
    assert np.abs(np.diff(playing.recorded.images[-1].astype(int), axis=0)).mean() < flat


@pytest.mark.slow
def test_freezing_holds_the_picture_and_keeps_the_views_fed(playing: _Playing) -> None:
    playing.until(lambda: playing.show.status.dreamed > 5)
    playing.controls.press("freeze")
    # One or two dreams are still on their way.
    playing.until(lambda: playing.recorded.images[-1] is playing.recorded.images[-2])
    assert playing.show.status.frozen
    held, shown = playing.recorded.images[-1], len(playing.recorded.images)
    playing.until(lambda: len(playing.recorded.images) > shown + 2)
    assert playing.recorded.images[-1] is held
    playing.controls.press("freeze")
    playing.until(lambda: playing.recorded.images[-1] is not held)


@pytest.mark.slow
def test_snapshots_and_films_are_kept(playing: _Playing, tmp_path: Path) -> None:
    playing.until(lambda: playing.show.status.dreamed > 2)
    playing.controls.press("snapshot")
    playing.until(lambda: len(list((tmp_path / "kept").glob("*.png"))) == 1)
    playing.controls.press("record")
    playing.until(lambda: playing.show.status.recording is not None)
    begun = playing.show.status.dreamed
    playing.until(lambda: playing.show.status.dreamed > begun + 10)
    playing.controls.press("record")
    playing.until(lambda: playing.show.status.recording is None)
    playing.end()
    films = list((tmp_path / "kept").glob("*.mkv"))
    assert len(films) == 1
    assert films[0].stat().st_size > 1000


@pytest.mark.slow
def test_a_view_that_fails_is_removed(playing: _Playing) -> None:
    playing.until(lambda: playing.show.status.dreamed > 2)
    playing.recorded.problem = "the screen is gone"
    playing.until(lambda: playing.recorded.closed)
    begun = playing.show.status.dreamed
    playing.until(lambda: playing.show.status.dreamed > begun + 5)
    assert playing.show.status.message == "the screen is gone"


@pytest.mark.slow
def test_what_a_view_waits_for_is_told(playing: _Playing) -> None:
    view: Any = playing.recorded
    view.name, view.state, view.message = "ndi:dream", "waiting", "ndi:dream: nobody is there"
    playing.until(lambda: playing.show.status.message == view.message)
    assert playing.show.status.outputs == {"ndi:dream": "waiting"}
    assert not view.closed


def test_the_first_look_is_waited_for_even_if_another_one_is_selected_meanwhile(
    tmp_path: Path,
) -> None:
    looks = {name: DreamSettings() for name in ("one", "other")}
    controls = Controls(parameters_of(looks["one"]), looks, "one")
    controls.use("other")  # the page is open while the first network is built
    asked: list[str] = []

    class _Compiled:
        error, first = None, "one"
        settings = looks

        def begin(self, shapes: object) -> None:
            controls.use("other")

        def is_ready(self, look: str, shape: object) -> bool:
            asked.append(look)
            return True

    saver = Saver(tmp_path, minutes=5, fps=25)
    parts: Any = (None, Framing(LiveSettings()), _Compiled(), controls, looks["one"], saver)
    show = Show(*parts)
    assert show._make_ready()
    assert asked == ["one"]
    assert show._dream_function.fade().a.before is looks["one"]


@pytest.mark.slow
def test_resetting_starts_afresh(playing: _Playing) -> None:
    playing.until(lambda: playing.show.status.dreamed > 60)
    grown = playing.show.status.loss
    playing.controls.change({"step_size": 0.0, "glide": 0})
    playing.controls.press("reset")
    begun = playing.show.status.dreamed
    playing.until(lambda: playing.show.status.dreamed > begun + 10)
    assert grown is not None
    assert playing.show.status.loss is not None
    assert playing.show.status.loss < grown


@pytest.mark.slow
def test_a_file_ends_the_show(tiny: Callable[..., DreamSettings], tmp_path: Path) -> None:
    shows: list[Show] = []

    class _Short:
        def read(self) -> Image8:
            if shows and shows[0].status.dreamed >= 2:
                raise Ended
            time.sleep(0.05)
            return synthetic.photo((64, 48))

        def close(self) -> None: ...

    made = _Playing(tiny, tmp_path, _Short)
    shows.append(made.show)
    made.thread.join(SECONDS)
    assert not made.thread.is_alive()
    assert made.error is None
    assert made.show.ended.is_set()
    made.end()


@pytest.mark.slow
def test_a_journey_goes_on_when_its_clip_has_ended(
    tiny: Callable[..., DreamSettings], tmp_path: Path
) -> None:
    ended = threading.Event()

    class _Short:
        def read(self) -> Image8:
            if made.recorded.images:
                ended.set()
                raise Ended
            time.sleep(0.05)
            return synthetic.photo((64, 48))

        def close(self) -> None: ...

    made = _Playing(tiny, tmp_path, _Short, journey=True, pan_x="0.1/s", turn="5/s")
    try:
        made.until(ended.is_set)
        seen = len(made.recorded.images)
        made.until(lambda: len(made.recorded.images) > seen + 40)
        first, last = made.recorded.images[seen], made.recorded.images[-1]
        assert np.abs(first.astype(int) - last).mean() > 5
        assert {status.camera for status in made.recorded.statuses[seen:]} == {"ok"}
        assert made.controls.parameters().turn == 5
        assert made.show.status.message == ""
    finally:
        made.end()


@pytest.mark.slow
def test_a_listener_that_fails_does_not_end_the_show(
    tiny: Callable[..., DreamSettings], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[int] = []

    def fail(status: LiveStatus) -> None:
        heard.append(status.dreamed)
        raise ValueError("no")

    made = _Playing(tiny, tmp_path / "kept", feed_opener(LiveSettings(source="test")), fail)
    made.until(lambda: len(heard) > 5)
    made.end()
    assert made.error is None
    assert caplog.text.count("a listener of the show failed") == 1


@pytest.mark.slow
def test_a_score_that_fails_underway_does_not_end_the_show(
    tiny: Callable[..., DreamSettings], tmp_path: Path
) -> None:
    connect = feed_opener(LiveSettings(source="test"))
    made = _Playing(tiny, tmp_path / "kept", connect, strength="0.5/(sec<1)")
    made.until(lambda: "strength stays as it was: '0.5/(sec<1)'" in made.show.status.message)
    begun, told = made.show.status.dreamed, made.show.status.message
    made.until(lambda: made.show.status.dreamed > begun + 20)
    assert made.controls.parameters().strength == 0.5
    assert made.show.status.message == told
    made.end()
    assert made.error is None


@pytest.mark.slow
def test_a_camera_that_comes_late_is_shown_at_its_own_size(
    tiny: Callable[..., DreamSettings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stream_dream.live.engine.show._FIRST_PICTURE_SECONDS", 0.2)
    there = threading.Event()

    class _Late:
        def read(self) -> Image8:
            there.wait()
            time.sleep(0.04)
            return synthetic.photo((120, 200))

        def close(self) -> None: ...

    made = _Playing(tiny, tmp_path, _Late)
    try:
        made.until(lambda: made.show.status.dreamed > 10)
        assert made.show.status.camera == "connecting"
        assert made.recorded.images[-1].shape == (360, 640, 3)
        assert made.show.status.dropped == 0
        there.set()
        made.until(lambda: made.recorded.images[-1].shape == (200, 120, 3))
        made.until(lambda: (made.show.status.loss or 0) > 0)
        made.until(lambda: made.show.status.camera == "ok")
    finally:
        there.set()
        made.end()


@pytest.mark.slow
def test_a_show_goes_on_when_its_camera_stops(
    tiny: Callable[..., DreamSettings], tmp_path: Path
) -> None:
    stopped = threading.Event()

    class _Stops:
        def read(self) -> Image8 | None:
            if made.show.status.dreamed > 5:
                stopped.wait()
                return None
            time.sleep(0.02)
            return synthetic.photo((200, 120))

        def close(self) -> None: ...

    made = _Playing(tiny, tmp_path, _Stops)
    try:
        made.until(lambda: made.show.status.dreamed > 5)
        captured = made.show.status.captured
        made.until(lambda: made.show.status.dreamed > captured + 60)
        made.until(lambda: made.show.status.camera == "lost")
        made.until(lambda: made.show.status.latency_ms < 1000)  # it drifts: these are new pictures
    finally:
        stopped.set()
        made.end()


@pytest.mark.slow
def test_the_source_stays_where_the_mask_is_black(
    tiny: Callable[..., DreamSettings], tmp_path: Path
) -> None:
    photo = synthetic.photo((200, 120))

    class _Still:
        def read(self) -> Image8:
            time.sleep(0.02)
            return photo

        def close(self) -> None: ...

    half = np.zeros((120, 200, 3), np.uint8)
    half[:, 100:] = 255
    cv2.imwrite(str(tmp_path / "mask.png"), half)
    mask = LiveMask(tmp_path / "mask.png", 0, lambda: None)
    made = _Playing(tiny, tmp_path / "kept", _Still, mask=mask)
    try:
        made.until(lambda: made.show.status.dreamed > 40)
        change = np.abs(made.recorded.images[-1].astype(int) - photo)
        assert change[:, :99].max() == 0
        assert change[:, 101:].mean() > 1
    finally:
        made.end()


@pytest.mark.slow
def test_pictures_of_a_page_take_the_place_of_the_camera(
    tiny: Callable[..., DreamSettings], tmp_path: Path
) -> None:
    made = _Playing(tiny, tmp_path, feed_opener(LiveSettings(source="phone")))
    ok, coded = cv2.imencode(".jpg", synthetic.photo((200, 120)))
    assert ok

    def sent() -> bool:
        made.pushed.push(coded.tobytes())
        status = made.show.status
        return status.camera == "ok" and made.recorded.images[-1].shape == (120, 200, 3)

    try:
        made.until(sent)
    finally:
        made.end()


def test_an_empty_file_is_reported(tiny: Callable[..., DreamSettings], tmp_path: Path) -> None:
    class _Empty:
        def read(self) -> Image8:
            raise Ended

        def close(self) -> None: ...

    made = _Playing(tiny, tmp_path, _Empty)
    made.thread.join(SECONDS)
    assert isinstance(made.error, SourceError)
