"""Gates on each listener's story: no turn is missing, and the server remembered the one before."""

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status

NO_TURNS = "The predecessor's log has no turn numbers, so a missing line leaves no gap."


def check_turns(context: CheckContext) -> CheckResult:
    """A listener's turns follow one another without a gap."""
    question = "Are all turns of every listener there?"
    if not context.ours:
        return CheckResult("turns", question, Status.UNKNOWN, "not in the log", NO_TURNS)
    events, inside, between, late, listeners = context.query(
        f"""SELECT
            sum(events),
            sum(turn_to - turn_from + 1 - events),
            sum(CASE WHEN gap THEN greatest(turn_from - before_to - 1, 1) ELSE 0 END),
            count(DISTINCT "user") - count(DISTINCT CASE WHEN turn_from = 1 THEN "user" END),
            count(DISTINCT "user")
        FROM ({_SESSION_CHAINS})"""  # noqa: S608
    )[0]
    missing = int(inside + between)
    numbers = {"events": int(events), "missing": missing, "begin_late": late}
    if missing:
        rows = context.query(
            f"""SELECT file_id, line, "user", turn, before FROM (
                SELECT file_id, line, "user", turn,
                    lag(turn) OVER (PARTITION BY "user", session ORDER BY turn) AS before
                FROM events WHERE "schema" > 0)
            WHERE turn > before + 1
            UNION ALL
            SELECT file_id, line, "user", turn_from, before_to FROM ({_SESSION_CHAINS}) WHERE gap
            ORDER BY ALL LIMIT 10"""  # noqa: S608
        )
        return CheckResult(
            "turns", question, Status.FAILED,
            f"at least {missing:,} events missing beside {int(events):,}",
            "Events that the server had acknowledged are not in these files: files of a further "
            "process are missing, or lines were lost after they were written.",
            numbers, context.examples(rows, "listener {}: turn {} comes after turn {}"),
        )  # fmt: skip
    if late:
        return CheckResult(
            "turns", question, Status.WARNING,
            f"{late:,} of {listeners:,} listeners begin in mid-story",
            "Their first turn here is not their first: the log begins after they did. What they "
            "heard before is not counted.",
            numbers,
        )  # fmt: skip
    return CheckResult(
        "turns", question, Status.PASSED, f"{int(events):,} events, no gap", numbers=numbers
    )


def check_state(context: CheckContext) -> CheckResult:
    """What a listener heard is remembered from turn to turn, whoever serves them."""
    question = "Does the server remember a listener from turn to turn?"
    if not context.ours:
        return CheckResult("state", question, Status.UNKNOWN, "not in the log", "See `turns`.")
    gap_ms = context.log.gap_s * 1000
    forgotten, restarted, split = context.query(
        f"""SELECT
            count(*) FILTER (WHERE again AND process = before_process),
            count(*) FILTER (WHERE again AND process <> before_process),
            count(*) FILTER (WHERE crossed)
        FROM ({_SESSION_CHAINS}) WHERE started_ms - before_ms < $1""",  # noqa: S608
        [gap_ms],
    )[0]
    events = context.one('SELECT count(*) FROM events WHERE "schema" > 0')
    numbers = {
        "events": int(events), "forgotten": forgotten, "restarted": restarted, "split": split,
    }  # fmt: skip
    if max(forgotten, split) > context.thresholds.forgotten_share * events:
        rows = context.query(
            f"""SELECT file_id, line, "user", turn_from, before_to FROM ({_SESSION_CHAINS})
            WHERE (again OR crossed) AND started_ms - before_ms < $1
            ORDER BY file_id, line LIMIT 10""",  # noqa: S608
            [gap_ms],
        )
        why = (
            "The process that had served a listener moments before no longer knows them: state is "
            "made anew at each request, or far too few listeners are kept. A strategy with memory "
            "has none."
            if forgotten >= split
            else "Listeners go to and fro between processes that do not share their state, and "
            "each of them knows half of what was heard. Use a shared state, or a balancer that "
            "keeps a listener on one process."
        )
        return CheckResult(
            "state", question, Status.FAILED,
            f"{max(forgotten, split):,} times forgotten in {int(events):,} events",
            why, numbers, context.examples(rows, "listener {}: turn {} after turn {}"),
        )  # fmt: skip
    if forgotten or restarted or split:
        return CheckResult(
            "state", question, Status.WARNING,
            f"{forgotten + restarted + split:,} listeners forgotten",
            "Some listeners were new to the server although they had just been there: it was "
            "restarted with its state in memory, or kept fewer listeners than came.",
            numbers,
        )  # fmt: skip
    return CheckResult("state", question, Status.PASSED, "nobody forgotten", numbers=numbers)


# One row a session of ours, with what came before it. Several processes without a shared state
# each tell a story of their own; a session goes on from whichever session ended a turn before.
# `again`: the listener's second first turn, or a later one. `crossed`: back from another process,
# where both have told a story from its first turn on.
_SESSION_CHAINS = """
WITH parts AS (
    SELECT
        e."user",
        e.session,
        min(e.turn) AS turn_from,
        max(e.turn) AS turn_to,
        count(*) AS events,
        min(e.at_ms) AS started_ms,
        max(e.at_ms) AS ended_ms,
        arg_min(p.process, e.turn) AS process,
        arg_min(e.file_id, e.turn) AS file_id,
        arg_min(e.line, e.turn) AS line,
        arg_min(coalesce(e."reset", FALSE), e.turn) AS afresh
    FROM events AS e
    INNER JOIN processes AS p ON e.file_id = p.file_id
    WHERE e."schema" > 0
    GROUP BY e."user", e.session
),
ends AS (SELECT DISTINCT "user", turn_to FROM parts)
SELECT
    p.*,
    lag(p.turn_to) OVER story AS before_to,
    lag(p.ended_ms) OVER story AS before_ms,
    lag(p.process) OVER story AS before_process,
    p.turn_from > 1 AND e.turn_to IS NULL AND lag(p.turn_to) OVER story IS NOT NULL AS gap,
    p.turn_from = 1 AND NOT p.afresh AND row_number() OVER (
        PARTITION BY p."user", p.turn_from ORDER BY p.started_ms
    ) > 1 AS again,
    p.turn_from > 1 AND p.own AND p.process <> lag(p.process) OVER story
        AND lag(p.own) OVER story AS crossed
FROM (
    SELECT *, min(turn_from) OVER (PARTITION BY "user", process) = 1 AS own FROM parts
) AS p
LEFT JOIN ends AS e ON p."user" = e."user" AND p.turn_from = e.turn_to + 1
WINDOW story AS (PARTITION BY p."user" ORDER BY p.started_ms, p.turn_from)
"""
