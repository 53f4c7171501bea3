"""A real Redis that a test starts on free ports, and stops."""

import contextlib
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import redis

PATIENCE_S = 60
PROGRAM = shutil.which("valkey-server") or shutil.which("redis-server") or "redis-server"


def free_port() -> int:
    """Find a port that is free, and below those that the kernel gives to clients."""
    for port in range(20_000 + (time.monotonic_ns() // 7_919) % 9_000, 32_000):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


class RedisServer:
    """One server process.

    Attributes:
        port: Its port on 127.0.0.1.
        client: A client of redis-py, for what a test wants to see or to break.
    """

    def __init__(self, folder: Path, options: Sequence[str] = (), port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.folder = folder
        self._options = list(options)
        self.client = redis.Redis(port=self.port, socket_timeout=PATIENCE_S)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The url for a config."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start, and wait until it answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._process = subprocess.Popen(
            [
                PROGRAM, *self._options, "--port", str(self.port), "--bind", "127.0.0.1",
                "--dir", str(self.folder), "--save", "", "--daemonize", "no",
            ],
            stdout=subprocess.DEVNULL,
        )  # fmt: skip
        wait_until(self.answers)

    def answers(self) -> bool:
        """Tell whether it answers."""
        try:
            return bool(self.client.ping())
        except redis.AuthenticationError:
            return True
        except (redis.ConnectionError, redis.TimeoutError):
            return False

    def send(self, number: signal.Signals) -> None:
        """Send the process a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process, as a machine that fails would."""
        assert self._process is not None
        self._process.kill()
        self._process.wait(PATIENCE_S)

    def close(self) -> None:
        """End it, also if a test has stopped it in the middle."""
        self.client.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait(PATIENCE_S)


@contextmanager
def running_redis(folder: Path, *options: str) -> Iterator[RedisServer]:
    """Run a server."""
    server = RedisServer(folder, options)
    server.start()
    try:
        yield server
    finally:
        server.close()


def wait_until(holds: object, patience_s: float = PATIENCE_S) -> None:
    """Wait for a condition; fail when it does not come."""
    assert callable(holds)
    deadline_s = time.monotonic() + patience_s
    while not holds():
        assert time.monotonic() < deadline_s, f"not within {patience_s} s: {holds}"
        time.sleep(0.005)
