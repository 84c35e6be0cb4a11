"""Changes that wait for the beat."""

from __future__ import annotations

from stream_dream.live.control.beat_queue import BeatQueue


def test_changes_are_made_on_their_beat_and_in_their_order() -> None:
    queue: BeatQueue[str] = BeatQueue()
    made: list[str] = []
    for beat, name in ((4, "late"), (1, "first"), (2, "second")):
        queue.put(name, name, lambda name=name: made.append(name), beat)  # type: ignore[misc]
    assert queue.asked == {"late": "late", "first": "first", "second": "second"}
    assert queue.take(0.99) == []
    for act in queue.take(2.0):
        act()
    assert made == ["first", "second"]
    assert queue.asked == {"late": "late"}


def test_the_last_change_of_the_same_counts() -> None:
    queue: BeatQueue[str] = BeatQueue()
    made: list[str] = []
    queue.put("a", "dogs", lambda: made.append("dogs"), 1)
    queue.put("a", "eyes", lambda: made.append("eyes"), 2)
    assert queue.asked == {"a": "eyes"}
    assert queue.take(1) == []
    for act in queue.take(2):
        act()
    assert made == ["eyes"]


def test_what_is_withdrawn_is_not_done_but_timers_go_on() -> None:
    queue: BeatQueue[str] = BeatQueue()
    queue.put("a", "dogs", lambda: None, 1)
    assert queue.by_hand == {"a"}
    queue.put("b", "eyes", lambda: None, 1, by_hand=False)
    queue.withdraw()
    assert queue.asked == {"b": "eyes"}
    assert not queue.by_hand
    assert len(queue.take(2)) == 1
