"""The application: its lifespan builds everything that lives as long as the app."""

import asyncio
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import Lifespan
from watchfiles import awatch

from app.admin import Admin, read_token
from app.board.access import BoardAccess
from app.board.analyst import Analyst
from app.board.parts import BoardParts
from app.client_keys import client_keys
from app.cors import Cors
from app.counts import OwnCounts, WorkerCounts, WorkerSide
from app.handlers import Handlers
from app.hosts import HostCheck, hosts_at
from app.hot_route import HotRoute
from app.idempotency import AnsweredKeys
from app.listening import listen_for_operations
from app.log_keeper import LogKeeper
from app.operations import serving
from app.reception import STATE, Limits, Reception
from app.reload import Reloader, Reloads
from app.routes import add_routes
from app.start import load_to_serve
from app.turn_batches import TurnBatches
from core.errors import InputError, SegueError
from engine.beside_log import BesideLog
from engine.config_snapshots import save_snapshot
from engine.dispatcher import Dispatcher
from engine.experiment_ledger import ExperimentLedger
from engine.health import Health
from engine.metrics import ServerMetrics
from engine.runtime import Runtime
from engine.settings.model import Settings
from engine.shared_state.opening import open_store
from engine.state import MemoryState
from events.writer import EventWriter

if TYPE_CHECKING:
    from app.shared_handlers import SharedHandlers

LOG = logging.getLogger("segue")


def create_app(
    runtime: Runtime,
    now_ms: Callable[[], int] | None = None,
    operations: socket.socket | None = None,
    hosts: Sequence[str] | None = None,
    worker: WorkerSide | None = None,
    board: Sequence[str] | None = None,
) -> HotRoute:
    """Make the ASGI app that serves a loaded config.

    Args:
        runtime: Checked config and artifacts.
        now_ms: Unix time in ms; the system's clock unless a test gives its own.
        operations: Listening socket that serves all routes. With it, or with `admin.address` in
            the config, the app itself serves no route of operations.
        hosts: Names that a Host header may have; None for any. Another ASGI server does not tell
            whether other machines can reach it, so it has None.
        worker: What a worker shares with its parent and siblings; None for a server of one process.
        board: Command that starts the board's process; None where nobody hands it in.

    Raises:
        InputError: An environment variable that `server.keys_env` names has no key.
    """
    clock = now_ms or _now_ms
    host_check = None if hosts is None else HostCheck(hosts)
    clients = client_keys(runtime.settings, os.environ)
    cors = Cors(runtime.settings.server.cors) if runtime.settings.server.cors else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Reception]]:
        settings = runtime.settings
        folder = settings.resolve(settings.events.dir)
        env = settings.admin.token_env
        ledger = ExperimentLedger(settings.started_folder)
        ledger.record(runtime, clock())
        for warning in ledger.changed_plans(runtime):
            LOG.warning("%s", warning)
        beside = BesideLog(folder, settings.started_folder, lambda: handlers.dispatcher.runtime)
        rotate_bytes = int(settings.events.rotate_mb * 1_000_000)
        log = EventWriter(folder, rotate_bytes, clock, beside.restore)
        save_snapshot(runtime, folder)
        answered = AnsweredKeys(
            int(settings.state.idempotency_mb * 1_000_000),
            settings.state.idempotency_keys,
            settings.state.idempotency_ttl_s,
            time.monotonic,
        )
        health = Health()
        admin = Admin(read_token(env), env)
        store = open_store(settings) if settings.state.backend == "redis" else None
        handlers: Handlers | SharedHandlers
        if store is None:
            state = MemoryState(settings.state.max_listeners, settings.state.ttl_s, time.monotonic)
            memory = Dispatcher(runtime, state, log, ServerMetrics(), clock)
            handlers = Handlers(memory, answered, admin, health, clients, cors)
        else:
            # Not at the top: they import redis-py, which only an installation with the extra has.
            from app import shared_handlers
            from engine.shared_dispatcher import SharedDispatcher

            shared = SharedDispatcher(runtime, store, log, ServerMetrics(), clock)
            handlers = shared_handlers.SharedHandlers(
                shared, answered, admin, health, clients, cors
            )
            health.warn("state_unavailable", lambda: store.problem)
            await store.start()
        for each in apps:
            each.state.handlers = handlers
        hot_route.handlers = operations_route.handlers = handlers
        loop = asyncio.get_running_loop()
        server = settings.server
        limits = Limits(server.request_timeout_s, server.keep_alive_s, server.connections)
        reception = Reception(TurnBatches(handlers, loop), limits, loop, host_check)
        own = Reloader(handlers.dispatcher, clock)
        reloader: Reloads = own if worker is None else worker.parent
        health.warn("reload_failed", lambda: reloader.failure)
        counter: OwnCounts | WorkerCounts = OwnCounts(handlers.dispatcher)
        if worker is not None:
            counter = WorkerCounts(worker.counts, worker.parent.number, handlers.dispatcher)
        for each in apps:
            each.state.reloader, each.state.counter = reloader, counter
        analyst = Analyst(board)
        hot_route.on_end = lambda: loop.call_soon_threadsafe(analyst.end_streams)
        for each in apps:
            access = BoardAccess(hosts is not None or each is not app, admin)
            each.state.board = BoardParts(access, analyst, handlers)
        keeper = LogKeeper(log, beside, settings.events.fsync_s, time.monotonic)
        keeper.report_to(health)
        beside.keep()
        tasks = [asyncio.create_task(keeper.run())]
        try:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(counter.kept())
                if worker is None:
                    await stack.enter_async_context(_reloading(own, settings, health))
                else:
                    await stack.enter_async_context(worker.parent.serving(runtime.digest))
                if operations is not None:
                    await stack.enter_async_context(serving(operations_route, operations))
                yield {STATE: reception}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            analyst.close()
            if store is not None:
                await store.close()
            _close(log)

    shows = runtime.settings.admin.board
    inside_only = operations is not None or runtime.settings.admin.address is not None
    app = _web_app(not inside_only, shows, lifespan)
    hot_route = HotRoute(app, host_check, cors)
    inside = app
    inside_hosts = None
    if operations is not None:
        inside = _web_app(True, shows)
        inside_hosts = hosts_at(operations, runtime.settings.server.hosts)
    inside_check = None if inside_hosts is None else HostCheck(inside_hosts)
    operations_route = HotRoute(inside, inside_check, cors)
    apps = (app, inside)
    return hot_route


def _web_app(operations: bool, board: bool, lifespan: Lifespan[FastAPI] | None = None) -> FastAPI:
    """Make the app behind the hot routes, with or without operations and the board."""
    app = FastAPI(
        title="Segue",
        description="Next-track recommendations, and experiments that can be trusted.",
        lifespan=lifespan,
        openapi_url="/openapi.json" if operations else None,
        docs_url=None,  # FastAPI's pages load scripts of a different host; ours is in app.routes
        redoc_url=None,
    )
    add_routes(app, operations, board)
    return app


def from_environment() -> HotRoute:
    """Make the app of the config file that SEGUE_CONFIG names, for any ASGI server.

    `uvicorn --factory app.application:from_environment`. If the config is faulty, this logs each
    fault and ends the process with exit code 2.
    """
    path = Path(os.environ.get("SEGUE_CONFIG", "config.yaml"))
    try:
        runtime = load_to_serve(path)
        return create_app(runtime, operations=_operations_socket(runtime.settings.admin.address))
    except InputError as error:
        for fault in error.faults:
            LOG.error("%s", fault)
        raise SystemExit(2) from error


def _operations_socket(address: str | None) -> socket.socket | None:
    """Take `admin.address`, unless another process of the same ASGI server was first."""
    if address is None:
        return None
    try:
        return listen_for_operations(address)
    except SegueError as error:
        LOG.warning("%s; this process serves without operations", error)
        return None


@asynccontextmanager
async def _reloading(reloader: Reloader, settings: Settings, health: Health) -> AsyncIterator[None]:
    """Reload in this process: on SIGHUP, and if wanted whenever the config file changes."""
    tasks = []
    if settings.watch:
        # The folder and not the file: an editor puts a new file in the old one's place.
        changes = awatch(settings.path.parent, watch_filter=None, recursive=False, debounce=200)
        tasks.append(watching := asyncio.create_task(reloader.follow(settings.path, changes)))
        watching.add_done_callback(_log_end_of_watch)
        health.warn("watch_ended", lambda: _end_of_watch(watching))
    try:
        with _reloading_on_hangup(reloader):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@contextmanager
def _reloading_on_hangup(reloader: Reloader) -> Iterator[None]:
    """Reload on SIGHUP, in a process's main thread: only that thread can handle signals."""
    hangups = hasattr(signal, "SIGHUP")  # Windows has none: reload over HTTP, or by `watch`
    if not hangups or threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    under_way: set[asyncio.Task[None]] = set()

    def hangup() -> None:
        task = loop.create_task(reloader.attempt("SIGHUP"))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    loop.add_signal_handler(signal.SIGHUP, hangup)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        for task in under_way:
            task.cancel()


def _end_of_watch(watching: asyncio.Task[None]) -> str | None:
    """Say that the server no longer watches the config file, unless the server is stopping."""
    if not watching.done() or watching.cancelled() or (error := watching.exception()) is None:
        return None
    return f"the server no longer watches the config file: {error}. Reload by SIGHUP, or restart"


def _log_end_of_watch(watching: asyncio.Task[None]) -> None:
    if (ended := _end_of_watch(watching)) is not None:
        LOG.error("%s", ended)


def _close(log: EventWriter) -> None:
    try:
        log.close()
    except OSError as error:
        LOG.error("%s: cannot be synced to the disk: %s", log.path, error.strerror)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
