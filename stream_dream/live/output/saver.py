"""Snapshots and recordings at the press of a button."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from stream_dream.errors import SinkError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Action
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.status import LiveStatus
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.output_paths import dated_name, make_folder
from stream_dream.media.write.picture import write_picture

log = logging.getLogger("stream_dream.live")

_CLOSE_SECONDS = 3.0


class Saver:
    """A view that performs the actions ``snapshot`` and ``record``.

    Attributes:
        message: Last message for the operator; "" if there is none.
    """

    problem: str | None = None  # a recording that fails ends; the saver goes on

    def __init__(
        self, folder: Path, film: Path | None = None, *, minutes: float, fps: float
    ) -> None:
        """Save into a folder, which is created when needed.

        Args:
            folder: Folder of snapshots and recordings.
            film: Name of the recording that starts with the first frame; None for none.
            minutes: Length of a recording's files.
            fps: Frame rate of recordings.

        Raises:
            SinkError: The film cannot be recorded.
        """
        self.message = ""
        self._folder = folder
        self._record = partial(Recorder, minutes=minutes, fps=fps)
        self._recorder = None if film is None else self._record(film)
        self._closing: list[threading.Thread] = []

    @property
    def recording(self) -> str | None:
        """Name of the file being recorded; None if there is none."""
        recorder = self._recorder
        path = None if recorder is None else recorder.current
        return None if path is None else path.name

    def press(self, action: Action, image: Image8) -> None:
        """Perform an action; slow work runs in another thread."""
        if action == "snapshot":
            self._in_thread(lambda: self._save(image))
        elif action == "record":
            if self._recorder is None:
                self._start()
            else:
                self._stop()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Record a frame, if a recording is in progress; end one that has failed."""
        recorder = self._recorder
        if recorder is None:
            return
        if recorder.problem is None:
            recorder.show(image, status)
            return
        self.message = recorder.problem
        log.warning("%s", self.message)
        self._stop()

    def close(self) -> None:
        """Complete snapshots and recordings in progress, within three seconds."""
        self._stop()
        deadline = time.monotonic() + _CLOSE_SECONDS
        for thread in self._closing:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start(self) -> None:
        try:
            make_folder(self._folder)
            self._recorder = self._record(dated_name(self._folder / "show.mkv", datetime.now()))
        except StreamDreamError as error:
            self._tell(f"nothing is recorded: {error}")

    def _stop(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._in_thread(recorder.close)

    def _save(self, image: Image8) -> None:
        try:
            path = save_snapshot(image, self._folder)
            self._tell(f"saved {path.name}")
        except SinkError as error:
            self._tell(f"no snapshot: {error}")

    def _tell(self, message: str) -> None:
        self.message = message
        log.info("%s", message)

    def _in_thread(self, work: Callable[[], None]) -> None:
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=work, name="saver", daemon=True)
        self._closing.append(thread)
        thread.start()


def save_snapshot(image: Image8, folder: Path) -> Path:
    """Write an image, uint8 RGB (height, width, 3), as ``snapshot_DATE.png``.

    It takes 0.1 s at 1280x720. Raises ``SinkError``.
    """
    make_folder(folder)
    return write_picture(Picture(image), dated_name(folder / "snapshot.png", datetime.now()))
