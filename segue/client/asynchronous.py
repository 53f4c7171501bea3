"""The asynchronous client."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import httpx

from core.catalog import TrackId
from segue.client.answers import Readiness, Recommendation, Track
from segue.client.exchange import (
    Exchanges,
    Outcome,
    Pause,
    Scalar,
    Send,
    Steps,
    own_headers,
)
from segue.client.retries import DEFAULT, Retries

T = TypeVar("T")


class AsyncClient:
    """A client of a Segue server that never blocks the event loop; it has the methods of `Client`.

    Args:
        url: The server's address.
        timeout_s: How long one attempt waits for the connection, and then for the answer.
        retries: When a failed request is sent again.
        headers: More headers for every request.
        key: The client's key, if the server's `server.keys_env` names clients.
        transport: An httpx transport instead of the network's, as `httpx.ASGITransport(app)`.
        pause: Waits for so many seconds.
    """

    def __init__(
        self,
        url: str = "http://127.0.0.1:8000",
        *,
        timeout_s: float = 5.0,
        retries: Retries = DEFAULT,
        headers: Mapping[str, str] | None = None,
        key: str | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._api = Exchanges(url, retries)
        self._http = httpx.AsyncClient(
            base_url=url, timeout=timeout_s, headers=own_headers(headers, key), transport=transport
        )
        self._pause = pause

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def recommend(
        self,
        user: TrackId,
        track: TrackId | None = None,
        time: float | None = None,
        *,
        n: int = 1,
        exclude: Sequence[TrackId] = (),
        attributes: Mapping[str, Scalar] | None = None,
        explain: bool = False,
        filter: Mapping[str, Any] | None = None,  # noqa: A002 (the field's name)
        key: str | None = None,
    ) -> Recommendation:
        """Ask what plays next; arguments as in `Client.recommend`."""
        return await self._run(
            self._api.recommend(user, track, time, n, exclude, attributes, explain, filter, key)
        )

    async def feedback(
        self,
        user: TrackId,
        track: TrackId,
        time: float,
        *,
        final: bool = False,
        attributes: Mapping[str, Scalar] | None = None,
        key: str | None = None,
    ) -> None:
        """Report what a listener heard; arguments as in `Client.feedback`."""
        await self._run(self._api.feedback(user, track, time, final, attributes, key))

    async def track(self, track: TrackId) -> Track:
        """Look up a track of the catalog; an unknown one is an `ApiError` with code `not_found`."""
        return await self._run(self._api.track(track))

    async def experiments(self) -> dict[str, Any]:
        """Read the running experiments, as the JSON of `GET /experiments`."""
        return await self._run(self._api.experiments())

    async def ready(self) -> Readiness:
        """Ask, once, whether the server takes turns now."""
        return await self._run(self._api.ready())

    async def _run(self, steps: Steps[T]) -> T:
        """Carry out the steps of an exchange."""
        outcome: Outcome = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as end:
                result: T = end.value
                return result
            if isinstance(step, Pause):
                outcome = None
                await self._pause(step.seconds)
            else:
                outcome = await self._send(step)

    async def _send(self, step: Send) -> Outcome:
        try:
            return await self._http.request(
                step.method, step.path, content=step.content, headers=step.headers
            )
        except httpx.TransportError as error:
            return error
