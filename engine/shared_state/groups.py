"""Groups of commands beside those of turns: with a coroutine that waits, or with nobody."""

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from core.errors import StateUnavailable
from engine.shared_state.wire import ErrorReply

LOG = logging.getLogger("segue")


class Awaited:
    """A group of commands for which a coroutine waits; it may stop waiting at any time.

    Attributes:
        replies: Gets the replies.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.replies: asyncio.Future[Sequence[Any]] = asyncio.get_running_loop().create_future()

    def arrived(self, replies: Sequence[Any]) -> None:
        """Take the replies."""
        if not self.replies.done():
            self.replies.set_result(replies)

    def lost(self) -> None:
        """Learn that the connection is gone."""
        if not self.replies.done():
            self.replies.set_exception(StateUnavailable("the connection to Redis is lost"))


class Unheeded:
    """A group of commands whose replies nobody needs; the errors among them are logged."""

    def __init__(self, size: int) -> None:
        self.size = size

    def arrived(self, replies: Sequence[Any]) -> None:
        """Log the errors."""
        for reply in replies:
            if isinstance(reply, ErrorReply):
                LOG.warning("redis: %s", reply)

    def lost(self) -> None:
        """Do nothing: a record or an answer that is not written costs a retry its answer."""
