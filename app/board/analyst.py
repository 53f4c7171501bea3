"""The board's process, as the server sees it: started when somebody looks, asked over its pipes.

Reports, replays and searches run there, so a turn of a listener waits for none of them. The server
writes a JSON object a line. The process writes one too, and then the bytes that its `sizes` count:
of an answer, or of a snapshot and its patch.
"""

import asyncio
import io
import json
import logging
import os
import subprocess
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

from app.board.answer import BoardAnswer
from app.board.news import News, Snapshot
from app.errors import ApiError

LOG = logging.getLogger("segue")
PATIENCE_S = 60.0
"""Time after which a question is given up, in seconds."""
IDLE_S = 300.0
"""Time without a viewer or a question after which the process ends, in seconds."""
RESTART_S = 1.0
"""Time after which a process that ended while somebody looked is started again, in seconds."""
MOST_BYTES = 4096
"""Longest question: what POSIX writes into a pipe whole."""
MOST_ASKED = 100
"""Most questions that wait for an answer."""
Process = subprocess.Popen[bytes]


class Analyst:
    """The process that computes for the board.

    Args:
        command: Starts the process; None where nobody handed it in.

    Attributes:
        news: Gets each snapshot.
    """

    def __init__(self, command: Sequence[str] | None) -> None:
        self.news = News()
        self._command = command
        self._process: Process | None = None
        self._asked: dict[int, asyncio.Future[BoardAnswer]] = {}
        self._number = 0
        self._viewers = 0
        self._starting = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None
        self._restarting: set[asyncio.Task[Process]] = set()

    async def ask(self, what: str, **question: Any) -> BoardAnswer:
        """Ask the process one question.

        Raises:
            ApiError: There is no process, or it does not answer.
        """
        process = await self._connected()
        if len(self._asked) >= MOST_ASKED:
            raise ApiError(503, "board_busy", f"{MOST_ASKED} questions wait; ask again later")
        self._number += 1
        number = self._number
        answer: asyncio.Future[BoardAnswer] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            self._send(process, {"ask": number, "what": what, **question})
            async with asyncio.timeout(PATIENCE_S):
                return await answer
        except TimeoutError as error:
            raise ApiError(
                503, "board_slow", f"the board's process gave no answer in {PATIENCE_S:g} s"
            ) from error
        finally:
            self._asked.pop(number, None)
            self._rest_soon()

    async def start(self) -> None:
        """Start the process if it is not there.

        Raises:
            ApiError: Nobody handed in a process.
        """
        await self._connected()
        self._rest_soon()

    @asynccontextmanager
    async def watched(self) -> AsyncIterator[News]:
        """Have snapshots made during the block, for one more viewer.

        Raises:
            ApiError: There is no process.
        """
        self._viewers += 1
        try:
            process = await self._connected()
            self._send(process, {"watch": True})
            yield self.news
        finally:
            self._viewers -= 1
            if not self._viewers and self._process is not None:
                with suppress(ApiError):
                    self._send(self._process, {"watch": False})
            self._rest_soon()

    def end_streams(self) -> None:
        """End the streams of all viewers, and refuse what was asked: the server stops."""
        self.news.end()
        self._refuse_asked(ApiError(503, "stopping", "the server stops; ask it again later"))

    def close(self) -> None:
        """End the process."""
        self.news.end()
        if self._idle is not None:
            self._idle.cancel()
        self._hang_up()

    async def _connected(self) -> Process:
        """Give the process; start it if it is not there."""
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None
        async with self._starting:
            if self._process is None:
                if self._command is None:
                    raise ApiError(
                        503,
                        "no_board",
                        "this server shows no log, since it was not started by `segue serve`. Run "
                        "`segue board LOG` beside it",
                    )
                loop = asyncio.get_running_loop()
                self._process = await loop.run_in_executor(None, self._start, loop, self._command)
                if self._viewers:
                    self._send(self._process, {"watch": True})
        return self._process

    def _start(self, loop: asyncio.AbstractEventLoop, command: Sequence[str]) -> Process:
        process = subprocess.Popen(  # noqa: S603 (the command is our own)
            command,
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the server, which then closes the pipe
        )
        assert process.stdin is not None
        if os.name == "posix":  # a process that reads nothing must not hold up a turn
            os.set_blocking(process.stdin.fileno(), False)
        threading.Thread(
            target=self._listen, args=(loop, process), daemon=True, name="segue board"
        ).start()
        return process

    def _listen(self, loop: asyncio.AbstractEventLoop, process: Process) -> None:
        """Hand over what the process says, in a thread, until it ends."""
        assert process.stdout is not None
        with (
            suppress(RuntimeError, OSError, ValueError),  # the first: the loop is closed
            io.BufferedReader(cast(io.RawIOBase, process.stdout)) as heard,
        ):
            for head in heard:
                message = json.loads(head)
                message["parts"] = [heard.read(size) for size in message["sizes"]]
                loop.call_soon_threadsafe(self._hear, message)
        process.wait()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._on_end, process)

    def _hear(self, message: dict[str, Any]) -> None:
        if message["kind"] == "snapshot":
            self.news.publish(Snapshot(message["id"], message["before"], *message["parts"]))
            return
        asked = self._asked.get(message["number"])
        if asked is not None and not asked.done():
            (body,) = message["parts"]
            asked.set_result(BoardAnswer(message["status"], message["media_type"], body))

    def _on_end(self, process: Process) -> None:
        """Refuse what was asked of a process that ended; start it again if somebody looks."""
        if process is not self._process:
            return
        self._hang_up()
        self._refuse_asked(ApiError(503, "board_ended", "the board's process ended; ask again"))
        if self._viewers and not self.news.is_over:
            LOG.warning("the board's process ended; it is started again")
            asyncio.get_running_loop().call_later(RESTART_S, self._restart)

    def _refuse_asked(self, error: ApiError) -> None:
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(error)

    def _restart(self) -> None:
        if self._viewers and not self.news.is_over:
            task = asyncio.get_running_loop().create_task(self._connected())
            self._restarting.add(task)
            task.add_done_callback(self._restarting.discard)

    def _send(self, process: Process, message: Mapping[str, Any]) -> None:
        assert process.stdin is not None
        line = json.dumps(message).encode() + b"\n"
        if len(line) > MOST_BYTES:
            raise ApiError(422, "invalid", f"must be shorter: {len(line)} bytes are no question")
        try:
            written = process.stdin.write(line)  # so short a line goes whole or not at all
        except OSError as error:
            raise ApiError(503, "board_ended", "the board's process ended; ask again") from error
        if written is None:
            raise ApiError(503, "board_busy", "the board's process reads nothing; ask again later")

    def _rest_soon(self) -> None:
        """End the process some time after the last viewer has gone."""
        if self._viewers or self._asked or self._process is None:
            return
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_S, self._hang_up)

    def _hang_up(self) -> None:
        """Close the pipe; the process then ends by itself."""
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None
            with suppress(OSError):
                process.stdin.close()
