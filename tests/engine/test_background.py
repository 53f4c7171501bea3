"""Tasks beside the turns end, though redis-py may lose a cancellation."""

import asyncio
from contextlib import suppress

from engine.shared_state.background import end


def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    async def loses_one() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def ended() -> bool:
        task = asyncio.create_task(loses_one())
        await asyncio.sleep(0)  # it begins
        async with asyncio.timeout(30):
            await end(task)
        return task.cancelled()

    assert asyncio.run(ended())


def test_a_task_that_failed_ends_without_its_error() -> None:
    async def fails() -> None:
        raise OSError("gone")

    async def ended() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await end(task)

    asyncio.run(ended())
