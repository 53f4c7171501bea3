"""Checks of each listener's turns: none is missing, and the server remembered the earlier ones."""

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status
from events.queries import read_query

NO_TURNS = "Botify's log has no turn numbers, so a missing line leaves no gap."


def check_turns(context: CheckContext) -> CheckResult:
    """Check that each listener's turns have no gap."""
    question = "Are all turns of every listener there?"
    if not context.ours:
        return CheckResult("turns", question, Status.UNKNOWN, "not in the log", NO_TURNS)
    events, turns, inside, between, late, listeners = map(
        int, context.query(read_query("analysis", "missing_turns"))[0]
    )
    missing, doubled = inside + between, events - turns
    numbers = {
        "events": events, "turns": turns, "missing": missing, "doubled": doubled,
        "begin_late": late,
    }  # fmt: skip
    if missing or doubled:
        found, said = [], []
        if missing:
            found.append(f"at least {missing:,} turns missing")
            said.append(
                "Events that the server acknowledged are not in these files. Either the files of "
                "one more process are missing, or lines were lost after they were written."
            )
        if doubled:
            found.append(f"{doubled:,} turns doubled")
            said.append(
                "Several lines with different ids claim one turn of a session: two processes serve "
                "one listener, or lines were changed after they were written."
            )
        examples = context.find_examples(
            read_query("analysis", "turn_gaps"), [], "listener {}: turn {} comes after turn {}"
        )
        return CheckResult(
            "turns", question, Status.FAILED,
            f"{', '.join(found)}; {turns:,} turns are there", " ".join(said), numbers,
            examples,
        )  # fmt: skip
    if late:
        return CheckResult(
            "turns", question, Status.WARNING,
            f"{late:,} of {listeners:,} listeners begin after their first turn",
            "The log begins after the first turn of these listeners. What they heard before is not "
            "counted.",
            numbers,
        )  # fmt: skip
    return CheckResult(
        "turns", question, Status.PASSED, f"{turns:,} turns, no gap", numbers=numbers
    )


def check_state(context: CheckContext) -> CheckResult:
    """Check that a listener's history lasts from turn to turn, whichever process serves it."""
    question = "Does the server remember a listener from turn to turn?"
    if not context.ours:
        return CheckResult("state", question, Status.UNKNOWN, "not in the log", "See `turns`.")
    gap_ms = context.log.gap_s * 1000
    forgotten, restarted, split = context.query(
        """SELECT
            count(*) FILTER (WHERE again AND process = before_process),
            count(*) FILTER (WHERE again AND process <> before_process),
            count(*) FILTER (WHERE crossed)
        FROM session_chains WHERE started_ms - before_ms < $1""",
        [gap_ms],
    )[0]
    events = int(context.one("SELECT coalesce(sum(events), 0) FROM session_chains"))
    numbers = {
        "events": events, "forgotten": forgotten, "restarted": restarted, "split": split,
    }  # fmt: skip
    if max(forgotten, split) > context.thresholds.forgotten_share * events:
        examples = context.find_examples(
            """SELECT file_id, line, "user", turn_from, before_to FROM session_chains
            WHERE (again OR crossed) AND started_ms - before_ms < $1
            ORDER BY file_id, line LIMIT 10""",
            [gap_ms],
            "listener {}: turn {} after turn {}",
        )
        why = (
            "A process does not know a listener whom it served moments before. It creates its "
            "state at each request, or keeps far too few listeners. A strategy with memory has "
            "none."
            if forgotten >= split
            else "Listeners move between processes that do not share their state, so each process "
            "knows half of what they heard. Use a shared state, or a balancer that keeps a "
            "listener on one process."
        )
        return CheckResult(
            "state", question, Status.FAILED,
            f"{max(forgotten, split):,} times forgotten in {events:,} events",
            why, numbers, examples,
        )  # fmt: skip
    if forgotten or restarted or split:
        return CheckResult(
            "state", question, Status.WARNING,
            f"{forgotten + restarted + split:,} listeners forgotten",
            "The server did not know some listeners whom it had just served. It restarted with its "
            "state in memory, it keeps fewer listeners than came, or several servers without a "
            "shared state answer one listener; then `played` fails.",
            numbers,
        )  # fmt: skip
    return CheckResult("state", question, Status.PASSED, "no listener forgotten", numbers=numbers)
