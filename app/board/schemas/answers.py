"""The answers and bodies of the board's routes, as OpenAPI describes them."""

from typing import Any

from pydantic import BaseModel

from app.board.seat import SeatRequest
from app.requests import schema_of
from app.schemas import ErrorResponse


def described(answer: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route: its own, and errors."""
    return {200: {"model": answer}, **_ERRORS}


def described_text(media_type: str) -> dict[int | str, dict[str, Any]]:
    """Describe the answers of a route that gives text."""
    return {200: {"content": {media_type: {"schema": {"type": "string"}}}}, **_ERRORS}


_ERRORS: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorResponse, "description": "The request is at fault."},
    "5XX": {"model": ErrorResponse, "description": "The board or its process is at fault."},
}


def seat_body() -> dict[str, Any]:
    """Describe the body of a seat's turn."""
    schema = schema_of(SeatRequest)
    content = {"application/json": {"schema": schema, "example": {"listener": "me"}}}
    return {"requestBody": {"required": True, "content": content}}
