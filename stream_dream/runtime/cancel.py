"""Cancels long calls from another thread or from a callback.

A call with an event ``cancel`` ends as on Ctrl-C once that is set: what loops or waits in the
call's thread asks ``check_cancelled``, which raises a ``KeyboardInterrupt``, and whatever keeps
finished work on Ctrl-C keeps it here, too.
"""

from __future__ import annotations

import functools
import select
import sys
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

from stream_dream.errors import Interrupted

P = ParamSpec("P")
T = TypeVar("T")

LOOK_SECONDS = 0.1
"""How often what waits asks whether it is cancelled."""


class Cancelled(KeyboardInterrupt):
    """The event of a call was set."""


# The event of the call that runs in this thread; None once it has been obeyed, so that what keeps
# finished work is not interrupted again.
_watched: ContextVar[threading.Event | None] = ContextVar("watched", default=None)


def cancellable(function: Callable[P, T]) -> Callable[P, T]:
    """Make a function end once its keyword argument ``cancel``, a ``threading.Event``, is set.

    It raises ``Interrupted``, also where it does not handle a ``KeyboardInterrupt`` itself.
    """

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        event = kwargs.get("cancel")
        if event is not None and not isinstance(event, threading.Event):
            raise TypeError(f"cancel is {event!r}: give a threading.Event")
        token = _watched.set(event)
        try:
            check_cancelled()
            return function(*args, **kwargs)
        except Cancelled:
            raise Interrupted("interrupted before anything was dreamed: nothing is lost") from None
        finally:
            _watched.reset(token)

    return call


def check_cancelled() -> None:
    """Raise ``Cancelled``, once, if the event of the call in this thread is set."""
    event = _watched.get()
    if event is not None and event.is_set():
        _watched.set(None)
        raise Cancelled


def wait_readable(descriptor: int) -> None:
    """Wait until a descriptor can be read. Raises ``Cancelled``."""
    if _watched.get() is None or sys.platform == "win32":  # where only sockets can be waited for
        return
    while not select.select([descriptor], [], [], LOOK_SECONDS)[0]:
        check_cancelled()


def waited_for(function: Callable[[], T], stop: Callable[[], None]) -> T:
    """Call a function that may wait for another program; ``stop`` ends its wait.

    Raises ``Cancelled``, once the function has returned.
    """
    if _watched.get() is None:
        return function()
    found: list[T] = []
    failed: list[BaseException] = []

    def call() -> None:
        try:
            found.append(function())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=call, name="waits", daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            check_cancelled()
            thread.join(LOOK_SECONDS)
    except BaseException:
        stop()
        thread.join()
        raise
    if failed:
        raise failed[0]
    return found[0]
