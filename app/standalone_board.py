"""A board of its own: it shows a folder of logs, and serves no listener."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from app.admin import Admin
from app.board.access import BoardAccess
from app.board.analyst import Analyst
from app.board.parts import BoardParts
from app.board.routes import add_board
from app.hosts import HostCheck
from app.hot_route import HotRoute
from app.routes import add_docs, add_errors


class BoardApp(HotRoute):
    """The ASGI app of such a board: the routes of the board, and none that takes a turn."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._answer_behind(scope, receive, send)


def create_board(command: Sequence[str], hosts: Sequence[str] | None, admin: Admin) -> BoardApp:
    """Make the app.

    Args:
        command: Starts the board's process.
        hosts: Names that a Host header may have; None if other machines can reach the board, which
            then asks for the token.
        admin: Checks the token.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        analyst = Analyst(command)
        loop = asyncio.get_running_loop()
        made.on_end = lambda: loop.call_soon_threadsafe(analyst.end_streams)
        app.state.board = BoardParts(BoardAccess(hosts is not None, admin), analyst)
        try:
            yield
        finally:
            analyst.close()

    app = FastAPI(
        title="Segue board",
        description="What runs, and whether it can be believed.",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
    )
    add_board(app)
    add_docs(app)
    add_errors(app)
    made = BoardApp(app, None if hosts is None else HostCheck(hosts))
    return made
