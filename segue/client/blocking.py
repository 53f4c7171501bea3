"""The blocking client."""

import time as clock
from collections.abc import Callable, Mapping, Sequence
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


class Client:
    """A client of a Segue server that waits for each answer; threads may share it.

    A method that gets no answer raises a `ClientError`: `ApiError`, `ServerUnreachable` or
    `UnexpectedAnswer`.

    Args:
        url: The server's address.
        timeout_s: How long one attempt waits for the connection, and then for the answer.
        retries: When a failed request is sent again.
        headers: More headers for every request.
        key: The client's key, if the server's `server.keys_env` names clients.
        transport: An httpx transport instead of the network's.
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
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], object] = clock.sleep,
    ) -> None:
        self._api = Exchanges(url, retries)
        self._http = httpx.Client(
            base_url=url, timeout=timeout_s, headers=own_headers(headers, key), transport=transport
        )
        self._pause = pause

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def recommend(
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
        """Ask what plays next.

        Args:
            user: The listener.
            track: Track that they have just heard; None at a first visit.
            time: The share of it that they heard, in [0, 1]; goes with `track`.
            n: How many tracks are wanted.
            exclude: Tracks that must not come.
            attributes: Facts about the request, for targeting and segments.
            explain: Whether the answer says why.
            filter: Condition by field of the catalog; see docs/strategies.md.
            key: Idempotency key; made by the client if None.
        """
        return self._run(
            self._api.recommend(user, track, time, n, exclude, attributes, explain, filter, key)
        )

    def feedback(
        self,
        user: TrackId,
        track: TrackId,
        time: float,
        *,
        final: bool = False,
        attributes: Mapping[str, Scalar] | None = None,
        key: str | None = None,
    ) -> None:
        """Report what a listener heard, without asking for a track.

        Args:
            user: The listener.
            track: Track that they heard.
            time: The share of it that they heard, in [0, 1].
            final: Whether the session is over.
            attributes: Facts about the request.
            key: Idempotency key; made by the client if None.
        """
        self._run(self._api.feedback(user, track, time, final, attributes, key))

    def track(self, track: TrackId) -> Track:
        """Look up a track of the catalog; an unknown one is an `ApiError` with code `not_found`."""
        return self._run(self._api.track(track))

    def experiments(self) -> dict[str, Any]:
        """Read the running experiments, as the JSON of `GET /experiments`."""
        return self._run(self._api.experiments())

    def ready(self) -> Readiness:
        """Ask, once, whether the server takes turns now."""
        return self._run(self._api.ready())

    def _run(self, steps: Steps[T]) -> T:
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
                self._pause(step.seconds)
            else:
                outcome = self._send(step)

    def _send(self, step: Send) -> Outcome:
        try:
            return self._http.request(
                step.method, step.path, content=step.content, headers=step.headers
            )
        except httpx.TransportError as error:
            return error
