"""Hostile clients: they hold the conversations of the grammar, and judge every answer."""

import asyncio
import json
import socket
import struct
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from tests.soak.answers import Answer, read_answer
from tests.soak.hostile_requests import Conversation, Ending, HostileRequest, conversation

PATIENCE_S = 60.0
"""An answer that takes longer is a hang; the longest deadline of the server is 2 s here."""
MOST_PROBLEMS = 50
CUT = (asyncio.IncompleteReadError, OSError)


@dataclass(slots=True)
class Hostility:
    """The outcome of many conversations.

    Attributes:
        requests: Number of requests sent, whole or not.
        statuses: Status -> number of answers.
        kinds: Part of the grammar -> number of requests.
        decisions: Ids of the decisions that the server acknowledged.
        cut: Conversations that the server ended by a reset, which only a broken one may cause.
        problems: A sentence for each answer that was wrong, with the number of its conversation.
    """

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    decisions: list[str] = field(default_factory=list)
    cut: int = 0
    problems: list[str] = field(default_factory=list)


class HostileClients:
    """Clients that hold conversations 0, 1, 2, ... of a seed, many at once.

    Args:
        port: The server's port on 127.0.0.1.
        seed: The seed of the grammar.
        calm: Gives a number while the server is meant to answer, and None while it is not; a cut or
            a 503 is a problem only if the number did not change meanwhile.
    """

    def __init__(self, port: int, seed: int, calm: Callable[[], int | None] = lambda: 0) -> None:
        self.outcome = Hostility()
        self._port = port
        self._seed = seed
        self._calm = calm
        self._since: dict[int, int | None] = {}
        self._next = 0

    async def send(self, requests: int, clients: int = 32) -> Hostility:
        """Hold conversations until so many requests were sent."""
        await asyncio.gather(
            *(self.keep_talking(lambda: self.outcome.requests >= requests) for _ in range(clients))
        )
        return self.outcome

    async def keep_talking(self, is_over: Callable[[], bool]) -> None:
        """Hold one conversation after the other."""
        while not is_over() and len(self.outcome.problems) < MOST_PROBLEMS:
            number, self._next = self._next, self._next + 1
            await self.talk(conversation(self._seed, number))

    async def talk(self, talk: Conversation) -> None:
        """Hold one conversation, and judge it."""
        self._since[talk.number] = self._calm()
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._converse(talk)
        except TimeoutError:
            self._report(talk, f"the server hangs: nothing for {PATIENCE_S:g} s")
        except CUT as error:
            self.outcome.cut += 1
            if talk.kind == "pipelined" and self._was_calm(talk):
                self._report(talk, f"the server cut the connection: {error!r}")
            if isinstance(error, ConnectionRefusedError):
                await asyncio.sleep(0.05)  # nobody listens at present
        finally:
            del self._since[talk.number]

    def _was_calm(self, talk: Conversation) -> bool:
        since = self._since[talk.number]
        return since is not None and since == self._calm()

    async def _converse(self, talk: Conversation) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.outcome.requests += talk.size
        self.outcome.kinds[talk.kind] += 1
        self.outcome.kinds.update(f"  {each.kind}" for each in talk.requests)
        sending = asyncio.create_task(_send(writer, talk.pieces))
        try:
            if talk.ending is Ending.RESET:
                await self._reset(talk, reader, writer, sending)
                return
            closed = False
            for each in talk.requests:
                closed = await self._hear(talk, each, reader)
                if closed:
                    break
            if not closed:
                await self._finish(talk, reader, writer, sending)
        finally:
            sending.cancel()
            with suppress(asyncio.CancelledError, *CUT):
                await sending
            writer.transport.abort()

    async def _hear(
        self, talk: Conversation, request: HostileRequest, reader: asyncio.StreamReader
    ) -> bool:
        """Read and judge the answer of a whole request; give whether the server closed after it."""
        answer = await read_answer(reader, request.method)
        if answer is None:
            raise ConnectionResetError("closed before an answer")
        self._count(talk, answer, request)
        # Bytes that are no HTTP end the connection at once, whatever is unanswered before them.
        is_end = answer.is_last and answer.status == 400 and bool(talk.rest)
        expected = is_end or answer.status >= 500 or request.expected.allows(answer.status)
        if not expected:
            self._report(talk, f"{_shown(request)}: {request.expected.value} expected: {answer}")
        return answer.is_last

    async def _finish(
        self,
        talk: Conversation,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sending: "asyncio.Task[None]",
    ) -> None:
        """Send no more, and read until the server closes; it must close."""
        with suppress(*CUT):
            await sending
            if talk.ending is Ending.READ:
                writer.write_eof()
        with suppress(*CUT):  # bytes of a websocket, or an answer that ends with the connection
            while (answer := await read_answer(reader)) is not None:
                self._count(talk, answer, None)

    async def _reset(
        self,
        talk: Conversation,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sending: "asyncio.Task[None]",
    ) -> None:
        """Read some of the answers, then reset the connection."""
        for each in talk.requests[: talk.number % (len(talk.requests) + 1)]:
            if await self._hear(talk, each, reader):
                return
        if talk.number % 2:
            await sending
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _count(self, talk: Conversation, answer: Answer, request: HostileRequest | None) -> None:
        """Count an answer; report one that no request may get."""
        self.outcome.statuses[answer.status] += 1
        problem = _problem_of_body(answer, request)
        if answer.status >= 500 and (answer.status != 503 or self._was_calm(talk)):
            problem = "a 5xx"
        if problem:
            shown = _shown(request) if request else repr(talk.rest[:200])
            self._report(talk, f"{shown}: {problem}: {answer}")
        elif answer.status == 200 and answer.body.startswith(b'{"user"'):
            decision = json.loads(answer.body).get("decision")
            if decision is not None:
                self.outcome.decisions.append(decision)

    def _report(self, talk: Conversation, sentence: str) -> None:
        self.outcome.problems.append(f"conversation {talk.number} ({talk.kind}): {sentence[:1500]}")


async def _send(writer: asyncio.StreamWriter, pieces: tuple[bytes, ...]) -> None:
    for each in pieces:
        writer.write(each)
        await writer.drain()
        if len(pieces) > 1:
            await asyncio.sleep(0)  # so that the pieces leave one by one


def _problem_of_body(answer: Answer, request: HostileRequest | None) -> str | None:
    """Say how an answer breaks our one shape of answers; None if it does not."""
    if not answer.headers.get("content-type", "").startswith("application/json") or (
        request is not None and request.method == "HEAD"
    ):
        return None
    try:
        body = json.loads(answer.body)
    except ValueError:
        return "the body is not JSON"
    if answer.status >= 400 and set(body.get("error", {})) != {"code", "message", "field"}:
        return "an error in a shape of its own"
    return None


def _shown(request: HostileRequest) -> str:
    return f"{request.kind}: {request.content[:300]!r} ({len(request.content)} bytes)"
