"""Both clients behind one face, so that a test is written once."""

import asyncio
from contextlib import ExitStack
from typing import Any

from segue.client import AsyncClient, Client


class Flavour:
    """Makes clients of one flavour that pause for no time and are closed with the test.

    Attributes:
        pauses: How long each pause would have been, in seconds.
    """

    def __init__(self, name: str, stack: ExitStack) -> None:
        self.name = name
        self.pauses: list[float] = []
        self._stack = stack

    def client(self, url: str, **options: Any) -> Any:
        if self.name == "blocking":
            client = Client(url, pause=self.pauses.append, **options)
            return self._stack.enter_context(client)
        return self._stack.enter_context(_Awaited(AsyncClient(url, pause=self._pause, **options)))

    def keep(self, opened: Any) -> Any:
        """Close this too when the test ends."""
        return self._stack.enter_context(opened)

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


class _Awaited:
    """An asynchronous client whose methods are called as a blocking one's."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._runner = asyncio.Runner()

    def __enter__(self) -> "_Awaited":
        self._runner.__enter__()
        self._runner.run(self._client.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._client.__aexit__())
        self._runner.close()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        return lambda *args, **options: self._runner.run(method(*args, **options))
