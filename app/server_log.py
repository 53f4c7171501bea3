"""The server's own log: text or JSON, and no foreign line a thousand times.

It has nothing to do with the event log: it is for the people who run the server.
"""

import logging
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Literal

import orjson

from core.limited_log import EVERY_S

OURS = "segue"
"""Name of our logger, which limits its lines itself."""


class TextFormatter(logging.Formatter):
    """One line for people: time, level, message, and the decision if the record is about one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """Format a record, with the traceback below the line."""
        decision = getattr(record, "decision", None)
        line, *rest = super().format(record).split("\n")
        about = f" (decision {decision})" if decision else ""
        return "\n".join((line + about, *rest))


class JsonFormatter(logging.Formatter):
    """One JSON object a line; a traceback is a value in it."""

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        said: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if decision := getattr(record, "decision", None):
            said["decision"] = decision
        if record.exc_info:
            said["traceback"] = self.formatException(record.exc_info)
        return orjson.dumps(said, default=str).decode()


class RepeatFilter(logging.Filter):
    """A limit for warnings and errors of uvicorn and asyncio: one a minute of each kind.

    A client that sends garbage, or goes away, makes one of them each time.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        super().__init__()
        self._now_s = now_s
        self._written_s: dict[tuple[str, str, str], float] = {}
        self._unwritten: dict[tuple[str, str, str], int] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Let a record pass, with the count of those before it that did not."""
        if record.name.partition(".")[0] == OURS or record.levelno < logging.WARNING:
            return True
        raised = record.exc_info[0] if record.exc_info else None
        kind = record.name, str(record.msg), raised.__name__ if raised else ""
        now_s = self._now_s()
        if now_s - self._written_s.get(kind, -EVERY_S) < EVERY_S:
            self._unwritten[kind] = self._unwritten.get(kind, 0) + 1
            return False
        self._written_s[kind] = now_s
        if count := self._unwritten.pop(kind, 0):
            record.msg, record.args = (
                f"{record.getMessage()} ({count:,} more since the last such line)",
                (),
            )
        return True


def set_up(form: Literal["text", "json"]) -> None:
    """Let the process log to stderr in this form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    handler.addFilter(RepeatFilter(time.monotonic))
    root = logging.getLogger()
    for before in list(root.handlers):
        if isinstance(before.formatter, TextFormatter | JsonFormatter):
            root.removeHandler(before)
    root.addHandler(handler)
    logging.getLogger(OURS).setLevel(logging.INFO)


def log_lines(text: str) -> None:
    """Log each line of a text that the console would print."""
    for line in text.splitlines():
        if line.strip():
            logging.getLogger(OURS).info("%s", line.strip())
