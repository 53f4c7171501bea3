"""Rounds of `segue learn`: one, one after each simulated day, or one every so often."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import time_ns
from types import FrameType
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal

if TYPE_CHECKING:
    from learning.learner import Learner
    from simulator.simulation.options import SimulationOptions

_out = terminal(soft_wrap=True)


def take_round(learner: "Learner", is_over: bool = False) -> None:
    """Take a round; Ctrl-C leaves everything as it was."""
    with bars() as progress:
        learner.progress = progress
        try:
            learner.take_round(is_over)
        except KeyboardInterrupt:
            _out.print(f"Stopped in the middle of a round: {learner.what_serves}.")
            raise typer.Exit(130) from None


def run_rounds(learner: "Learner", options: "SimulationOptions", rounds: int) -> None:
    """Play a day and take a round, so many times; then show all rounds."""
    from cli.simulated_day import SimulatedDays
    from learning.round_figures import count_rounds

    with bars() as progress:
        days = SimulatedDays(options, progress)
    before = count_rounds(learner.ledger.read())
    for number in range(before, before + rounds):
        _out.print(f"Round {number + 1}", style="bold")
        with bars() as progress:
            days.play(number, progress)
        take_round(learner, is_over=True)
    show_rounds(learner)


def run_every_period(learner: "Learner", every: str) -> None:
    """Take a round every so often, until Ctrl-C or SIGTERM."""
    from learning.schedule import parse_period, run_every

    period_s = parse_period(every)
    with _stoppable() as (wait, in_round):

        def one_round() -> None:
            with in_round():
                take_round(learner)

        run_every(
            period_s,
            one_round,
            learner.ledger.read,
            lambda: time_ns() // 1_000_000,
            wait,
            _out.print,
        )
    _out.print(f"Stopped: {learner.what_serves}.")


@contextmanager
def _stoppable() -> Iterator[tuple[Callable[[float], bool], Callable[[], Any]]]:
    """Give a wait that SIGINT and SIGTERM end, and a block for a round, which they interrupt."""
    asked = threading.Event()
    is_in_round = False

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()
        if is_in_round:
            raise KeyboardInterrupt

    @contextmanager
    def in_round() -> Iterator[None]:
        nonlocal is_in_round
        is_in_round = True
        try:
            yield
        finally:
            is_in_round = False

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.wait, in_round
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def show_rounds(learner: "Learner") -> None:
    """Print the table of all rounds, and write their curve."""
    from learning.curve import CURVE_FILE, write_curve
    from learning.round_figures import decided_in, rows_of

    decisions = learner.ledger.read()
    rows = rows_of(decisions)
    table = Table("round", "strategy", "", "sessions", "time", "then", title="Rounds")
    seen = 0
    for row in rows:
        is_first, seen = row.round != seen, row.round
        then = [
            " ".join(filter(None, (each["outcome"], each["version"] and f"v{each['version']}")))
            for each in (decided_in(decisions, row.round) if is_first else [])
        ]
        table.add_row(
            str(row.round) if is_first else "",
            row.strategy,
            row.role,
            f"{row.sessions:,}",
            f"{row.time:.2f} ± {row.error:.2f}",
            ", ".join(then),
        )
    _out.print(table)
    path = learner.store.folder / CURVE_FILE
    write_curve(path, rows)
    _out.print(f"Wrote {path} and {learner.ledger.path}")
