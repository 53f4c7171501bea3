"""Listening sockets: the server takes its addresses before it says that it listens."""

import errno
import socket

from core.errors import SegueError
from engine.settings.model import checked_address

BACKLOG = 2048
"""Connections that may wait; uvicorn's number. A client that comes early waits for the server."""


def listen(host: str, port: int) -> socket.socket:
    """Listen on the server's main address.

    Raises:
        SegueError: The address cannot be had.
    """
    try:
        return _listen(host, port)
    except socket.gaierror as error:
        raise SegueError(
            f"--host {host}: must be the name or address of this machine: {error.strerror}. "
            "Use 127.0.0.1, or 0.0.0.0 to listen to other machines"
        ) from error
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SegueError(
                f"{host}:{port} is taken by another process. Choose a port with --port "
                "(make run PORT=8001), or stop that process"
            ) from error
        raise SegueError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Choose a host of this machine "
            "with --host, and a port that you may use with --port"
        ) from error


def listen_for_operations(address: str) -> socket.socket:
    """Listen on `admin.address`.

    Raises:
        SegueError: The address cannot be had, or is none.
    """
    try:
        checked_address(address)
    except ValueError as error:
        raise SegueError(f"--admin-address {address}: {error}") from error
    host, _, port = address.rpartition(":")
    try:
        return _listen(host.strip("[]"), int(port))
    except OSError as error:
        cause = (
            "it is taken, by another process or by the main address"
            if error.errno == errno.EADDRINUSE
            else f"it cannot be listened on: {error.strerror}"
        )
        raise SegueError(
            f"admin.address: {address}: {cause}. Choose an address of this machine and a free port"
        ) from error


def _listen(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listening = socket.socket(family)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except BaseException:
        listening.close()
        raise
    return listening


def url_of(listening: socket.socket) -> str:
    """Give the URL of a listening socket."""
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
