"""Tables of a simulation for people, and plain values for programs."""

from collections.abc import Iterator, Sequence
from math import isfinite
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulator.play.paired_comparison import Difference, compare
from simulator.play.session_table import Estimate, SessionTable
from simulator.simulation.run import SimulationRun


def run_tables(run: SimulationRun) -> Iterator[Table | str]:
    """Show the sessions by arm and by day, the requests, and what went wrong."""
    sessions = run.outcome.sessions
    yield _arms_table(sessions)
    if len(sessions) and sessions.day.max() > 0:
        yield _days_table(sessions)
    yield _requests(run)
    yield from _problems(run)


def run_json(run: SimulationRun) -> dict[str, Any]:
    """Return the same as plain values; those that depend on the machine are under `run`."""
    sessions = run.outcome.sessions
    return {
        "recommender": run.name,
        "arms": [
            {"experiments": arm.experiments, "strategy": arm.strategy, **_values(rows)}
            for arm, rows in _by_arm(sessions)
        ],
        "all": _values(sessions),
        "by_day": [{"day": day, **_values(rows)} for day, rows in _by_day(sessions)],
        "errors": dict(sorted(run.outcome.errors.items())),
        "retried": run.outcome.retried,
        "given_up": run.outcome.given_up,
        "unfinished": run.outcome.unfinished,
        "run": {
            "seconds": run.seconds,
            "requests": run.outcome.requests,
            "requests_per_s": run.outcome.requests / run.seconds,
            "sessions_per_s": len(sessions) / run.seconds,
        },
    }


def paired_tables(runs: Sequence[SimulationRun]) -> Iterator[Table | str]:
    """Show both sides, and their difference session by session."""
    first, second = runs
    comparison = compare(first.outcome.sessions, second.outcome.sessions)
    table = Table("", box=SIMPLE_HEAD)
    for name in ("time", "tracks"):
        table.add_column(name, justify="right", no_wrap=True)
    both = (comparison.time, comparison.tracks)
    table.add_row(first.name, *(_mean(each.first) for each in both))
    table.add_row(second.name, *(_mean(each.second) for each in both))
    table.add_section()
    table.add_row("difference", *(_mean(each.paired, "+") for each in both))
    table.add_row(
        "95 % interval", *("{:+.4f} to {:+.4f}".format(*each.confidence_interval) for each in both)
    )
    table.add_row("sessions saved", *(_ratio(each.variance_ratio) for each in both))
    yield f"{comparison.pairs:,} sessions, each played against both with the same random numbers:"
    yield table
    yield "Fewer sessions than an unpaired comparison needs for an interval of the same width."
    for run in runs:
        yield from _problems(run)


def paired_json(runs: Sequence[SimulationRun]) -> dict[str, Any]:
    """Return the same as plain values."""
    first, second = runs
    comparison = compare(first.outcome.sessions, second.outcome.sessions)

    def values(difference: Difference) -> dict[str, Any]:
        return {
            "first": _estimate(difference.first),
            "second": _estimate(difference.second),
            "difference": _estimate(difference.paired),
            "interval": [_number(bound) for bound in difference.confidence_interval],
            "saving": _number(difference.variance_ratio),
        }

    return {
        "first": first.name,
        "second": second.name,
        "pairs": comparison.pairs,
        "time": values(comparison.time),
        "tracks": values(comparison.tracks),
        "sides": [run_json(run) for run in runs],
    }


def _arms_table(sessions: SessionTable) -> Table:
    table = _table("arm")
    groups = list(_by_arm(sessions))
    for arm, rows in groups:
        name = " ".join(filter(None, [arm.experiments, arm.strategy])) or "all"
        table.add_row(name, *_cells(rows))
    if len(groups) != 1:
        table.add_section()
        table.add_row("all", *_cells(sessions))
    return table


def _days_table(sessions: SessionTable) -> Table:
    table = _table("day")
    for day, rows in _by_day(sessions):
        table.add_row(str(day + 1), *_cells(rows))
    return table


def _table(first: str) -> Table:
    table = Table(first, box=SIMPLE_HEAD)
    for name in ("sessions", "time", "tracks", "cut off"):
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _requests(run: SimulationRun) -> str:
    outcome = run.outcome
    requests_per_s = outcome.requests / run.seconds
    sessions_per_s = len(outcome.sessions) / run.seconds
    return (
        f"{outcome.requests:,} requests in {run.seconds:.1f} s: {requests_per_s:,.0f} requests/s, "
        f"{sessions_per_s:,.0f} sessions/s, {sum(outcome.errors.values())} errors"
    )


def _problems(run: SimulationRun) -> Iterator[str]:
    outcome = run.outcome
    for kind, count in sorted(outcome.errors.items()):
        yield f"  {count} x {kind}"
    if outcome.retried:
        yield f"  {outcome.retried} requests were sent again"
    if outcome.given_up:
        yield f"  {outcome.given_up} sessions were given up and do not count above"
    if outcome.unfinished:
        why = "Stopped" if run.stopped else "Ended early"
        yield (
            f"{why}: {outcome.unfinished:,} sessions were not played to their end. Long ones are "
            "more likely among them, so the means above are too low."
        )


def _by_arm(sessions: SessionTable) -> Iterator[tuple[Any, SessionTable]]:
    for code, arm in enumerate(sessions.arms):
        rows = sessions.rows(sessions.arm == code)
        if len(rows):
            yield arm, rows


def _by_day(sessions: SessionTable) -> Iterator[tuple[int, SessionTable]]:
    for day in np.unique(sessions.day).tolist():
        yield day, sessions.rows(sessions.day == day)


def _cells(sessions: SessionTable) -> list[str]:
    return [
        f"{len(sessions):,}",
        _mean(sessions.mean(sessions.time)),
        _mean(sessions.mean(sessions.steps)),
        f"{int(sessions.truncated.sum()):,}",
    ]


def _values(sessions: SessionTable) -> dict[str, Any]:
    return {
        "sessions": len(sessions),
        "listeners": len(np.unique(sessions.listener)),
        "time": _estimate(sessions.mean(sessions.time)),
        "tracks": _estimate(sessions.mean(sessions.steps)),
        "truncated": int(sessions.truncated.sum()),
    }


def _mean(estimate: Estimate, sign: str = "") -> str:
    if not isfinite(estimate.mean):
        return "-"
    error = f" ± {estimate.standard_error:.4f}" if isfinite(estimate.standard_error) else ""
    return f"{estimate.mean:{sign}.4f}{error}"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f} times fewer" if isfinite(ratio) else "nothing differs"


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"mean": _number(estimate.mean), "error": _number(estimate.standard_error)}


def _number(value: float) -> float | None:
    """Replace NaN and infinity, which JSON does not have, by null."""
    return value if isfinite(value) else None
