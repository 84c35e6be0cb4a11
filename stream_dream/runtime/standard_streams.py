"""Makes standard streams safe to write to, even if missing, full or in another encoding."""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from collections.abc import Callable
from typing import Any, TextIO

# The reader has gone, as with "| head": not an error.
_LEFT = (errno.EPIPE, errno.EINVAL) if sys.platform == "win32" else (errno.EPIPE,)


# A log goes on after these.
_PASSING = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def secure_streams() -> None:
    """Replace the standard streams by ones that can always be written to.

    Call it before opening anything: a file would get the descriptor of a missing stream, and
    whatever a library prints would end up in it.
    """
    for descriptor in (0, 1, 2):
        _open_if_missing(descriptor)
    sys.stdin = sys.stdin or io.TextIOWrapper(io.FileIO(0, closefd=False))
    sys.stderr = _secured(sys.stderr, 2)
    sys.stdout = _secured(sys.stdout, 1, _warn)
    if not os.environ.get("COLUMNS", "1").strip("0"):
        del os.environ["COLUMNS"]  # a width of 0 means unknown


def failure() -> OSError | None:
    """Return why standard output cannot be written; None if it can or its reader has gone."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    problem = raw.problem if isinstance(raw, _Forgiving) else None
    return problem if problem is not None and problem.errno not in _LEFT else None


def is_abandoned() -> bool:
    """Return whether text printed on standard output is lost."""
    raw = getattr(getattr(sys.stdout, "buffer", None), "raw", None)
    return isinstance(raw, _Forgiving) and raw.problem is not None


def forgiving(
    raw: Any,
    *,
    encoding: str,
    line_buffering: bool = True,
    write_through: bool = False,
    on_failure: Callable[[OSError], None] | None = None,
) -> TextIO:
    """Return a text stream whose writes never fail: what cannot be written is dropped.

    Args:
        raw: An unbuffered binary file.
        encoding: Its encoding; characters that this lacks are written as escapes.
        line_buffering: True to write line by line.
        write_through: True to write immediately.
        on_failure: Called once, with the first error, after which nothing more is written. None for
            a log, which goes on when a full disk has room again.
    """
    return io.TextIOWrapper(
        io.BufferedWriter(_Forgiving(raw, on_failure)),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=line_buffering,
        write_through=write_through,
    )


class _Forgiving(io.RawIOBase):
    """A file whose writes never fail; see ``forgiving``.

    Attributes:
        problem: The first error; None without one.
    """

    def __init__(self, raw: Any, on_failure: Callable[[OSError], None] | None) -> None:
        super().__init__()
        self.problem: OSError | None = None
        self._raw, self._on_failure = raw, on_failure

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def close(self) -> None:
        if not self.closed:
            self._raw.close()
        super().close()

    def write(self, data: Any) -> int:
        while self.problem is None:
            try:
                written = self._raw.write(data)
            except OSError as problem:
                if self._on_failure is None and problem.errno in _PASSING:
                    break
                self.problem = problem
                if self._on_failure is not None:
                    self._on_failure(problem)
                break
            if written is not None:
                return int(written)
            select.select([], [self._raw], [])  # another program has made the pipe non-blocking
        return len(data)


def was_missing(descriptor: int) -> bool:
    """Return whether a standard stream was closed when the program started."""
    return descriptor in _missing


_missing: set[int] = set()


def _open_if_missing(descriptor: int) -> None:
    try:
        os.fstat(descriptor)
    except OSError:
        _missing.add(descriptor)
        nowhere = os.open(os.devnull, os.O_RDWR)
        if nowhere != descriptor:
            os.dup2(nowhere, descriptor)
            os.close(nowhere)
        os.set_inheritable(descriptor, True)


def _secured(
    stream: TextIO | None, descriptor: int, on_failure: Callable[[OSError], None] | None = None
) -> TextIO:
    if stream is None:  # Python found it missing
        return open(descriptor, "w", encoding="utf-8", errors="backslashreplace", closefd=False)
    buffer = stream.buffer
    return forgiving(
        getattr(buffer, "raw", buffer),  # unbuffered by python -u
        encoding=stream.encoding,
        line_buffering=getattr(stream, "line_buffering", True),
        write_through=getattr(stream, "write_through", False),
        on_failure=on_failure,
    )


def _warn(problem: OSError) -> None:
    if problem.errno not in _LEFT:
        reason = problem.strerror or "it cannot be written"
        sys.stderr.write(
            f"stream-dream: warning: standard output takes nothing ({reason}): the rest of what "
            "is printed is lost\n"
        )
        sys.stderr.flush()
