"""The cost of the board for the server that shows it: its CPU with ten viewers and without.

First with slow clients, so that every snapshot has news; then under full load. Stretches without
and with viewers take turns. The board's own process is not counted: it has a lower priority.

    python -m benchmarks board
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
VIEWERS = 10
PAIRS = int(os.environ.get("ROUNDS", "5"))
SLOW_S, LOAD_S = 10, 4
TICKS_S = os.sysconf("SC_CLK_TCK")
SCRIPT = """wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local n = 0
request = function()
  n = n + 1
  local body = string.format('{"user": %d, "track": 1, "time": 0.5}', n % 2000)
  return wrk.format(nil, "/recommend", nil, body)
end
"""


def main() -> None:
    """Measure, and print both rows."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    with tempfile.TemporaryDirectory() as folder, _server(Path(folder)) as (pid, address):
        script = Path(folder) / "post.lua"
        script.write_text(SCRIPT)
        _measure(
            "CPU of the server at 10 turns a second, ms a second",
            lambda: _slow(pid, address),
            address,
        )
        _measure(
            "CPU of the server for each turn under full load, us",
            lambda: _load(pid, address, script),
            address,
        )


def _measure(what: str, stretch: Callable[[], float], address: str) -> None:
    stretch()  # warm
    pairs = []
    for _ in range(PAIRS):
        alone = stretch()
        with _viewers(address):
            pairs.append((alone, stretch()))
    alone, watched = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(after / before for before, after in pairs if before)
    print(f"{what}: {alone:.1f} alone, {watched:.1f} with {VIEWERS} viewers; ratio {ratio:.3f}")
    print("  " + ", ".join(f"{before:.1f} and {after:.1f}" for before, after in pairs), flush=True)


def _slow(pid: int, address: str) -> float:
    before, began_s = _cpu_s(pid), time.monotonic()
    with httpx.Client(base_url=address) as client:
        number = 0
        while (passed_s := time.monotonic() - began_s) < SLOW_S:
            number += 1
            client.post("/recommend", json={"user": number % 300, "track": 1, "time": 0.5})
            time.sleep(0.1)
    return (_cpu_s(pid) - before) / passed_s * 1000


def _load(pid: int, address: str, script: Path) -> float:
    before = _cpu_s(pid)
    command = ["wrk", "-t1", "-c8", f"-d{LOAD_S}s", "-s", str(script), address]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+) requests in", said)
    assert found is not None, said
    return (_cpu_s(pid) - before) / int(found[1]) * 1e6


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S


@contextmanager
def _server(folder: Path) -> Iterator[tuple[int, str]]:
    """Serve the default world; its log is in a folder that goes."""
    for name in ("data", "config.yaml"):
        (folder / name).symlink_to(ROOT / name)
    config = folder / "own.yaml"
    config.write_text((ROOT / "config.yaml").read_text())
    command = [sys.executable, "-m", "cli", "serve", "--config", str(config), "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    said = next(line for line in process.stderr if line.startswith("Listening on"))
    try:
        yield process.pid, said.split()[2]
    finally:
        process.terminate()
        process.communicate(timeout=60)


@contextmanager
def _viewers(address: str) -> Iterator[None]:
    """Watch the board's stream, from the first state on."""
    host, port = address.removeprefix("http://").split(":")
    seen = [threading.Event() for _ in range(VIEWERS)]
    sockets = [socket.create_connection((host, int(port))) for _ in seen]

    def watch(connection: socket.socket, has_state: threading.Event) -> None:
        connection.sendall(b"GET /board/api/live HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        while content := connection.recv(1 << 20):
            if b"event: state" in content:
                has_state.set()

    threads = [
        threading.Thread(target=watch, args=pair, daemon=True)
        for pair in zip(sockets, seen, strict=True)
    ]
    for thread in threads:
        thread.start()
    assert all(each.wait(60) for each in seen), "the board shows nothing"
    try:
        yield
    finally:
        for each in sockets:
            each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join()
        for each in sockets:
            each.close()


if __name__ == "__main__":
    main()
