"""Sockets that listen at an address of the command line."""

from __future__ import annotations

import errno
import socket

from stream_dream.errors import SettingsError, first_line

_REASONS = {
    errno.EADDRINUSE: "another program listens there: choose another port",
    errno.EADDRNOTAVAIL: "this machine has no such address: give 127.0.0.1 or 0.0.0.0",
    errno.EACCES: "that port is reserved: choose one of 1024 or above",
}


def bound(option: str, host: str, port: int, kind: socket.SocketKind) -> socket.socket:
    """Return a socket bound to an address; one for streams also listens.

    Args:
        option: The option that gave the address, for the error message.
        host: Name or address of this machine; "" for this machine alone.
        port: The port; 0 for any that is free.
        kind: ``SOCK_STREAM`` or ``SOCK_DGRAM``.

    Raises:
        SettingsError: The address cannot be listened at.
    """
    try:
        # bind() takes an empty name for every network; here it is this machine alone.
        found = socket.getaddrinfo(host or None, port, type=kind)
        family, _, protocol, _, address = found[0]
        if kind == socket.SOCK_STREAM:
            return socket.create_server(address[:2], family=family)
        listener = socket.socket(family, kind, protocol)
        try:
            listener.bind(address)
        except BaseException:
            listener.close()
            raise
        return listener
    except (OSError, OverflowError, UnicodeError) as error:
        if isinstance(error, socket.gaierror | UnicodeError):
            reason = "there is no such host: give an address of this machine, such as 127.0.0.1"
        else:
            code = error.errno if isinstance(error, OSError) else None
            reason = _REASONS.get(code or 0) or first_line(error)
        raise SettingsError(f"{option} cannot listen at {host}:{port}: {reason}") from None
