"""Batches of turns: the server answers calls that arrive in one iteration of the loop together.

A decision takes 15 us in a loop of its own, but 41 us between system calls: the CPU's caches are
cold then. So the server decides a batch in one go, and writes its lines with one write
(docs/performance.md).
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Protocol

from app.handlers import Call, Handlers
from app.responses import HttpResponse

if TYPE_CHECKING:  # it imports redis-py, which only an installation with the extra has
    from app.shared_handlers import SharedHandlers

MOST = 256
"""Most calls of a batch, so that a flood of calls delays no answer for long."""


class Caller(Protocol):
    """A connection that waits for an answer."""

    def answer(self, response: HttpResponse, now_s: float) -> None:
        """Take the answer.

        Args:
            response: The answer; if the turn was accepted, its line is on file.
            now_s: The loop's time.
        """


class TurnBatches:
    """The calls of the loop's present iteration; at its end the handlers answer them.

    Args:
        handlers: Answers the calls: at once, or when the shared state has replied.
        loop: The server's loop.
    """

    def __init__(
        self, handlers: "Handlers | SharedHandlers", loop: asyncio.AbstractEventLoop
    ) -> None:
        self.handlers = handlers
        self._loop = loop
        self._calls: list[Call] = []
        self._callers: list[Caller] = []

    def add(self, call: Call, caller: Caller) -> None:
        """Put a call into the present batch; the answer goes to the caller soon."""
        calls = self._calls
        if not calls:
            # Runs after everything that this iteration has read, and before the next wait.
            self._loop.call_soon(self.flush)
        calls.append(call)
        self._callers.append(caller)
        if len(calls) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Answer the calls that have come so far."""
        calls, callers = self._calls, self._callers
        if not calls:
            return
        self._calls, self._callers = [], []
        if not isinstance(self.handlers, Handlers):
            self.handlers.answer_soon(calls, partial(self._give, callers))
            return
        now_s = self._loop.time()
        for caller, response in zip(callers, self.handlers.answer_all(calls), strict=True):
            caller.answer(response, now_s)

    def _give(self, callers: list[Caller], place: int, response: HttpResponse) -> None:
        callers[place].answer(response, self._loop.time())
