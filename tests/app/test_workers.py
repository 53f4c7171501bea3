"""Several workers under a parent: even spread, restarts, reloads of all or none, one sum."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.worker_sockets import SPREADS, WorkerSockets
from app.workers import check_workers
from core.errors import InputError, SegueError
from tests.app.worker_group import ADMIN, PATIENCE_S, ROOT, Group, eventually, group, is_alive
from tests.service import events_in, write_config

LABEL = {"name": "label", "layer": "labels", "arms": {"A": {"weight": 50}, "B": {"weight": 50}}}


def with_label(config: dict[str, Any]) -> None:
    config["experiments"].append(LABEL)


def stem(decision: str) -> str:
    return decision.partition("-")[0]


def test_connections_are_spread_over_workers_that_number_their_events_each(tmp_path: Path) -> None:
    with group(tmp_path, count=3) as running:
        answered = [running.ask(user) for user in range(90)]
        assert len(running.workers()) == 3
    spread = Counter(map(stem, answered))
    assert len(spread) == 3
    if SPREADS:  # a hash of the client's port: 30 each, and 12 is four standard deviations off
        assert min(spread.values()) > 12
    events = events_in(tmp_path)
    assert sorted(event["decision"] for event in events) == sorted(answered)
    for each, count in spread.items():
        numbers = [int(event["decision"].partition("-")[2], 16) for event in events
                   if stem(event["decision"]) == each]  # fmt: skip
        assert numbers == list(range(1, count + 1))


def test_a_killed_worker_is_restarted_and_the_other_serves_meanwhile(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        first = sorted(running.workers())
        os.kill(first[0], signal.SIGKILL)
        running.wait_for(rf"process {first[0]}\) was killed by SIGKILL; the parent restarts it now")
        running.wait_for("serves config", times=3)
        slots = running.workers()
        assert sorted(slots[pid] for pid in slots if is_alive(pid)) == [0, 1]
        stems = {stem(running.ask(user)) for user in range(40)}
        assert len(stems) == 2
        eventually(lambda: not is_alive(first[0]))


def test_a_connection_in_the_backlog_of_a_dead_worker_waits_for_its_successor(
    tmp_path: Path,
) -> None:
    """A stopped worker accepts nothing: what waits for it then is answered after its death."""
    with group(tmp_path, count=1) as running, contextlib.ExitStack() as stack:
        (worker,) = running.workers()
        os.kill(worker, signal.SIGSTOP)
        waiting = [stack.enter_context(connection_to(running)) for _ in range(5)]
        for each in waiting:
            each.sendall(b"GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        os.kill(worker, signal.SIGKILL)
        for each in waiting:
            assert each.recv(1000).startswith(b"HTTP/1.1 200")


def test_a_worker_that_dies_again_and_again_is_restarted_after_pauses(tmp_path: Path) -> None:
    """Meanwhile its listening socket is closed, so that no client waits for it."""
    with group(tmp_path, fault="dies") as running:
        os.kill(min(running.workers()), signal.SIGKILL)
        running.wait_for(r"was killed by SIGKILL; the parent restarts it now")
        running.wait_for(r"ended with exit code 9; the parent restarts it in 0\.5 s")
        answered = [running.ask(user) for user in range(20)]
        running.wait_for(r"ended with exit code 9; the parent restarts it in 1 s")
        running.wait_for(r"ended with exit code 9; the parent restarts it in 2 s")
    assert len(set(map(stem, answered))) == 1


def test_a_worker_with_another_config_takes_no_traffic(tmp_path: Path) -> None:
    """Neither as the successor of a dead one, nor in a reload, which then changes no worker."""
    with group(tmp_path, fault="other-config") as running:
        os.kill(min(running.workers()), signal.SIGKILL)
        running.wait_for(r"would serve config 000000000000, not \w+; it gets no traffic")
        running.wait_for(r"was killed by SIGKILL; the parent restarts it in 0\.5 s")
        answered = [running.ask(user) for user in range(20)]
        response = running.reload()
        assert response.status_code == 422
        assert "it gets no traffic" in response.json()["error"]["message"]
        answered += [running.ask(user) for user in range(20)]
    assert len(set(map(stem, answered))) == 1
    assert "000000000000" not in {event["config"] for event in events_in(tmp_path)}


def connection_to(running: Group) -> socket.socket:
    host, _, port = running.url.removeprefix("http://").rpartition(":")
    return socket.create_connection((host, int(port)), PATIENCE_S)


@contextlib.contextmanager
def load(running: Group, clients: int = 4) -> Iterator[list[str]]:
    """Ask on connections that are kept alive; give the decisions, and fail on any lost request."""
    answered: list[str] = []
    errors: list[BaseException] = []
    over = threading.Event()

    def ask(user: int) -> None:
        try:
            with contextlib.closing(running.connect()) as client:
                while not over.is_set():
                    answered.append(running.ask(user, client))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=ask, args=(user,)) for user in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answered
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert errors == []


@pytest.mark.parametrize("by", ["SIGHUP", "http", "watch"])
def test_a_reload_changes_all_workers_and_loses_no_request(tmp_path: Path, by: str) -> None:
    with group(tmp_path, watch=by == "watch") as running:
        before = sorted(running.workers())
        with load(running) as answered:
            write_config(tmp_path, with_label, watch=by == "watch")
            if by == "SIGHUP":
                running.process.send_signal(signal.SIGHUP)
            elif by == "http":
                response = running.reload()
                assert response.status_code == 200
                assert response.json()["config"] != response.json()["before"]
            line = running.wait_for("serves in place of")
            shown = {json.loads(running.get("/readyz"))["config"] for _ in range(20)}
            eventually(lambda: not any(map(is_alive, before)))
            seen = len(answered)
            eventually(lambda: len(answered) > seen + 50)
        served = re.search(r"config (\w+) serves in place of (\w+)", line)
        assert served is not None
        assert shown == {served[1]}
    events = {event["decision"]: event for event in events_in(tmp_path)}
    assert set(answered) == set(events)
    assert {events[each]["config"] for each in answered[seen + 4 :]} == {served[1]}


def test_a_faulty_config_changes_no_worker_and_is_shown_by_all(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        before = sorted(running.workers())
        write_config(tmp_path, default="nobody")
        response = running.reload()
        assert response.status_code == 422
        assert "unknown strategy 'nobody'" in response.json()["error"]["message"]
        for _ in range(20):
            ready = json.loads(running.get("/readyz"))  # status 200
            assert ready["warnings"][0]["code"] == "reload_failed"
        assert sorted(running.workers()) == before
        write_config(tmp_path)
        assert running.reload().status_code == 200
        assert json.loads(running.get("/readyz"))["warnings"] == []


def test_new_workers_that_do_not_start_leave_the_old_ones_in_place(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        before = sorted(running.workers())
        (tmp_path / "log").rename(tmp_path / "kept")
        (tmp_path / "log").write_text("a file where the workers' log should be")
        write_config(tmp_path, with_label, started="started")
        running.process.send_signal(signal.SIGHUP)
        running.wait_for("SIGHUP: refused")
        (tmp_path / "log").unlink()
        (tmp_path / "kept").rename(tmp_path / "log")
        assert running.ask(1)
        assert sorted(running.workers()) == before
        assert all(map(is_alive, before))


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_parent_drains_all_workers(tmp_path: Path, sig: signal.Signals) -> None:
    with group(tmp_path) as running:
        workers = sorted(running.workers())
        with connection_to(running) as connection:
            body = b'{"user": 1}'
            connection.sendall(
                b"POST /recommend HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            assert connection.recv(10_000).startswith(b"HTTP/1.1 200")
            assert running.stop(sig) == 0
        assert running.lines[-2] == "stopped\n"
        assert not any(map(is_alive, workers))
        assert not running.counts.exists()
        with pytest.raises(ConnectionRefusedError):
            connection_to(running)
    ends = list((tmp_path / "log").glob("*.end.json"))
    assert len(ends) == 2  # each worker closed its file in good order


def test_workers_end_when_their_parent_was_killed(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        running.ask(1)
        running.stop(signal.SIGKILL)
        eventually(lambda: not any(map(is_alive, running.workers())))
        eventually(lambda: not running.counts.exists())
    assert len(list((tmp_path / "log").glob("*.end.json"))) == 2


def counted(running: Group) -> tuple[int, int, int]:
    """Answers by /metrics and by /experiments, and the workers that /experiments counts."""
    text = running.get("/metrics").decode()
    metrics = sum(
        float(each) for each in re.findall(r"^segue_answers_total\{.*\} (.+)", text, re.M)
    )
    status = json.loads(running.get("/experiments"))
    return int(metrics), status["requests"], status["workers"]


def test_counts_are_the_sum_of_all_workers_whichever_is_asked(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        stems = {stem(running.ask(user)) for user in range(40)}
        assert len(stems) == 2
        eventually(lambda: all(counted(running) == (40, 40, 2) for _ in range(10)))
        status = json.loads(running.get("/experiments"))
        assert sum(arm["listeners"] for arm in status["experiments"][0]["arms"]) == 40

        os.kill(min(running.workers()), signal.SIGKILL)
        running.wait_for("serves config", times=3)
        assert all(counted(running) == (40, 40, 2) for _ in range(10))
        assert running.reload().status_code == 200
        eventually(lambda: all(counted(running) == (40, 40, 2) for _ in range(10)))


def test_the_token_is_needed_for_a_reload_by_workers_too(tmp_path: Path) -> None:
    with group(tmp_path) as running:
        response = httpx.post(
            f"{running.url}/admin/reload", headers={**ADMIN, "Authorization": ""}, timeout=60
        )
        assert response.status_code == 401


def test_several_workers_with_memory_state_are_refused_with_two_ways_out() -> None:
    check_workers(1, "memory")
    with pytest.raises(InputError, match=r"must be 1 with `state.backend: memory`, got 2") as error:
        check_workers(2, "memory")
    assert "backend: redis" in str(error.value)
    assert "behind a balancer that keeps a listener on one process" in str(error.value)


def test_several_workers_are_refused_where_the_system_cannot_fork(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    check_workers(2, "redis")
    monkeypatch.delattr(os, "fork")
    with pytest.raises(InputError, match="must be 1 on this system, which cannot fork"):
        check_workers(2, "redis")


@pytest.mark.parametrize("command", [["serve", "--port", "0"], ["check"]])
def test_the_commands_refuse_several_workers_with_memory_state(
    tmp_path: Path, command: list[str]
) -> None:
    config = write_config(tmp_path, server={"workers": 2})
    ran = subprocess.run(
        [sys.executable, "-m", "cli", *command, "--config", str(config)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 2
    assert "server.workers (--workers): must be 1 with `state.backend: memory`" in ran.stderr
    assert "Traceback" not in ran.stderr
    assert not (tmp_path / "log").exists()


@pytest.mark.parametrize("each_own", [True, False])
def test_a_second_server_on_the_port_is_refused(each_own: bool) -> None:
    sockets = WorkerSockets("127.0.0.1", 0, 2, each_own)
    try:
        port = sockets.any.getsockname()[1]
        with pytest.raises(SegueError, match=f"127.0.0.1:{port} is taken by another process"):
            WorkerSockets("127.0.0.1", port, 2, each_own)
    finally:
        sockets.close_all()
