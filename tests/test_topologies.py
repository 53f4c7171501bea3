"""One process, several, workers: the same seed gives the same table, and every log is whole."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from cli import main
from tests import needs
from tests.app.worker_group import eventually
from tests.balancers import nginx
from tests.redis_server import RedisServer, running_redis

ROOT = Path(__file__).parents[1]
SESSIONS = 100
PATIENCE_S = 120
FASTER = ("rate=200r/s", "rate=100000r/s")
pytestmark = [needs.program("nginx"), needs.program("redis-server")]


def segue(*arguments: object) -> str:
    """Run a command in this process; it must succeed."""
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main.build(), [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisServer]:
    with running_redis(tmp_path / "redis") as server:
        yield server


def config(folder: Path, redis: RedisServer | None = None) -> Path:
    """Write the default config, with its log in a folder of its own."""
    content = yaml.safe_load((ROOT / "config.yaml").read_text())
    data = content["catalog"]
    for section in ("lists", "vectors"):
        data[section] = {name: str(ROOT / path) for name, path in data[section].items()}
    data |= {name: str(ROOT / data[name]) for name in ("tracks", "top")}
    if redis is not None:
        # On a machine under load a turn may wait; here none may be decided without its state.
        content["state"] = {"backend": "redis", "url": redis.url, "timeout_ms": 30_000}
    folder.mkdir()
    (folder / "config.yaml").write_text(yaml.safe_dump(content))
    return folder / "config.yaml"


@contextlib.contextmanager
def serving(*configs: Path, options: Sequence[str] = ()) -> Iterator[list[Any]]:
    """Serve each config by a process of its own; give (process, port) of each."""
    processes = []
    try:
        for path in configs:
            command = [sys.executable, "-m", "cli", "serve", "--config", str(path), "--port", "0"]
            processes.append(
                subprocess.Popen([*command, *options], cwd=ROOT, stderr=subprocess.PIPE, text=True)
            )
        yield [(process, _port(process)) for process in processes]
    finally:
        for process in processes:
            process.terminate()
            process.communicate(timeout=PATIENCE_S)


def _port(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    for line in process.stderr:
        if "Listening on" in line:
            return int(line.split()[2].rpartition(":")[2])
    raise AssertionError(f"a server ended with {process.wait()}")


def simulate(port: int, *options: str) -> dict[str, Any]:
    """Play sessions against a server or a balancer."""
    address = f"http://127.0.0.1:{port}"
    arguments = ["--recommender", address, "--episodes", str(SESSIONS), "--seed", "7", "--json"]
    found: dict[str, Any] = json.loads(
        segue("simulate", "--world", ROOT / "data", *arguments, *options)
    )
    return found


def is_whole(log: Path) -> None:
    """Check that a log is valid, and that every decision of it comes out the same again."""
    assert "is valid: no check failed" in segue("verify", log)
    assert "Every decision came out the same" in segue("replay", log)


def lines_in(*folders: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for folder in folders
        for path in (folder / "log").glob("events-*.jsonl")
        for line in path.read_bytes().splitlines()
    ]


def written_lines(folder: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in (folder / "log").glob("events-*.jsonl"))


def in_memory(folder: Path) -> tuple[Any, bytes]:
    """Play against one process with memory state; give its table, and each session's truth."""
    truth = folder.with_suffix(".truth")
    with serving(config(folder)) as [(_, port)]:
        table = simulate(port, "--out", str(truth))["arms"]
    is_whole(folder / "log")
    return table, truth.read_bytes()


def test_one_process_four_behind_nginx_and_four_workers_give_one_table(
    tmp_path: Path, redis: RedisServer
) -> None:
    expected, truth = in_memory(tmp_path / "memory")

    shared = config(tmp_path / "one", redis)
    with serving(shared) as [(_, port)]:
        assert simulate(port, "--out", str(tmp_path / "one.truth"))["arms"] == expected
    assert sorted((tmp_path / "one.truth").read_bytes().splitlines()) == sorted(truth.splitlines())
    is_whole(tmp_path / "one" / "log")

    redis.client.flushall()
    folders = [tmp_path / "left", tmp_path / "right"]
    left, right = (config(folder, redis) for folder in folders)
    with serving(left, left, right, right) as servers:
        ports = [port for _, port in servers]
        with nginx(tmp_path / "nginx", "compose", ports, FASTER) as port:
            assert simulate(port)["arms"] == expected
    processes = {event["decision"].partition("-")[0] for event in lines_in(*folders)}
    assert len(processes) == 4
    collected = tmp_path / "collected"
    origins = [part for folder in folders for part in ("--from", folder / "log")]
    segue("logs", "collect", *origins, "--to", collected)
    is_whole(collected)

    redis.client.flushall()
    shared = config(tmp_path / "workers", redis)
    with serving(shared, options=("--workers", "4")) as [(_, port)]:
        assert simulate(port)["arms"] == expected
    processes = {event["decision"].partition("-")[0] for event in lines_in(tmp_path / "workers")}
    assert len(processes) == 4
    is_whole(tmp_path / "workers" / "log")


def test_a_recommender_that_is_killed_in_the_middle_changes_no_digit(
    tmp_path: Path, redis: RedisServer
) -> None:
    expected, _ = in_memory(tmp_path / "memory")
    shared = config(tmp_path / "four", redis)
    with serving(shared, shared, shared, shared) as servers:
        ports = [port for _, port in servers]
        with nginx(tmp_path / "nginx", "compose", ports, FASTER) as port:
            command = [
                sys.executable, "-m", "cli", "simulate", "--recommender",
                f"http://127.0.0.1:{port}", "--episodes", str(SESSIONS), "--seed", "7", "--json",
            ]  # fmt: skip
            playing = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
            # Bytes and not events: a line that is being written is visible in part.
            eventually(lambda: written_lines(tmp_path / "four") > 100)
            servers[0][0].send_signal(signal.SIGKILL)
            played = json.loads(playing.communicate(timeout=PATIENCE_S)[0])
    assert playing.returncode == 0
    assert played["arms"] == expected
    # A request that was at the dead process: nginx has no answer for it, and the client repeats it.
    assert set(played["errors"]) <= {"status 502", "status 504"}
    is_whole(tmp_path / "four" / "log")
    events = lines_in(tmp_path / "four")
    assert not any(event.get("degraded") for event in events)


def test_botifys_own_simulator_drives_several_processes(tmp_path: Path, redis: RedisServer) -> None:
    """Like it, this client opens a connection for each request, and knows no key and no header."""
    shared = config(tmp_path / "four", redis)
    with serving(shared, shared, shared, shared) as servers:
        ports = [port for _, port in servers]
        with nginx(tmp_path / "nginx", "compose", ports, FASTER) as port:
            played = simulate(port, "--api", "botify")
            for user in range(50):
                track, heard = user, 1.0
                for _ in range(4):
                    track = _botify(port, f"/next/{user}", track, heard)["track"]
                    heard = 0.5
                _botify(port, f"/last/{user}", track, heard)
    assert played["errors"] == {}
    assert sum(arm["sessions"] for arm in played["arms"]) == SESSIONS
    is_whole(tmp_path / "four" / "log")


def _botify(port: int, path: str, track: int, heard: float) -> Any:
    """Send what botify's simulator sends by `requests.post(url, json=...)`."""
    headers = {
        "User-Agent": "python-requests/2.28.1",
        "Accept-Encoding": "gzip, deflate",
        "Accept": "*/*",
        "Connection": "keep-alive",
        "Content-Type": "application/json",
    }
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("POST", path, json.dumps({"track": track, "time": heard}), headers)
    response = connection.getresponse()
    body = response.read()
    connection.close()
    assert response.status == 200, body
    return json.loads(body)
