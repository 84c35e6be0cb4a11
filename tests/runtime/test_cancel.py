"""Cancellation: it is obeyed once, in the thread of the call alone."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest

from stream_dream.errors import Interrupted
from stream_dream.runtime.cancel import (
    Cancelled,
    cancellable,
    check_cancelled,
    wait_readable,
    waited_for,
)


@cancellable
def work(function: Any, *, cancel: threading.Event | None = None) -> Any:
    return function()


def test_nothing_is_cancelled_without_an_event() -> None:
    check_cancelled()
    assert work(lambda: check_cancelled() or 3) == 3


def test_a_call_is_cancelled_once() -> None:
    event = threading.Event()

    def cancelled() -> str:
        event.set()
        with pytest.raises(Cancelled):
            check_cancelled()
        check_cancelled()  # what keeps finished work is not interrupted
        return "kept"

    assert work(cancelled, cancel=event) == "kept"
    check_cancelled()


def test_other_threads_are_not_cancelled() -> None:
    event, errors = threading.Event(), list[BaseException]()

    def in_a_thread() -> None:
        try:
            check_cancelled()
        except BaseException as error:
            errors.append(error)

    def call() -> None:
        event.set()
        thread = threading.Thread(target=in_a_thread)
        thread.start()
        thread.join()

    work(call, cancel=event)
    assert not errors


def test_a_wait_ends_and_is_an_interruption() -> None:
    event, stopped = threading.Event(), threading.Event()
    reader, writer = os.pipe()
    other = threading.Timer(0.1, event.set)
    other.start()
    with pytest.raises(Interrupted):
        work(lambda: wait_readable(reader), cancel=event)
    event.clear()
    other = threading.Timer(0.1, event.set)
    other.start()
    with pytest.raises(Interrupted):
        work(lambda: waited_for(stopped.wait, stopped.set), cancel=event)
    assert stopped.is_set()
    other.join()
    os.close(reader)
    os.close(writer)


def test_what_is_waited_for_gives_its_result_or_its_error() -> None:
    event = threading.Event()
    assert work(lambda: waited_for(lambda: 3, event.set), cancel=event) == 3

    def fail() -> None:
        raise LookupError("of the function")

    with pytest.raises(LookupError):
        work(lambda: waited_for(fail, event.set), cancel=event)
    assert not event.is_set()
