"""Undo and redo of states, with fast series as one change."""

from __future__ import annotations

from stream_dream.live.control.history import History


def test_undo_and_redo_walk_through_the_states() -> None:
    history: History[str] = History()
    for number, state in enumerate("abc"):
        history.record(state, object(), number)
    assert [history.undo(present) for present in "dcba"] == ["c", "b", "a", None]
    assert [history.redo(present) for present in "abcd"] == ["b", "c", "d", None]
    assert history.can_undo
    assert not history.can_redo


def test_a_moving_slider_is_one_change() -> None:
    history: History[int] = History()
    for step in range(50):
        history.record(step, "strength", 0.1 * step)
    history.record(50, "fader", 5.0)
    history.record(51, "strength", 7.0)
    history.record(52, "strength", 8.5)  # after a pause
    assert [history.undo(-1) for _ in range(5)] == [52, 51, 50, 0, None]


def test_a_new_change_forgets_what_was_undone() -> None:
    history: History[str] = History()
    history.record("a", "one", 0.0)
    assert history.undo("b") == "a"
    history.record("a", "one", 0.1)  # the same slider, right after the undo
    assert not history.can_redo
    assert history.undo("c") == "a"


def test_it_is_bounded() -> None:
    history: History[int] = History()
    for number in range(1000):
        history.record(number, object(), number)
    count = 0
    while history.undo(-1) is not None:
        count += 1
    assert count == 200
