"""Tasks that wait for their turn."""

from __future__ import annotations

import threading

import pytest
from waiting import SECONDS

from stream_dream.runtime.background import BackgroundWorker


def test_a_task_that_fails_is_logged_and_the_next_one_runs(
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker, ran = BackgroundWorker("snapshots", 4), threading.Event()
    worker.submit(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    worker.submit(ran.set)
    worker.close(SECONDS)
    assert ran.is_set()
    assert "snapshots: a task failed" in caplog.text
