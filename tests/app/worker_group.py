"""A real parent with real workers over the small world, each with a memory of its own.

`segue serve --workers` refuses memory state, so this module starts them without the command:

    python -m tests.app.worker_group CONFIG WORKERS [FAULT]

With a fault, every worker after the first ones `dies` before it is ready, or serves `other-config`.
"""

import gc
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import httpx

from app import workers
from app.application import create_app
from app.counts import CountsFolder, WorkerSide
from app.hot_route import HotRoute
from app.listening import url_of
from app.worker_sockets import WorkerSockets
from app.workers import serve_with_workers
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from tests.service import write_config

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
TOKEN = "a secret"
ADMIN = {"Authorization": f"Bearer {TOKEN}"}


def main(config: str, count: str, fault: str = "") -> None:
    """Serve until a signal."""
    logging.basicConfig(format="%(levelname)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    runtime = load_runtime(load_settings(Path(config)))
    sockets = WorkerSockets("127.0.0.1", 0, int(count))

    def create_faulty_app(served: Runtime, *, worker: WorkerSide, **rest: Any) -> HotRoute:
        if worker.parent.number > int(count) and fault == "dies":
            raise SystemExit(9)
        if worker.parent.number > int(count) and fault == "other-config":
            served = replace(served, digest="0" * 12)
        return create_app(served, worker=worker, **rest)

    workers.create_app = create_faulty_app  # type: ignore[assignment,attr-defined]

    def say() -> None:
        sys.stderr.write(f"up {url_of(sockets.any)} {counts_folder()}\n")

    serve_with_workers(runtime, int(count), sockets, None, None, say)
    sys.stderr.write("stopped\n")


def counts_folder() -> str:
    """Find the folder that this process made for its workers' counts."""
    gc.unfreeze()
    (folder,) = [each for each in gc.get_objects() if isinstance(each, CountsFolder)]
    return str(folder.path)


class Group:
    """A running parent.

    Attributes:
        process: The parent.
        url: The workers' address.
        counts: Folder of the workers' counts.
        lines: What the parent and the workers wrote to stderr.
    """

    def __init__(self, config: Path, count: int, fault: str) -> None:
        self.lines: list[str] = []
        self._news = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.app.worker_group", str(config), str(count), fault],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "SEGUE_ADMIN_TOKEN": TOKEN},
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        _, self.url, counts = self.wait_for(r"^up .*").split()
        self.counts = Path(counts)

    def _read(self) -> None:
        assert self.process.stderr is not None
        with self.process.stderr as lines:
            for line in lines:
                with self._news:
                    self.lines.append(line)
                    self._news.notify_all()
        with self._news:
            self.lines.append("")
            self._news.notify_all()

    def wait_for(self, pattern: str, times: int = 1) -> str:
        """Wait until this many lines match, and give the last one."""

        def matching() -> list[str]:
            return [line for line in self.lines if re.search(pattern, line)]

        def settled() -> bool:
            return len(matching()) >= times or "" in self.lines

        with self._news:
            self._news.wait_for(settled, PATIENCE_S)
            found = matching()
        assert len(found) >= times, (pattern, self.lines)
        return found[times - 1].strip()

    def workers(self) -> dict[int, int]:
        """Process id of each worker that serves or did -> its slot."""
        found = [re.search(r"worker (\d+) \(process (\d+)\) serves", line) for line in self.lines]
        return {int(each[2]): int(each[1]) for each in found if each}

    def connect(self) -> HTTPConnection:
        """Open a connection that is kept alive."""
        return HTTPConnection(self.url.removeprefix("http://"), timeout=PATIENCE_S)

    def ask(self, user: int, client: HTTPConnection | None = None) -> str:
        """Take a turn, over a connection of its own unless one is given."""
        connection = client or self.connect()
        connection.request(
            "POST", "/recommend", b'{"user": %d}' % user, {"Content-Type": "application/json"}
        )
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        if client is None:
            connection.close()
        return str(json.loads(body)["decision"])

    def get(self, path: str) -> bytes:
        """Get a route, over a connection of its own."""
        with closing(self.connect()) as connection:
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read()
        assert response.status == 200, body
        return body

    def reload(self) -> httpx.Response:
        """Reload over HTTP, by whichever worker takes the connection."""
        return httpx.post(f"{self.url}/admin/reload", headers=ADMIN, timeout=PATIENCE_S)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """End the parent with a signal; give its exit code."""
        self.process.send_signal(sig)  # nothing happens if it has ended
        code = self.process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code


@contextmanager
def group(
    folder: Path,
    count: int = 2,
    change: Callable[[dict[str, Any]], object] | None = None,
    fault: str = "",
    **sections: Any,
) -> Iterator[Group]:
    """Run a parent with workers over the small world, and leave no process behind."""
    running = Group(write_config(folder, change, **sections), count, fault)
    try:
        yield running
    finally:
        running.stop()
        eventually(lambda: not any(map(is_alive, running.workers())))


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that ended and was not asked for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def eventually(condition: Callable[[], object]) -> None:
    """Wait until a condition holds; fail after the time that any test may take."""
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s, "the condition did not come true"
        threading.Event().wait(0.01)


if __name__ == "__main__":
    main(*sys.argv[1:])
