"""Reloading a real server while clients ask it for thousands of tracks.

No request may fail, and none may see a mixture: the arm in the event, in the answer, and the one
worked out from the config that the event's digest names, are one.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count, groupby
from pathlib import Path
from typing import Any

import pytest

from audit.replay import Replayer
from engine.config_snapshots import load_snapshot
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from tests.service import events_in, write_config

ROOT = Path(__file__).parents[2]
CLIENTS = 8
BETWEEN = 200
"""Requests between two reloads, at least."""
VERSIONS = 6


class Connection:
    """An HTTP connection that stays open; a client library would cost more than the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The answer's JSON; anything but a 200 fails the test, unless it is a reload."""
        content = b"" if body is None else json.dumps(body).encode()
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
        lines += [] if body is None else ["Content-Type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode() + content)
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        answer = await self._reader.readexactly(length)
        assert " 200 " in head.partition("\r\n")[0] or path == "/admin/reload", answer
        return json.loads(answer)


class Server:
    """A server in a separate process."""

    def __init__(self, folder: Path, process: "subprocess.Popen[str]", port: int) -> None:
        self._folder = folder
        self._process = process
        self._port = port

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            yield Connection(reader, writer)
        finally:
            writer.close()
            await writer.wait_closed()

    async def serves(self) -> str:
        async with self.connection() as connection:
            found: str = (await connection.ask("GET", "/readyz"))["config"]
            return found

    async def reload(self, cause: str) -> None:
        if cause == "SIGHUP":
            self._process.send_signal(signal.SIGHUP)
        elif cause == "POST":
            async with self.connection() as connection:
                await connection.ask("POST", "/admin/reload", authorization="Bearer token")


@contextmanager
def server(folder: Path) -> Iterator[Server]:
    command = "from cli.main import main; main()"
    config = str(folder / "config.yaml")
    process = subprocess.Popen(
        [sys.executable, "-c", command, "serve", "--config", config, "--port", "0"],
        cwd=ROOT,
        env={**os.environ, "SEGUE_ADMIN_TOKEN": "token", "COLUMNS": "300"},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    shown = ""
    try:
        while "Listening on " not in shown:
            line = process.stderr.readline()
            assert line, shown
            shown += line
        yield Server(folder, process, int(shown.rpartition("127.0.0.1:")[2].split()[0]))
    finally:
        process.send_signal(signal.SIGTERM)
        with process.stderr:
            process.stderr.read()
        process.wait(60)


def put(folder: Path, version: int, watch: bool, faulty: bool = False) -> str:
    """Replace the config file in one step, as an editor does; give the new digest."""

    def change(config: dict[str, Any]) -> None:
        config["watch"] = watch
        config["experiments"][0] |= {"version": version, "traffic": 0.8}
        config["default"] = ["random", "popular"][version % 2]

    def spoil(config: dict[str, Any]) -> None:
        change(config)
        config["default"] = "nobody"

    aside = folder / "aside"
    digest = load_runtime(load_settings(write_config(aside, change))).digest
    write_config(aside, spoil if faulty else change).replace(folder / "config.yaml")
    return digest


async def play(running: Server, folder: Path, cause: str, answers: list[Any]) -> list[str]:
    """Let clients ask without a pause while configs change; give the digests in order."""
    digests = [await running.serves()]
    users = count()
    over = asyncio.Event()

    async def keep_asking() -> None:
        async with running.connection() as connection:
            while not over.is_set():
                user = next(users) % 400
                body = {"user": user, "track": 1000 + 10 * (user % 20), "time": user % 10 / 10}
                answers.append(await connection.ask("POST", "/recommend", body))

    async def at_least(more: int) -> None:
        async with running.connection() as connection:
            wanted = len(answers) + more
            while len(answers) < wanted:
                await connection.ask("GET", "/readyz")

    async def turn_over() -> None:
        try:
            await at_least(BETWEEN)
            for version in range(2, VERSIONS + 1):
                put(folder, version, cause == "watch", faulty=True)
                await running.reload(cause)
                digests.append(put(folder, version, cause == "watch"))
                await running.reload(cause)
                while await running.serves() != digests[-1]:
                    await at_least(1)
                await at_least(BETWEEN)
        finally:
            over.set()

    async with asyncio.timeout(240):
        await asyncio.gather(turn_over(), *(keep_asking() for _ in range(CLIENTS)))
    return digests


@pytest.mark.parametrize("cause", ["SIGHUP", "POST", "watch"])
def test_no_request_fails_and_each_is_decided_by_the_config_that_it_names(
    tmp_path: Path, cause: str
) -> None:
    write_config(tmp_path)
    write_config(tmp_path / "aside")
    put(tmp_path, 1, cause == "watch")
    answers: list[Any] = []
    with server(tmp_path) as running:
        digests = asyncio.run(play(running, tmp_path, cause, answers))

    events = events_in(tmp_path)
    assert len(events) == len(answers) >= VERSIONS * BETWEEN
    # One process decides the requests one by one, so its digests never mix.
    assert [digest for digest, _ in groupby(events, lambda event: event["config"])] == digests
    by_id = {event["decision"]: event for event in events}
    for answer in answers:
        event = by_id[answer["decision"]]
        assert answer["experiments"] == event["experiments"]
        assert answer["track"] == event["recommendation"]
        assert answer["strategy"] == event["strategy"]
    decided = {digest: load_snapshot(tmp_path / f"log/configs/{digest}.json") for digest in digests}
    for event in events:
        by = decided[event["config"]]
        assigned = by.allocation.assign(str(event["user"]))
        assert event["experiments"] == assigned.arms
        assert event["strategy"] == (assigned.strategy or by.default)
    replayer = Replayer(decided.__getitem__)
    for number, event in enumerate(events, 1):
        replayer.take(event, f"event {number}")
    tally = replayer.finish()
    assert tally.sound, (tally.mismatches, tally.skipped)
    assert tally.decisions == len(events)
