"""Runs the ffmpeg binary of imageio-ffmpeg as a well-behaved child process."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import imageio_ffmpeg

from stream_dream.errors import ConversionError, DiskFull, SinkError, StreamDreamError
from stream_dream.runtime.cancel import LOOK_SECONDS, check_cancelled
from stream_dream.runtime.scheduling import step_back

PATIENCE = 120.0
"""Seconds without progress after which ffmpeg counts as hung and is killed."""

_ENDING_SECONDS = 5.0

_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT))
_DISK_ERRORS = _FULL + tuple(
    os.strerror(code) for code in (errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO)
)
"""Errors that the user can fix; ffmpeg buries them in lines about its internals."""


_ENVIRONMENT = {"SVT_LOG": "1"}
"""Of all that SVT-AV1 has to tell, errors alone."""


def ffmpeg_program() -> str:
    """Return the path of the ffmpeg binary. Raises ``StreamDreamError`` if there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise StreamDreamError(f"{error}: reinstall imageio-ffmpeg") from error


class FFmpeg:
    """One run of ffmpeg.

    It runs in its own process group, so that Ctrl-C in the terminal reaches only us and we decide
    what happens to the file; not in its own session, as Linux balances sessions against each other
    regardless of the priorities within them. A thread drains its messages: a full pipe blocks it.

    Attributes:
        output: Its standard output if ``read``, else None; ends when ffmpeg ends.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        fed: bool = False,
        stepping_back: bool = True,
        read: bool = False,
        passed_on: bool = False,
        on_message: Callable[[str], bool] = lambda line: False,
    ) -> None:
        """Start ffmpeg.

        Args:
            arguments: Arguments of ``ffmpeg``.
            fed: True if ``write`` will feed its standard input.
            stepping_back: True to lower the priority of a fed process below the dream's.
            read: True if ``output`` will be read.
            passed_on: True if its standard output is to be ours.
            on_message: Called in another thread with each line of its standard error; returns True
                if the line is not an error.

        Raises:
            SinkError: If ffmpeg cannot be started.
        """
        command = [ffmpeg_program(), "-hide_banner", "-loglevel", "error"]
        try:
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if read else None if passed_on else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                env=os.environ | _ENVIRONMENT,
                process_group=0,
                restore_signals=False,  # then a file-size limit is an error message, not a signal
            )
        except OSError as error:
            raise SinkError(
                f"ffmpeg cannot be started: {error}; reinstall imageio-ffmpeg"
            ) from error
        if fed and stepping_back:
            step_back(self._process.pid)  # at equal priority an encoder delays frames
        stdout = self._process.stdout
        self.output = None if stdout is None else io.BufferedReader(stdout)  # type: ignore[type-var]
        self._on_message = on_message
        self._hung = False
        self._lines: deque[str] = deque(maxlen=20)
        self._listener = threading.Thread(target=self._listen, name="ffmpeg-messages", daemon=True)
        self._listener.start()

    def write(self, data: memoryview, *, patience: float = PATIENCE) -> None:
        """Feed bytes to its standard input.

        Args:
            data: The bytes.
            patience: Seconds after which it counts as hung if it does not take them; that long it
                may wait for another program, if its output goes to one.

        Raises:
            SinkError: If ffmpeg has ended or hangs.
        """
        assert self._process.stdin is not None
        watchdog = threading.Timer(min(patience, threading.TIMEOUT_MAX), self.give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            while data:  # an unbuffered pipe may accept only a part
                data = data[self._process.stdin.write(data) :]
        except (BrokenPipeError, ValueError) as error:  # ValueError: closed by an earlier failure
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_ENDING_SECONDS)  # killed now, it would not say why it ends
            self.kill()
            raise self._error() from error
        finally:
            watchdog.cancel()

    def close_input(self) -> None:
        """Close its standard input: nothing more follows."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def finish(self, seconds: float = PATIENCE) -> None:
        """Close its input and wait until it ends; safe to call twice.

        Raises:
            SinkError: If it fails or takes longer than ``seconds``.
        """
        try:
            self.close_input()
            self._wait(seconds)
        except subprocess.TimeoutExpired:
            self.give_up()
        self.kill()
        if self._process.returncode != 0:
            raise self._error()

    def kill(self) -> None:
        """Kill it if it still runs, reap it and close its pipes."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self.output, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def give_up(self) -> None:
        """Kill it as hung; a thread that feeds it or waits for it gets the ``SinkError``."""
        self._hung = True
        self._process.kill()

    def _wait(self, seconds: float) -> None:
        late = time.monotonic() + seconds
        while (left := late - time.monotonic()) > LOOK_SECONDS:
            check_cancelled()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LOOK_SECONDS)
                return
        self._process.wait(max(0, left))

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if not self._on_message(text):
                self._lines.append(text)

    def _error(self) -> SinkError:
        reason = self._reason()
        if reason.endswith(_FULL):
            return DiskFull(reason)
        outside = self._hung or self._process.returncode < 0 or reason.endswith(_DISK_ERRORS)
        return SinkError(reason) if outside else ConversionError(reason)

    def _reason(self) -> str:
        """Return in one line why it failed: an error that the user can fix, else its first one."""
        if self._hung:
            return "ffmpeg gave no sign of life for too long and was stopped"
        for line in self._lines:
            for problem in _DISK_ERRORS:
                if problem in line:
                    return f"ffmpeg: {problem}"
        if self._process.returncode < 0:
            return f"ffmpeg was ended by {signal.Signals(-self._process.returncode).name}"
        if self._lines:
            return "ffmpeg: " + re.sub(r"^(\[[^]]* @ 0x\w+\] )+", "", self._lines[0])
        return f"ffmpeg ended with code {self._process.returncode} and said nothing"


def run(arguments: Sequence[str], seconds: float = PATIENCE) -> None:
    """Run ffmpeg until it ends.

    Raises:
        SinkError: If it fails or takes longer than ``seconds``.
    """
    process = FFmpeg(arguments)
    try:
        process.finish(seconds)
    except BaseException:  # Ctrl-C included: it must not outlive us
        process.kill()
        raise


def playable(path: Path, seconds: float = PATIENCE) -> bool:
    """Return whether at least one frame of a film can be decoded within ``seconds``."""
    try:
        run(["-i", str(path), "-frames:v", "1", "-f", "null", "-"], seconds)
    except SinkError:
        return False
    return True
