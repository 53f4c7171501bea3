"""The operations' own address: a small second server in the main server's loop.

It serves the whole app, so that the page of docs can try every route. Its connections do not count
against the limit of the main server, so a flood of clients does not keep Prometheus out.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

STOP_S = 1
"""Time that a client may delay the end, in seconds."""


class _QuietServer(uvicorn.Server):
    """A server that leaves the process's signals to the main server."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def serving(app: ASGIApp, listening: socket.socket) -> AsyncIterator[None]:
    """Serve an app, whose lifespan is the caller's, on a listening socket during the block."""
    config = uvicorn.Config(
        app,
        http="httptools",
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_S,
    )
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
