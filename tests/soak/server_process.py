"""A real server in a process of its own: started, killed, stopped, reloaded, bounded, measured."""

import os
import re
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
TOKEN = "soak-token"
LISTENS = re.compile(r"Listening on http://127\.0\.0\.1:(\d+)")
MOST_LINES = 20_000
"""Lines of the server's own log that are kept."""


class ServerProcess:
    """`segue serve` on one port, over as many processes as are killed.

    Args:
        config: The config file.
        argv: The command that serves; the test that sees the harness fail gives a broken one.

    Attributes:
        port: Its port on 127.0.0.1; the first process chooses it, the next ones take it again.
        said: The lines of its own log, of all processes.
        starts: Number of processes so far.
    """

    def __init__(self, config: Path, argv: tuple[str, ...] = ("-m", "cli")) -> None:
        self._config = config
        self._argv = argv
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None
        self.port = 0
        self.said: list[str] = []
        self.starts = 0

    @property
    def pid(self) -> int:
        """The process that serves."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process is over, so that nobody serves."""
        return self._process is None or self._process.poll() is not None

    def start(self) -> None:
        """Start a process, and wait until it listens."""
        assert self.has_ended
        command = [sys.executable, *self._argv, "serve", "--config", str(self._config)]
        process = subprocess.Popen(
            [*command, "--port", str(self.port)],
            cwd=ROOT,
            env={**os.environ, "SEGUE_ADMIN_TOKEN": TOKEN, "COLUMNS": "300"},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        self._process = process
        too_late = threading.Timer(PATIENCE_S, process.kill)
        too_late.start()
        for line in process.stderr:
            self._keep(line)
            if (found := LISTENS.search(line)) is not None:
                self.port = int(found[1])
                break
        else:
            raise AssertionError(f"the server ended with {process.wait()}: {self.said[-20:]}")
        too_late.cancel()
        self.starts += 1
        self._reader = threading.Thread(target=self._read, args=(process,), daemon=True)
        self._reader.start()

    def kill(self) -> None:
        """Kill it as the kernel does: no handler runs, no buffer is flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Stop it in order; give the exit code."""
        return self._end(signal.SIGTERM)

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Freeze it, and wait until it is frozen; SIGCONT lets it go on."""
        self.send(signal.SIGSTOP)
        state = Path(f"/proc/{self.pid}/stat")
        while state.read_text().rpartition(")")[2].split()[0] != "T":
            os.sched_yield()

    def limit_files(self, size: int | None) -> None:
        """Let no file of the process grow beyond this size, as a full disk would; None: lift it."""
        soft = resource.RLIM_INFINITY if size is None else size
        resource.prlimit(self.pid, resource.RLIMIT_FSIZE, (soft, resource.RLIM_INFINITY))

    def memory_mb(self) -> float:
        """Memory that is the process's own, in MB, with its sealed copies of files."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        sizes = [int(line.split()[1]) for line in lines if line.startswith(("RssAnon", "RssShmem"))]
        return sum(sizes) / 1000

    def _end(self, number: signal.Signals) -> int:
        process = self._process
        assert process is not None
        process.send_signal(number)
        code = process.wait(PATIENCE_S)
        if self._reader is not None:
            self._reader.join(PATIENCE_S)
        return code

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stderr is not None
        with process.stderr:
            for line in process.stderr:
                self._keep(line)

    def _keep(self, line: str) -> None:
        if len(self.said) < MOST_LINES:
            self.said.append(line.rstrip("\n"))
