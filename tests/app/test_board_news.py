"""The board's stream: the state, then patches, for everybody from one snapshot."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from app.board import news
from app.board.news import News, Snapshot


def snapshot(number: int, stem: str = "a", first: bool = False) -> Snapshot:
    before = None if first else f"{stem}-{number - 1}"
    return Snapshot(f"{stem}-{number}", before, b"state%d" % number, b"patch%d" % number)


async def next_of(stream: AsyncIterator[bytes]) -> str:
    async with asyncio.timeout(30):
        return (await anext(stream)).decode()


def following(number: int, name: str, stem: str = "a") -> str:
    return f"id: {stem}-{number}\nevent: {name}\ndata: {name}{number}\n\n"


def test_a_viewer_gets_the_state_and_then_patches() -> None:
    async def watch() -> list[str]:
        made = News()
        made.publish(snapshot(1, first=True))
        stream = made.stream()
        found = [await next_of(stream), await next_of(stream)]
        made.publish(snapshot(2))
        made.publish(snapshot(3))
        return [*found, await next_of(stream), await next_of(stream)]

    assert asyncio.run(watch()) == [
        "retry: 2000\n\n", following(1, "state"), following(2, "patch"), following(3, "patch"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("last_id", "expected"),
    [
        ("a-2", [following(3, "patch"), following(4, "patch")]),
        ("a-4", []),
        ("a-1", [following(4, "state")]),  # no longer kept
        ("b-4", [following(4, "state")]),  # of a server before this one
        (None, [following(4, "state")]),
    ],
    ids=["missed-two", "missed-none", "missed-too-many", "another-server", "new"],
)
def test_a_viewer_who_comes_back_gets_what_they_missed(
    monkeypatch: pytest.MonkeyPatch, last_id: str | None, expected: list[str]
) -> None:
    monkeypatch.setattr(news, "KEPT", 3)

    async def watch() -> list[str]:
        made = News()
        for number in range(1, 5):
            made.publish(snapshot(number, first=number == 1))
        stream = made.stream(last_id)
        await next_of(stream)
        found = [await next_of(stream) for _ in expected]
        made.end()
        return found + [event.decode() async for event in stream]

    assert asyncio.run(watch()) == expected


def test_a_process_that_was_started_again_begins_with_a_state() -> None:
    async def watch() -> list[str]:
        made = News()
        made.publish(snapshot(1, first=True))
        stream = made.stream("a-1")
        await next_of(stream)
        made.publish(snapshot(1, "b", first=True))
        return [await next_of(stream)]

    assert asyncio.run(watch()) == [following(1, "state", "b")]


def test_a_silent_stream_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "BEAT_S", 0.01)

    async def watch() -> list[str]:
        stream = News().stream()
        return [await next_of(stream) for _ in range(3)]

    assert asyncio.run(watch()) == ["retry: 2000\n\n", ": beat\n\n", ": beat\n\n"]


def test_all_streams_end_together() -> None:
    async def watch() -> list[list[bytes]]:
        made = News()
        made.publish(snapshot(1, first=True))

        async def view() -> list[bytes]:
            return [event async for event in made.stream()]

        viewers = [asyncio.create_task(view()) for _ in range(10)]
        async with asyncio.timeout(30):
            while made.waiting < len(viewers):  # noqa: ASYNC110 (each reaches its first wait)
                await asyncio.sleep(0)
        made.end()
        async with asyncio.timeout(30):
            return await asyncio.gather(*viewers)

    found = asyncio.run(watch())
    assert len(found) == 10
    assert all(each == found[0] for each in found)
