"""Silences the messages of TensorFlow and other libraries."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator

DEBUG_VARIABLE = "STREAM_DREAM_DEBUG"


def debugging() -> bool:
    """Return True if the user asked for tracebacks and the libraries' messages."""
    return os.environ.get(DEBUG_VARIABLE) == "1"


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Hold back output to file descriptor 2; show it only if the block fails.

    TensorFlow's C++ side writes there during import, before its log level counts. Does nothing when
    debugging or without a standard error.
    """
    if debugging():
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # whatever the user set: --debug decides
    try:
        sys.stderr.flush()
        screen = os.dup(2)
    except (AttributeError, OSError):  # a program without standard error
        yield
        return
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
            _quiet_loggers()
        except Exception:
            held.seek(0)
            os.write(screen, held.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(screen, 2)
            os.close(screen)


def _quiet_loggers() -> None:
    for name in ("tensorflow", "absl"):
        # Only existing loggers: absl creates its own kind, and would find a plain one instead.
        if name in logging.root.manager.loggerDict:
            logging.getLogger(name).setLevel(logging.ERROR)
