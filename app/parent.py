"""The parent of several workers: it loads once, forks, restarts who dies, reloads and drains.

It takes no request. The workers share the pages of its catalog and lists, and of its listening
sockets each has its own. A reload forks new workers from the new config and drains the old ones:
all of them change, or none.
"""

import gc
import logging
import select
import signal
import socket
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any

from app.config_watch import ConfigWatch
from app.parent_signals import LoadInterrupted, ParentSignals
from app.restarts import Restarts
from app.worker_channel import Channel, ParentLink
from app.worker_process import Worker, fork
from app.worker_sockets import WorkerSockets
from core.errors import InputError, SegueError
from engine.runtime import Runtime

LOG = logging.getLogger("segue")
START_S = 60.0
"""Time for a worker to report that it is ready."""
LEAVE_S = 2.0
"""Longest time that the parent waits until old workers accept no connection any more."""
WATCH_S = 0.5
"""Time between two looks at the config file."""

Serve = Callable[[Runtime, ParentLink, socket.socket], None]
"""Serve a config in a forked process, on a listening socket."""


class Parent:
    """The parent process.

    Args:
        runtime: The config that it starts with.
        count: Number of workers.
        sockets: Their listening sockets.
        serve: The work of a worker.
        load_next: Loads the config file again, checks it against the present one, and records it.
        on_end: Takes the number of a worker that has ended.
    """

    def __init__(
        self,
        runtime: Runtime,
        count: int,
        sockets: WorkerSockets,
        serve: Serve,
        load_next: Callable[[Runtime], Runtime],
        on_end: Callable[[int], None],
    ) -> None:
        self._runtime = runtime
        self._count = count
        self._sockets = sockets
        self._serve = serve
        self._load_next = load_next
        self._on_end = on_end
        self._shutdown_s = runtime.settings.server.shutdown_s
        self._keep_alive_s = runtime.settings.server.keep_alive_s
        path = runtime.settings.path
        self._watch = ConfigWatch(path) if runtime.settings.watch else None
        self._signals = ParentSignals()
        self._workers: list[Worker] = []
        self._failure: str | None = None
        self._numbers = 0
        self._restarts = Restarts()
        self._asked: list[tuple[Worker | None, dict[str, Any]]] = []

    def run(self, when_up: Callable[[], object]) -> None:
        """Serve until SIGTERM or Ctrl-C.

        Args:
            when_up: Called once, when the first workers take connections.

        Raises:
            SegueError: The first workers did not start.
        """
        with self._signals:
            try:
                self._let_in(self._fork_all(self._runtime))
                when_up()
                self._watch_over()
            except LoadInterrupted:
                pass  # asked to stop before the first workers were ready
            finally:
                self._end()

    def _watch_over(self) -> None:
        """Restart and reload until a signal asks for the end."""
        path, watch = self._runtime.settings.path, self._watch
        while not self._signals.stopping:
            self._step(WATCH_S)
            if watch is not None and watch.has_changed():
                self._asked.append((None, {"cause": f"{path} has changed"}))
            asked, self._asked = self._asked, []
            for asker, message in asked:
                self._reload(asker, message)
            self._restart_due()
            self._let_in_restarted()

    def _end(self) -> None:
        """Drain all workers, and wait until they have ended; a second Ctrl-C does not wait."""
        self._sockets.close_all()
        self._signals.take()  # the signal that asked for the end
        for worker in self._workers:
            worker.stop(self._shutdown_s)
        while self._workers:
            if self._step(0.2).count(signal.SIGINT):
                for worker in self._workers:
                    worker.kill()

    def _step(self, timeout_s: float) -> list[int]:
        """Wait for a signal, a message or the next restart; take note of all, give the signals."""
        readable: list[Channel | socket.socket] = [self._signals.wake]
        readable += [each.channel for each in self._workers if each.channel.is_open]
        select.select(readable, [], [], min(timeout_s, self._restarts.wait_s()))
        arrived = self._signals.take()
        if signal.SIGHUP in arrived:
            self._asked.append((None, {"cause": "SIGHUP"}))
        for worker in self._workers:
            for message in worker.channel.receive():
                if "ready" in message:
                    worker.digest = message["ready"]
                elif "left" in message:
                    worker.has_left = True
                else:
                    self._asked.append((worker, message))
        for worker in [each for each in self._workers if each.has_ended()]:
            self._workers.remove(worker)
            self._on_end(worker.number)
            if not worker.is_leaving and not worker.is_held:
                self._plan_restart(worker.slot, worker.lived_s, f"{worker} {worker.end}")
        return arrived

    # A generation of workers

    def _fork(self, slot: int, runtime: Runtime, is_held: bool) -> Worker:
        self._numbers += 1
        self._sockets.open(slot)

        def serve(link: ParentLink) -> None:
            self._signals.leave_to_worker()
            for each in self._workers:
                each.channel.close()
            self._serve(runtime, link, self._sockets.keep_only(slot))

        with self._signals.held():
            worker = fork(slot, self._numbers, is_held, serve)
        self._workers.append(worker)
        return worker

    def _fork_all(self, runtime: Runtime) -> list[Worker]:
        """Fork a worker for each slot, and wait until all are ready.

        Raises:
            SegueError: One of them did not get ready; none is left.
            LoadInterrupted: A signal asks for the end; none is left.
        """
        # The catalog and lists live as long as the process. In the permanent generation the
        # collector does not touch their pages, so that the workers go on sharing them.
        gc.collect()
        gc.freeze()
        fresh: list[Worker] = []
        try:
            for slot in range(self._count):
                fresh.append(self._fork(slot, runtime, is_held=True))
            self._await_ready(fresh, runtime.digest)
        except OSError as error:
            self._abandon(fresh)
            raise SegueError(f"a worker cannot be forked: {error.strerror}") from error
        except BaseException:
            self._abandon(fresh)
            raise
        return fresh

    def _await_ready(self, fresh: Sequence[Worker], digest: str) -> None:
        deadline_s = monotonic() + START_S
        while any(worker.digest is None for worker in fresh):
            self._step(0.2)
            if self._signals.stopping:
                raise LoadInterrupted
            for worker in fresh:
                if worker.status is not None:
                    raise SegueError(f"{worker} {worker.end} before it was ready; its log has why")
            if monotonic() > deadline_s:
                raise SegueError(f"a worker was not ready within {START_S:g} s")
        for worker in fresh:
            if worker.digest != digest:
                raise SegueError(_wrong_config(worker, digest))

    def _abandon(self, fresh: Sequence[Worker]) -> None:
        """End workers that were never let in, and wait until they are gone."""
        for worker in fresh:
            worker.kill()
        while any(worker.status is None for worker in fresh):
            self._step(0.2)

    def _let_in(self, fresh: Sequence[Worker]) -> None:
        for worker in fresh:
            self._sockets.listen(worker.slot)
            worker.let_in(self._failure)
            LOG.info("%s serves config %s", worker, worker.digest)

    # Restarts

    def _plan_restart(self, slot: int, lived_s: float, what: str) -> None:
        """Plan a restart; if it has to wait, new connections go to the remaining workers.

        A worker that is restarted at once leaves its listening socket to its successor, and with
        it the connections that nobody has accepted yet.
        """
        pause_s = self._restarts.plan(slot, lived_s)
        if pause_s:
            self._sockets.close(slot)
        LOG.error("%s; the parent restarts it %s", what, f"in {pause_s:g} s" if pause_s else "now")

    def _restart_due(self) -> None:
        for slot in self._restarts.take_due():
            try:
                self._fork(slot, self._runtime, is_held=False)
            except OSError as error:
                self._plan_restart(slot, 0.0, f"worker {slot} cannot be forked: {error}")

    def _let_in_restarted(self) -> None:
        """Let in restarted workers that are ready with the config that the others serve."""
        digest = self._runtime.digest
        for worker in self._workers:
            if worker.serves or worker.is_leaving or worker.was_killed:
                continue
            if worker.digest == digest:
                self._let_in([worker])
            elif worker.digest is not None:
                LOG.error("%s", _wrong_config(worker, digest))
                worker.kill()
            elif worker.lived_s > START_S:
                LOG.error("%s was not ready within %g s", worker, START_S)
                worker.kill()

    # Reloads

    def _reload(self, asker: Worker | None, message: dict[str, Any]) -> None:
        """Load the next config and change all workers to it, or none; answer the asker."""
        before, cause = self._runtime, message["cause"]
        try:
            runtime, fresh = self._bring_up_next()
        except InputError as error:
            faults = [[each.where, each.what] for each in error.faults]
            outcome: dict[str, Any] = {"faults": faults}
            LOG.error("%s: refused, config %s still serves:\n%s", cause, before.digest, error)
            self._failure = (
                f"{cause}: the reload failed, and config {before.digest} still serves: {error}"
            )
            for worker in self._workers:
                worker.channel.send({"failure": self._failure})
            gc.freeze()
        else:
            outcome = {"before": before.digest, "served": runtime.digest}
            self._failure = None
            self._runtime = runtime
            self._restarts.clear()
            self._let_in(fresh)
            self._let_go([each for each in self._workers if each not in fresh])
            LOG.info("%s: config %s serves in place of %s", cause, runtime.digest, before.digest)
        if asker is not None:
            asker.channel.send({"outcome": message["reload"], **outcome})

    def _let_go(self, leaving: Sequence[Worker]) -> None:
        """Ask workers to leave, and wait until they accept no connection.

        So who is told that a reload is over never reaches the config before on a new connection.
        """
        for worker in leaving:
            worker.leave(self._keep_alive_s + 2 * self._shutdown_s)
        deadline_s = monotonic() + LEAVE_S
        while monotonic() < deadline_s and any(
            worker.serves and worker.status is None and not worker.has_left for worker in leaving
        ):
            self._step(0.1)

    def _bring_up_next(self) -> tuple[Runtime, list[Worker]]:
        """Load the next config, and fork workers that are ready to serve it.

        Raises:
            InputError: Why that is impossible.
        """
        path, limit_s = self._runtime.settings.path, self._runtime.settings.server.reload_timeout_s
        try:
            gc.unfreeze()
            with self._signals.interrupting(limit_s):
                runtime = self._load_next(self._runtime)
            return runtime, self._fork_all(runtime)
        except InputError:
            raise
        except LoadInterrupted as error:
            what = f"must load within {limit_s:g} s (server.reload_timeout_s); it is given up"
            if self._signals.stopping:
                what = "was not loaded, since the server stops"
            raise InputError.one(str(path), what) from error
        except SystemExit as error:
            what = f"must load, but something in it ended the process ({error!r}). Correct it"
            raise InputError.one(str(path), what) from error
        except SegueError as error:
            raise InputError.one(str(path), str(error)) from error
        except Exception as error:
            LOG.exception("%s: the reload failed with an unhandled exception", path)
            what = f"cannot be loaded: unhandled {type(error).__name__}; the server's log has it"
            raise InputError.one(str(path), what) from error


def _wrong_config(worker: Worker, digest: str) -> str:
    return f"{worker} would serve config {worker.digest}, not {digest}; it gets no traffic"
