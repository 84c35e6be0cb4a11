"""Runs the ffmpeg binary of imageio-ffmpeg as a well-behaved child process."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import imageio_ffmpeg

from stream_dream.errors import ConversionError, DiskFull, SinkError, StreamDreamError
from stream_dream.runtime.scheduling import step_back

PATIENCE = 120.0
"""Seconds without a sign of life after which ffmpeg is taken for hung and killed."""

_FULL = tuple(os.strerror(code) for code in (errno.ENOSPC, errno.EDQUOT))
_DISK_ERRORS = _FULL + tuple(
    os.strerror(code) for code in (errno.EFBIG, errno.EACCES, errno.EROFS, errno.EIO)
)
"""What a user can mend; ffmpeg wraps it into several lines of its own inner workings."""


def ffmpeg_program() -> str:
    """Return the path of ffmpeg. Raises ``StreamDreamError`` where there is none."""
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise StreamDreamError(f"{error}: reinstall imageio-ffmpeg") from error


class FFmpeg:
    """One run of ffmpeg.

    It gets a process group of its own, so that Ctrl-C in the terminal reaches only us and we decide
    what becomes of the file; not a session, because Linux weighs sessions against each other
    whatever the priorities within them. Its messages are drained by a thread: a full pipe would
    stop it.

    Attributes:
        output: Its standard output, where it was asked to be read; ends when ffmpeg ends.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        fed: bool = False,
        stepping_back: bool = True,
        read: bool = False,
        on_message: Callable[[str], bool] = lambda line: False,
    ) -> None:
        """Start ffmpeg.

        Args:
            arguments: Everything behind ``ffmpeg``.
            fed: True where ``write`` is going to feed its standard input.
            stepping_back: True where what is fed may wait for the dream.
            read: True where ``output`` is going to be read.
            on_message: Called in another thread with each line of its standard error; True if the
                line was no complaint.

        Raises:
            SinkError: If the binary cannot be started.
        """
        command = [ffmpeg_program(), "-hide_banner", "-loglevel", "error"]
        try:
            self._process = subprocess.Popen(
                [*command, *arguments],
                stdin=subprocess.PIPE if fed else subprocess.DEVNULL,
                stdout=subprocess.PIPE if read else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                bufsize=0,
                process_group=0,
                restore_signals=False,  # a file-size limit then is an error message, not a signal
            )
        except OSError as error:
            raise SinkError(
                f"ffmpeg cannot be started: {error}; reinstall imageio-ffmpeg"
            ) from error
        if fed and stepping_back:
            step_back(self._process.pid)  # an encoder that pushes in makes a frame wait
        stdout = self._process.stdout
        self.output = None if stdout is None else io.BufferedReader(stdout)  # type: ignore[type-var]
        self._on_message = on_message
        self._hung = False
        self._lines: deque[str] = deque(maxlen=20)
        self._listener = threading.Thread(target=self._listen, name="ffmpeg-messages", daemon=True)
        self._listener.start()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def write(self, data: memoryview) -> None:
        """Feed bytes to its standard input.

        Raises:
            SinkError: If ffmpeg ended, or takes nothing for ``PATIENCE`` seconds.
        """
        assert self._process.stdin is not None
        watchdog = threading.Timer(PATIENCE, self.give_up)
        watchdog.daemon = True
        watchdog.start()
        try:
            while data:  # an unbuffered pipe may take less than it was given
                data = data[self._process.stdin.write(data) :]
        except (BrokenPipeError, ValueError) as error:  # ValueError: closed by an earlier failure
            self.kill()
            raise self._error() from error
        finally:
            watchdog.cancel()

    def finish(self, seconds: float = PATIENCE) -> None:
        """Close its input and wait until it has completed its work; may be called again.

        Raises:
            SinkError: If it fails or takes longer than ``seconds``.
        """
        try:
            if self._process.stdin is not None:
                self._process.stdin.close()
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.give_up()
        self.kill()
        if self._process.returncode != 0:
            raise self._error()

    def kill(self) -> None:
        """End it now, if it still runs, and leave neither zombie nor open pipe."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self.output, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def give_up(self) -> None:
        """End it as one that hangs; a thread that feeds or awaits it gets the ``SinkError``."""
        self._hung = True
        self._process.kill()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            text = line.decode(errors="replace").strip()
            if not self._on_message(text):
                self._lines.append(text)

    def _error(self) -> SinkError:
        reason = self.reason()
        if reason.endswith(_FULL):
            return DiskFull(reason)
        outside = self._hung or self._process.returncode < 0 or reason.endswith(_DISK_ERRORS)
        return SinkError(reason) if outside else ConversionError(reason)

    def reason(self) -> str:
        """Say in one line why it ended: what a user can mend first, else its first complaint."""
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
    """Run ffmpeg to its end.

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
    """Return whether at least one frame of a film can be decoded, within so many seconds."""
    try:
        run(["-i", str(path), "-frames:v", "1", "-f", "null", "-"], seconds)
    except SinkError:
        return False
    return True
