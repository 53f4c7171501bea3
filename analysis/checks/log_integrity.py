"""Checks of the lines: each is readable, and there once."""

from collections.abc import Mapping
from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Example, Status
from events.file_ends import UNACKNOWLEDGED

REPEATED = ("repeated line", "repeated decision")
COPIED = "copy of another file"
RETRIED = "retried decision"
RETRIED_ELSEWHERE = "retried decision of another process"
ONCE = "Is every event there once?"
HARMLESS = (*REPEATED, COPIED, RETRIED, RETRIED_ELSEWHERE, UNACKNOWLEDGED, "blank line")


def check_lines(context: CheckContext) -> CheckResult:
    """Check that every line is an event."""
    question = "Can every line be read?"
    total = context.one("SELECT coalesce(sum(lines), 0) FROM files")
    found = _read_dropped(context, [])
    lost = sum(lines for _, lines, _ in found)
    tails = sum(lines for _, lines, _ in _read_dropped(context, [UNACKNOWLEDGED]))
    numbers = {
        "lines": int(total),
        "lost": {reason: lines for reason, lines, _ in found},
        "unacknowledged": tails,
    }
    if not lost:
        detail = (
            f"{tails:,} files of killed servers end in a line that was cut off. No answer had left "
            "for it."
        )
        return CheckResult(
            "lines", question, Status.PASSED, f"{total:,} lines", detail if tails else "", numbers
        )
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
    question = ONCE
    found = _read_dropped(context, list(HARMLESS))
    repeated = sum(lines for reason, lines, _ in found if reason in REPEATED)
    copied = sum(lines for reason, lines, _ in found if reason == COPIED)
    retried = dict.fromkeys((RETRIED, RETRIED_ELSEWHERE), 0)
    retried |= {reason: lines for reason, lines, _ in found if reason in retried}
    few = context.thresholds.retried_share * context.one(
        "SELECT coalesce(sum(lines), 0) FROM files"
    )
    tolerated = {RETRIED: max(1, few), RETRIED_ELSEWHERE: max(context.thresholds.killed_turns, few)}
    too_many = [reason for reason, lines in retried.items() if lines > tolerated[reason]]
    repeated += sum(retried[reason] for reason in too_many)
    numbers = {"repeated": repeated, "in_copied_files": copied, "retried": sum(retried.values())}
    examples = tuple(
        Example(place, reason)
        for reason, _, places in found
        if reason in (*REPEATED, COPIED, UNACKNOWLEDGED, *too_many)
        for place in places
    )
    if repeated:
        return describe_repeated(repeated, numbers, examples[:10])
    if copied:
        return CheckResult(
            "duplicates", question, Status.WARNING, f"{copied:,} lines in copies of files",
            "A whole file is there twice; one copy was left out.", numbers, examples[:10],
        )  # fmt: skip
    retries = numbers["retried"]
    figure = f"{retries:,} retries, each counted once" if retries else "none repeated"
    return CheckResult("duplicates", question, Status.PASSED, figure, numbers=numbers)


def describe_repeated(
    repeated: int, numbers: Mapping[str, Any], examples: tuple[Example, ...]
) -> CheckResult:
    """Describe lines that are there twice."""
    return CheckResult(
        "duplicates", ONCE, Status.FAILED, f"{repeated:,} lines repeated",
        "The repeated lines were left out, so nothing is counted twice here. A tool that "
        "repeats lines may also lose some: check how the files were collected.",
        numbers, examples,
    )  # fmt: skip


def _read_dropped(context: CheckContext, kinds: list[str]) -> list[tuple[str, int, list[str]]]:
    """(reason, lines, places) of dropped lines: of these kinds, or all but the harmless kinds."""
    wanted = "array_contains($1, reason)" if kinds else "NOT array_contains($1, reason)"
    return [
        (reason, lines, list(places))
        for reason, lines, places in context.query(
            f"SELECT reason, lines, examples FROM dropped WHERE {wanted} ORDER BY reason",  # noqa: S608
            [kinds or list(HARMLESS)],
        )
    ]
