"""Checks of the lines: each is readable and there once, and their order is known."""

from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Example, Status
from events.queries import read_query

REPEATED = ("repeated line", "repeated decision")
COPIED = "copy of another file"
RETRIED = "retried decision"
HARMLESS = (*REPEATED, COPIED, RETRIED, "blank line")


def check_lines(context: CheckContext) -> CheckResult:
    """Check that every line is an event."""
    question = "Can every line be read?"
    total = context.one("SELECT coalesce(sum(lines), 0) FROM files")
    found = _read_dropped(context, [])
    lost = sum(lines for _, lines, _ in found)
    numbers = {"lines": int(total), "lost": {reason: lines for reason, lines, _ in found}}
    if not lost:
        return CheckResult("lines", question, Status.PASSED, f"{total:,} lines", numbers=numbers)
    examples = tuple(Example(place, reason) for reason, _, places in found for place in places)
    reasons = ", ".join(f"{reason} {lines:,}" for reason, lines, _ in found)
    return CheckResult(
        "lines", question, Status.FAILED, f"{lost:,} of {total:,} lines lost: {reasons}",
        "The events of these lines are missing. Torn lines come from two processes that write to "
        "one file, from a full disk, or from a copy that was made while the file grew.",
        numbers, examples[:10],
    )  # fmt: skip


def check_duplicates(context: CheckContext) -> CheckResult:
    """Check that every event is there once; the reader leaves out repeated ones."""
    question = "Is every event there once?"
    found = _read_dropped(context, list(HARMLESS))
    repeated = sum(lines for reason, lines, _ in found if reason in REPEATED)
    copied = sum(lines for reason, lines, _ in found if reason == COPIED)
    retried = sum(lines for reason, lines, _ in found if reason == RETRIED)
    numbers = {"repeated": repeated, "in_copied_files": copied, "retried": retried}
    examples = tuple(
        Example(place, reason)
        for reason, _, places in found
        if reason not in (RETRIED, "blank line")
        for place in places
    )
    if repeated:
        return CheckResult(
            "duplicates", question, Status.FAILED, f"{repeated:,} lines repeated",
            "The repeated lines were left out, so nothing is counted twice here. A tool that "
            "repeats lines may also lose some: check how the files were collected.",
            numbers, examples[:10],
        )  # fmt: skip
    if copied:
        return CheckResult(
            "duplicates", question, Status.WARNING, f"{copied:,} lines in copies of files",
            "A whole file is there twice; one copy was left out.", numbers, examples[:10],
        )  # fmt: skip
    figure = f"{retried:,} retries, each counted once" if retried else "none repeated"
    return CheckResult("duplicates", question, Status.PASSED, figure, numbers=numbers)


def check_forced(context: CheckContext, experiment: str) -> CheckResult:
    """Check that testers forced few arms; no analysis counts forced events."""
    question = "Did testers force few arms?"
    total, by_testers = context.query(
        "SELECT count(*), count(*) FILTER (WHERE forced) FROM exposures WHERE experiment = ?",
        [experiment],
    )[0]
    numbers = {"events": total, "forced": by_testers}
    if not total:
        return CheckResult("forced", question, Status.NOT_MADE, "no events", numbers=numbers)
    share = by_testers / total
    figure = f"{by_testers:,} of {total:,} events ({share:.2%})"
    if share > context.thresholds.forced_share:
        return CheckResult(
            "forced", question, Status.WARNING, figure,
            "Every analysis leaves these events out, and their listeners too. So many look like a "
            "forgotten `forced:` in the config.",
            numbers,
        )  # fmt: skip
    return CheckResult("forced", question, Status.PASSED, figure, numbers=numbers)


def check_clock(context: CheckContext) -> CheckResult:
    """Check that the order of a listener's events is known: by turn, or by a clock without ties."""
    question = "Is the order of every listener's events known?"
    numbers: dict[str, Any] = {}
    explanation = []
    status = Status.PASSED
    examples: tuple[Example, ...] = ()
    figure = "ordered by turn"
    if context.ours:
        backwards = context.query(
            """SELECT file_id, line, "user", turn, before_ms - at_ms AS by_ms FROM (
                SELECT *, lag(at_ms) OVER (PARTITION BY "user", session ORDER BY turn) AS before_ms
                FROM events WHERE "schema" > 0)
            WHERE at_ms < before_ms ORDER BY file_id, line LIMIT 1001"""
        )
        numbers["backwards"] = len(backwards)
        if backwards:
            status = Status.WARNING
            figure = f"{len(backwards):,} times backwards" + (
                " at least" if len(backwards) > 1000 else ""
            )
            explanation.append(
                "The clock went back between two turns of a listener. The turns still give the "
                "order, but days and pauses are measured by that clock."
            )
            examples = context.examples(backwards, "listener {}, turn {}: {} ms back")
    if context.botify:
        ties, unclear, rows = _ties(context)
        numbers |= {"ties": ties, "unclear": unclear}
        figure = f"{ties:,} ties" if not context.ours else f"{figure}; {ties:,} ties"
        if unclear:
            status = Status.FAILED
            explanation.append(
                f"{ties:,} events of botify share a millisecond with an event of the same "
                f"listener. For {unclear:,} of them, no order makes each listen the track that "
                "was recommended before. A session that is cut at the wrong place loses "
                "listening time. Log a turn number."
            )
            examples = context.examples(rows, "listener {} at {} ms: {} events")
        elif ties and status is Status.PASSED:
            status = Status.WARNING
            explanation.append(
                "Some events share a millisecond, but the recommendations give their order."
            )
    return CheckResult("clock", question, status, figure, " ".join(explanation), numbers, examples)


def check_played(context: CheckContext) -> CheckResult:
    """Check in botify's logs that each listen is of the track that was recommended before it.

    Botify's only client, the simulator, plays what is recommended. A listen of a different track
    shows that lines between are missing, or stand in the wrong order.
    """
    question = "Was each heard track recommended just before?"
    if not context.botify:
        return CheckResult("played", question, Status.NOT_MADE, "turns tell more")
    total, broken, misplaced = context.query(
        """SELECT count(*), count(*) FILTER (WHERE broken),
            count(*) FILTER (WHERE broken AND ("user", track) IN (
                SELECT "user", recommendation FROM events WHERE "schema" = 0))
        FROM botify_listens"""
    )[0]
    share = broken / total if total else 0.0
    numbers = {"followed": total, "broken": broken, "misplaced": misplaced}
    if not broken:
        return CheckResult("played", question, Status.PASSED, f"{total:,} listens", numbers=numbers)
    rows = context.query(
        """SELECT file_id, line, "user", recommended, track FROM botify_listens
        WHERE broken ORDER BY file_id, line LIMIT 10"""
    )
    examples = context.examples(rows, "listener {} was recommended {} and next heard {}")
    figure = f"{broken:,} of {total:,} listens ({share:.1%}) are of a different track"
    if misplaced > broken / 2:
        explanation = (
            f"The simulator plays what is recommended, and {misplaced:,} of these tracks were "
            "recommended to the same listener at a different moment. So the lines are there, but "
            "in the wrong order. The servers' clocks differ by more than the time between two "
            "requests, or two simulators play the same listener at once."
        )
    else:
        explanation = (
            f"The simulator plays what is recommended, so the line that recommended the track is "
            f"missing: about {share:.0%} of all lines are not in these files. This happens if "
            "servers or workers were left out when the files were collected, or if two workers of "
            "one server rotate one file. Listening times from this log are too short."
        )
    bad = share > context.thresholds.broken_share
    status = Status.FAILED if bad else Status.WARNING
    return CheckResult("played", question, status, figure, explanation, numbers, examples)


def _ties(context: CheckContext) -> tuple[int, int, list[tuple[Any, ...]]]:
    """Count events in a shared millisecond and those whose order is unclear; give examples."""
    ties = context.one(
        """SELECT coalesce(sum(events), 0) FROM (
            SELECT count(*) AS events FROM events WHERE "schema" = 0
            GROUP BY "user", at_ms HAVING count(*) > 1)"""
    )
    rows = context.query(read_query("analysis", "unclear_ties"))
    return int(ties), len(rows), rows


def _read_dropped(context: CheckContext, kinds: list[str]) -> list[tuple[str, int, list[str]]]:
    """(reason, lines, places) of dropped lines: of these kinds, or all but the harmless kinds."""
    wanted = "reason IN (SELECT unnest($1))" if kinds else "reason NOT IN (SELECT unnest($1))"
    return [
        (reason, lines, list(places))
        for reason, lines, places in context.query(
            f"SELECT reason, lines, examples FROM dropped WHERE {wanted} ORDER BY reason",  # noqa: S608
            [kinds or list(HARMLESS)],
        )
    ]
