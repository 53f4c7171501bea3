"""What OpenAPI says of the routes that read their bodies and write their answers themselves.

The answers are written in `replies` without these models, for speed; a test holds the two together.
"""

from typing import Any

from pydantic import BaseModel, Field

from app.admin import FORCE
from app.requests import schema_of

TrackName = int | str


class RecommendResponse(BaseModel):
    """Answer of `POST /recommend`."""

    user: TrackName = Field(description="As it was sent.")
    track: TrackName = Field(description="What plays next: the first of `tracks`.")
    tracks: list[TrackName] = Field(description="As many as asked for, or as there were.")
    decision: str = Field(description="Under this id the decision stands in the event log.")
    experiments: dict[str, str] = Field(description="The listener's arm in each experiment.")
    strategy: str = Field(description="What the arm, or the default, names.")
    answered_by: str = Field(description="Whose candidates the track was drawn from.")
    why: list[str] = Field(
        [], description="Who abstained or proposed, and why; only with `explain`."
    )


class BotifyNextResponse(BaseModel):
    """Answer of the predecessor's `POST /next/{user}`."""

    user: TrackName
    track: TrackName


class FeedbackResponse(BaseModel):
    """Answer to feedback."""

    user: TrackName


class TrackResponse(BaseModel):
    """A track of the catalog."""

    track: TrackName
    artist: str
    title: str


class ReloadResponse(BaseModel):
    """Answer of `POST /admin/reload`."""

    config: str = Field(description="Fingerprint of what decides now.")
    before: str = Field(description="Fingerprint of what decided before.")


class ErrorDetail(BaseModel):
    """What is wrong."""

    code: str = Field(description="For programs: it stays when the message is put better.")
    message: str = Field(description="For people: what must hold, what was found, what to do.")
    field: str | None = Field(description="The field, header or parameter at fault, if one is.")


class ErrorResponse(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


def request_body(body: type[Any]) -> dict[str, Any]:
    """The body and headers of a route that reads its own."""
    content = {"application/json": {"schema": schema_of(body)}}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [
            _header(
                "Idempotency-Key",
                "1 to 256 characters. A request that is sent again with its key gets the answer "
                "that it got, and leaves one event.",
            ),
            _header(
                FORCE,
                "`experiment=arm`, several with commas: the arms for this request, for testing. "
                "Needs `Authorization: Bearer` and the server's token.",
            ),
        ],
    }


def documented_responses(answer: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """The answers of a route: its own, and errors."""
    at_fault = "The request is at fault; nothing was changed."
    unable = "The server is; nothing was changed, and nothing is in the event log."
    return {
        200: {"model": answer},
        "4XX": {"model": ErrorResponse, "description": at_fault},
        "5XX": {"model": ErrorResponse, "description": unable},
    }


def _header(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }
