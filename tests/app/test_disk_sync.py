"""A power cut: what a real server brings to the disk, in which order, and what if it cannot.

strace shows the system calls of the server in their order, and lets some of them fail.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from app.log_keeper import LogKeeper
from engine.beside_log import BesideLog
from engine.health import Health
from events.writer import EventWriter
from tests import needs
from tests.app.test_kill import ROOT
from tests.app.test_log_gone import Served, serving, wait_for
from tests.events.test_writer import turn
from tests.service import Clock, loaded, write_config


@contextmanager
def traced(process: int, path: Path, *options: str) -> Iterator[None]:
    """Trace a running process and all its threads into a file."""
    tracer = subprocess.Popen(
        ["strace", "-f", "-y", "-o", str(path), "-p", str(process), *options],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    assert "attached" in tracer.stderr.readline()
    try:
        yield
    finally:
        tracer.send_signal(signal.SIGINT)
        try:
            tracer.communicate(timeout=60)
        except subprocess.TimeoutExpired:  # strace may wait for a traced process that was killed
            tracer.kill()
            tracer.communicate()


def calls(path: Path) -> list[str]:
    """List the calls that were made, in the order of their ends."""
    whole, begun = [], {}
    for line in path.read_text().splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
        elif resumed := re.match(r"<\.\.\. \w+ resumed>(.*)", call):
            whole.append(begun.pop(thread, "") + resumed[1])
        elif " = " in call:
            whole.append(call)
    return whole


def place(made: list[str], pattern: str, after: int = -1) -> int:
    """Find the first call that matches, after a place."""
    for number, call in enumerate(made):
        if number > after and re.search(pattern, call):
            return number
    raise AssertionError(f"no call {pattern!r} after {after} in\n" + "\n".join(made))


@needs.program("strace")
def test_every_name_is_on_the_disk_before_the_first_event_that_needs_it(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    config = write_config(tmp_path)
    names = "openat,fsync,write,rename,link,linkat,sendto"
    command = ["strace", "-f", "-y", "-s", "40", "-o", str(trace), "-e", f"trace={names}"]
    command += [sys.executable, "-m", "cli", "serve", "--config", str(config), "--port", "0"]
    tracer = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert tracer.stderr is not None
    address = next(line.split()[2] for line in tracer.stderr if "http://" in line)
    pid = int(trace.read_text().split(maxsplit=1)[0])
    with httpx.Client(base_url=address, timeout=60) as client:
        served = Served(tmp_path, tracer, client)
        assert served.ask(2) == [200, 200]
        served.process = Signalled(pid)  # type: ignore[assignment]
        served.remove("log")
        assert served.ask(2) == [200, 200]
    Signalled(pid).send_signal(signal.SIGTERM)
    tracer.communicate(timeout=60)

    made = calls(trace)
    log = re.escape(str(tmp_path / "log"))
    begins = 0
    for number in (0, 1):  # the file of the start, and the one after the removal
        file = rf"{log}/events-[^>\"]*-000{number}\.jsonl"
        event = place(made, rf"write\(\d+<{file}>, ", begins)
        before = made[begins:event]
        for folder, put in (
            (tmp_path, r"."),
            (tmp_path / "log", rf'openat\(.*"{file}".*O_CREAT'),
            (tmp_path / "log/configs", rf'rename\(.*"{log}/configs/[^"/]*json"\)'),
            (tmp_path / "log/started", rf'(rename|link)\(.*"{log}/started/[^"/]*json"\)'),
        ):
            named = rf"fsync\(\d+<{re.escape(str(folder))}>\) += 0"
            place(before, named, place(before, put))
        begins = place(made, r"(write|sendto)\(\d+<socket.*HTTP/1\.1 200", event)


class Signalled:
    """A process that a test only sends signals to."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def send_signal(self, sig: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self._pid, sig)


@needs.program("strace")
def test_a_sync_that_fails_is_said_and_tried_again_with_the_same_bytes(tmp_path: Path) -> None:
    """Linux drops the bytes of a failed fsync, and the next one would succeed without them."""
    trace = tmp_path / "trace"
    with serving(tmp_path, events={"dir": "log", "fsync_s": 0.1}) as served:
        assert served.ask(1) == [200]
        options = ("-e", "trace=fsync,pwrite64", "-e", "inject=fsync:error=EIO:when=1..4")
        with traced(served.process.pid, trace, *options):
            assert served.ask(3) == [200] * 3
            wait_for(lambda: served.readiness()[1]["warnings"])
            status, body = served.readiness()
            wait_for(lambda: not served.readiness()[1]["warnings"])
        assert served.logged() == set(served.decisions)
        [file] = (tmp_path / "log").glob("*.jsonl")
        size = file.stat().st_size
    assert status == 200
    assert [each["code"] for each in body["warnings"]] == ["fsync_failing"]
    assert "Input/output error" in body["warnings"][0]["message"]
    made = calls(trace)
    failed = place(made, r"fsync\(\d+<.*jsonl>\) += -1 EIO")
    again = place(made, r"pwrite64\(\d+<.*jsonl>", failed)
    place(made, r"fsync\(\d+<.*jsonl>\) += 0", again)
    assert file.stat().st_size == size == sum(map(len, file.read_bytes().splitlines(True)))
    assert served.said.count("cannot be synced to the disk") == 1
    assert "is synced to the disk again" in served.said


WITHOUT_THREADS = """
import asyncio, resource, sys, time
from pathlib import Path
from app.log_keeper import LogKeeper
from engine.health import Health
from tests.app.test_disk_sync import keeper_in

async def main():
    keeper, health = keeper_in(Path(sys.argv[1]))
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (1 << 20), hard))
    await keeper.sync()
    await keeper.look()
    print([each.code for each in health.warnings()])
    print(health.warnings()[0].message)
    resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
    await keeper.sync()
    await keeper.look()
    print([each.code for each in health.warnings()])

asyncio.run(main())
"""


def keeper_in(folder: Path) -> tuple[LogKeeper, Health]:
    """Make the keeper of a log with one unsynced event."""
    runtime = loaded(folder)
    log = EventWriter(folder / "log", 10**6, Clock())
    log.append(turn(1))
    beside = BesideLog(folder / "log", folder / "log/started", lambda: runtime)
    keeper, health = LogKeeper(log, beside, 1.0, time.monotonic), Health()
    keeper.report_to(health)
    return keeper, health


def test_a_thread_that_cannot_start_is_said_and_started_later(tmp_path: Path) -> None:
    """Without memory for a stack no thread starts: the limit is a real one."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THREADS, str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    codes, message, after = done.stdout.splitlines()
    assert codes == "['fsync_failing', 'log_not_watched']", done.stderr
    assert "can't start new thread" in message
    assert after == "[]"
