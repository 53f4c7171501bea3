"""Our routes without a web framework: calls in, answers out, in batches.

The door (`app.door`) hands over the calls of one loop iteration together. Any other ASGI server
hands over one call at a time, which is a batch of one.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import Any

import orjson

from app.admin import Admin, requested_arms
from app.bodies import (
    read_botify_last,
    read_botify_next,
    read_feedback,
    read_listener,
    read_recommend,
)
from app.client_keys import ClientKeys
from app.cors import Cors
from app.errors import ApiError, error_response
from app.headers import Headers, check_listener, checked
from app.idempotency import AnsweredKeys, Key, check_same
from app.responses import HttpResponse, botify_next_body, feedback_body, recommend_body
from core.catalog import TrackId
from core.decision import Decision, Feedback
from core.limited_log import LimitedLog
from core.listener import History
from core.request import ListenReport, Request
from engine.arrivals import Arrival, Outcome, SeatArrival
from engine.base_dispatcher import BaseDispatcher
from engine.dispatcher import Dispatcher
from engine.health import Health

LOG = logging.getLogger("segue")


@dataclass(frozen=True, slots=True)
class Route:
    """A route that takes a turn.

    Attributes:
        name: Part of an idempotency key's name, so that a client may use one key on each route.
        read: Makes the engine's input from the path's user and the body.
        write: Makes the answer's body from the turn.
    """

    name: str
    read: Callable[[str, bytes], Request | ListenReport]
    write: Callable[[Any], bytes]


class Call(Arrival):
    """A request to one of our routes that has arrived whole; validating it fills in the arrival.

    Attributes:
        route: The route.
        body: The body's bytes.
        headers: (lower-case name, value).
        user: The path's last part, percent-decoded, where the route has one.
        force: The arms that a tester requests, as the header has them.
    """

    __slots__ = ("body", "force", "headers", "route", "user")
    force: bytes | None

    def __init__(
        self, route: Route, body: bytes, headers: Headers, user: str, arrived_s: float
    ) -> None:
        self.route = route
        self.body = body
        self.headers = headers
        self.user = user
        self.arrived_s = arrived_s


class BaseHandlers:
    """The part of the routes' work that does not depend on where listeners' state is.

    Args:
        dispatcher: Decides.
        answered: Answers kept for retried requests.
        admin: Checks who may choose arms for testing.
        health: What is wrong with the server.
        clients: Checks the keys of clients; None if clients need none.
        cors: Answers browsers that run pages of other origins; None if they may not call.

    Attributes:
        draining: Whether the server is about to stop.
    """

    def __init__(
        self,
        dispatcher: BaseDispatcher,
        answered: AnsweredKeys,
        admin: Admin,
        health: Health,
        clients: ClientKeys | None = None,
        cors: Cors | None = None,
    ) -> None:
        self.dispatcher = dispatcher
        self.admin = admin
        self.health = health
        self._cors = cors
        self.draining = False
        self._answered = answered
        self._clients = clients
        self._said = LimitedLog(LOG, monotonic)

    async def answer_later(
        self, route: Route, body: bytes, headers: Headers = (), user: str = ""
    ) -> HttpResponse:
        """Answer one call that has just arrived; its line is then on file."""
        raise NotImplementedError

    def _admit(self, place: int, call: Call, batch: "Batch") -> None:
        """Check a call and put it into the batch, or answer it by its key.

        Raises:
            ApiError: The call is faulty.
        """
        if self._clients is not None:
            self.check_client(call.headers)
        key, force, named = checked(call.body, call.headers)
        forced = None if force is None else self._forced(force, call.headers)
        call.sent = call.route.read(call.user, call.body)
        if named is not None:
            check_listener(named, str(call.sent.user))
        if key is not None:
            name = (call.route.name, str(call.sent.user), key)
            body = call.body if force is None else call.body + force
            known = batch.keys.get(name)
            if known is not None:
                check_same(known[1], body)
                batch.repeats.append((place, known[0]))
                return
            kept = self._answered.find(name, body)
            if kept is not None:
                batch.responses[place] = kept
                return
            batch.keys[name] = place, body
        call.key, call.forced, call.force = key, forced, force
        batch.places.append(place)
        batch.arrivals.append(call)

    def _forced(self, force: bytes, headers: Headers) -> Mapping[str, str]:
        """Read the arms that a tester with the token requests."""
        self.admin.check(headers)
        return requested_arms(force, self.dispatcher.runtime.allocation)

    def refuse(self, error: Exception) -> HttpResponse:
        """Answer a call with an error, and count the refusal."""
        return error_response(error, self.dispatcher.metrics, self._said)

    async def forget(self, user: str, headers: Headers) -> HttpResponse:
        """Delete what the server knows of a listener, for somebody with the admin token."""
        try:
            self.admin.check(headers)
            listener = read_listener(user)
            known = await self._forget(listener)
        except Exception as error:
            return self.refuse(error)
        self._answered.forget(str(listener))
        return HttpResponse(200, orjson.dumps({"user": listener, "known": known}))

    async def _forget(self, listener: TrackId) -> bool:
        """Delete a listener's history; return whether there was one."""
        raise NotImplementedError

    async def take_seat(self, sent: Request | ListenReport) -> Decision | Feedback:
        """Take a turn of a person on the board; when this returns, its line is on file.

        Raises:
            Exception: Why the turn was not taken; it changed nothing.
        """
        raise NotImplementedError

    async def history_of(self, listener: TrackId) -> History:
        """Copy a listener's history; an empty one if the server knows none.

        Raises:
            StateUnavailable: The shared state cannot be reached.
        """
        raise NotImplementedError

    def check_client(self, headers: Headers) -> None:
        """Refuse a request without the key of a client, if clients need one; count the client.

        Raises:
            ApiError: The request has no key or an unknown one.
        """
        if self._clients is not None:
            self.dispatcher.metrics.clients[self._clients.check(headers)] += 1

    def track(self, track: str, headers: Headers = ()) -> HttpResponse:
        """Describe a track of the catalog."""
        try:
            self.check_client(headers)
        except ApiError as error:
            return self.refuse(error)
        catalog = self.dispatcher.runtime.catalog
        index = catalog.index_of(track)
        if index < 0:
            return error_response(
                ApiError(404, "not_found", f"no track {track!r:.80} in the catalog", "track")
            )
        return HttpResponse(200, orjson.dumps(catalog.describe(index)))

    def ready(self) -> HttpResponse:
        """Say whether the server can acknowledge a turn, with which config, and what is wrong."""
        if self.draining:
            return not_ready("draining", "the server is about to stop")
        for problem in self.health.blocking():
            return not_ready(problem.code, problem.message)
        said = {
            "status": "ready",
            "config": self.dispatcher.runtime.digest,
            "warnings": self.health.warnings(),
        }
        return HttpResponse(200, orjson.dumps(said))


class Handlers(BaseHandlers):
    """The work of the routes, apart from HTTP itself, with listeners' state in this process."""

    dispatcher: Dispatcher

    def answer(
        self, route: Route, body: bytes, headers: Headers = (), user: str = ""
    ) -> HttpResponse:
        """Answer one call that has just arrived."""
        return self.answer_all((Call(route, body, headers, user, perf_counter()),))[0]

    def answer_all(self, calls: Sequence[Call]) -> list[HttpResponse]:
        """Answer calls that arrived together, each in its order of arrival.

        When this returns, all their lines are on file. A call that fails does not affect the
        remaining calls.
        """
        batch = Batch(len(calls))
        for place, call in enumerate(calls):
            try:
                self._admit(place, call, batch)
            except Exception as error:
                batch.responses[place] = self.refuse(error)
        if batch.arrivals:
            outcomes = self._dispatch(batch.arrivals)
            for place, outcome in zip(batch.places, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    response = self.refuse(outcome)
                else:
                    response = HttpResponse(200, calls[place].route.write(outcome))
                batch.responses[place] = response
        if batch.keys:
            self._settle_keys(batch)
        if self._cors is None:
            return batch.responses
        answered = zip(batch.responses, calls, strict=True)
        return [self._cors.allow(response, call.headers) for response, call in answered]

    def _dispatch(self, arrivals: Sequence[Call]) -> Sequence[Outcome]:
        """Take the turns; a fault of ours that takes them all back is an answer to each."""
        try:
            return self.dispatcher.dispatch(arrivals)
        except Exception as error:
            return [error] * len(arrivals)

    async def _forget(self, listener: TrackId) -> bool:
        """Delete a listener's history; return whether there was one."""
        return self.dispatcher.forget(listener)

    async def take_seat(self, sent: Request | ListenReport) -> Decision | Feedback:
        """Take a turn of a person on the board."""
        (outcome,) = self.dispatcher.dispatch((SeatArrival(sent, perf_counter()),))
        return taken(outcome)

    async def history_of(self, listener: TrackId) -> History:
        """Copy a listener's history."""
        record = self.dispatcher.state.get(str(listener))
        return History(self.dispatcher.runtime.catalog) if record is None else record.history.copy()

    async def answer_later(
        self, route: Route, body: bytes, headers: Headers = (), user: str = ""
    ) -> HttpResponse:
        """Answer one call at once."""
        return self.answer(route, body, headers, user)

    def _settle_keys(self, batch: "Batch") -> None:
        """Keep the answer of each key in the batch; give a key's repeats the same answer."""
        for name, (place, body) in batch.keys.items():
            response = batch.responses[place]
            if response.status == 200:
                self._answered.keep(name, body, response)
        for place, first in batch.repeats:
            batch.responses[place] = batch.responses[first]


def taken(outcome: Outcome) -> Decision | Feedback:
    """Return the turn of a seat, or raise why there is none."""
    if isinstance(outcome, Exception):
        raise outcome
    assert isinstance(outcome, Decision | Feedback), "a seat sends no key and forgets nobody"
    return outcome


def not_ready(code: str, message: str) -> HttpResponse:
    """Answer that the server can acknowledge no turn."""
    return error_response(ApiError(503, code, message))


class Batch:
    """The calls of one batch while the server answers them.

    Attributes:
        responses: The answer at each place; complete at the end.
        places: The place of each arrival.
        arrivals: The turns for the dispatcher.
        keys: Idempotency key -> place and body of the first call with it.
        repeats: Place of a call, and of the first call with the same key.
    """

    __slots__ = ("arrivals", "keys", "places", "repeats", "responses")

    def __init__(self, size: int) -> None:
        self.responses: list[HttpResponse] = [UNANSWERED] * size
        self.places: list[int] = []
        self.arrivals: list[Call] = []
        self.keys: dict[Key, tuple[int, bytes]] = {}
        self.repeats: list[tuple[int, int]] = []


UNANSWERED = HttpResponse(500, b"")
"""Stands in the place of an answer until it is there."""


RECOMMEND = Route("recommend", read_recommend, recommend_body)
FEEDBACK = Route("feedback", read_feedback, feedback_body)
BOTIFY_NEXT = Route("next", read_botify_next, botify_next_body)
BOTIFY_LAST = Route("last", read_botify_last, feedback_body)
ROUTES = {"/recommend": RECOMMEND, "/feedback": FEEDBACK}
"""Path -> route."""
USER_ROUTES = {"/next/": BOTIFY_NEXT, "/last/": BOTIFY_LAST}
"""Path before the user -> route; each is six characters long."""
