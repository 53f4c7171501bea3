"""How the sessions of a simulation are shown: tables for people, plain values for programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.table import Table

from simulator.play.paired_comparison import Difference, compare
from simulator.play.session_table import Estimate, SessionTable
from simulator.play.workers import Outcome


@dataclass(frozen=True, slots=True)
class SimulationRun:
    """What was played against one recommender.

    Attributes:
        name: Of the recommender.
        seconds: Wall time of the whole simulation.
        stopped: Whether it was interrupted.
    """

    name: str
    outcome: Outcome
    seconds: float
    stopped: bool


def run_tables(run: SimulationRun) -> Iterator[Table | str]:
    """Sessions by arm, by day, requests, and what went wrong."""
    played = run.outcome.sessions
    yield _arms_table(played)
    if len(played) and played.day.max() > 0:
        yield _days_table(played)
    yield _requests(run)
    yield from _troubles(run)


def run_json(run: SimulationRun) -> dict[str, Any]:
    """The same as plain values; what depends on the machine is under `run`."""
    played = run.outcome.sessions
    return {
        "recommender": run.name,
        "arms": [
            {"experiments": arm.experiments, "strategy": arm.strategy, **_values(rows)}
            for arm, rows in _by_arm(played)
        ],
        "all": _values(played),
        "by_day": [{"day": day, **_values(rows)} for day, rows in _by_day(played)],
        "errors": dict(sorted(run.outcome.errors.items())),
        "retried": run.outcome.retried,
        "given_up": run.outcome.given_up,
        "unfinished": run.outcome.unfinished,
        "run": {
            "seconds": run.seconds,
            "requests": run.outcome.requests,
            "requests_per_s": run.outcome.requests / run.seconds,
            "sessions_per_s": len(played) / run.seconds,
        },
    }


def paired_tables(runs: Sequence[SimulationRun]) -> Iterator[Table | str]:
    """Both sides, and how they differ session by session."""
    first, second = runs
    found = compare(first.outcome.sessions, second.outcome.sessions)
    table = Table("", box=SIMPLE_HEAD)
    for name in ("time", "tracks"):
        table.add_column(name, justify="right", no_wrap=True)
    both = (found.time, found.tracks)
    table.add_row(first.name, *(_mean(each.first) for each in both))
    table.add_row(second.name, *(_mean(each.second) for each in both))
    table.add_section()
    table.add_row("difference", *(_mean(each.paired, "+") for each in both))
    table.add_row(
        "95 % interval", *("{:+.4f} to {:+.4f}".format(*each.confidence_interval) for each in both)
    )
    table.add_row("sessions saved", *(_saving(each.variance_ratio) for each in both))
    yield f"{found.pairs:,} sessions, each played against both under the same luck:"
    yield table
    yield "Fewer than if each session were played against one side only, for as narrow an interval."
    for run in runs:
        yield from _troubles(run)


def paired_json(runs: Sequence[SimulationRun]) -> dict[str, Any]:
    """The same as plain values."""
    first, second = runs
    found = compare(first.outcome.sessions, second.outcome.sessions)

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
        "pairs": found.pairs,
        "time": values(found.time),
        "tracks": values(found.tracks),
        "sides": [run_json(run) for run in runs],
    }


def _arms_table(played: SessionTable) -> Table:
    table = _table("arm")
    groups = list(_by_arm(played))
    for arm, rows in groups:
        named = " ".join(filter(None, [arm.experiments, arm.strategy])) or "all"
        table.add_row(named, *_cells(rows))
    if len(groups) != 1:
        table.add_section()
        table.add_row("all", *_cells(played))
    return table


def _days_table(played: SessionTable) -> Table:
    table = _table("day")
    for day, rows in _by_day(played):
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


def _troubles(run: SimulationRun) -> Iterator[str]:
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
            "likelier among them, so the means above are rather low."
        )


def _by_arm(played: SessionTable) -> Iterator[tuple[Any, SessionTable]]:
    for code, arm in enumerate(played.arms):
        rows = played.rows(played.arm == code)
        if len(rows):
            yield arm, rows


def _by_day(played: SessionTable) -> Iterator[tuple[int, SessionTable]]:
    for day in np.unique(played.day).tolist():
        yield day, played.rows(played.day == day)


def _cells(played: SessionTable) -> list[str]:
    return [
        f"{len(played):,}",
        _mean(played.mean(played.time)),
        _mean(played.mean(played.steps)),
        f"{int(played.truncated.sum()):,}",
    ]


def _values(played: SessionTable) -> dict[str, Any]:
    return {
        "sessions": len(played),
        "listeners": len(np.unique(played.listener)),
        "time": _estimate(played.mean(played.time)),
        "tracks": _estimate(played.mean(played.steps)),
        "truncated": int(played.truncated.sum()),
    }


def _mean(estimate: Estimate, sign: str = "") -> str:
    if not isfinite(estimate.mean):
        return "-"
    error = f" ± {estimate.standard_error:.4f}" if isfinite(estimate.standard_error) else ""
    return f"{estimate.mean:{sign}.4f}{error}"


def _saving(times: float) -> str:
    return f"{times:.2f} times fewer" if isfinite(times) else "nothing differs"


def _estimate(estimate: Estimate) -> dict[str, float | None]:
    return {"mean": _number(estimate.mean), "error": _number(estimate.standard_error)}


def _number(value: float) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return value if isfinite(value) else None
