"""The HTTP requests that a recommender understands: our API, and that of botify."""

from typing import Any, Protocol
from urllib.parse import quote

import orjson

from core.catalog import TrackId, is_id
from simulator.play.http_connection import Address
from simulator.play.session_table import Arm

UNKNOWN_ARM = Arm("", "")


class InvalidResponse(Exception):
    """A response body that names no track."""


class RecommenderApi(Protocol):
    """Builds requests and parses responses.

    Attributes:
        is_idempotent: Whether the server recognises the key of a repeated request, so that sending
            the request again is safe.
        greeting_path: Path of the first request, which finds out who listens there.
    """

    is_idempotent: bool
    greeting_path: str

    def next_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build the request for the next track; `track` was heard for `time`."""

    def final_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build the request that ends a session; `track` was heard for `time`."""

    def parse_track(self, body: bytes) -> TrackId:
        """Return the recommended track, or raise `InvalidResponse`."""

    def parse_arm(self, body: bytes) -> Arm:
        """Return the arm that the response names."""


class SegueApi:
    """`POST /recommend` and `POST /feedback`."""

    is_idempotent = True
    greeting_path = "/readyz"

    def __init__(self, address: Address) -> None:
        self._address = address

    def next_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build `POST /recommend`."""
        body = orjson.dumps({"user": user, "track": track, "time": time})
        return self._address.request("POST", "/recommend", body, key)

    def final_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build `POST /feedback` with `final`."""
        body = orjson.dumps({"user": user, "track": track, "time": time, "final": True})
        return self._address.request("POST", "/feedback", body, key)

    def parse_track(self, body: bytes) -> TrackId:
        """Return the field `track`."""
        return _parse_track(body)

    def parse_arm(self, body: bytes) -> Arm:
        """Return the fields `experiments` and `strategy`."""
        response = orjson.loads(body)
        experiments, strategy = response.get("experiments"), response.get("strategy")
        arms = experiments if isinstance(experiments, dict) else {}
        return Arm.of(arms, strategy if isinstance(strategy, str) else "")


class BotifyApi:
    """`POST /next/{user}` and `POST /last/{user}`, as botify's own simulator sends them."""

    is_idempotent = False
    greeting_path = "/"

    def __init__(self, address: Address) -> None:
        self._address = address

    def next_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build `POST /next/{user}`."""
        return self._post("next", user, track, time, key)

    def final_request(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Build `POST /last/{user}`."""
        return self._post("last", user, track, time, key)

    def parse_track(self, body: bytes) -> TrackId:
        """Return the field `track`."""
        return _parse_track(body)

    def parse_arm(self, body: bytes) -> Arm:
        """Return `UNKNOWN_ARM`: botify's responses name no arm."""
        return UNKNOWN_ARM

    def _post(self, route: str, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        body = orjson.dumps({"track": track, "time": time})
        return self._address.request("POST", f"/{route}/{quote(str(user), safe='')}", body, key)


def _parse_track(body: bytes) -> TrackId:
    try:
        response: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidResponse from error
    track = response.get("track") if isinstance(response, dict) else None
    if not is_id(track):
        raise InvalidResponse
    return track
