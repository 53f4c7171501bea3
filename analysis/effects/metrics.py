"""Metrics of a report: one number for each listener, as SQL over the listener table."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from core.errors import Faults

Role = Literal["primary", "secondary", "guardrail"]
Better = Literal["more", "less", "either"]
Unit = Literal["tracks", "count", "share", "ms", "value"]

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,39}")


@dataclass(frozen=True, slots=True)
class Metric:
    """One number per listener, or a ratio of two sums of such numbers.

    Attributes:
        name: Stable; `--primary` and JSON know the metric by it.
        label: As read in a table.
        value: SQL expression over the listener table (`analysis/sql/listener_table.sql`).
            Listeners for whom it is NULL are left out.
        per: SQL expression of the denominator; the metric is then sum(value) / sum(per).
        unit: Unit of the metric. Time is in tracks: 2.5 is two and a half heard tracks.
        better: Which direction is good.
        role: The table in which the metric stands; it decides the correction.
        needs: What the metric needs: "answers" are lines with the answering strategy, which botify
            did not log; "catalog" gives artists.
    """

    name: str
    label: str
    value: str
    per: str | None = None
    unit: Unit = "value"
    better: Better = "more"
    role: Role = "secondary"
    needs: Literal["", "answers", "catalog"] = ""


SESSION_TIME = Metric(
    "session_time", "mean session time", "mean_time_all", unit="tracks", role="primary"
)
"""Mean of the listener's session means: the default primary metric."""
TIME_PER_SESSION = Metric(
    "time_per_session", "session time, pooled", "time_all", "sessions", unit="tracks"
)
SESSIONS = Metric(
    "sessions", "sessions per listener", "sessions", unit="count", better="either", role="guardrail"
)

STANDARD = (
    SESSION_TIME,
    TIME_PER_SESSION,
    Metric("total_time", "time per listener", "time_all", unit="tracks"),
    Metric("chosen_time", "recommended time", "mean_time_chosen", unit="tracks"),
    Metric("tracks", "tracks per session", "mean_listens", unit="count"),
    Metric("skips", "share of skips", "skips", "listens_chosen", unit="share", better="less"),
    Metric("distinct_tracks", "distinct tracks", "distinct_tracks", unit="count"),
    Metric(
        "distinct_artists",
        "distinct artists",
        "distinct_artists",
        unit="count",
        better="either",
        needs="catalog",
    ),
    SESSIONS,
    Metric(
        "fallbacks",
        "share of fallbacks",
        "fallbacks",
        "recommendations",
        unit="share",
        better="less",
        role="guardrail",
        needs="answers",
    ),
    Metric(
        "latency",
        "latency, mean",
        "1000 * latency_s",
        "timed",
        unit="ms",
        better="less",
        role="guardrail",
    ),
)
LATENCY_P99 = Metric("latency_p99", "latency, p99", "", unit="ms", better="less", role="guardrail")
"""A quantile over answers, with a bootstrap over listeners; it has no expression of a listener."""


def choose_metrics(
    extra: Mapping[str, Any], primary: str | None, faults: Faults, where: str
) -> tuple[Metric, Sequence[Metric]]:
    """Choose the primary metric, and add the metrics of config or command line.

    Args:
        extra: Name -> SQL expression, or a mapping with `value` and, if wanted, `per`, `label`,
            `better` and `role`.
        primary: Name of the primary metric; None for mean session time.
        faults: Gets a fault for each wrong metric.
        where: Where the metrics stand, for messages.
    """
    known = {metric.name: metric for metric in STANDARD}
    for name, given in extra.items():
        metric = _metric(name, given, faults, f"{where}.{name}")
        if metric is not None:
            known[name] = metric
    wanted = primary or SESSION_TIME.name
    if wanted not in known:
        faults.add(
            f"{where}: primary",
            f"unknown metric '{wanted}'. Known: {', '.join(sorted(known))}",
        )
        return SESSION_TIME, ()
    first = replace(known.pop(wanted), role="primary")
    return first, tuple(
        replace(metric, role="secondary") if metric.role == "primary" else metric
        for metric in known.values()
    )


def _metric(name: str, given: Any, faults: Faults, where: str) -> Metric | None:
    if not _NAME.fullmatch(name):
        faults.add(where, "a metric's name must be letters, digits and underscores, at most 40")
        return None
    if isinstance(given, str):
        given = {"value": given}
    options = {"value", "per", "label", "better", "role"}
    if not isinstance(given, Mapping) or not given.get("value") or set(given) - options:
        faults.add(
            where,
            "must be an SQL expression over the listener table, or a mapping with `value` and, "
            f"if wanted, per, label, better, role; got {given!r:.80}",
        )
        return None
    better, role = given.get("better", "more"), given.get("role", "secondary")
    if better not in ("more", "less", "either"):
        faults.add(f"{where}.better", f"must be more, less or either, got {better!r}")
        return None
    if role not in ("secondary", "guardrail"):
        faults.add(f"{where}.role", f"must be secondary or guardrail, got {role!r}")
        return None
    return Metric(
        name,
        str(given.get("label", name.replace("_", " "))),
        str(given["value"]),
        str(given["per"]) if given.get("per") else None,
        better=better,
        role=role,
    )
