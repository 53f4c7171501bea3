"""Tasks that run beside the turns until the store is closed."""

import asyncio
from typing import Any

AGAIN_S = 0.1
"""Time after which a task that goes on is cancelled again, in seconds."""


async def end(task: asyncio.Task[Any]) -> None:
    """Cancel a task until it has ended.

    Once is not enough: redis-py loses a cancellation that comes while it sets up a connection
    (1,245 of 3,098 on a fast Redis), and the task goes on as if nobody had ended it.
    """
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=AGAIN_S)
    await asyncio.gather(task, return_exceptions=True)
