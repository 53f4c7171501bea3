"""An answer of the board's process, which the server sends on."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BoardAnswer:
    """An answer of the process.

    Attributes:
        status: HTTP status code.
        media_type: Type of the body.
        body: The body.
    """

    status: int
    media_type: str
    body: bytes
