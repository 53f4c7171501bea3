"""The errors that a request to a server may end in.

ClientError                catch this to catch all of them; it is a SegueError
├── ApiError               the server refused the request or failed: status, code, message, field
├── ServerUnreachable      no answer came: no connection, a lost one, or a timeout
└── UnexpectedAnswer       a success without the documented content: something else answers there
"""

from core.errors import SegueError


class ClientError(SegueError):
    """Base of the client's errors."""


class ApiError(ClientError):
    """The server answered with an error.

    Attributes:
        status: HTTP status.
        code: For programs, as in the API's documentation: `invalid`, `not_found` ...; `http_502` or
            the like where a proxy answered in Segue's place.
        message: For people: what must hold, what the server found.
        field: The field, header or parameter at fault, if one is.
        retry_after_s: How long the server asked to wait, in seconds, if it did.
        attempts: How often the request was sent.
    """

    def __init__(
        self,
        request: str,
        status: int,
        code: str,
        message: str,
        field: str | None,
        retry_after_s: float | None,
        attempts: int,
    ) -> None:
        at = f"{field}: " if field else ""
        super().__init__(f"{request}: {status} {code}: {at}{message}")
        self.status = status
        self.code = code
        self.message = message
        self.field = field
        self.retry_after_s = retry_after_s
        self.attempts = attempts


class ServerUnreachable(ClientError):
    """No attempt got an answer.

    Attributes:
        attempts: How often the request was sent.
    """

    def __init__(self, request: str, url: str, reason: str, attempts: int) -> None:
        times = "1 attempt" if attempts == 1 else f"{attempts} attempts"
        super().__init__(
            f"{request}: {url} must answer, and gave no answer to {times} ({reason}). "
            "Check the address, and that the server runs"
        )
        self.attempts = attempts


class UnexpectedAnswer(ClientError):
    """A success whose content is not the documented one."""

    def __init__(self, request: str, url: str, content: str) -> None:
        super().__init__(
            f"{request}: {url} must answer as Segue does, got {content[:200]!r}. "
            "Check that the address is that of a Segue server"
        )
