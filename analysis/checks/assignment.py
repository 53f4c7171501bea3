"""Checks of the assignment: the hash gives each logged arm, and no listener changes the arm."""

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

QUESTION = "Is the logged arm the arm that the hash gives, on every line?"
_BATCH = 50_000


def check_assignment(context: CheckContext, experiment: str) -> CheckResult:
    """Check that the logged arm of every line equals the arm that the hash gives."""
    # Lines of botify name no config: their allocation has the key "". A line of ours counts only if
    # its config is archived, because without the config nothing says which arm is right.
    lines = agreeing = 0
    examples: list[tuple[Any, ...]] = []
    unknown: Counter[str] = Counter()
    allocations: dict[str, Allocation] = {}
    explanation = []
    if context.botify and (inferred := infer_arms(context, experiment)) is not None:
        arms, how = inferred
        allocations[""] = Allocation([botify_experiment(experiment, arms)])
        explanation.append(how)
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
            continue  # botify logged no experiment that it did not run
        if logged is None and expected is None:
            continue
        lines += count
        if logged == expected:
            agreeing += count
        elif len(examples) < EXAMPLES:
            examples.append((file_id, line, user, logged or "no arm", expected or "no arm"))
    numbers = {"lines": lines, "agreeing": agreeing, "unknown_configs": dict(unknown)}
    shown = context.examples(examples, "listener {} is logged in {}, the hash gives {}")
    return _verdict(context, experiment, lines, agreeing, unknown, explanation, numbers, shown)


def _verdict(
    context: CheckContext,
    experiment: str,
    lines: int,
    agreeing: int,
    unknown: Counter[str],
    explanation: list[str],
    numbers: dict[str, Any],
    examples: tuple[Example, ...],
) -> CheckResult:
    figure = f"{agreeing:,} of {lines:,} lines agree"
    if unknown:
        digests = ", ".join(sorted(unknown))
        return CheckResult(
            "assignment", QUESTION, Status.FAILED, f"{unknown.total():,} lines cannot be checked",
            f"The lines name config {digests}, which is not archived. The server keeps a snapshot "
            "of each config in the folder `configs` beside its log: put that folder beside these "
            "logs.",
            numbers, examples,
        )  # fmt: skip
    if not lines:
        return CheckResult(
            "assignment", QUESTION, Status.NOT_MADE, "no lines", " ".join(explanation), numbers
        )
    if agreeing == lines:
        return CheckResult(
            "assignment", QUESTION, Status.PASSED, figure, " ".join(explanation), numbers
        )
    by_chance = 1 / max(2, len(context.log.experiments().get(experiment, [])))
    share = agreeing / lines
    guess = (
        f" Agreement of {share:.0%} is what two unrelated hashes give: the logged arms were "
        "computed by a different program, name or salt. They do not tell what was served."
        if abs(share - by_chance) < 0.05
        else ""
    )
    return CheckResult(
        "assignment", QUESTION, Status.FAILED, figure,
        " ".join(
            [
                *explanation,
                f"{lines - agreeing:,} lines name an arm that the listener is not in.{guess}",
            ]
        ),
        numbers, examples,
    )  # fmt: skip


def _read_lines(context: CheckContext) -> Iterator[tuple[Any, ...]]:
    """(user, config, experiments, attributes, lines, file, line) of lines that nobody forced."""
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
    """Check that no listener is in two arms of an experiment."""
    question = "Is every listener in only one arm?"
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
        "These listeners got more than one treatment. The assignment changed while the experiment "
        "ran, or several definitions of the experiment served at once.",
        numbers, context.examples(rows, "listener {} is in {}"),
    )  # fmt: skip
