"""OpenAPI models of the routes that read their bodies and write their answers themselves.

`app.responses` writes the answers without these models, for speed; a test compares the two.
"""

from typing import Any, Literal

from pydantic import BaseModel, Field

from app.admin import FORCE
from app.client_keys import HEADER
from app.requests import MAX_KEY, schema_of

TrackName = int | str


class RecommendResponse(BaseModel):
    """Answer of `POST /recommend`."""

    user: TrackName = Field(description="The listener's id, as the request has it.")
    track: TrackName = Field(description="The track to play next: the first of `tracks`.")
    tracks: list[TrackName] = Field(
        description="The recommended tracks: `n` of them, or fewer if the strategy proposed fewer."
    )
    decision: str = Field(description="The decision's id in the event log.")
    experiments: dict[str, str] = Field(description="The listener's arm in each experiment.")
    strategy: str = Field(description="The strategy that the arm, or `default`, names.")
    answered_by: str = Field(description="The strategy that proposed the track.")
    why: list[str] = Field(
        [],
        description="The reasons: each strategy that abstained or proposed, and why; only with "
        "`explain`.",
    )


class BotifyNextResponse(BaseModel):
    """Answer of botify's `POST /next/{user}`."""

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

    config: str = Field(description="Fingerprint of the config that decides now.")
    before: str = Field(description="Fingerprint of the config that decided before.")


class ForgetResponse(BaseModel):
    """Answer of `DELETE /listeners/{user}`."""

    user: TrackName = Field(description="The listener's id.")
    known: bool = Field(description="Whether the server had a history of the listener.")


class WarningDetail(BaseModel):
    """A problem with which the server still acknowledges turns."""

    code: str = Field(description="For programs: it stays when the message is reworded.")
    message: str = Field(description="For people: what is wrong, and what to do.")


class ReadyResponse(BaseModel):
    """The server can acknowledge a turn."""

    status: Literal["ready"]
    config: str = Field(description="Fingerprint of the config that decides.")
    warnings: list[WarningDetail] = Field(description="What else is wrong; empty if nothing is.")


class ErrorDetail(BaseModel):
    """The error of a request."""

    code: str = Field(description="For programs: it stays when the message is reworded.")
    message: str = Field(description="For people: what must hold, what was found, what to do.")
    field: str | None = Field(
        description="The field, header or parameter at fault; null if none is."
    )


class ErrorResponse(BaseModel):
    """The one shape of every error."""

    error: ErrorDetail


def request_body(body: type[Any], example: dict[str, Any]) -> dict[str, Any]:
    """Describe the body and headers of a route that reads its own body."""
    content = {"application/json": {"schema": schema_of(body), "example": example}}
    return {
        "requestBody": {"required": True, "content": content},
        "parameters": [
            _header(
                "Idempotency-Key",
                "1 to 256 characters. A request that is sent again with its key gets the first "
                "answer again, and the log has one event.",
                minLength=1,
                maxLength=MAX_KEY,
            ),
            _header(
                FORCE,
                "`experiment=arm`, separated by commas: the arms for this request, for testing. "
                "Needs `Authorization: Bearer` and the server's token.",
            ),
            client_key(),
        ],
    }


def documented_responses(answer: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route: its own, and errors."""
    at_fault = "The request is at fault; the server changed nothing."
    unable = "The server is at fault; it changed nothing, and its event log has no line."
    return {
        200: {"model": answer},
        "4XX": {"model": ErrorResponse, "description": at_fault},
        "5XX": {"model": ErrorResponse, "description": unable},
    }


def client_key() -> dict[str, Any]:
    """Describe the header with a client's key."""
    return _header(HEADER, "The client's key, if the server's config names clients with keys.")


def _header(name: str, description: str, **bounds: int) -> dict[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "description": description,
        "schema": {"type": "string", **bounds},
    }
