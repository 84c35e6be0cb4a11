"""A recording that is wanted until it is ended: one that fails is begun again."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from stream_dream.errors import first_line
from stream_dream.frame import Image8
from stream_dream.live.output.recorder import Recorder
from stream_dream.live.status import LiveStatus
from stream_dream.runtime.retry_pauses import RetryPauses

# Pauses before a failed recording is tried again; one that lasted a while begins with the first.
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0
_LASTING_SECONDS = 60.0
_LOOK_SECONDS = 0.25


class Recording:
    """Records frames until it is ended, by one recorder after another if they fail.

    Recorders are begun and completed by a thread of its own: the folder may be on a share that
    hangs.
    """

    def __init__(
        self,
        begin: Callable[[], Recorder],
        tell: Callable[[str, int], None],
        *,
        first: Recorder | None = None,
    ) -> None:
        """Start to record.

        Args:
            begin: Begins a recorder; may take long, and raise anything.
            tell: Takes messages for the operator, with their level of logging, from any thread.
            first: A recorder that has already begun.
        """
        self._begin, self._tell = begin, tell
        self._recorder = first
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="recording", daemon=True)
        self._thread.start()

    @property
    def recorder(self) -> Recorder | None:
        """The present recorder; None while there is none."""
        return self._recorder

    @property
    def is_alive(self) -> bool:
        """True until the last film is complete."""
        return self._thread.is_alive()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Record a frame, uint8 RGB (height, width, 3), unless there is no recorder just now."""
        recorder = self._recorder
        if recorder is not None:
            recorder.show(image, status)

    def end(self) -> None:
        """Complete the film in the background; calling it again does nothing."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait until the last film is complete, or for so long."""
        self._thread.join(seconds)

    def _work(self) -> None:
        pauses = RetryPauses(_FIRST_PAUSE, _LONGEST_PAUSE)
        while not self._ended.is_set():
            begun = time.monotonic()
            problem = self._record()
            if problem is None:
                return
            if self._ended.is_set():
                self._tell(problem, logging.WARNING)
                return
            if time.monotonic() - begun > _LASTING_SECONDS:
                pauses.reset()
            pause = pauses.next()
            self._tell(f"{problem}; trying again in {pause:.0f} s", logging.WARNING)
            self._ended.wait(pause)

    def _record(self) -> str | None:
        """Record until the end, or until the recorder fails; return why it did."""
        try:
            recorder = self._recorder = self._recorder or self._begin()
        except Exception as error:  # the show goes on
            return None if self._ended.is_set() else f"nothing is recorded: {first_line(error)}"
        missing = 0.0
        while recorder.problem is None and not self._ended.wait(_LOOK_SECONDS):
            missing = self._tell_stall(recorder.missing, missing)
        problem, self._recorder = recorder.problem, None
        recorder.close()
        return problem

    def _tell_stall(self, missing: float, before: float) -> float:
        """Report that seconds of the film are missing, and when it goes on; return them."""
        if missing:
            text = f"recording stalls: {missing:.0f} s are missing"
            self._tell(text, logging.DEBUG if before else logging.WARNING)
        elif before:
            self._tell(f"recording goes on: {before:.0f} s are missing", logging.WARNING)
        return missing
