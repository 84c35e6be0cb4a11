"""Snapshots and recordings at the press of a button."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from stream_dream.errors import SinkError, StreamDreamError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Action
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.output.snapshot import save_snapshot
from stream_dream.live.status import LiveStatus
from stream_dream.media.write.output_paths import dated_name, make_folder

log = logging.getLogger("stream_dream.live")


class Saver:
    """A view that performs the actions ``snapshot`` and ``record``.

    Attributes:
        message: Last message for the operator; "" if there is none.
    """

    def __init__(
        self, folder: Path, *, minutes: float, fps: float, first: Recorder | None = None
    ) -> None:
        """Save into a folder, which is created when needed.

        Args:
            folder: Folder of snapshots and recordings.
            minutes: Length of a recording's files.
            fps: Frame rate of recordings.
            first: A recording in progress.
        """
        self.message = ""
        self._folder, self._minutes, self._fps = folder, minutes, fps
        self._recorder = first
        self._closing: list[threading.Thread] = []

    @property
    def recording(self) -> str | None:
        """Name of the file being recorded; None if there is none."""
        recorder = self._recorder
        if recorder is None:
            return None
        if recorder.problem is not None:
            self.message = recorder.problem
            log.warning("%s", recorder.problem)
            self._stop()
            return None
        return None if recorder.current is None else recorder.current.name

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
        """Record a frame, if a recording is in progress."""
        if self._recorder is not None:
            self._recorder.show(image, status)

    @property
    def problem(self) -> str | None:
        """None: a recording that fails ends, and the saver goes on."""
        return None

    def close(self) -> None:
        """Complete snapshots and recordings in progress."""
        self._stop()
        for thread in self._closing:
            thread.join(3)

    def _start(self) -> None:
        try:
            make_folder(self._folder)
            path = dated_name(self._folder / "show.mkv", datetime.now())
            self._recorder = Recorder(path, minutes=self._minutes, fps=self._fps)
        except StreamDreamError as error:
            self._tell(f"nothing is recorded: {error}")

    def _stop(self) -> None:
        recorder, self._recorder = self._recorder, None
        if recorder is not None:
            self._in_thread(recorder.close)

    def _save(self, image: Image8) -> None:
        try:
            path = save_snapshot(image, self._folder, "snapshot")
            self._tell(f"saved {path.name}")
        except SinkError as error:
            self._tell(f"no snapshot: {error}")

    def _tell(self, message: str) -> None:
        self.message = message
        log.info("%s", message)

    def _in_thread(self, work: Callable[[], None]) -> None:
        self._closing = [thread for thread in self._closing if thread.is_alive()]
        thread = threading.Thread(target=work, name="keeper", daemon=True)
        self._closing.append(thread)
        thread.start()
