"""The server of the demo: a `segue serve` process of its own, started and ended."""

import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from core.errors import SegueError

LISTENING = "Listening on "
TIMEOUT_S = 60.0


class DemoServer:
    """A running server process.

    Attributes:
        address: Address of the server.
    """

    def __init__(self, process: subprocess.Popen[bytes], stderr: Path) -> None:
        self._process = process
        self._stderr = stderr
        self.address = self._wait_for_address()

    def _wait_for_address(self) -> str:
        deadline = monotonic() + TIMEOUT_S
        while monotonic() < deadline and self._process.poll() is None:
            for line in self._read_stderr().splitlines():
                if line.startswith(LISTENING):
                    return line.removeprefix(LISTENING).split()[0]
            sleep(0.05)
        raise SegueError(f"demo: the server did not start:\n{self._read_stderr()}")

    def _read_stderr(self) -> str:
        return self._stderr.read_text(encoding="utf-8")


@contextmanager
def run_server(
    config: Path, stderr: Path, show_command: Callable[[str], object]
) -> Iterator[DemoServer]:
    """Run a server of this config on a free port during the block.

    Args:
        config: The config file.
        stderr: File for the standard error of the server.
        show_command: Receives the command line of the server.
    """
    arguments = ["serve", "--config", str(config), "--port", "0"]
    show_command(shlex.join(["segue", *arguments]))
    with stderr.open("wb") as errors:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "cli", *arguments], stderr=errors, start_new_session=True
        )
    try:
        yield DemoServer(process, stderr)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
