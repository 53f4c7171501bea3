"""Play sessions against a server over HTTP: one session per connection, many connections."""

import asyncio
from collections import Counter
from collections.abc import Callable

import numpy as np
import orjson

from core.catalog import UNKNOWN
from core.errors import SegueError
from simulator.listeners.model import ListenerModel, SessionPlan
from simulator.play.ground_truth import TruthLog
from simulator.play.http_api import (
    UNKNOWN_ARM,
    BotifyApi,
    InvalidResponse,
    RecommenderApi,
    SegueApi,
)
from simulator.play.http_connection import Address, HttpConnection
from simulator.play.in_process_runner import SessionQueue
from simulator.play.request_keys import request_key
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.play.session_table import SessionRecorder
from simulator.play.workers import Outcome

PAUSES_S = (0.05, 0.2, 0.8, 2.0)
"""Pauses before a failed request is sent again: four retries within 3.05 s ride out a restart."""
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_SWEEP_S = 0.05
_GATHER_S = 0.001


class HttpRunner:
    """Plays sessions against a server.

    A response counts as a track only if it is valid. Any status except 200, a reset or slow
    connection, and a body that names no track of the catalog are errors, counted by kind. The
    runner repeats a request only where that is safe: our server recognises a repeated key. Botify
    has no keys, so there the runner repeats only what certainly never arrived.

    Args:
        listeners: The model that plays.
        url: Address of the server.
        seed: Seed of the simulation.
        connections: Connections, and so sessions under way; changes no result.
        botify: Whether to speak botify's API.
        timeout_s: Seconds to wait for a response.
        max_steps: Recommendations after which a session is truncated.
        keep_truth: Whether to keep the truth log.
        loop: Event loop, the clock of all timeouts; a new one if left out.

    Raises:
        InputError: The address is malformed.
        SegueError: No server answers at the address, or a foreign one does.
    """

    def __init__(
        self,
        listeners: ListenerModel,
        url: str,
        seed: int,
        connections: int,
        botify: bool = False,
        timeout_s: float = 10.0,
        max_steps: int = MAX_STEPS,
        keep_truth: bool = False,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.batch = SessionBatch(listeners, connections, max_steps)
        self.address = Address(url)
        self.api: RecommenderApi = BotifyApi(self.address) if botify else SegueApi(self.address)
        self.seed = seed
        self.timeout_s = timeout_s
        self.keep_truth = keep_truth
        self.loop = loop or _new_loop()
        self.config = self._greet()

    def play(
        self,
        sessions: SessionPlan,
        advance: Callable[[int], object] = abs,  # of no effect
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Play all sessions to their end, or until `should_stop`, or until the server is gone."""
        run = _HttpRun(self, sessions, advance)
        return self.loop.run_until_complete(run.play(should_stop))

    def close(self) -> None:
        """Close the loop."""
        self.loop.close()

    def _greet(self) -> str:
        """Return the digest of the server's config; empty with botify's API, which has none."""
        where = f"{self.address.url}{self.api.greeting_path}"
        greeting = _Greeting(self)
        status, body = self.loop.run_until_complete(greeting.response)
        if isinstance(self.api, BotifyApi):
            return ""
        try:
            return str(orjson.loads(body)["config"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise SegueError(
                f"{where}: the response must name a config, but has status {status} and names "
                "none. If a botify server listens there, add --api botify"
            ) from error


class _Greeting:
    """The request before all others."""

    def __init__(self, runner: HttpRunner) -> None:
        self._url = runner.address.url
        self.response: asyncio.Future[tuple[int, bytes]] = runner.loop.create_future()
        connection = HttpConnection(runner.address, self, runner.loop)
        runner.loop.call_later(runner.timeout_s, self._time_out, connection)
        connection.send(runner.address.request("GET", runner.api.greeting_path))

    def on_response(self, connection: HttpConnection, status: int, body: bytes) -> None:
        """Keep the response."""
        connection.close()
        self.response.set_result((status, body))

    def on_failure(self, connection: HttpConnection, kind: str, was_sent: bool) -> None:
        """Say that no server answers."""
        self.response.set_exception(
            SegueError(
                f"{self._url}: no answer ({kind}). Start a server with `segue serve`, or play "
                "without a server: --recommender local"
            )
        )

    def _time_out(self, connection: HttpConnection) -> None:
        if not self.response.done():
            connection.give_up("timeout")


class _HttpRun:
    """One call of `HttpRunner.play`. A slot sends requests until its session ends, then the next.

    The listeners of all responses that arrive together listen in one step of the batch.
    """

    def __init__(
        self, runner: HttpRunner, sessions: SessionPlan, advance: Callable[[int], object]
    ) -> None:
        self._runner = runner
        self._loop = runner.loop
        self._batch = runner.batch
        self._world = runner.batch.listeners.world
        self._sessions = sessions
        self._advance = advance
        self._queue = SessionQueue(sessions)
        self._recorder = SessionRecorder()
        self._truth = TruthLog() if runner.keep_truth else None
        self._errors: Counter[str] = Counter()
        self._responses = self._retried = self._given_up = self._failures_in_a_row = 0
        slots = self._batch.slots
        self._connections = [
            HttpConnection(runner.address, self, runner.loop, slot) for slot in range(slots)
        ]
        self._requests = [b""] * slots
        self._tries = [0] * slots
        self._ending = [False] * slots
        self._abandoned = [False] * slots
        self._truncated = np.zeros(slots, dtype=np.bool_)
        self._arms = [UNKNOWN_ARM] * slots
        self._received: list[tuple[int, int]] = []
        self._finished: list[int] = []
        self._free = list(range(slots))
        self._scheduled: asyncio.Handle | None = None
        self._is_urgent = False
        self._end: asyncio.Future[None] = runner.loop.create_future()

    async def play(self, should_stop: Callable[[], bool]) -> Outcome:
        """Play until nothing is left."""
        self._begin_next()
        while not self._end.done() and not should_stop():
            await asyncio.wait([self._end], timeout=_SWEEP_S)
            oldest_s = self._loop.time() - self._runner.timeout_s
            for connection in self._connections:
                if connection.waiting and connection.sent_at_s < oldest_s:
                    connection.give_up(f"no answer within {self._runner.timeout_s:g} s")
        for connection in self._connections:
            connection.close()
        await asyncio.sleep(0)  # lets the loop close the sockets
        if self._end.done():
            self._end.result()
        self._end.cancel()  # so that a callback still scheduled sees the run as over
        return Outcome(
            self._recorder.table(),
            requests=self._responses,
            errors=self._errors,
            retried=self._retried,
            given_up=self._given_up,
            unfinished=len(self._sessions) - self._recorder.sessions - self._given_up,
            truth=self._truth.lines if self._truth is not None else {},
        )

    def on_response(self, connection: HttpConnection, status: int, body: bytes) -> None:
        """Take a response: a track, the end of a session, or an error."""
        slot = connection.slot
        self._responses += 1
        if status != 200:
            may_repeat = status in _TRANSIENT and self._runner.api.is_idempotent
            self._record_failure(slot, f"status {status}", may_repeat, is_alive=True)
            return
        if self._ending[slot]:
            self._reset_failures(slot)
            self._finished.append(slot)
        else:
            api = self._runner.api
            try:
                track = self._world.catalog.index_of(api.parse_track(body))
            except InvalidResponse:
                self._record_failure(slot, "an answer without a track", False, is_alive=True)
                return
            if track == UNKNOWN:
                kind = "a track that the catalog does not have"
                self._record_failure(slot, kind, False, is_alive=True)
                return
            if self._batch.steps[slot] == 0:
                self._arms[slot] = api.parse_arm(body)
            self._reset_failures(slot)
            self._received.append((slot, track))
        self._schedule()

    def on_failure(self, connection: HttpConnection, kind: str, was_sent: bool) -> None:
        """Take a request that got no response."""
        may_repeat = self._runner.api.is_idempotent or not was_sent
        self._record_failure(connection.slot, kind, may_repeat, is_alive=False)

    def _reset_failures(self, slot: int) -> None:
        self._tries[slot] = 0
        self._failures_in_a_row = 0

    def _record_failure(self, slot: int, kind: str, may_repeat: bool, is_alive: bool) -> None:
        """Count a failure, then send the request again or give the session up."""
        self._errors[kind] += 1
        tries = self._tries[slot]
        if may_repeat and tries < len(PAUSES_S):
            self._tries[slot] += 1
            self._retried += 1
            self._loop.call_later(PAUSES_S[tries], self._send_again, slot)
            return
        self._tries[slot] = 0
        self._failures_in_a_row += 1
        self._abandoned[slot] = True
        # Two sessions per connection were given up with no success between: the server is gone.
        if self._failures_in_a_row > 2 * self._batch.slots:
            if not self._end.done():
                self._end.set_result(None)
        elif is_alive and not self._ending[slot]:
            self._send_final(slot)  # or the server takes the next session for part of this one
        else:
            self._finished.append(slot)
            self._schedule()

    def _send_again(self, slot: int) -> None:
        if not self._end.done() and not self._connections[slot].waiting:
            self._connections[slot].send(self._requests[slot])

    def _schedule(self) -> None:
        """Schedule a step: at once when a quarter of the responses are here, else in a moment.

        A step of ten sessions costs hardly more than a step of one, and the server answers the
        remaining requests meanwhile.
        """
        if self._scheduled is None:
            self._scheduled = self._loop.call_later(_GATHER_S, self._step)
        under_way = self._batch.slots - len(self._free)
        if not self._is_urgent and 4 * (len(self._received) + len(self._finished)) >= under_way:
            self._is_urgent = True
            self._scheduled.cancel()
            self._scheduled = self._loop.call_soon(self._step)

    def _step(self) -> None:
        self._scheduled, self._is_urgent = None, False
        if self._end.done():
            return
        try:
            self._listen()
            if self._finished:
                self._record_finished()
                self._begin_next()
        except Exception as error:
            self._end.set_exception(error)

    def _listen(self) -> None:
        """Let the listeners hear the tracks received, and send their next requests."""
        if not self._received:
            return
        slots, tracks = np.array(self._received, dtype=np.int64).T
        self._received.clear()
        step = self._batch.listen(slots, tracks)
        over = (step.ended | step.truncated).tolist()
        self._truncated[slots] = step.truncated
        for slot, is_over in zip(slots.tolist(), over, strict=True):
            if is_over:
                self._send_final(slot)
            else:
                self._send_next(slot)

    def _record_finished(self) -> None:
        """Record the sessions that are over, and free their slots."""
        finished, self._finished = self._finished, []
        complete = [slot for slot in finished if not self._abandoned[slot]]
        self._given_up += len(finished) - len(complete)
        if complete:
            slots = np.array(complete)
            arms = [self._arms[slot] for slot in complete]
            self._batch.end(slots)
            self._recorder.add(self._batch, slots, self._truncated[slots], arms)
            if self._truth is not None:
                self._truth.add(self._batch, slots, self._truncated[slots], arms)
        for listener in self._batch.listener[finished].tolist():
            self._queue.release(listener)
        self._free += finished
        self._advance(len(finished))

    def _begin_next(self) -> None:
        """Begin the next sessions in the free slots."""
        positions = self._queue.take(len(self._free))
        if positions:
            slots, self._free = self._free[: len(positions)], self._free[len(positions) :]
            self._batch.begin(np.array(slots), self._sessions.rows(np.array(positions)))
            for slot in slots:
                self._ending[slot] = self._abandoned[slot] = False
                self._send_next(slot)
        if len(self._free) == self._batch.slots and not self._end.done():
            self._end.set_result(None)

    def _send_next(self, slot: int) -> None:
        self._send(slot, self._runner.api.next_request)

    def _send_final(self, slot: int) -> None:
        self._ending[slot] = True
        self._send(slot, self._runner.api.final_request)

    def _send(self, slot: int, build: Callable[[int | str, int | str, float, str], bytes]) -> None:
        batch, runner = self._batch, self._runner
        track, time = self._world.catalog.ids[batch.track[slot]], float(batch.time[slot])
        number, step = int(batch.number[slot]), int(batch.steps[slot]) + 1
        key = request_key(runner.config, runner.seed, number, step, track, time)
        request = build(self._world.users[batch.listener[slot]], track, time, key)
        self._requests[slot] = request
        self._connections[slot].send(request)


def _new_loop() -> asyncio.AbstractEventLoop:
    """Return uvloop's faster loop where it is installed (with uvicorn, except on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
