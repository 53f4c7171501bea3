"""The time until the board shows a broken line, by the length of the log.

Plays logs of these lengths, serves each with `segue board`, and appends a torn line while somebody
looks. The last column is what they would wait if the board made reports of all lines only.

    python -m benchmarks broken_line
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from audit.synthetic_traffic import SyntheticTraffic
from engine.runtime import load_runtime
from engine.settings.loading import load_settings

ROOT = Path(__file__).parents[1]
LENGTHS = (10_000, 100_000, 1_000_000)
ROUNDS = int(os.environ.get("ROUNDS", "3"))
PER_SESSION, PER_LISTENER = 8, 40
TORN = b'{"message": "next", "torn\n'


def main() -> None:
    """Measure, and print the table."""
    print("| lines | report, s | torn line shown after, s | report of all lines after, s |")
    print("|---|---|---|---|", flush=True)
    for lines in LENGTHS:
        with tempfile.TemporaryDirectory(prefix="segue-broken-") as folder:
            log = Path(folder) / "log"
            _play(log, lines)
            found = [_measure(log, Path(folder) / "copy") for _ in range(ROUNDS)]
        report, shown, judged = (list(column) for column in zip(*found, strict=True))
        print(f"| {lines:,} | {_said(report)} | {_said(shown)} | {_said(judged)} |", flush=True)


def _play(log: Path, lines: int) -> None:
    runtime = load_runtime(load_settings(ROOT / "config.yaml"))
    with SyntheticTraffic(runtime, log, rotate_mb=64) as traffic:
        traffic.play(range(lines // PER_LISTENER), lines // PER_SESSION)


def _measure(log: Path, copy: Path) -> tuple[float, float, float]:
    """Break a copy of the log; return seconds: of a report, until it shows, until all is read."""
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    with _stream(copy) as stream:
        report_s = json.loads(_next_data(stream))["log"]["took_s"]
        began_s = time.monotonic()
        with max(copy.glob("events-*.jsonl")).open("ab") as file:
            file.write(TORN)
        while b'"unhealthy"' not in (patch := _next_data(stream)):
            pass
        shown_s = time.monotonic() - began_s
        while b'"/log/lines"' not in patch:
            patch = _next_data(stream)
        return report_s, shown_s, time.monotonic() - began_s


@contextmanager
def _stream(log: Path) -> Iterator[IO[bytes]]:
    """Show a log, and watch it."""
    command = [sys.executable, "-m", "cli", "board", str(log), "--port", "0"]
    board = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert board.stderr is not None
    said = board.stderr.readline()
    host, port = said.split("http://")[1].split("/")[0].split(":")
    try:
        with socket.create_connection((host, int(port))) as watching:
            watching.sendall(b"GET /board/api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            with watching.makefile("rb") as stream:
                yield stream
    finally:
        board.terminate()
        board.communicate(timeout=60)


def _next_data(stream: IO[bytes]) -> bytes:
    """Take the data of the next event."""
    return next(line for line in stream if line.startswith(b"data: ")).removeprefix(b"data: ")


def _said(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    main()
