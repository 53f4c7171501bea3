"""Checks of the assignment: the hash gives each logged arm, and no listener changes the arm."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from analysis.checks.archived_configs import arms_of, botify_experiment
from analysis.checks.botify_arms import infer_arms
from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status
from core.allocation import Allocation
from events.queries import read_query

if TYPE_CHECKING:
    import pyarrow as pa

QUESTION = "Is the logged arm the arm that the hash gives, on every line?"

_LINES = 1 << 40
"""More than a file can have lines: file and line are one number, whose minimum is cheap."""


def check_assignment(context: CheckContext, experiment: str) -> CheckResult:
    """Check that the logged arm of every line equals the arm that the hash gives."""
    # Lines of botify name no config: their allocation has the key "". A line of ours counts only if
    # its config is archived, because without the config nothing says which arm is right.
    allocations: dict[str, Allocation] = {}
    explanation = []
    if context.botify and (inferred := infer_arms(context, experiment)) is not None:
        arms, how = inferred
        allocations[""] = Allocation([botify_experiment(experiment, arms)])
        explanation.append(how)
    for digest, archived in context.configs.by_digest.items():
        allocations[digest] = archived.allocation
    found = _count_lines(context, ArmComparison(experiment, allocations))
    numbers = {
        "lines": found.lines,
        "agreeing": found.agreeing,
        "unknown_configs": dict(sorted(found.unknown.items())),
    }
    shown = context.examples(found.examples, "listener {} is logged in {}, the hash gives {}")
    return _verdict(
        context, experiment, found.lines, found.agreeing, found.unknown, explanation, numbers, shown
    )


@dataclass(slots=True)
class _Compared:
    """Counts of lines, with the first examples of those that disagree."""

    lines: int = 0
    agreeing: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[Any, ...]] = field(default_factory=list)

    def to_json(self) -> str:
        """Write it as text, for the way from process to process."""
        return json.dumps([self.lines, self.agreeing, self.unknown, self.examples])

    @classmethod
    def from_json(cls, text: str) -> "_Compared":
        """Read what `to_json` wrote."""
        lines, agreeing, unknown, examples = json.loads(text)
        return cls(lines, agreeing, Counter(unknown), examples)

    def add(self, found: "_Compared") -> None:
        """Add the counts of a different part of the lines."""
        self.lines += found.lines
        self.agreeing += found.agreeing
        self.unknown += found.unknown
        self.examples = sorted(map(tuple, [*self.examples, *found.examples]))[:EXAMPLES]


@dataclass(frozen=True, slots=True)
class ArmComparison:
    """Compare logged arms with the hash's, in the process that has the lines.

    Attributes:
        experiment: Name of the experiment.
        allocations: Digest of a config -> its allocation; "" is botify's.
    """

    experiment: str
    allocations: Mapping[str, Allocation]

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield one batch with the counts of all batches."""
        import pyarrow as pa

        found, parsed = _Compared(), dict[str | None, dict[str, str]]()
        for batch in batches:
            found.add(self._compare(batch, parsed))
        yield pa.record_batch([pa.array([found.to_json()])], names=["found"])

    def _compare(
        self, batch: "pa.RecordBatch", parsed: dict[str | None, dict[str, str]]
    ) -> _Compared:
        found = _Compared()
        rows = zip(*(column.to_pylist() for column in batch.columns), strict=True)
        for user, config, text, attributes, count, place in rows:
            if text not in parsed:
                parsed[text] = arms_of(text)
            logged = parsed[text].get(self.experiment)
            allocation = self.allocations.get(config or "")
            if allocation is None:
                if logged is not None and config is not None:
                    found.unknown[config] += count
                elif logged is not None:
                    found.lines += count
                continue
            expected = allocation.assign(user, json.loads(attributes or "{}")).arms.get(
                self.experiment
            )
            if config is None and logged is None:
                continue  # botify logged no experiment that it did not run
            if logged is None and expected is None:
                continue
            found.lines += count
            if logged == expected:
                found.agreeing += count
            else:
                example = (*divmod(place, _LINES), user, logged or "no arm", expected or "no arm")
                found.examples.append(example)
        found.examples = sorted(found.examples)[:EXAMPLES]
        return found


def _count_lines(context: CheckContext, comparison: ArmComparison) -> _Compared:
    """Compare lines that nobody forced; equal ones of a listener are one row with a count."""
    import pyarrow as pa

    targeted = any(archived.targeted for archived in context.configs.by_digest.values())
    attributes = "attributes" if targeted else "CAST(NULL AS STRING)"
    rows = context.engine.map_batches(
        f"""SELECT "user", config, experiments, facts, count(*),
            min(CAST(file_id AS BIGINT) * {_LINES} + line)
        FROM (SELECT *, {attributes} AS facts FROM events WHERE NOT forced)
        GROUP BY "user", config, experiments, facts""",  # noqa: S608
        comparison,
        pa.schema([("found", pa.string())]),
    )
    total = _Compared()
    for text in rows.column("found").to_pylist():
        total.add(_Compared.from_json(text))
    return total


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
    examples = context.find_examples(
        read_query("analysis", "listeners_in_several_arms"), {"experiment": experiment},
        "listener {} is in {}",
    )  # fmt: skip
    return CheckResult(
        "one-arm", question, Status.FAILED, f"{several:,} of {total:,} listeners in several arms",
        "These listeners got more than one treatment. The assignment changed while the experiment "
        "ran, or several definitions of the experiment served at once.",
        numbers, examples,
    )  # fmt: skip
