"""The routes' work with listeners' state on Redis: an answer comes when Redis has replied."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from time import perf_counter

from app.cors import Cors
from app.handlers import UNANSWERED, BaseHandlers, Batch, Call, Route, taken
from app.headers import Headers
from app.idempotency import reused_key
from app.responses import HttpResponse
from core.catalog import TrackId
from core.decision import Decision, Feedback
from core.errors import ReusedKey
from core.listener import History
from core.request import ListenReport, Request
from engine.arrivals import KeptAnswer, Outcome, SeatArrival
from engine.shared_dispatcher import SharedDispatcher
from engine.shared_turns.tickets import DIGEST

Give = Callable[[int, HttpResponse], None]
"""Takes a call's place in its batch, and the answer."""


class SharedHandlers(BaseHandlers):
    """The work of the routes, apart from HTTP itself, over shared state.

    The answers that this process keeps for retried requests stand beside those on Redis.
    """

    dispatcher: SharedDispatcher

    async def answer_later(
        self, route: Route, body: bytes, headers: Headers = (), user: str = ""
    ) -> HttpResponse:
        """Answer one call; if the caller goes away, the turn is taken all the same."""
        answer: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

        def give(_: int, response: HttpResponse) -> None:
            if not answer.done():
                answer.set_result(response)

        self.answer_soon((Call(route, body, headers, user, perf_counter()),), give)
        return await answer

    def answer_soon(self, calls: Sequence[Call], give: Give) -> None:
        """Answer calls that arrived together; a call that fails does not affect the rest.

        Args:
            calls: In their order of arrival.
            give: Called once for each call; if the turn was accepted, its line is then on file.
        """
        if self._cors is not None:
            give = partial(_give_to_browsers, self._cors, calls, give)
        batch = Batch(len(calls))
        for place, call in enumerate(calls):
            try:
                self._admit(place, call, batch)
            except Exception as error:
                give(place, self.refuse(error))
                continue
            if batch.responses[place] is not UNANSWERED:
                give(place, batch.responses[place])
        for call in batch.arrivals:
            call.retry = None if call.key is None else (call.route.name, _digest_of(call))
        if batch.arrivals:
            self.dispatcher.send(batch.arrivals, partial(self._settle, batch, give))

    async def take_seat(self, sent: Request | ListenReport) -> Decision | Feedback:
        """Take a turn of a person on the board, once Redis has replied."""
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def give(_: int, found: Outcome) -> None:
            if not outcome.done():
                outcome.set_result(found)

        self.dispatcher.send((SeatArrival(sent, perf_counter()),), give)
        return taken(await outcome)

    async def history_of(self, listener: TrackId) -> History:
        """Read a listener's history."""
        return await self.dispatcher.history_of(listener)

    async def _forget(self, listener: TrackId) -> bool:
        """Delete a listener's history; return whether there was one."""
        return await self.dispatcher.forget(listener)

    def _settle(self, batch: Batch, give: Give, index: int, outcome: Outcome) -> bytes | None:
        """Answer a call, and those of its batch with the same key; give the answer to keep."""
        place, call = batch.places[index], batch.arrivals[index]
        if isinstance(outcome, ReusedKey):
            outcome = reused_key()
        if isinstance(outcome, Exception):
            response = self.refuse(outcome)
        elif isinstance(outcome, KeptAnswer):
            response = HttpResponse(200, outcome.body)
        else:
            response = HttpResponse(200, call.route.write(outcome))
        give(place, response)
        for again, first in batch.repeats:
            if first == place:
                give(again, response)
        if call.key is None or response.status != 200:
            return None
        name = (call.route.name, str(call.sent.user), call.key)
        self._answered.keep(name, batch.keys[name][1], response)
        return None if isinstance(outcome, KeptAnswer) else response.body


def _give_to_browsers(
    cors: Cors, calls: Sequence[Call], give: Give, place: int, response: HttpResponse
) -> None:
    give(place, cors.allow(response, calls[place].headers))


def _digest_of(call: Call) -> bytes:
    """Compute the digest of a body, and of the arms that a tester requests with it."""
    body = call.body if call.force is None else call.body + call.force
    return blake2b(body, digest_size=DIGEST).digest()
