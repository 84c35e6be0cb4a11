"""How the processors of a cluster are divided among workers."""

from __future__ import annotations

import pytest

from stream_dream.film.cluster.shares import Node, Share, share_out
from stream_dream.settings.film import FilmSettings

FOUR, EIGHT = Node(4), Node(8)


@pytest.mark.parametrize(
    ("nodes", "shots", "workers", "expected"),
    [
        ([FOUR, EIGHT], 100, None, Share(12, 1, 1)),  # many shots: one core each
        ([FOUR, EIGHT], 6, None, Share(6, 2, 2)),
        ([FOUR, EIGHT], 1, None, Share(1, 4, 4)),
        ([Node(2), Node(2)], 1, None, Share(1, 2, 2)),  # limited by the machine
        ([FOUR, EIGHT], 100, 3, Share(3, 4, 4)),
        ([FOUR, EIGHT], 100, 4, Share(4, 2, 2)),  # with three cores each one would find no room
        ([FOUR], 100, 9, Share(9, 1, 1)),  # a growing cluster may have room later
        ([FOUR], 2, 9, Share(2, 2, 2)),
        ([], 5, None, Share(1, 1, 1)),  # no machine has joined yet
        ([], 5, 2, Share(2, 1, 1)),
        ([Node(0)], 5, None, Share(1, 1, 1)),
    ],
)
def test_processors_are_shared_out(
    nodes: list[Node], shots: int, workers: int | None, expected: Share
) -> None:
    assert share_out(nodes, shots, workers) == expected


@pytest.mark.parametrize(
    ("nodes", "shots", "workers", "expected"),
    [
        ([Node(16, 2), FOUR], 9, None, Share(2, 4, 4, 1)),
        ([Node(16, 2)], 9, 4, Share(4, 4, 4, 0.5)),
        ([Node(16, 1)], 9, 3, Share(3, 4, 4, 0.3333)),
        ([Node(16, 2)], 1, None, Share(1, 4, 4, 1)),
        ([Node(2, 4)], 9, None, Share(4, 1, 0.5, 1)),  # more of them than processors
        ([Node(0, 1)], 9, None, Share(1, 1, 0, 1)),
    ],
)
def test_graphics_processors_are_shared_out(
    nodes: list[Node], shots: int, workers: int | None, expected: Share
) -> None:
    share = share_out(nodes, shots, workers)
    assert share == expected
    assert share.fit(nodes) >= share.workers or workers or shots < share.fit(nodes)


def test_machines_that_join_later_are_counted() -> None:
    share = share_out([FOUR], 100)
    assert share.fit([FOUR]) == 4
    assert share.fit([FOUR, EIGHT, Node(0.5)]) == 12
    assert Share(1, 1, 0.5, 0.3333).fit([Node(2, 1)]) == 3


def test_only_graphics_processors_get_batches_unless_asked() -> None:
    assert [FilmSettings().batch_on(gpus) for gpus in (0, 1, 2, 0.5, 0.25)] == [1, 4, 4, 2, 1]
    assert [FilmSettings(batch=3).batch_on(gpus) for gpus in (0, 1, 0.25)] == [3, 3, 3]
