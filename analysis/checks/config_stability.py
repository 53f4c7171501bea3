"""The check of the config: an experiment is one treatment from its first event to its last."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Example, Status

NOT_LOGGED = "Botify's log does not name the config that ran; the author of the log has to know it."


def check_config(context: CheckContext, experiment: str) -> CheckResult:
    """Check that every config that decided is archived, and that all give the same treatment."""
    question = "Was the experiment the same all the time?"
    if not context.has_ours(experiment):
        return CheckResult("config", question, Status.UNKNOWN, "not in the log", NOT_LOGGED)
    rows = context.query(
        """SELECT e.config, count(*), min(e.at_ms), max(e.at_ms)
        FROM events AS e INNER JOIN assignments AS a ON e.experiments = a.experiments
        WHERE a.experiment = ? AND e."schema" > 0
        GROUP BY e.config ORDER BY min(e.at_ms), e.config""",
        [experiment],
    )
    archived = context.configs.by_digest
    treatments: list[tuple[dict[str, Any], list[str]]] = []
    unknown = []
    for digest, *_ in rows:
        known = archived.get(digest or "")
        if known is None or experiment not in known.experiments:
            unknown.append(str(digest))
        else:
            treatment = known.treatment(experiment)
            same = next((digests for each, digests in treatments if each == treatment), None)
            if same is None:
                treatments.append((treatment, [digest]))
            else:
                same.append(digest)
    examples = tuple(
        Example(str(digest), f"{count:,} events, {_at(first)} to {_at(last)}")
        for digest, count, first, last in rows[:10]
    )
    numbers = {
        "configs": [row[0] for row in rows],
        "treatments": [digests for _, digests in treatments],
    }
    if unknown:
        return CheckResult(
            "config", question, Status.FAILED,
            f"{len(unknown)} of {len(rows)} configs unknown",
            f"Config {', '.join(unknown)} is not archived, so nothing proves its decisions. The "
            "server keeps a snapshot of each config in the folder `configs` beside its log: put "
            "that folder beside these logs.",
            numbers, examples,
        )  # fmt: skip
    if len(treatments) > 1:
        return CheckResult(
            "config", question, Status.FAILED, f"{len(treatments)} different treatments",
            f"The treatment changed while the experiment ran: "
            f"{_changes([treatment for treatment, _ in treatments])}. Before and after are two "
            "experiments. Select the time of one of them (--since, --until).",
            numbers, examples,
        )  # fmt: skip
    if len(rows) < 2:
        return CheckResult("config", question, Status.PASSED, "1 config", numbers=numbers)
    traffic = [archived[digest].experiments[experiment].traffic for digest, *_ in rows]
    explanation = _say_traffic(traffic)
    return CheckResult(
        "config",
        question,
        Status.PASSED,
        f"{len(rows)} configs, one treatment",
        explanation,
        numbers,
    )


def _say_traffic(traffic: list[float]) -> str:
    """Say what more or less traffic did to the listeners: less of it takes some out again."""
    if len(set(traffic)) < 2:
        return "The changes did not touch this experiment."
    went = f"Traffic went {' -> '.join(f'{share:g}' for share in traffic)}"
    if any(after < before for before, after in pairwise(traffic)):
        return f"{went}; where it fell, the listeners beyond it left the experiment."
    return f"{went}; listeners who entered stayed."


def _changes(treatments: list[dict[str, Any]]) -> str:
    """Name the differences between each treatment and the next, in a few words each."""
    changes: list[str] = []
    for before, after in pairwise(treatments):
        for key in sorted({*before, *after}):
            was, now = before.get(key), after.get(key)
            if was != now:
                short = all(isinstance(value, int | float | str) for value in (was, now))
                changes.append(f"{key} ({was} -> {now})" if short else key)
    return ", ".join(dict.fromkeys(changes))


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
