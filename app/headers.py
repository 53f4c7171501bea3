"""The headers of a turn: what its body is, its idempotency key, and the arms of a tester."""

from collections.abc import Iterable

from app.bodies import SMALL, check_size
from app.errors import ApiError
from app.requests import MAX_KEY

Headers = Iterable[tuple[bytes, bytes]]
JSON = b"application/json"


def checked(body: bytes, headers: Headers) -> tuple[str | None, bytes | None, bytes | None]:
    """Return the idempotency key, the forced arms and the named listener of a request.

    Raises:
        ApiError: The body is no JSON by its headers, is packed, or is too large; or the key is
            faulty.
    """
    found = dict(headers)  # a header sent twice counts with its last value
    content_type = found.get(b"content-type")
    # The usual spelling first, since parsing every allowed spelling takes longer.
    if content_type != JSON:
        _check_content_type(content_type)
    if b"content-encoding" in found:
        _check_encoding(found[b"content-encoding"])
    key = None
    if (value := found.get(b"idempotency-key")) is not None:
        key = value.decode("latin-1")
        if not 0 < len(key) <= MAX_KEY:
            raise ApiError(
                422,
                "invalid",
                f"must have 1 to {MAX_KEY} characters, got {len(key)}",
                "Idempotency-Key",
            )
    if len(body) > SMALL:
        check_size(body)
    return key, found.get(b"segue-force"), found.get(b"segue-listener")


def check_listener(named: bytes, listener: str) -> None:
    """Refuse a request whose header names a different listener than its path or body.

    A balancer that keeps a listener on one process has gone by the header.

    Raises:
        ApiError: They differ.
    """
    if named != listener.encode():
        raise ApiError(
            400,
            "wrong_listener",
            f"must name the listener of the request, {listener!r:.80}, got "
            f"{named.decode('utf-8', 'replace')!r:.80}. A balancer would have sent the request to "
            "the process of a different listener",
            "Segue-Listener",
        )


def _check_content_type(content_type: bytes | None) -> None:
    """Refuse what is no JSON: a browser sends such a request for any page, without asking us."""
    if content_type is None or content_type.partition(b";")[0].strip().lower() != JSON:
        got = "none" if content_type is None else f"{content_type.decode('latin-1')!r:.80}"
        raise ApiError(
            415,
            "unsupported_media_type",
            f"Content-Type must be application/json, got {got}",
            "Content-Type",
        )


def _check_encoding(encoding: bytes) -> None:
    if encoding.strip().lower() not in (b"", b"identity"):
        raise ApiError(
            415,
            "unsupported_encoding",
            "the body must be sent as it is, without Content-Encoding, got "
            f"{encoding.decode('latin-1')!r:.80}",
            "Content-Encoding",
        )
