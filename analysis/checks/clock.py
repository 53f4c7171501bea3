"""The check of the clock: events have times that can be, and their order is known."""

from datetime import UTC, datetime
from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status
from events.queries import read_query

QUESTION = "Is the order of every listener's events known, and are their times?"

Finding = tuple[Status, str, str, tuple[Example, ...]]
"""(status, figure, explanation, examples) of one part of the check."""


def check_clock(context: CheckContext) -> CheckResult:
    """Check that no stamp is impossible, and that turns, or stamps without ties, give the order."""
    numbers: dict[str, int] = {}
    findings = [_odd_stamps(context, numbers)]
    if context.ours:
        findings.append(_backwards(context, numbers))
    if context.botify:
        findings.append(_ties(context, numbers))
    status = max((each[0] for each in findings), key=list(_ORDER).index)
    figure = "; ".join(figure for _, figure, _, _ in findings if figure)
    explanation = " ".join(text for _, _, text, _ in findings if text)
    examples = tuple(example for *_, shown in findings for example in shown)[:10]
    return CheckResult("clock", QUESTION, status, figure, explanation, numbers, examples)


_ORDER = (Status.PASSED, Status.WARNING, Status.FAILED)


def _odd_stamps(context: CheckContext, numbers: dict[str, int]) -> Finding:
    """Name stamps that no working clock gives; a log's begin and end do not count them."""
    odd = context.one("SELECT count(*) FROM odd_stamps")
    numbers["odd"] = odd
    if not odd:
        return Status.PASSED, "", "", ()
    total = context.one("SELECT coalesce(sum(lines), 0) FROM files")
    rows = context.query(
        "SELECT file_id, line, at_ms FROM odd_stamps ORDER BY file_id, line LIMIT 10"
    )
    examples = context.examples([(*row[:2], _at(row[2])) for row in rows], "is stamped {}")
    share = odd / total if total else 1.0
    figure = f"{odd:,} of {total:,} lines have impossible times"
    if share > context.thresholds.odd_share:
        return (
            Status.FAILED, figure,
            "A server counts seconds where milliseconds belong, or its clock was never set. "
            "Pauses, days and the ends of sessions are wrong for its events. Correct the stamps, "
            "and read the log again.", examples,
        )  # fmt: skip
    return (
        Status.WARNING, figure,
        "These lines lie hours or years away from the lines beside them. They do not decide where "
        "the log begins or ends.", examples,
    )  # fmt: skip


def _backwards(context: CheckContext, numbers: dict[str, int]) -> Finding:
    rows = context.query(
        """SELECT file_id, line, "user", turn, -pause FROM steps
        WHERE "schema" > 0 AND pause < 0 ORDER BY file_id, line LIMIT 1001"""
    )
    numbers["backwards"] = len(rows)
    if not rows:
        return Status.PASSED, "ordered by turn", "", ()
    return (
        Status.WARNING,
        f"{len(rows):,} times backwards" + (" at least" if len(rows) > 1000 else ""),
        "The clock went back between two turns of a listener. The turns still give the order, but "
        "days and pauses are measured by that clock.",
        context.examples(rows, "listener {}, turn {}: {} ms back"),
    )


def _ties(context: CheckContext, numbers: dict[str, int]) -> Finding:
    """Judge events of botify in a shared millisecond, and those of them whose order is unclear."""
    ties, events = context.query(
        """SELECT coalesce(sum(events) FILTER (WHERE events > 1), 0), sum(events) FROM (
            SELECT count(*) AS events FROM events WHERE "schema" = 0 GROUP BY "user", at_ms)"""
    )[0]
    unclear, rows = _unclear_ties(context) if ties else (0, [])
    numbers |= {"ties": int(ties), "unclear": unclear}
    if not ties:
        return Status.PASSED, "0 ties", "", ()
    if not unclear:
        return (
            Status.WARNING, f"{ties:,} ties",
            "Some events share a millisecond, but the recommendations give their order.", (),
        )  # fmt: skip
    share = unclear / events
    failed = share > context.thresholds.unclear_share
    return (
        Status.FAILED if failed else Status.WARNING,
        f"{ties:,} ties, {unclear:,} of {events:,} events ({share:.2%}) without an order",
        f"{ties:,} events of botify share a millisecond with an event of the same listener. For "
        f"{unclear:,} of them, no order makes each listen the track that was recommended before. A "
        "session that is cut at the wrong place loses listening time. "
        + (
            "Log a turn number."
            if failed
            else f"Up to {context.thresholds.unclear_share:.0%} of the events are tolerated."
        ),
        context.examples(rows, "listener {} at {} ms: {} events"),
    )


def _unclear_ties(context: CheckContext) -> tuple[int, list[tuple[Any, ...]]]:
    """Count the events without a known order; and the first of them."""
    query = read_query("analysis", "unclear_ties").rstrip().removesuffix(";")
    first = context.query(f"{query} LIMIT {EXAMPLES}")
    return int(context.one(f"SELECT count(*) FROM ({query})")), first  # noqa: S608


def _at(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
