"""The bodies that a client may send to our routes, validated from bytes in one pass."""

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    ConfigDict,
    FailFast,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    TypeAdapter,
)
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from core.request import ListenReport, Request

MAX_BODY = 64 * 1024
MAX_N = 100
MAX_ATTRIBUTES = 32
MAX_KEY = 256
"""Most characters of an `Idempotency-Key`."""


def _unpadded(value: str) -> str:
    if value != value.strip():
        raise ValueError("must not begin or end with white space")
    return value


# A float or a boolean never names a listener: 7.0, true and "7 " would each be a new listener.
Id = (
    Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
    | Annotated[StrictStr, Field(min_length=1, max_length=256), AfterValidator(_unpadded)]
)
Scalar = (
    StrictBool
    | Annotated[StrictInt, Field(ge=-(2**63), lt=2**63)]
    | StrictFloat
    | Annotated[StrictStr, Field(max_length=256)]
)
Time = Annotated[float, Field(strict=True, ge=0, le=1, allow_inf_nan=False)]


# Slotted dataclasses and not models: every request makes one, at a third of a model's cost.
_BODY = ConfigDict(extra="forbid", allow_inf_nan=False)

Facts = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar],
    Field(max_length=MAX_ATTRIBUTES),
]


class _StopAtFirstFault(FailFast):
    """`FailFast` for a member of a union, which must have a hash."""

    def __hash__(self) -> int:
        return hash(self.fail_fast)


_Values = Annotated[tuple[Scalar, ...], Field(min_length=1, max_length=32), _StopAtFirstFault()]


Bounds = TypedDict(  # not the class form: `not` is a word of Python
    "Bounds",
    {
        "min": StrictInt | StrictFloat,
        "max": StrictInt | StrictFloat,
        "not": Scalar | _Values,
    },
    total=False,
)
Bounds.__pydantic_config__ = _BODY  # type: ignore[attr-defined]

Conditions = Annotated[
    dict[Annotated[str, Field(min_length=1, max_length=64)], Scalar | _Values | Bounds],
    Field(max_length=16),
]


@dataclass(slots=True, config=_BODY)
class RecommendRequest(Request):
    """Body of `POST /recommend`.

    Attributes:
        user: The listener.
        track: The track that they have just heard; leave it out on a first visit. It may be
            unknown to the catalog.
        time: Share of the track that was heard, in [0, 1]; must come with `track`.
        n: Number of tracks wanted; the answer has fewer if the strategy proposes fewer.
        exclude: Tracks that the server must not recommend.
        attributes: Facts about the request, for targeting and segments.
        explain: Whether the answer gives its reasons.
        filter: Condition by field of the catalog: a value, a list of values, or an object with
            `min`, `max` or `not`. Strategies of type `filter` with `request: true` read it.
    """

    user: Id
    track: Id | None = None
    time: Time | None = None
    n: Annotated[int, Field(strict=True, ge=1, le=MAX_N)] = 1
    exclude: Annotated[tuple[Id, ...], Field(max_length=1000), FailFast()] = ()
    attributes: Facts | None = None
    explain: StrictBool = False
    filter: Conditions | None = None

    def __post_init__(self) -> None:
        if (self.track is None) != (self.time is None):
            raise ValueError(
                "track and time must come together: the track that was heard, and its share heard"
            )


@dataclass(slots=True, config=_BODY)
class FeedbackRequest(ListenReport):
    """Body of `POST /feedback`.

    Attributes:
        user: The listener.
        track: The track that they heard.
        time: Share of the track that was heard, in [0, 1].
        final: Whether the session is over.
        attributes: Facts about the request, as in `POST /recommend`.
    """

    user: Id
    track: Id
    time: Time
    final: StrictBool = False
    attributes: Facts | None = None


@dataclass(slots=True, config=_BODY)
class BotifyListen:
    """Body of botify's `POST /next/{user}` and `POST /last/{user}`."""

    track: Id
    time: Time


def field_of(location: tuple[int | str, ...]) -> str | None:
    """Name the field that an error is about, without pydantic's names for members of a union."""
    parts = [str(p) for p in location if not (isinstance(p, str) and _is_union_member(p))]
    return ".".join(parts) or None


def _is_union_member(part: str) -> bool:
    return part in {"int", "str", "bool", "float"} or part.startswith(("constrained-", "function-"))


def schema_of(body: type[Any]) -> dict[str, Any]:
    """Give the JSON Schema of a body, for OpenAPI, with its parts in it: they are no components."""
    schema = TypeAdapter(body).json_schema(ref_template="{model}")
    parts = schema.pop("$defs", {})

    def whole(value: Any) -> Any:
        if isinstance(value, dict):
            if "$ref" in value:
                return whole(parts[value["$ref"]])
            return {key: whole(each) for key, each in value.items()}
        return [whole(each) for each in value] if isinstance(value, list) else value

    found: dict[str, Any] = whole(schema)
    return found
