"""`segue serve` as a process of its own, for tests of clients and of installations."""

import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

LISTENING = "Listening on "


@contextmanager
def serving(
    config: Path, segue: Sequence[str | Path] = (sys.executable, "-m", "cli")
) -> Iterator[str]:
    """Serve a config on a free port, and give the address.

    Args:
        config: The config file.
        segue: The command `segue`.
    """
    command = [*map(str, segue), "serve", "--config", str(config), "--port", "0"]
    process = subprocess.Popen(command, cwd=config.parent, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    shown = []
    try:
        for line in process.stderr:
            shown.append(line)
            if line.startswith(LISTENING):
                break
        else:
            raise AssertionError("".join(shown))
        yield shown[-1].removeprefix(LISTENING).split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
