"""The check of the ids: the log has every line that its processes wrote.

In schema 2, the ids of a process count the lines that are on file, without gaps. At rotation and at
an orderly stop, the process leaves `NAME.end.json` with the last id of a file.
"""

from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.log_integrity import HARMLESS
from analysis.checks.result import CheckResult, Example, Status
from events.queries import read_query

QUESTION = "Is every line there that the servers wrote?"
NOT_COUNTED = "Only logs of schema 2 have ids without gaps."


def check_ids(context: CheckContext) -> CheckResult:
    """Check that the ids of each process have no gap, and go on to the last id it named."""
    rows = context.query(read_query("analysis", "lost_ids"))
    if not rows:
        return CheckResult("ids", QUESTION, Status.UNKNOWN, "not in the log", NOT_COUNTED)
    lines = sum(ids for _, _, _, ids, *_ in rows)
    unreadable = int(
        context.one(
            "SELECT coalesce(sum(lines), 0) FROM dropped WHERE NOT array_contains($1, reason)",
            [list(HARMLESS)],
        )
    )
    gaps = max(0, sum(last - first + 1 - ids for _, first, last, ids, *_ in rows) - unreadable)
    cut = sum(max(0, end - last) for _, _, last, _, end, _ in rows if end is not None)
    late = [row for row in rows if row[1] > 1]
    unended = [row for row in rows if row[4] is None or row[4] < row[2]]
    numbers: dict[str, Any] = {
        "lines": lines, "missing": gaps, "cut_off": cut, "begin_late": len(late),
        "without_end": len(unended), "processes": len(rows),
    }  # fmt: skip
    if gaps or cut:
        return CheckResult(
            "ids", QUESTION, Status.FAILED,
            f"{gaps + cut:,} lines lost, {lines:,} are there",
            f"{gaps:,} lines are missing between other lines of their process, and {cut:,} at the "
            "end of its last file. Files are missing, or were cut off when they were copied. "
            "Collect them again.",
            numbers, _examples(rows),
        )  # fmt: skip
    said = []
    if unreadable:
        said.append(f"{unreadable:,} lines are there, but cannot be read: see `lines`.")
    if unended:
        said.append(
            f"{len(unended):,} of {len(rows):,} processes left no end of their last file: they are "
            "still running, or were killed. Lines that are lost at that end cannot be seen."
        )
    if late:
        said.append(
            f"The first lines of {len(late):,} processes are not in these files: the log begins "
            "later, or earlier files are missing."
        )
    status = Status.WARNING if late else Status.PASSED
    return CheckResult("ids", QUESTION, status, f"{lines:,} lines, no gap", " ".join(said), numbers)


def _examples(rows: list[tuple[Any, ...]]) -> tuple[Example, ...]:
    shown = []
    for stem, first, last, ids, end, path in rows:
        missing = last - first + 1 - ids
        if missing:
            shown.append(
                Example(
                    f"process {stem}", f"{missing:,} ids from {first:x} to {last:x} are missing"
                )
            )
        if end is not None and end > last:
            shown.append(
                Example(str(path), f"ends with id {stem}-{last:x}, its writer ended at {end:x}")
            )
    return tuple(shown[:10])
