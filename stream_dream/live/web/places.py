"""Who is connected: places for strangers are short, operators always get in."""

from __future__ import annotations

import ipaddress
from typing import Protocol

MOST_CONNECTIONS = 128
"""A process may open few files, and the show needs some itself."""

MOST_OF_STRANGERS = 24
"""Connections of one address that has not shown the token yet."""


class Transport(Protocol):
    """A connection, as asyncio has it."""

    def is_closing(self) -> bool:
        """Return whether it is closed, or will be."""

    def abort(self) -> None:
        """Close it at once."""


def network_of(address: str) -> str:
    """Return what limits count an address by: an IPv6 address by its /64, which is one customer."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))


class Places:
    """The places of a server, used from its event loop.

    A connection is a stranger's until one of its requests is authorised. Where places are short the
    oldest stranger goes.
    """

    def __init__(
        self, most: int = MOST_CONNECTIONS, most_of_strangers: int = MOST_OF_STRANGERS
    ) -> None:
        """Create ``most`` places, of which strangers of one network get fewer."""
        self._most, self._most_of_strangers = most, most_of_strangers
        # In the order of arrival, by address and port.
        self._strangers: dict[tuple[str, int], Transport] = {}
        self._operators: dict[tuple[str, int], Transport] = {}

    def enter(self, client: tuple[str, int], connection: Transport) -> None:
        """Give a connection a place; it is cut off itself if operators have all."""
        self._strangers = _open(self._strangers)
        self._operators = _open(self._operators)
        network = network_of(client[0])
        same = [other for other in self._strangers if network_of(other[0]) == network]
        if len(same) >= self._most_of_strangers:
            self._strangers.pop(same[0]).abort()
        taken = len(self._strangers) + len(self._operators)
        if taken >= self._most and self._strangers:
            self._strangers.pop(next(iter(self._strangers))).abort()
        elif taken >= self._most:
            connection.abort()
            return
        self._strangers[client] = connection

    def trust(self, client: tuple[str, int]) -> None:
        """Make the connection from an address and port an operator's."""
        if (connection := self._strangers.pop(client, None)) is not None:
            self._operators[client] = connection

    def clear(self) -> None:
        """Close all connections at once."""
        for connection in [*self._strangers.values(), *self._operators.values()]:
            connection.abort()


def _open(connections: dict[tuple[str, int], Transport]) -> dict[tuple[str, int], Transport]:
    return {client: one for client, one in connections.items() if not one.is_closing()}
