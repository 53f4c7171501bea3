"""The server: uvicorn with the door, a clean stop, and a file limit above its connections."""

import asyncio
import logging
import math
import signal
import socket
import time
from types import FrameType

import uvicorn

from app.door import Door
from app.hot_route import HotRoute
from app.reception import STATE, Reception
from engine.settings.model import ServerSettings

LOG = logging.getLogger("segue")
SPARE_FILES = 200
"""Most files that a server has open beside its connections."""


def server_config(app: HotRoute, settings: ServerSettings) -> uvicorn.Config:
    """Make uvicorn's config for our app."""
    return uvicorn.Config(
        app,
        http=Door if settings.door == "own" else "httptools",
        access_log=False,
        log_config=None,  # `app.server_log` has set up the log of the process
        log_level="warning",
        lifespan="on",
        timeout_keep_alive=math.ceil(settings.keep_alive_s),
        timeout_graceful_shutdown=math.ceil(settings.shutdown_s),
    )


class Server(uvicorn.Server):
    """A server that runs our app until a signal, and ends with exit code 0.

    Args:
        app: Our app.
        settings: The config's `server` section.
    """

    def __init__(self, app: HotRoute, settings: ServerSettings) -> None:
        super().__init__(server_config(app, settings))
        self._app = app
        self._shutdown_s = settings.shutdown_s
        self._keep_alive_s = settings.keep_alive_s
        self._leave_by_s: float | None = None

    def leave(self) -> None:
        """Make room for a successor on the same port; lose no request of a client that keeps alive.

        The server accepts no connection any more. It closes each with its next answer, or when it
        has been silent for `keep_alive_s`, and then ends.
        """
        for server in self.servers:
            server.close()
        reception: Reception = self.lifespan.state[STATE]
        reception.close_with_next_answers()
        self._app.on_end()
        self._leave_by_s = time.monotonic() + self._keep_alive_s + self._shutdown_s

    async def on_tick(self, counter: int) -> bool:
        """Return whether the server should end, ten times a second."""
        if self._leave_by_s is not None and (
            not self.server_state.connections or time.monotonic() > self._leave_by_s
        ):
            self.should_exit = True
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop; a second Ctrl-C stops at once.

        uvicorn would raise the signal again at the end, and the process would not end with code 0.
        """
        self._app.drain()
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop; a client cannot delay the end for longer than `shutdown_s`."""
        deadline = asyncio.get_running_loop().call_later(self._shutdown_s, self._cut_connections)
        try:
            await super().shutdown(sockets)
        finally:
            deadline.cancel()

    def _cut_connections(self) -> None:
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def raise_file_limit(connections: int) -> str | None:
    """Let the process open as many files as its connections need.

    Returns:
        A sentence if the limit stays too low; None if it is high enough, or if there is none.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return None
    wanted = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return None
    for ceiling in (hard, wanted):
        target = wanted if ceiling == resource.RLIM_INFINITY else min(wanted, ceiling)
        try:
            highest = hard if hard == resource.RLIM_INFINITY else max(hard, target)
            resource.setrlimit(resource.RLIMIT_NOFILE, (target, highest))
        except (ValueError, OSError):
            continue
        if target >= wanted:
            return None
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return (
        f"the file limit of this process is {soft:,}, which is too low for server.connections: "
        f"{connections:,}. Raise it (ulimit -n {wanted}), or lower server.connections"
    )
