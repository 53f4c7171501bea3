"""The board's process: it computes beside the server, so that a turn waits for none of it.

It hears its server on stdin, and answers on stdout: `app.board.analyst` has the form. It ends when
stdin does.
"""

import json
import logging
import os
import secrets
import sys
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import monotonic, sleep, time_ns
from typing import Any, BinaryIO

from app.board.answer import BoardAnswer
from audit.board.answers import Answers, answer_of
from audit.board.json_patch import patch_between
from audit.board.live_log import LiveLog, problem
from audit.board.sources import BoardSources

LOG = logging.getLogger("segue")
NICE = 10
"""The server's turns come first where there are fewer cores than work."""
LOOK_S = 0.25
"""Time between two looks at the size of the log, in seconds."""
EVERY_S = 1.0
"""Least time between two snapshots, in seconds."""
Content = dict[str, Any]


def run(sources: BoardSources) -> None:
    """Answer until the server closes the pipe."""
    if hasattr(os, "nice"):
        with suppress(OSError):
            os.nice(NICE)
    said = _own_output()
    sending = threading.Lock()

    def send(head: Mapping[str, Any], *parts: bytes) -> None:
        line = json.dumps({**head, "sizes": [len(part) for part in parts]}).encode() + b"\n"
        with sending, suppress(OSError):
            said.write(b"".join((line, *parts)))
            said.flush()

    def answer(number: int, found: BoardAnswer) -> None:
        head = {"kind": "answer", "number": number, "status": found.status}
        send({**head, "media_type": found.media_type}, found.body)

    snapshots = Snapshots(LiveLog(sources), send)
    for loop in (snapshots.run, snapshots.watch_new_lines):
        threading.Thread(target=loop, daemon=True).start()
    answers = Answers(sources)
    pool = ThreadPoolExecutor(1)
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "watch" in question:
            snapshots.watch(question["watch"])
        elif question["what"] == "experiments":
            snapshots.tell(partial(_tell, answers, question, answer))
        else:
            pool.submit(lambda asked: answer(asked["ask"], answer_of(answers, asked)), question)
    os._exit(0)  # a query that takes long must not hold up the end


def _tell(
    answers: Answers,
    question: Mapping[str, Any],
    answer: Callable[[int, BoardAnswer], None],
    content: Content,
) -> None:
    answer(question["ask"], answers.experiments(content, question))


def _own_output() -> BinaryIO:
    """Take the pipe to the server; what a strategy prints goes to stderr from now on."""
    said = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return said


class Snapshots:
    """The snapshots of a log: of its reports, and at once of new lines that break a check.

    Args:
        log: The log.
        send: Sends a message to the server.
    """

    def __init__(self, log: LiveLog, send: Callable[..., None]) -> None:
        self._log = log
        self._send = send
        self._stem = secrets.token_hex(4)
        self._number = 0
        self._latest: Content | None = None
        self._took_s = 0.0
        self._sent_s = 0.0
        self._watched = False
        self._alarmed = False
        self._waiting: list[Callable[[Content], None]] = []
        self._wake = threading.Condition()
        self._making = threading.Lock()

    def watch(self, watched: bool) -> None:
        """Make snapshots by itself while somebody looks."""
        with self._wake:
            self._watched = watched
            self._wake.notify_all()

    def tell(self, tell: Callable[[Content], None]) -> None:
        """Call back with a snapshot of the log as it is now."""
        with self._wake:
            self._waiting.append(tell)
            self._wake.notify_all()

    def run(self) -> None:
        """Make a snapshot of each report, for ever."""
        not_before_s = 0.0
        while True:
            with self._wake:
                while not self._waiting and not self._watched:
                    self._wake.wait()
                waiting, self._waiting = self._waiting, []
                hurried, self._alarmed = bool(waiting) or self._alarmed, False
            changed = self._latest is None or self._log.has_changed()
            if changed and (hurried or monotonic() >= not_before_s):
                self._judge()
                # At most a third of a core, however long the log: caches are shared with turns.
                not_before_s = monotonic() + max(EVERY_S, 2 * self._took_s)
            assert self._latest is not None
            for tell in waiting:
                tell(self._latest)
            with self._wake:
                if not self._waiting:
                    self._wake.wait(LOOK_S)

    def watch_new_lines(self) -> None:
        """Make a snapshot of new lines that break a check: a long report would tell it too late."""
        while True:
            with self._wake:
                while not self._watched:
                    self._wake.wait()
            sleep(self._rest_s())
            began_s = monotonic()
            with self._making:
                content = self._try(self._log.alarm)
                if content is not None:
                    self._publish(content)
            if content is not None:
                with self._wake:
                    self._alarmed = True  # the whole log is judged as soon as it can be
            sleep(max(2 * LOOK_S, 4 * (monotonic() - began_s)))

    def _judge(self) -> None:
        began_s = monotonic()
        failed = self._try(self._log.judge)
        self._took_s = monotonic() - began_s
        with self._making:
            if self._watched:
                sleep(self._rest_s())
            content = failed or self._try(self._log.content)
            assert content is not None
            self._publish(content)

    def _rest_s(self) -> float:
        return max(0.0, self._sent_s + EVERY_S - monotonic())

    def _try(self, make: Callable[[], Content | None]) -> Content | None:
        try:
            return make()
        except Exception as error:
            LOG.exception("the board cannot read its log")
            return problem(
                "failed", f"The board failed on this log: {error!r:.200}. The server's log has more"
            )

    def _publish(self, content: Content) -> None:
        before, self._number = self._latest, self._number + 1
        snapshot = {
            "id": f"{self._stem}-{self._number}",
            "made_ms": time_ns() // 1_000_000,
            **content,
            "log": {**content["log"], "took_s": round(self._took_s, 3)},
        }
        patch = b"" if before is None else _bytes(patch_between(before, snapshot))
        self._latest = snapshot
        self._sent_s = monotonic()
        head = {"kind": "snapshot", "id": snapshot["id"], "before": before and before["id"]}
        self._send(head, _bytes(snapshot), patch)


def _bytes(content: object) -> bytes:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
