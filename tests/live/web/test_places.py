"""Places: strangers make room, operators stay."""

from __future__ import annotations

import pytest

from stream_dream.live.web.places import Places, network_of


class _Connection:
    def __init__(self) -> None:
        self.closed = False

    def is_closing(self) -> bool:
        return self.closed

    def abort(self) -> None:
        self.closed = True


def enter(places: Places, *clients: tuple[str, int]) -> list[_Connection]:
    entered = []
    for client in clients:
        entered.append(_Connection())
        places.enter(client, entered[-1])
    return entered


def open_(connections: list[_Connection]) -> list[bool]:
    return [not connection.closed for connection in connections]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("10.0.0.1", "10.0.0.2", False),
        ("10.0.0.1", "::ffff:10.0.0.1", True),
        ("2001:db8::1", "2001:db8:0:0:ffff::9", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
        ("", "", True),
    ],
)
def test_a_network_counts_as_one(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) == same


def test_strangers_of_one_network_push_each_other_out() -> None:
    places = Places(most=10, most_of_strangers=3)
    elsewhere = enter(places, ("10.0.0.9", 1))
    crowd = enter(places, *(("10.0.0.1", port) for port in range(5)))
    assert open_(crowd) == [False, False, True, True, True]
    assert open_(elsewhere) == [True]


def test_the_oldest_stranger_goes_where_places_are_short() -> None:
    places = Places(most=4, most_of_strangers=4)
    guests = enter(places, *((f"10.0.0.{n}", 1) for n in range(4)))
    places.trust(("10.0.0.0", 1))
    late = enter(places, ("10.0.0.7", 1), ("10.0.0.8", 1))
    assert open_(guests) == [True, False, False, True]
    assert open_(late) == [True, True]


def test_operators_keep_their_places() -> None:
    places = Places(most=2, most_of_strangers=2)
    operators = enter(places, ("10.0.0.1", 1), ("10.0.0.1", 2))
    for port in (1, 2):
        places.trust(("10.0.0.1", port))
    assert open_(enter(places, ("10.0.0.1", 3))) == [False]
    assert open_(operators) == [True, True]
    operators[0].closed = True  # it has left
    assert open_(enter(places, ("10.0.0.1", 4))) == [True]


def test_those_who_left_take_no_place() -> None:
    places = Places(most=10, most_of_strangers=2)
    for port in range(50):
        enter(places, ("10.0.0.1", port))[0].closed = True
    assert open_(enter(places, ("10.0.0.1", 98), ("10.0.0.1", 99))) == [True, True]
    places.trust(("10.0.0.1", 5))  # too late: nothing happens
