"""Keeps the chatter of TensorFlow, OpenCV and ffmpeg off the screen."""

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
    """Hold back what is written to file descriptor 2; show it only if the block fails.

    TensorFlow's C++ side writes there while it is imported, before its log level counts. Does
    nothing when debugging, or where there is no standard error.
    """
    if debugging():
        yield
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # for this, --debug counts alone
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
        # Only those that exist: absl makes its own kind of logger, and would find a plain one.
        if name in logging.root.manager.loggerDict:
            logging.getLogger(name).setLevel(logging.ERROR)
