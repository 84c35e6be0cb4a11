"""Pauses that grow up to a limit."""

from __future__ import annotations

from stream_dream.runtime.retry_pauses import RetryPauses


def test_pauses_grow_up_to_a_limit_and_begin_anew() -> None:
    pauses = RetryPauses(1.0, 60.0)
    assert [pauses.next() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    pauses.reset()
    assert [pauses.next() for _ in range(2)] == [1, 2]
