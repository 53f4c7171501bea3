"""Playing sessions against a server over HTTP: one session a connection, many at a time."""

import asyncio
from collections import Counter
from collections.abc import Callable

import numpy as np
import orjson

from core.catalog import UNKNOWN
from core.errors import SegueError
from simulator.listeners.model import ListenerModel, SessionPlan
from simulator.play.ground_truth import TruthLog
from simulator.play.http_api import UNKNOWN_ARM, BadAnswer, BotifyApi, RecommenderApi, SegueApi
from simulator.play.http_connection import Address, HttpConnection
from simulator.play.in_process_runner import SessionQueue
from simulator.play.request_keys import request_key
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.play.session_table import SessionRecorder
from simulator.play.workers import Outcome

PAUSES_S = (0.05, 0.2, 0.8, 2.0)
"""How long to wait each time before a failed request is sent again."""
_PASSING = frozenset({429, 500, 502, 503, 504})
_SWEEP_S = 0.05
_GATHER_S = 0.001


class HttpRunner:
    """Plays visits against a server.

    An answer is checked before it counts as a track: another status than 200, a reset or slow
    connection, or a body that names no track of the catalog is an error, counted by its kind. It is
    sent again where that is safe: our server takes a key once; the predecessor's knows no keys, so
    there only what certainly never arrived.

    Args:
        listeners: Who comes.
        url: The server's.
        seed: The simulation's.
        connections: Connections, and so sessions under way; changes no result.
        botify: Whether to speak the predecessor's API.
        timeout_s: When an answer is no longer waited for.
        max_steps: Recommendations after which a session is truncated.
        keep_truth: Whether to gather the truth log.

    Raises:
        InputError: The address is none.
        SegueError: Nobody answers there, or somebody else.
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
    ) -> None:
        self.stage = SessionBatch(listeners, connections, max_steps)
        self.address = Address(url)
        self.api: RecommenderApi = BotifyApi(self.address) if botify else SegueApi(self.address)
        self.seed = seed
        self.timeout_s = timeout_s
        self.keep_truth = keep_truth
        self.loop = _new_loop()
        self.config = self._greet()

    def play(
        self,
        visits: SessionPlan,
        advanced: Callable[[int], object] = abs,  # of no effect
        stopped: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Play all visits to their end, or until `stopped` or until nobody answers any more."""
        return self.loop.run_until_complete(_HttpRun(self, visits, advanced).all(stopped))

    def close(self) -> None:
        """Close the loop."""
        self.loop.close()

    def _greet(self) -> str:
        """Ask who is there: the digest of the server's config, or nothing of the predecessor."""
        where = f"{self.address.url}{self.api.hello}"
        greeting = _Greeting(self)
        status, body = self.loop.run_until_complete(greeting.answer)
        if isinstance(self.api, BotifyApi):
            return ""
        try:
            return str(orjson.loads(body)["config"])
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise SegueError(
                f"{where}: must tell a config, answered {status} and none. "
                "Does the predecessor's server listen there? Then add --api botify"
            ) from error


class _Greeting:
    """One request before all others."""

    def __init__(self, remote: HttpRunner) -> None:
        self._url = remote.address.url
        self.answer: asyncio.Future[tuple[int, bytes]] = remote.loop.create_future()
        wire = HttpConnection(remote.address, self, remote.loop)
        remote.loop.call_later(remote.timeout_s, self._too_late, wire)
        wire.send(remote.address.request("GET", remote.api.hello))

    def answered(self, wire: HttpConnection, status: int, body: bytes) -> None:
        """Somebody is there."""
        wire.close()
        self.answer.set_result((status, body))

    def failed(self, wire: HttpConnection, kind: str, was_sent: bool) -> None:
        """Nobody is."""
        self.answer.set_exception(
            SegueError(
                f"{self._url}: no answer ({kind}). Start a server with `segue serve`, or play "
                "without one: --recommender local"
            )
        )

    def _too_late(self, wire: HttpConnection) -> None:
        if not self.answer.done():
            wire.give_up("timeout")


class _HttpRun:
    """One call of `HttpRunner.play`. Each slot asks until its session ends, then goes on.

    Answers that arrive together are heard in one step of the stage.
    """

    def __init__(
        self, remote: HttpRunner, visits: SessionPlan, advanced: Callable[[int], object]
    ) -> None:
        self._remote = remote
        self._loop = remote.loop
        self._stage = remote.stage
        self._world = remote.stage.listeners.world
        self._visits = visits
        self._advanced = advanced
        self._queue = SessionQueue(visits)
        self._record = SessionRecorder()
        self._truth = TruthLog() if remote.keep_truth else None
        self._errors: Counter[str] = Counter()
        self._asked = self._retried = self._given_up = self._in_a_row = 0
        slots = self._stage.slots
        self._wires = [
            HttpConnection(remote.address, self, remote.loop, slot) for slot in range(slots)
        ]
        self._requests = [b""] * slots
        self._tries = [0] * slots
        self._telling = [False] * slots
        self._lost = [False] * slots
        self._cut = np.zeros(slots, dtype=np.bool_)
        self._arms = [UNKNOWN_ARM] * slots
        self._recommended: list[tuple[int, int]] = []
        self._over: list[int] = []
        self._free = list(range(slots))
        self._due: asyncio.Handle | None = None
        self._hurried = False
        self._end: asyncio.Future[None] = remote.loop.create_future()

    async def all(self, stopped: Callable[[], bool]) -> Outcome:
        """Play until nothing is left."""
        self._begin()
        while not self._end.done() and not stopped():
            await asyncio.wait([self._end], timeout=_SWEEP_S)
            oldest_s = self._loop.time() - self._remote.timeout_s
            for wire in self._wires:
                if wire.waiting and wire.sent_at_s < oldest_s:
                    wire.give_up(f"no answer within {self._remote.timeout_s:g} s")
        for wire in self._wires:
            wire.close()
        await asyncio.sleep(0)  # for the sockets to be closed
        if self._end.done():
            self._end.result()
        self._end.cancel()  # so that nothing still due takes this for going on
        return Outcome(
            self._record.played(),
            asked=self._asked,
            errors=self._errors,
            retried=self._retried,
            given_up=self._given_up,
            unfinished=len(self._visits) - self._record.sessions - self._given_up,
            truth=self._truth.lines if self._truth is not None else {},
        )

    def answered(self, wire: HttpConnection, status: int, body: bytes) -> None:
        """An answer came: a track, or the end of a session, or an error."""
        slot = wire.slot
        self._asked += 1
        if status != 200:
            passing = status in _PASSING and self._remote.api.answers_once
            self._failure(slot, f"status {status}", passing, is_alive=True)
            return
        if self._telling[slot]:
            self._settled(slot)
            self._over.append(slot)
        else:
            api = self._remote.api
            try:
                track = self._world.catalog.index_of(api.track(body))
            except BadAnswer:
                self._failure(slot, "an answer without a track", False, is_alive=True)
                return
            if track == UNKNOWN:
                self._failure(slot, "a track that the catalog does not have", False, is_alive=True)
                return
            if self._stage.steps[slot] == 0:
                self._arms[slot] = api.arm(body)
            self._settled(slot)
            self._recommended.append((slot, track))
        self._soon()

    def failed(self, wire: HttpConnection, kind: str, was_sent: bool) -> None:
        """No answer came."""
        may_repeat = self._remote.api.answers_once or not was_sent
        self._failure(wire.slot, kind, may_repeat, is_alive=False)

    def _settled(self, slot: int) -> None:
        self._tries[slot] = 0
        self._in_a_row = 0

    def _failure(self, slot: int, kind: str, may_repeat: bool, is_alive: bool) -> None:
        """Count it; send the request again, or give the session up."""
        self._errors[kind] += 1
        tries = self._tries[slot]
        if may_repeat and tries < len(PAUSES_S):
            self._tries[slot] += 1
            self._retried += 1
            self._loop.call_later(PAUSES_S[tries], self._send_again, slot)
            return
        self._tries[slot] = 0
        self._in_a_row += 1
        self._lost[slot] = True
        if self._in_a_row > 2 * self._stage.slots:
            if not self._end.done():  # nobody answers any more
                self._end.set_result(None)
        elif is_alive and not self._telling[slot]:
            self._tell(slot)  # so that the server does not take the next session for this one
        else:
            self._over.append(slot)
            self._soon()

    def _send_again(self, slot: int) -> None:
        if not self._end.done() and not self._wires[slot].waiting:
            self._wires[slot].send(self._requests[slot])

    def _soon(self) -> None:
        """Go on when a fair part of what was asked is answered, or when a moment has passed.

        A step of ten sessions costs hardly more than a step of one, and the server has the others
        to answer meanwhile.
        """
        if self._due is None:
            self._due = self._loop.call_later(_GATHER_S, self._go_on)
        under_way = self._stage.slots - len(self._free)
        if not self._hurried and 4 * (len(self._recommended) + len(self._over)) >= under_way:
            self._hurried = True
            self._due.cancel()
            self._due = self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._due, self._hurried = None, False
        if self._end.done():
            return
        try:
            self._hear()
            if self._over:
                self._finish()
                self._begin()
        except Exception as error:
            self._end.set_exception(error)

    def _hear(self) -> None:
        """Let everybody hear what was recommended, and ask or tell on."""
        if not self._recommended:
            return
        slots, tracks = np.array(self._recommended, dtype=np.int64).T
        self._recommended.clear()
        heard = self._stage.hear(slots, tracks)
        over = (heard.ended | heard.truncated).tolist()
        self._cut[slots] = heard.truncated
        for slot, ends in zip(slots.tolist(), over, strict=True):
            if ends:
                self._tell(slot)
            else:
                self._ask(slot)

    def _finish(self) -> None:
        """Take down the sessions that are over."""
        over, self._over = self._over, []
        kept = [slot for slot in over if not self._lost[slot]]
        self._given_up += len(over) - len(kept)
        if kept:
            slots = np.array(kept)
            arms = [self._arms[slot] for slot in kept]
            self._stage.end(slots)
            self._record.add(self._stage, slots, self._cut[slots], arms)
            if self._truth is not None:
                self._truth.add(self._stage, slots, self._cut[slots], arms)
        for listener in self._stage.listener[over].tolist():
            self._queue.done(listener)
        self._free += over
        self._advanced(len(over))

    def _begin(self) -> None:
        """Begin the next sessions in the free slots."""
        taken = self._queue.take(len(self._free))
        if taken:
            begun, self._free = self._free[: len(taken)], self._free[len(taken) :]
            self._stage.begin(np.array(begun), self._visits.rows(np.array(taken)))
            for slot in begun:
                self._telling[slot] = self._lost[slot] = False
                self._ask(slot)
        if len(self._free) == self._stage.slots and not self._end.done():
            self._end.set_result(None)

    def _ask(self, slot: int) -> None:
        self._send(slot, self._remote.api.ask)

    def _tell(self, slot: int) -> None:
        self._telling[slot] = True
        self._send(slot, self._remote.api.tell)

    def _send(self, slot: int, form: Callable[[int | str, int | str, float, str], bytes]) -> None:
        stage, remote = self._stage, self._remote
        track, time = self._world.catalog.ids[stage.track[slot]], float(stage.time[slot])
        number, step = int(stage.number[slot]), int(stage.steps[slot]) + 1
        key = request_key(remote.config, remote.seed, number, step, track, time)
        request = form(self._world.users[stage.listener[slot]], track, time, key)
        self._requests[slot] = request
        self._wires[slot].send(request)


def _new_loop() -> asyncio.AbstractEventLoop:
    """The quicker loop where there is one (uvicorn brings it, except on Windows)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
