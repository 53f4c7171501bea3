"""How a recommender is asked over HTTP: our API, and the predecessor's."""

from typing import Any, Protocol
from urllib.parse import quote

import orjson

from core.catalog import TrackId, is_id
from simulator.play.http_connection import Address
from simulator.play.session_table import Arm

UNKNOWN_ARM = Arm("", "")


class BadAnswer(Exception):
    """A body that names no track."""


class RecommenderApi(Protocol):
    """What requests look like, and what an answer says.

    Attributes:
        answers_once: Whether a request with a key may be sent again without being taken twice.
        hello: Path to ask who is there.
    """

    answers_once: bool
    hello: str

    def ask(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """A request for the next track, after one was heard."""

    def tell(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """A request that tells what was heard last in a session."""

    def track(self, body: bytes) -> TrackId:
        """The track that an answer recommends; raises `BadAnswer`."""

    def arm(self, body: bytes) -> Arm:
        """Who answered, as the answer says."""


class SegueApi:
    """`POST /recommend` and `POST /feedback`."""

    answers_once = True
    hello = "/experiments"

    def __init__(self, address: Address) -> None:
        self._address = address

    def ask(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """A turn."""
        body = orjson.dumps({"user": user, "track": track, "time": time})
        return self._address.request("POST", "/recommend", body, key)

    def tell(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """Final feedback."""
        body = orjson.dumps({"user": user, "track": track, "time": time, "final": True})
        return self._address.request("POST", "/feedback", body, key)

    def track(self, body: bytes) -> TrackId:
        """`track` of the answer."""
        return _track_of(body)

    def arm(self, body: bytes) -> Arm:
        """`experiments` and `strategy` of the answer."""
        told = orjson.loads(body)
        experiments, strategy = told.get("experiments"), told.get("strategy")
        named = experiments if isinstance(experiments, dict) else {}
        return Arm.of(named, strategy if isinstance(strategy, str) else "")


class BotifyApi:
    """`POST /next/{user}` and `POST /last/{user}`, as its predecessor's simulator sends them."""

    answers_once = False
    hello = "/"

    def __init__(self, address: Address) -> None:
        self._address = address

    def ask(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """A turn."""
        return self._post("next", user, track, time, key)

    def tell(self, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        """The end of a session."""
        return self._post("last", user, track, time, key)

    def track(self, body: bytes) -> TrackId:
        """`track` of the answer."""
        return _track_of(body)

    def arm(self, body: bytes) -> Arm:
        """It does not say."""
        return UNKNOWN_ARM

    def _post(self, what: str, user: TrackId, track: TrackId, time: float, key: str) -> bytes:
        body = orjson.dumps({"track": track, "time": time})
        return self._address.request("POST", f"/{what}/{quote(str(user), safe='')}", body, key)


def _track_of(body: bytes) -> TrackId:
    try:
        told: Any = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BadAnswer from error
    track = told.get("track") if isinstance(told, dict) else None
    if not is_id(track):
        raise BadAnswer
    return track
