"""Access to the board, which shows listeners' histories.

On a loopback address, and on `admin.address`, it is open. Elsewhere it needs the admin token; a
server without one has no board there. A browser asks for the token as a password (Basic).
"""

import base64
import binascii
from collections.abc import Iterable

from app.admin import Admin
from app.errors import ApiError

Headers = Iterable[tuple[bytes, bytes]]
CHALLENGE = (b"www-authenticate", b'Basic realm="Segue board: the password is the admin token"')


class BoardAccess:
    """The check of who may see the board.

    Args:
        is_open: Whether only people of this machine, or of `admin.address`, can come here.
        admin: Checks the token.
    """

    def __init__(self, is_open: bool, admin: Admin) -> None:
        self._is_open = is_open
        self._admin = admin

    def check(self, headers: Headers, changes: bool = False) -> None:
        """Let a request pass.

        Args:
            headers: (lower-case name, value).
            changes: Whether the request changes something.

        Raises:
            ApiError: 404 if there is no board here, 401 without the token, 403 if a page of another
                origin sent the request.
        """
        given = list(headers)
        if not self._is_open:
            self._check_token(given)
        if changes:
            _check_origin(given)

    def _check_token(self, headers: list[tuple[bytes, bytes]]) -> None:
        if not self._admin.has_token:
            raise ApiError(
                404,
                "not_found",
                "there is no board here: it shows listeners' histories, and other machines can "
                "reach this address. Set the admin token, or admin.address",
            )
        self._admin.check([(name, _as_bearer(name, value)) for name, value in headers])


def _as_bearer(name: bytes, value: bytes) -> bytes:
    """Return a password that a browser asked for as a bearer token."""
    scheme, _, coded = value.partition(b" ")
    if name != b"authorization" or scheme.lower() != b"basic":
        return value
    try:
        decoded = base64.b64decode(coded.strip(), validate=True)
    except binascii.Error:
        return value
    return b"Bearer " + decoded.partition(b":")[2]


def _check_origin(headers: list[tuple[bytes, bytes]]) -> None:
    """Refuse a request that a page of another origin sends: it knows no token, the browser does."""
    found = dict(headers)
    origin = found.get(b"origin")
    if origin is None:  # no browser
        return
    host = found.get(b"host", b"")
    if origin.partition(b"://")[2].lower() != host.lower():
        raise ApiError(
            403,
            "wrong_origin",
            f"must be the board's own, {host.decode('latin-1')!r:.80}, got "
            f"{origin.decode('latin-1')!r:.80}. Open the board itself",
            "Origin",
        )
