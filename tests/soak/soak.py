"""A soak: load, hostile clients and faults at random over one log, then the proof that it is whole.

The first half kills and restarts the server; the second half leaves one process alive, so that its
memory can be watched.
"""

import asyncio
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any

from core.progress import SILENT, Progress
from tests.soak.faults import FAULTS, RESTARTS, WITH_DISK, Site
from tests.soak.ground import ROOT, Ground, made_ground
from tests.soak.hostile_clients import HostileClients, Hostility
from tests.soak.ledger import Ledger
from tests.soak.load import LoadClient
from tests.soak.logged_lines import LoggedLines, read_lines
from tests.soak.server_process import ServerProcess

CLIENTS = 16
HOSTILE_CLIENTS = 3
LISTENERS = 250
"""Listeners of each client; all of them are more than `state.max_listeners`."""
SAMPLE_S = 0.5
CHANCE_P = 1e-6
"""`verify` makes some 25 tests of the log at p < 0.001 each, and no two soaks draw alike: one of
fifty would fail. A log that lacks lines, or an arm, is far below."""
TOLERATED = tuple(f"--tolerate={each}" for each in ("config", "fallback", "state"))
"""Three checks rightly fail: a list was replaced while the experiments ran; the process after a
kill knows no listener, so it falls back more often than the rest; and the server's memory is kept
smaller than the number of listeners."""


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """Options of a soak.

    Attributes:
        folder: An empty folder.
        seconds: Time under load; each fault strikes at least once, however long that takes.
        seed: Seed of the clients and the faults.
        pace_s: Mean pause of a client between two requests.
    """

    folder: Path
    seconds: float
    seed: int = 1
    pace_s: float = 0.02


@dataclass(slots=True)
class SoakOutcome:
    """The outcome of a soak.

    Attributes:
        ledger: What the clients know.
        hostility: What the hostile clients know.
        struck: Fault -> times.
        read: The lines on file.
        memory_mb: Samples of the last process's memory.
        starts: Number of processes.
        seconds: Time under load.
        failed_checks: The checks of `segue verify` that failed, and not by chance.
        replayed: The JSON of `segue replay`.
        problems: A sentence for each promise that was broken.
    """

    ledger: Ledger
    hostility: Hostility
    struck: Counter[str]
    read: LoggedLines
    memory_mb: list[float]
    starts: int
    seconds: float
    failed_checks: Sequence[str] = ("not verified",)
    replayed: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def memory_growth_mb(self) -> float:
        """Memory at the end less the memory after warm-up, each the median of a fifth."""
        fifth = len(self.memory_mb) // 5
        if not fifth:
            return 0.0
        return median(self.memory_mb[-fifth:]) - median(self.memory_mb[fifth : 2 * fifth])


def run_soak(options: SoakOptions, progress: Progress = SILENT) -> SoakOutcome:
    """Run a soak, and prove its log."""
    with made_ground(options.folder) as ground:
        server = ServerProcess(ground.config)
        server.start()
        try:
            outcome = asyncio.run(_Soak(options, ground, server, progress).run())
        finally:
            code = server.stop()
        if code != 0:
            outcome.problems.append(f"the server ended with {code}")
        outcome.problems += tracebacks(server.said)
        _prove(outcome, ground, progress)
    return outcome


class _Soak:
    """One soak under way."""

    def __init__(
        self, options: SoakOptions, ground: Ground, server: ServerProcess, progress: Progress
    ) -> None:
        self._options = options
        self._server = server
        self._progress = progress
        self._has_disk = ground.has_disk
        self._is_over = False
        draw = random.Random(f"{options.seed}-faults")
        self._site = Site(server, ground, Ledger(), draw)
        self._hostile = HostileClients(server.port, options.seed, self._site.calm)
        self._memory_mb: list[float] = []

    async def run(self) -> SoakOutcome:
        """Let clients play while faults strike."""
        begun = monotonic()
        site, options = self._site, self._options
        work = [
            LoadClient(
                number, options.seed, self._server.port, site.ledger, options.pace_s
            ).play(self._over, LISTENERS, CLIENTS)
            for number in range(CLIENTS)
        ]  # fmt: skip
        work += [self._hostile.keep_talking(self._over) for _ in range(HOSTILE_CLIENTS)]
        await asyncio.gather(self._strike(), self._sample(begun), *work)
        return SoakOutcome(
            site.ledger, self._hostile.outcome, site.struck, LoggedLines(), self._memory_mb,
            self._server.starts, monotonic() - begun,
            problems=site.problems + site.ledger.problems + self._hostile.outcome.problems,
        )  # fmt: skip

    async def _strike(self) -> None:
        """Strike with every fault, in a drawn order, round after round."""
        survived = {**FAULTS, **(WITH_DISK if self._has_disk else {})}
        half_s = self._options.seconds / 2
        try:
            await self._site.answers_again()  # it listens before it is ready
            await self._rounds({**survived, **RESTARTS}, monotonic() + half_s)
            self._memory_mb.clear()
            await self._rounds(survived, monotonic() + half_s)
        except Exception as error:
            self._site.problems.append(f"{type(error).__name__}: {error}")
        finally:
            self._is_over = True

    async def _rounds(self, faults: dict[str, Callable[[Site], Any]], until_s: float) -> None:
        site = self._site
        while True:
            names = list(faults)
            site.draw.shuffle(names)
            for name in names:
                await faults[name](site)
                site.struck[name] += 1
                await asyncio.sleep(site.draw.expovariate(2))
                if monotonic() > until_s and set(faults) <= set(site.struck):
                    return

    async def _sample(self, begun: float) -> None:
        """Show progress, and measure memory while a process serves."""
        self._progress.start("soak", self._options.seconds)
        shown = begun
        while not self._is_over:
            await asyncio.sleep(SAMPLE_S)
            if not self._site.disturbed:
                self._memory_mb.append(self._server.memory_mb())
            self._progress.advance(monotonic() - shown)
            shown = monotonic()

    def _over(self) -> bool:
        return self._is_over


def tracebacks(said: list[str]) -> list[str]:
    """List the tracebacks in a server's log, each with the line before it."""
    return [
        f"the server's log: {before}: {line}"
        for before, line in pairwise(said)
        if line.startswith("Traceback")
    ]


def _prove(outcome: SoakOutcome, ground: Ground, progress: Progress) -> None:
    """Compare the ledger with the log, and let `verify` and `replay` judge the log."""
    progress.start("ledger", 1)
    logs = ground.logs()
    outcome.read = read = read_lines(logs)
    outcome.problems += read.faults
    outcome.problems += outcome.ledger.losses(read)
    outcome.problems += [
        f"hostile decision {each} was acknowledged and is on file {read.decisions[each]} times"
        for each in outcome.hostility.decisions
        if read.decisions[each] != 1
    ]
    progress.start("verify", 1)
    verified = _segue("verify", *logs, *TOLERATED, "--json")
    outcome.failed_checks = failed_checks(verified.stdout, verified.stderr)
    outcome.problems += [f"segue verify: {each}" for each in outcome.failed_checks]
    progress.start("replay", 1)
    worlds = [text for world in ground.worlds() for text in ("--config", world)]
    replayed = _segue("replay", *logs, *worlds, "--json")
    if replayed.returncode != 0:
        outcome.problems.append(
            f"segue replay: {replayed.stdout[-3_000:]}{replayed.stderr[-1_000:]}"
        )
    outcome.replayed = json.loads(replayed.stdout or "{}")


def failed_checks(printed: str, complaint: str = "") -> list[str]:
    """List the failed checks in the JSON of `segue verify`, but for those that chance explains."""
    if not printed:
        return [complaint]
    return [
        f"{each['experiment']}: {check['name']}: {check['figure']}: {check['explanation']}"
        for each in json.loads(printed)
        for check in each["checks"]
        if check["status"] == "failed" and not _is_chance(check["numbers"])
    ]


def _is_chance(numbers: dict[str, Any]) -> bool:
    """Say whether a check made tests, and none has a p-value that a soak would never see."""
    values = [numbers.get("p"), numbers.get("watched_p"), *numbers.get("alarms", {}).values()]
    found = [value for value in values if value is not None]
    return bool(found) and min(found) >= CHANCE_P


def _segue(*arguments: Any) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
