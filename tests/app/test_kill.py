"""A killed server has on file every line that it answered."""

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.service import write_config

ROOT = Path(__file__).parents[2]


def started(folder: Path, *arguments: str, **sections: Any) -> tuple[subprocess.Popen[str], str]:
    """Start a real server on a free port; give it and its address once it listens."""
    config = write_config(folder, **sections)
    server = subprocess.Popen(
        [sys.executable, "-m", "cli", "serve", "--config", str(config), "--port", "0", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stderr is not None
    for line in server.stderr:
        if "http://" in line:
            return server, line.split()[2]
    raise AssertionError(f"the server ended with {server.wait()}")


def test_every_answer_of_a_killed_server_is_on_file(tmp_path: Path) -> None:
    server, address = started(tmp_path)
    answered: list[str] = []
    enough = threading.Event()

    def ask(user: int) -> None:
        with httpx.Client(base_url=address, timeout=60) as client:
            try:
                while True:
                    answer = client.post("/recommend", json={"user": user}).json()
                    answered.append(answer["decision"])
                    if len(answered) >= 400:
                        enough.set()
            except httpx.TransportError:
                return

    threads = [threading.Thread(target=ask, args=(user,)) for user in range(4)]
    for thread in threads:
        thread.start()
    assert enough.wait(60)
    server.send_signal(signal.SIGKILL)
    for thread in threads:
        thread.join()
    server.communicate()

    logged = [
        json.loads(line)["decision"]
        for path in (tmp_path / "log").glob("events-*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    assert set(answered) <= set(logged)
    assert len(logged) - len(answered) <= len(threads)  # at most one in flight each


def test_ctrl_c_stops_cleanly(tmp_path: Path) -> None:
    server, address = started(tmp_path)
    httpx.post(f"{address}/recommend", json={"user": 7}, timeout=60)
    server.send_signal(signal.SIGINT)

    _, errors = server.communicate(timeout=60)
    assert errors.splitlines()[-1] == "Stopped"
    assert "Traceback" not in errors
    assert server.returncode == 0


def test_an_occupied_port_is_reported_before_the_log_begins(tmp_path: Path) -> None:
    server, address = started(tmp_path / "first")
    config = write_config(tmp_path / "second")
    port = address.rpartition(":")[2]
    second = subprocess.run(
        [sys.executable, "-m", "cli", "serve", "--config", str(config), "--port", port],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ,
    )
    server.terminate()
    server.communicate()

    assert second.returncode == 2
    assert f"127.0.0.1:{port} is taken by another process" in second.stderr
    assert "Traceback" not in second.stderr
    assert not (tmp_path / "second" / "log").exists()
