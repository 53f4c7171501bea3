"""The tables of a snapshot: arms, effects, checks, and the effects over time."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from audit.board.tables import BoardTable

Snapshot = Mapping[str, Any]
Row = dict[str, Any]


def table_of(snapshot: Snapshot, name: str) -> BoardTable:
    """Return a table of a snapshot by its name, a key of `TABLES`."""
    rows, columns = TABLES[name]
    return BoardTable.of(rows(snapshot), columns)


def arm_rows(snapshot: Snapshot) -> list[Row]:
    """List the arms of all experiments, each with its primary lift, for a table."""
    return [
        {
            "experiment": experiment["name"],
            "status": experiment["status"],
            "arm": arm["name"],
            **{key: value for key, value in arm.items() if key not in ("name", "latency_ms")},
            **{f"latency_{name}_ms": value for name, value in arm["latency_ms"].items()},
            **_lift_of(experiment["effects"], arm["name"]),
        }
        for experiment in snapshot["experiments"]
        for arm in experiment["arms"]
    ]


def _lift_of(effects: Iterable[Mapping[str, Any]], arm: str) -> Row:
    for effect in effects:
        if effect["role"] == "primary" and effect["treatment"] == arm and effect["lift"]:
            return {
                "lift": effect["lift"]["estimate"],
                "lift_low": effect["lift"]["low"],
                "lift_high": effect["lift"]["high"],
            }
    return {}


def effect_rows(snapshot: Snapshot) -> list[Row]:
    """List the effects of all experiments, for a table."""
    found = []
    for experiment in snapshot["experiments"]:
        for effect in experiment["effects"]:
            row = {"experiment": experiment["name"], **effect, "metric": effect["metric"]["name"]}
            for name in ("difference", "lift"):
                bounds = effect[name] or {}
                row |= {name: bounds.get("estimate")}
                row |= {f"{name}_{side}": bounds.get(side) for side in ("low", "high")}
            found.append(row)
    return found


def check_rows(snapshot: Snapshot) -> list[Row]:
    """List the checks of all experiments, for a table."""
    return [
        {"experiment": experiment["name"], **light}
        for experiment in snapshot["experiments"]
        for light in experiment["validity"]["lights"]
    ]


def series_rows(snapshot: Snapshot, name: str) -> list[Row]:
    """List the points of a series, `over_time` or `by_day`, for a table."""
    return [
        {
            "experiment": experiment["name"],
            "control": each["control"],
            "treatment": each["treatment"],
            **_flat(point),
        }
        for experiment in snapshot["experiments"]
        for each in experiment[name]
        for point in each["series"]
    ]


def _flat(point: Mapping[str, Any]) -> Row:
    found: Row = {}
    for name, value in point.items():
        if value is None or isinstance(value, dict):
            bounds: Mapping[str, Any] = value or {}
            found |= {name: bounds.get("estimate")}
            found |= {f"{name}_{side}": bounds.get(side) for side in ("low", "high")}
        else:
            found[name] = value
    return found


TABLES: Mapping[str, tuple[Callable[[Snapshot], list[Row]], Sequence[str]]] = {
    "arms": (arm_rows, (
        "experiment", "status", "arm", "strategy", "strategy_type", "planned_share", "seen_share",
        "listeners", "sessions", "open_sessions", "answers", "mean_time", "lift", "lift_low",
        "lift_high", "fallback_share", "failure_share", "degraded_share", "latency_p50_ms",
        "latency_p90_ms", "latency_p99_ms",
    )),
    "effects": (effect_rows, (
        "experiment", "role", "metric", "control", "treatment", "control_mean", "treatment_mean",
        "difference", "difference_low", "difference_high", "lift", "lift_low", "lift_high",
        "confidence", "claim", "good", "guard", "margin", "method", "note",
    )),
    "checks": (check_rows, ("experiment", "name", "status", "figure", "question", "sentence")),
    "over_time": (lambda snapshot: series_rows(snapshot, "over_time"), (
        "experiment", "control", "treatment", "from_ms", "so_far", "so_far_low", "so_far_high",
        "alone", "alone_low", "alone_high",
    )),
    "by_day": (lambda snapshot: series_rows(snapshot, "by_day"), (
        "experiment", "control", "treatment", "day", "listeners", "lift", "lift_low", "lift_high",
    )),
}  # fmt: skip
"""Table of the snapshot -> its rows, and its columns."""
