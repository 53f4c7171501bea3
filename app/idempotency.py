"""Answers kept for retried requests: a key gets the same answer again."""

from collections.abc import Callable

from cachetools import TTLCache

from app.errors import ApiError
from app.responses import HttpResponse

Key = tuple[str, str, str]
"""Route, listener, and the request's `Idempotency-Key`."""
_OVERHEAD = 600
"""Bytes that an entry takes beside its two byte strings: cache links, key, response object."""


class AnsweredKeys:
    """Answers by key, kept for a time and within a number of bytes; the oldest go first.

    Args:
        max_bytes: Memory for all entries, in bytes.
        max_keys: Most entries.
        ttl_s: Time for which an answer is kept, in seconds.
        timer: Seconds on a clock that never goes back.
    """

    def __init__(
        self, max_bytes: int, max_keys: int, ttl_s: float, timer: Callable[[], float]
    ) -> None:
        self._max_keys = max_keys
        self._kept: TTLCache[Key, tuple[bytes, HttpResponse]] = TTLCache(
            max_bytes, ttl_s, timer, getsizeof=_size_of
        )

    def find(self, key: Key, body: bytes) -> HttpResponse | None:
        """Find the answer that this key got before, or None.

        Raises:
            ApiError: The key came before with a different body.
        """
        kept = self._kept.get(key)
        if kept is None:
            return None
        check_same(kept[0], body)
        return kept[1]

    def forget(self, listener: str) -> None:
        """Drop the answers to a listener."""
        for key in [key for key in self._kept if key[1] == listener]:
            self._kept.pop(key, None)

    def keep(self, key: Key, body: bytes, response: HttpResponse) -> None:
        """Keep the answer of an accepted request."""
        # Copies: both strings are slices of larger buffers, which would stay alive with them.
        response = HttpResponse(response.status, bytes(memoryview(response.body)), response.headers)
        entry = (bytes(memoryview(body)), response)
        if _size_of(entry) > self._kept.maxsize:
            return
        while len(self._kept) >= self._max_keys:
            self._kept.popitem()
        self._kept[key] = entry


def check_same(before: bytes, body: bytes) -> None:
    """Refuse a key that came with two bodies.

    Raises:
        ApiError: The bodies differ.
    """
    if before != body:
        raise reused_key()


def reused_key() -> ApiError:
    """Refuse a key that came with two bodies."""
    return ApiError(
        422,
        "idempotency_key_reused",
        "this Idempotency-Key came with a different body before; give each request its own key",
        "Idempotency-Key",
    )


def _size_of(entry: tuple[bytes, HttpResponse]) -> int:
    body, response = entry
    return len(body) + len(response.body) + _OVERHEAD
