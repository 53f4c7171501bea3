"""The check of forced arms: testers are marked, nobody else is, and they are few."""

from typing import Any

import pyarrow as pa

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status

QUESTION = "Are testers' forced arms few, and marked as the config says?"


def check_forced(context: CheckContext, experiment: str) -> CheckResult:
    """Recompute which events were forced, and count them; no analysis counts forced events."""
    total, by_testers = context.query(
        "SELECT count(*), count(*) FILTER (WHERE forced) FROM exposures WHERE experiment = ?",
        [experiment],
    )[0]
    numbers: dict[str, Any] = {"events": total, "forced": by_testers}
    if not total:
        return CheckResult("forced", QUESTION, Status.NOT_MADE, "no events", numbers=numbers)
    share = by_testers / total
    figure = f"{by_testers:,} of {total:,} events ({share:.2%})"
    wrong = _wrongly_marked(context, experiment)
    numbers["wrongly_marked"] = len(wrong)
    if wrong:
        at_least = " at least" if len(wrong) > _MOST else ""
        return CheckResult(
            "forced", QUESTION, Status.FAILED, f"{figure}; {len(wrong):,} wrongly marked{at_least}",
            "The config forces an arm on these listeners and the log does not say so, or the other "
            "way round. Testers count as listeners then, or listeners are left out as testers.",
            numbers, context.examples(wrong, "listener {} is {} in the log, the config says {}"),
        )  # fmt: skip
    if share > context.thresholds.forced_share:
        return CheckResult(
            "forced", QUESTION, Status.WARNING, figure,
            "Every analysis leaves these events out, and their listeners too. So many look like a "
            "forgotten `forced:` in the config.",
            numbers,
        )  # fmt: skip
    return CheckResult("forced", QUESTION, Status.PASSED, figure, numbers=numbers)


_MOST = 1000


def _wrongly_marked(context: CheckContext, experiment: str) -> list[tuple[Any, ...]]:
    """Find events whose `forced` is not what the config of the event and the request say.

    A request may ask for an arm (`asked`), and a seat on the board is left out like a forced arm.
    """
    pairs = [
        (digest, listener)
        for digest, archived in context.configs.by_digest.items()
        for each in archived.experiments.values()
        for listener in each.forced
    ]
    digests, listeners = zip(*sorted(set(pairs)), strict=True) if pairs else ((), ())
    columns = {"config": pa.array(digests, pa.string()), "user": pa.array(listeners, pa.string())}
    context.engine.add("testers", pa.table(columns))
    return context.query(
        f"""SELECT e.file_id, e.line, e."user",
            CASE WHEN e.forced THEN 'forced' ELSE 'not forced' END,
            CASE WHEN e.forced THEN 'not forced' ELSE 'forced' END
        FROM events AS e
        INNER JOIN assignments AS a ON e.experiments = a.experiments
        LEFT JOIN testers AS t ON e.config = t.config AND e."user" = t."user"
        WHERE a.experiment = $1 AND array_contains($2, e.config) AND NOT e.seat
            AND e.forced <> (t."user" IS NOT NULL OR e.asked IS NOT NULL)
        ORDER BY e.file_id, e.line LIMIT {_MOST + 1}""",  # noqa: S608
        [experiment, list(context.configs.by_digest)],
    )
