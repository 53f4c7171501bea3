"""Apps to compare our server with, under the same uvicorn settings.

`python -m benchmarks._apps bare PORT` runs a bare ASGI app that answers a constant: the floor.
`python -m benchmarks._apps fastapi PORT` runs an idiomatic FastAPI route that answers the same
constant, with a pydantic body and a response model.
"""

import gc
import sys
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel, Field

CONSTANT = (
    b'{"user":4211,"track":31337,"tracks":[31337],"decision":"0123456789ab-1f00f",'
    b'"experiments":{"measured":"T1"},"strategy":"contextual","answered_by":"contextual"}'
)


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """Answer a constant: no Python server can do less."""
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": f"{message['type']}.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(CONSTANT))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": CONSTANT})


class Body(BaseModel):
    """The body of a request."""

    user: int | str
    track: int | str | None = None
    time: float | None = Field(None, ge=0, le=1)


class Answer(BaseModel):
    """The body of an answer."""

    user: int | str
    track: int | str
    tracks: list[int | str]
    decision: str
    experiments: dict[str, str]
    strategy: str
    answered_by: str


def idiomatic() -> FastAPI:
    """Make a FastAPI app as its tutorial would write it."""
    app = FastAPI()

    @app.post("/recommend")
    async def recommend(body: Body) -> Answer:
        return Answer(
            user=body.user,
            track=31337,
            tracks=[31337],
            decision="0123456789ab-1f00f",
            experiments={"measured": "T1"},
            strategy="contextual",
            answered_by="contextual",
        )

    return app


if __name__ == "__main__":
    app = {"bare": bare, "fastapi": idiomatic()}[sys.argv[1]]
    settings = uvicorn.Config(
        app, access_log=False, log_level="warning", lifespan="on", port=int(sys.argv[2])
    )
    gc.collect()
    gc.freeze()
    uvicorn.Server(settings).run()
