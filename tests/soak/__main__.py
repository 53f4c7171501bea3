"""`make soak`: hostile requests on a calm server, then load with faults.

The exit code is 1 if a promise was broken.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

from cli.progress import bars
from cli.terminal import terminal
from core.progress import Progress
from tests.service import write_config
from tests.soak.hostile_clients import HostileClients
from tests.soak.logged_lines import read_lines
from tests.soak.server_process import ServerProcess
from tests.soak.soak import SoakOptions, run_soak, tracebacks
from tests.soak.summary import show_hostility, show_soak

MOST_GROWTH = 0.05
"""Share by which memory may grow after warm-up; below it are the samples' own differences."""


def main() -> int:
    """Run both parts; give the exit code."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="time under load with faults")
    parser.add_argument("--requests", type=int, default=100_000, help="hostile requests before")
    parser.add_argument("--seed", type=int, default=1, help="draws every request and fault")
    parser.add_argument("--keep", type=Path, help="an empty folder for the log, which stays")
    options = parser.parse_args()
    terminal().print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as made, bars() as progress:
        folder = options.keep or Path(made)
        sound = _is_sound_when_hostile(folder / "hostile", options.requests, options.seed, progress)
        return 0 if _is_sound_when_soaked(folder / "soak", options, progress) and sound else 1


def _is_sound_when_hostile(folder: Path, requests: int, seed: int, progress: Progress) -> bool:
    """Send hostile requests to a server that nothing else disturbs."""
    limits = {"request_timeout_s": 2, "keep_alive_s": 2}
    server = ServerProcess(write_config(folder, server=limits, state={"max_listeners": 2_000}))
    server.start()
    begun = monotonic()
    clients = HostileClients(server.port, seed)
    progress.start("hostile requests", requests)
    try:
        asyncio.run(_send(clients, requests, progress.advance))
    finally:
        server.stop()
    outcome = clients.outcome
    read = read_lines([folder / "log"])
    outcome.problems += read.faults
    outcome.problems += tracebacks(server.said)
    outcome.problems += [
        f"decision {each} was acknowledged and is on file {read.decisions[each]} times"
        for each in outcome.decisions
        if read.decisions[each] != 1
    ]
    show_hostility(outcome, monotonic() - begun, terminal())
    return not outcome.problems


async def _send(clients: HostileClients, requests: int, advance: Callable[[float], None]) -> None:
    sending = asyncio.create_task(clients.send(requests))
    shown = 0
    while not sending.done():
        await asyncio.wait([sending], timeout=0.5)
        advance(clients.outcome.requests - shown)
        shown = clients.outcome.requests
    await sending


def _is_sound_when_soaked(folder: Path, options: argparse.Namespace, progress: Progress) -> bool:
    outcome = run_soak(SoakOptions(folder, options.minutes * 60, options.seed), progress)
    grown_mb, end_mb = outcome.memory_growth_mb(), outcome.memory_mb[-1]
    if grown_mb > MOST_GROWTH * end_mb:
        outcome.problems.append(f"memory grew by {grown_mb:.1f} MB to {end_mb:.1f} MB")
    show_soak(outcome, terminal())
    return not outcome.problems


if __name__ == "__main__":
    sys.exit(main())
