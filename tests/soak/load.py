"""The load: clients that play sessions of their listeners, retry, and keep the ledger."""

import asyncio
import json
import random
from collections.abc import Callable
from typing import Any

from tests.soak.answers import Answer, read_answer
from tests.soak.ledger import Ledger

FIRST_LISTENER = 1_000_000
"""The hostile clients have the listeners below."""
PATIENCE_S = 60.0
CUT = (asyncio.IncompleteReadError, OSError, TimeoutError)


class LoadClient:
    """One client with listeners of its own, so that it knows what each of them heard.

    Args:
        number: Its number; gives it its listeners.
        seed: Seed of all that it draws.
        port: The server's port on 127.0.0.1.
        ledger: Takes what it sent and heard.
        pace_s: Mean pause between two requests.
    """

    def __init__(
        self,
        number: int,
        seed: int,
        port: int,
        ledger: Ledger,
        pace_s: float,
    ) -> None:
        self._number = number
        self._draw = random.Random(f"{seed}-client-{number}")
        self._port = port
        self._ledger = ledger
        self._pace_s = pace_s
        self._next_mark = number
        self._connection: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._last: dict[int, int] = {}

    async def play(self, is_over: Callable[[], bool], listeners: int, clients: int) -> None:
        """Play until it is over."""
        try:
            while not is_over():
                await asyncio.sleep(self._draw.expovariate(1 / self._pace_s))
                place = self._draw.randrange(listeners)
                await self._turn(FIRST_LISTENER + place * clients + self._number, clients)
        finally:
            self._disconnect()

    async def _turn(self, user: int, clients: int) -> None:
        """Ask for a track after the last one, or end the session."""
        mark, self._next_mark = self._next_mark, self._next_mark + clients
        body: dict[str, Any] = {"user": user, "attributes": {"mark": mark}}
        route = "recommend"
        if user in self._last:
            body |= {"track": self._last[user], "time": self._draw.randrange(101) / 100}
            if self._draw.random() < 0.15:
                route, body["final"] = "feedback", True
        key = f"key-{mark}" if self._draw.random() < 0.3 else None
        answer = await self._ask(mark, route, body, key)
        if answer is None or answer.status != 200:
            return
        if route == "feedback":
            self._last.pop(user, None)
        else:
            self._last[user] = answer.json()["track"]
        if key is not None and self._draw.random() < 0.2:
            again = await self._ask(mark, route, body, key)
            if again is not None and again.body == answer.body:
                self._ledger.repeated += 1

    async def _ask(
        self, mark: int, route: str, body: dict[str, Any], key: str | None
    ) -> Answer | None:
        """Send a request; with a key, send it again until it is answered."""
        content = json.dumps(body).encode()
        lines = [f"POST /{route} HTTP/1.1", "Host: 127.0.0.1", "Content-Type: application/json"]
        lines += [f"Content-Length: {len(content)}", *([f"Idempotency-Key: {key}"] if key else [])]
        request = "\r\n".join([*lines, "", ""]).encode() + content
        for _ in range(20 if key else 1):
            self._ledger.sent[mark] += 1
            answer = await self._exchange(request)
            if answer is None:
                self._ledger.unanswered += 1
                await asyncio.sleep(0.1)
                continue
            self._note(mark, route, answer)
            return answer
        return None

    async def _exchange(self, request: bytes) -> Answer | None:
        """Send a request and read its answer; None if the connection broke."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                if self._connection is None:
                    self._connection = await asyncio.open_connection("127.0.0.1", self._port)
                reader, writer = self._connection
                writer.write(request)
                answer = await read_answer(reader)
        except CUT as error:
            if isinstance(error, TimeoutError):
                self._ledger.problems.append(f"no answer for {PATIENCE_S:g} s")
            answer = None
        if answer is None or answer.is_last:
            self._disconnect()
        return answer

    def _note(self, mark: int, route: str, answer: Answer) -> None:
        if answer.status == 200:
            decision = answer.json()["decision"] if route == "recommend" else None
            self._ledger.acknowledge(mark, decision)
        elif answer.status == 503:
            self._ledger.refusals += 1
            if mark not in self._ledger.acknowledged and self._ledger.sent[mark] == 1:
                self._ledger.refused.add(mark)
        elif len(self._ledger.problems) < 50:
            self._ledger.problems.append(f"request {mark} of {route}: {answer}")

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection[1].transport.abort()
            self._connection = None
