"""Several workers that serve one config on one port, under a parent that takes no request."""

import os
import socket
import time
from collections.abc import Callable, Sequence

from app.application import create_app
from app.counts import CountsFolder, WorkerSide
from app.parent import Parent
from app.reload import load_next
from app.server import Server
from app.worker_channel import ParentLink
from app.worker_sockets import WorkerSockets
from core.errors import InputError
from engine.runtime import Runtime


def check_workers(count: int, backend: str) -> None:
    """Refuse several workers where they would be wrong or impossible.

    Raises:
        InputError: The state is in each worker's memory, or the system cannot fork.
    """
    if count == 1:
        return
    where = "server.workers (--workers)"
    if backend == "memory":
        raise InputError.one(
            where,
            f"must be 1 with `state.backend: memory`, got {count}: each worker would know a part "
            "of every listener's story. Either share the state (`state: {backend: redis, url: "
            "...}`), or run processes of one worker behind a balancer that keeps a listener on "
            "one process (docs/processes.md)",
        )
    if not hasattr(os, "fork"):
        raise InputError.one(
            where,
            f"must be 1 on this system, which cannot fork processes, got {count}. Run processes "
            "of one worker on ports of their own, behind a balancer (docs/processes.md)",
        )


def serve_with_workers(
    runtime: Runtime,
    count: int,
    sockets: WorkerSockets,
    operations: socket.socket | None,
    hosts: Sequence[str] | None,
    when_up: Callable[[], object],
    board: Sequence[str] | None = None,
) -> None:
    """Serve until a signal.

    Args:
        runtime: The config, loaded and checked.
        count: Number of workers.
        sockets: Their listening sockets.
        operations: Listening socket of operations, which all workers share.
        hosts: Names that a Host header may have; None for any.
        when_up: Called once, when the workers take connections.
        board: Command that starts the board's process; each worker that somebody looks at has one.

    Raises:
        SegueError: The workers did not start.
    """

    def serve(served: Runtime, parent: ParentLink, listening: socket.socket) -> None:
        app = create_app(
            served,
            operations=operations,
            hosts=hosts,
            worker=WorkerSide(parent, counts),
            board=board,
        )
        server = Server(app, served.settings.server)
        parent.on_leave = server.leave
        server.run(sockets=[listening])
        if parent.is_gone:
            counts.remove()

    def load(before: Runtime) -> Runtime:
        return load_next(before, _now_ms)

    counts = CountsFolder(_now_ms())
    try:
        Parent(runtime, count, sockets, serve, load, counts.keep_of_ended).run(when_up)
    finally:
        counts.remove()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
