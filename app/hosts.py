"""The check of the Host header, for a server that only this machine can reach.

A page in a browser on this machine may send requests to 127.0.0.1, under a name of its own that
resolves to this address. Its Host header then has that name.
"""

import ipaddress
import re
import socket
from collections.abc import Iterable

from app.errors import ApiError

_HOST = re.compile(rb"(\[[^\]]*\]|[^:]*)(:[0-9]*)?\Z")
_MOST_SPELLINGS = 1000
"""Accepted values of the header that are remembered: names with their ports."""


class HostCheck:
    """The check against the names that a server goes by.

    Args:
        names: Host names and addresses, an IPv6 address in brackets.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = {name.lower().encode() for name in names}
        self._accepted: set[bytes] = set()

    def fault(self, headers: Iterable[tuple[bytes, bytes]]) -> ApiError | None:
        """Return why a request is refused, or None. One without a Host comes from no browser."""
        value = next((value for name, value in headers if name == b"host"), None)
        if value is None or value in self._accepted or self._accept(value):
            return None
        return ApiError(
            421,
            "wrong_host",
            f"must be a name in server.hosts, got {value.decode('latin-1')!r:.80}. Send one of "
            "them, or name this one there",
            "Host",
        )

    def _accept(self, value: bytes) -> bool:
        match = _HOST.match(value)
        if match is None or match[1].lower() not in self._names:
            return False
        if len(self._accepted) < _MOST_SPELLINGS:
            self._accepted.add(value)
        return True


def hosts_at(listening: socket.socket, names: Iterable[str]) -> tuple[str, ...] | None:
    """Return the names to check at a listening socket; None if other machines can reach it."""
    address = listening.getsockname()[0]
    if not ipaddress.ip_address(address).is_loopback:
        return None
    return (*names, f"[{address}]" if ":" in address else address)
