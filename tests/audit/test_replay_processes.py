"""Replay in several processes, and on Spark: the result is that of one process, for any log."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from audit import replay_processes
from audit.replay_on_spark import replay_on_spark
from audit.replay_processes import ReplayJob, interrupts_held, replay_shard, run_replay
from audit.replay_result import ReplayResult
from audit.synthetic_traffic import SyntheticTraffic
from core.errors import InputError, SegueError
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import ListenerShard
from events.spark_session import SparkOptions
from tests import needs
from tests.service import events_in, loaded

ROOT = Path(__file__).parents[2]
LISTENERS = [*range(30), "text", "Zoë", 'quoted "name"', "back\\slash", "7"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    with SyntheticTraffic(loaded(folder), folder / "log") as trial:
        trial.play(LISTENERS, 120)
        trial.swap(loaded(folder, default="random"))
        trial.play(LISTENERS, 120)
    return folder


@pytest.fixture(scope="module")
def damaged(played: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files with differing decisions, missing turns, torn lines and lines of other forms."""
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "log").mkdir()
    (folder / "log" / "configs").symlink_to(played / "log" / "configs")
    files: list[list[bytes]] = [[], [], []]
    for place, event in enumerate(events_in(played)):
        lines = files[place % 3]
        if place % 11 == 1 and event["message"] == "next":
            event["recommendation"] = 1230
            event["depth"] = 7
        if place % 67 == 2:
            continue
        wide = place % 7 == 3
        text = json.dumps(event, separators=None if wide else (",", ":"), ensure_ascii=wide)
        lines.append(text.encode())
        if place % 23 == 4:
            lines.append(lines[-1][: 20 + place % 150])
        if place % 37 == 5:
            lines.append(lines[-1].replace(b'"timestamp":', b'"at":'))
            lines.append(lines[-2].replace(b'"schema":', b'"scheme":'))
            lines.append(lines[-3].replace(b'"turn":', b'"turns":'))
            lines.append(b'{"message": "next", "timestamp": 9999999999999, "user": 4}')
        if place % 41 == 6:
            lines.append(b"\xff" + lines[-1] + lines[-1])
    for number, lines in enumerate(files):
        (folder / "log" / f"events-{9 - number}.jsonl").write_bytes(b"\n".join(lines))
    return folder


def job_of(folder: Path) -> ReplayJob:
    log = folder / "log"
    return ReplayJob(find_event_files([log]), snapshots_beside([log]))


def test_the_damaged_log_has_what_a_replay_can_meet(damaged: Path) -> None:
    result = replay_shard(job_of(damaged))

    assert result.mismatched > result.shown == len(result.mismatches)
    assert {"torn line", "no event of ours", "no timestamp"} < result.skipped.keys()
    assert len(result.configs) == 2
    orders = [each.order for each in result.mismatches]
    assert orders == sorted(orders)


@pytest.mark.parametrize("parts", [2, 3, 7])
@pytest.mark.parametrize("which", ["played", "damaged"])
def test_parts_of_the_listeners_add_up_to_all(
    which: str, parts: int, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(which)
    whole = replay_shard(job_of(folder))

    each = [replay_shard(job_of(folder), ListenerShard(n, parts)) for n in range(parts)]

    assert all(part.events for part in each)
    assert ReplayResult.merge(each[::-1]) == whole
    assert whole.sound is (which == "played")


class Bytes:
    """A progress that counts."""

    total = 0.0
    done = 0.0

    def start(self, what: str, total: float | None = None) -> None:
        self.total = total or 0

    def advance(self, steps: float = 1) -> None:
        self.done += steps

    def say(self, what: str) -> None:
        pass


def test_two_processes_give_the_result_of_one(damaged: Path) -> None:
    shown = Bytes()

    run = run_replay(job_of(damaged), 2, shown)

    assert run.result == replay_shard(job_of(damaged))
    assert len(run.peaks_mb) == 2
    assert min(run.peaks_mb) > 10
    assert shown.total == sum(source.size for source in job_of(damaged).sources)
    assert shown.done >= shown.total


def test_a_config_that_is_missing_ends_all_processes(played: Path) -> None:
    job = ReplayJob(job_of(played).sources, {})

    with pytest.raises(InputError, match="has no snapshot here"):
        run_replay(job, 2)

    assert not children_of(os.getpid(), "spawn_main")


def test_a_process_that_is_killed_is_an_error_and_leaves_no_process(
    played: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = replay_processes._started

    @contextmanager
    def killing(job: ReplayJob, processes: int) -> Iterator[Any]:
        with started(job, processes) as running:
            next(iter(running.values())).kill()
            yield running

    monkeypatch.setattr(replay_processes, "_started", killing)

    with pytest.raises(SegueError, match=r"a process of the replay died \(exit code -9\)"):
        run_replay(job_of(played), 2)

    assert not children_of(os.getpid(), "spawn_main")


@needs.package("pyspark")
@needs.program("java")
def test_spark_gives_the_result_of_one_process(damaged: Path, played: Path) -> None:
    options = SparkOptions(conf={"spark.sql.shuffle.partitions": "2"})

    run = replay_on_spark(job_of(damaged), options)

    assert run.result == replay_shard(job_of(damaged))
    with pytest.raises(InputError, match="has no snapshot here"):
        replay_on_spark(ReplayJob(job_of(played).sources, {}), options)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take Ctrl-C, and let children take it: a shell's background job ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc")
def test_ctrl_c_leaves_no_process_and_no_traceback(played: Path) -> None:
    fifo = played / "endless.jsonl"
    os.mkfifo(fifo)  # the processes wait for its writer, so they cannot end on their own
    script = (
        "from pathlib import Path\n"
        "from audit.replay_processes import *\n"
        "if __name__ == '__main__':\n"
        f"    source = EventFile(1, Path({str(fifo)!r}), 'plain', 1 << 40)\n"
        "    run_replay(ReplayJob([source], {}), 2)\n"
    )
    path = played / "replaying.py"
    path.write_text(script)
    replay = subprocess.Popen(
        [sys.executable, str(path)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    with replay:  # closes its pipe, and waits, whatever happens
        try:
            until = monotonic() + 60
            while len(begun := children_of(replay.pid, "spawn_main")) < 2:
                assert replay.poll() is None
                assert monotonic() < until

            os.killpg(replay.pid, signal.SIGINT)  # as a terminal does
            _, errors = replay.communicate(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(replay.pid, signal.SIGKILL)

    assert errors.count("Traceback") == 1, errors  # of the script, which does not catch it
    assert replay.returncode == -signal.SIGINT
    assert not [pid for pid in begun if Path(f"/proc/{pid}").exists()]


@pytest.mark.usefixtures("interruptible")
@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="sends a signal to one thread")
def test_ctrl_c_that_a_further_thread_takes_waits_until_the_processes_are_known() -> None:
    ends = threading.Event()
    further = threading.Thread(target=ends.wait)
    further.start()
    taken, tells = socket.socketpair()
    tells.setblocking(False)
    before = signal.set_wakeup_fd(tells.fileno())
    seen: list[bytes] = []

    def start() -> None:
        with interrupts_held():
            signal.pthread_kill(further.ident or 0, signal.SIGINT)
            seen.append(taken.recv(1))

    try:
        with pytest.raises(KeyboardInterrupt):
            start()
    finally:
        signal.set_wakeup_fd(before)
        ends.set()
        further.join()
        taken.close()
        tells.close()

    assert seen == [bytes([signal.SIGINT])]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def children_of(pid: int, named: str) -> list[int]:
    """List the child processes whose command has a name in it; none where there is no /proc."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and named in (path / "cmdline").read_text():
                found.append(int(path.name))
        except OSError:
            continue
    return found
