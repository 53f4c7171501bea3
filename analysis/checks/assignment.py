"""Gates on who is in which arm: recomputed from the hash, and the same for as long as it runs."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

from analysis.checks.archived_configs import arms_of, botify_experiment
from analysis.checks.botify_arms import infer_arms
from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status
from core.allocation import Allocation
from events.queries import read_query

QUESTION = "Is the arm in the log the arm that the hash gives, on every line?"
_BATCH = 50_000


def check_assignment(context: CheckContext, experiment: str) -> CheckResult:
    """Every line's arm, recomputed from listener and config, equals the arm logged."""
    lines = agreeing = 0
    examples: list[tuple[Any, ...]] = []
    unknown: Counter[str] = Counter()
    allocations: dict[str, Allocation] = {}
    said = []
    if context.botify and (inferred := infer_arms(context, experiment)) is not None:
        arms, how = inferred
        allocations[""] = Allocation([botify_experiment(experiment, arms)])
        said.append(how)
    for digest, archived in context.configs.by_digest.items():
        allocations[digest] = archived.allocation
    parsed: dict[str | None, dict[str, str]] = {}
    for user, config, text, attributes, count, file_id, line in _read_lines(context):
        if text not in parsed:
            parsed[text] = arms_of(text)
        logged = parsed[text].get(experiment)
        allocation = allocations.get(config or "")
        if allocation is None:
            if logged is not None and config is not None:
                unknown[config] += count
            elif logged is not None:
                lines += count
            continue
        expected = allocation.assign(user, json.loads(attributes or "{}")).arms.get(experiment)
        if config is None and logged is None:
            continue  # the predecessor logged no experiment that it did not run
        if logged is None and expected is None:
            continue
        lines += count
        if logged == expected:
            agreeing += count
        elif len(examples) < EXAMPLES:
            examples.append((file_id, line, user, logged or "no arm", expected or "no arm"))
    numbers = {"lines": lines, "agreeing": agreeing, "unknown_configs": dict(unknown)}
    shown = context.examples(examples, "listener {} is logged in {}, the hash gives {}")
    return _verdict(context, experiment, lines, agreeing, unknown, said, numbers, shown)


def _verdict(
    context: CheckContext,
    experiment: str,
    lines: int,
    agreeing: int,
    unknown: Counter[str],
    said: list[str],
    numbers: dict[str, Any],
    examples: tuple[Example, ...],
) -> CheckResult:
    figure = f"{agreeing:,} of {lines:,} lines agree"
    if unknown:
        digests = ", ".join(sorted(unknown))
        return CheckResult(
            "assignment", QUESTION, Status.FAILED, f"{unknown.total():,} lines cannot be checked",
            f"The lines name config {digests}, of which there is no copy. The server keeps one of "
            f"each in the folder `configs` beside its log: put it beside these logs.",
            numbers, examples,
        )  # fmt: skip
    if not lines:
        return CheckResult(
            "assignment", QUESTION, Status.NOT_MADE, "no lines", " ".join(said), numbers
        )
    if agreeing == lines:
        return CheckResult("assignment", QUESTION, Status.PASSED, figure, " ".join(said), numbers)
    by_chance = 1 / max(2, len(context.log.experiments().get(experiment, [])))
    share = agreeing / lines
    guess = (
        f" Agreement of {share:.0%} is what two unrelated hashes would give: the arms in the log "
        "were computed elsewhere, by another experiment's name or salt, and say nothing of what "
        "was served."
        if abs(share - by_chance) < 0.05
        else ""
    )
    return CheckResult(
        "assignment", QUESTION, Status.FAILED, figure,
        " ".join(
            [*said, f"{lines - agreeing:,} lines name an arm that the listener is not in.{guess}"]
        ),
        numbers, examples,
    )  # fmt: skip


def _read_lines(context: CheckContext) -> Iterator[tuple[Any, ...]]:
    """(user, config, experiments, attributes, lines, file, line) of lines that are not forced."""
    targeted = any(archived.targeted for archived in context.configs.by_digest.values())
    attributes = "attributes" if targeted else "NULL"
    cursor = context.log.con.cursor()
    cursor.execute(f"""
        SELECT "user", config, experiments, {attributes} AS facts, count(*),
               arg_min(file_id, (file_id, line)), arg_min(line, (file_id, line))
        FROM events WHERE NOT forced GROUP BY "user", config, experiments, facts
    """)  # noqa: S608
    while rows := cursor.fetchmany(_BATCH):
        yield from rows


def check_one_arm(context: CheckContext, experiment: str) -> CheckResult:
    """No listener is in two arms of an experiment."""
    question = "Is every listener in one arm only?"
    total, several = context.query(
        "SELECT count(*), count(*) FILTER (WHERE arms > 1) FROM first_seen WHERE experiment = ?",
        [experiment],
    )[0]
    numbers = {"listeners": total, "in_several_arms": several}
    if not total:
        return CheckResult("one-arm", question, Status.NOT_MADE, "no listeners", numbers=numbers)
    if not several:
        return CheckResult(
            "one-arm", question, Status.PASSED, f"{total:,} listeners", numbers=numbers
        )
    rows = context.query(
        read_query("analysis", "listeners_in_several_arms"), {"experiment": experiment}
    )
    return CheckResult(
        "one-arm", question, Status.FAILED, f"{several:,} of {total:,} listeners in several arms",
        "These listeners saw more than one treatment: the assignment was changed while the "
        "experiment ran, or several definitions of it served at once.",
        numbers, context.examples(rows, "listener {} is in {}"),
    )  # fmt: skip
