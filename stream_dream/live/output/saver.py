"""Snapshots and recordings at the press of a button."""

from __future__ import annotations

import logging
import time
from datetime import datetime
from functools import partial
from pathlib import Path

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Action
from stream_dream.live.output.disk import check_room
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.output.recording import Recording
from stream_dream.live.status import LiveStatus
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.output_paths import dated_name, make_folder
from stream_dream.media.write.picture import write_picture
from stream_dream.runtime.background import BackgroundWorker
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

_CLOSE_SECONDS = 3.0
# Snapshots that wait for the disk; a picture of 1280x720 takes 0.1 s.
_MOST_WAITING = 4
# Recordings that are still being completed, or that hang, when another one begins.
_MOST_ENDING = 2


class Saver:
    """A view that performs the actions ``snapshot`` and ``record``.

    A recording that fails is tried again, into another file, until it is ended. What cannot be done
    in time is left out, with a word about it: no button can slow down the show.

    Attributes:
        message: Last message for the operator; "" if there is none.
    """

    problem: str | None = None  # a recording that fails ends; the saver goes on

    def __init__(
        self,
        folder: Path,
        film: Path | None = None,
        *,
        minutes: float,
        fps: float,
        keep_bytes: int | None = None,
    ) -> None:
        """Save into a folder, which is created when needed.

        Args:
            folder: Folder of snapshots and recordings.
            film: Name of the recording that starts with the first frame; None for none.
            minutes: Length of a recording's files.
            fps: Frame rate of recordings.
            keep_bytes: Bytes that films of the same name may take; None for any number.

        Raises:
            SinkError: The film cannot be recorded.
        """
        self.message = ""
        self._folder = folder
        self._makes_room = keep_bytes is not None
        self._record = partial(Recorder, minutes=minutes, fps=fps, keep_bytes=keep_bytes)
        self._recording: Recording | None = None
        if film is not None:
            begin = partial(self._begin, film, dated=False)
            self._recording = Recording(begin, self._tell, first=self._record(film))
        self._ending: list[Recording] = []
        self._limited = LimitedLog(log, "snapshots", seconds=10)
        self._snapshots = BackgroundWorker("snapshots", _MOST_WAITING)

    @property
    def recording(self) -> str | None:
        """Name of the file being recorded; None if there is none."""
        recorder = self._recorder
        path = None if recorder is None else recorder.current
        return None if path is None else path.name

    @property
    def left_out(self) -> int:
        """Number of frames that the present recording had to leave out."""
        recorder = self._recorder
        return 0 if recorder is None else recorder.left_out

    @property
    def _recorder(self) -> Recorder | None:
        return None if self._recording is None else self._recording.recorder

    def press(self, action: Action, image: Image8) -> None:
        """Perform an action; slow work runs in another thread."""
        if action == "snapshot":
            if not self._snapshots.submit(partial(self._save, image)):
                self.message = "a snapshot is left out: others are still being written"
                self._limited.warn(self.message)
        elif action == "record":
            self._end() if self._recording is not None else self._start()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Record a frame, if a recording is in progress."""
        if self._recording is not None:
            self._recording.show(image, status)

    def close(self) -> None:
        """Complete snapshots and recordings in progress, within three seconds."""
        deadline = time.monotonic() + _CLOSE_SECONDS
        if self._recording is not None:
            self._end()
        for recording in self._ending:
            recording.join(max(0.0, deadline - time.monotonic()))
        self._snapshots.close(max(0.0, deadline - time.monotonic()))

    def _start(self) -> None:
        self._ending = [recording for recording in self._ending if recording.is_alive]
        if len(self._ending) >= _MOST_ENDING:
            self.message = "the last films are still being completed, or their folder hangs: wait"
            return
        begin = partial(self._begin, self._folder / "show.mkv", dated=True)
        self._recording = Recording(begin, self._tell)

    def _end(self) -> None:
        recording, self._recording = self._recording, None
        if recording is not None:
            if recording.recorder is None:
                self._tell("the recording is given up", logging.INFO)
            recording.end()
            self._ending.append(recording)

    def _begin(self, film: Path, *, dated: bool) -> Recorder:
        """Start a recorder; may take as long as the disk does. Raises ``SinkError``."""
        make_folder(film.parent)
        if not self._makes_room:  # by removing old films
            check_room(film.parent)
        return self._record(film, dated=dated)

    def _save(self, image: Image8) -> None:
        try:
            path = save_snapshot(image, self._folder)
            self._tell(f"saved {path.name}", logging.INFO)
        except SinkError as error:
            self.message = f"no snapshot: {error}"
            self._limited.warn(self.message)

    def _tell(self, message: str, level: int) -> None:
        self.message = message
        log.log(level, "%s", message)


def save_snapshot(image: Image8, folder: Path) -> Path:
    """Write an image, uint8 RGB (height, width, 3), as ``snapshot_DATE.png``.

    It takes 0.1 s at 1280x720. Raises ``SinkError``, also where the disk is nearly full.
    """
    make_folder(folder)
    check_room(folder)
    return write_picture(Picture(image), dated_name(folder / "snapshot.png", datetime.now()))
