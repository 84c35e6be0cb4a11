"""Undo and redo of states, with fast series as one change."""

from __future__ import annotations

from stream_dream.live.control.history import History


def test_undo_and_redo_walk_through_the_states() -> None:
    history: History[str] = History()
    for number, state in enumerate("abc"):
        history.record(state, number)
    assert [history.undo(present) for present in "dcba"] == ["c", "b", "a", None]
    assert [history.redo(present) for present in "abcd"] == ["b", "c", "d", None]
    assert history.can_undo
    assert not history.can_redo


def test_a_moving_slider_is_one_change() -> None:
    history: History[int] = History()
    for step in range(50):
        history.record(step, 0.1 * step, "strength")
    history.record(50, 5.0, "fader")
    history.record(51, 7.0, "strength")
    history.record(52, 8.5, "strength")  # after a pause
    assert [history.undo(-1) for _ in range(5)] == [52, 51, 50, 0, None]


def test_two_moving_sliders_are_two_changes() -> None:
    history: History[int] = History()
    history.record(-2, 0.0)
    for step in range(500):
        history.record(step, 0.01 * step, ("strength", "fader")[step % 2])
    assert [history.undo(500) for _ in range(4)] == [1, 0, -2, None]


def test_a_change_between_two_moves_is_undone_by_itself() -> None:
    history: History[str] = History()
    for now, (state, series) in enumerate([("a", "slider"), ("b", None), ("c", "slider")]):
        history.record(state, 0.1 * now, series)
    assert [history.undo("d") for _ in range(4)] == ["c", "b", "a", None]


def test_changes_that_make_no_difference_any_more_are_dropped() -> None:
    history: History[tuple[int, int]] = History()
    for now, state in enumerate([(0, 0), (1, 0), (1, 1), (1, 2)]):
        history.record(state, now)
    assert history.undo((2, 2)) == (1, 2)
    history.amend(lambda state: (state[0], 7), (1, 7))
    assert history.can_redo
    assert history.undo((1, 7)) == (0, 7)
    history.amend(lambda state: (9, 9), (9, 9))
    assert not history.can_undo
    assert not history.can_redo


def test_a_new_change_forgets_what_was_undone() -> None:
    history: History[str] = History()
    history.record("a", 0.0, "one")
    assert history.undo("b") == "a"
    history.record("a", 0.1, "one")  # the same slider, right after the undo
    assert not history.can_redo
    assert history.undo("c") == "a"


def test_it_is_bounded() -> None:
    history: History[int] = History()
    for number in range(1000):
        history.record(number, number)
    count = 0
    while history.undo(-1) is not None:
        count += 1
    assert count == 200
