"""What a gate says, and the certificate that all gates of a log make together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXAMPLES = 10
"""How many examples a gate gives at most."""


class Status(StrEnum):
    """What a check found.

    A `failed` check makes the experiment invalid. Read a `warning`; it forbids nothing. `cannot
    tell` means that the log lacks what the check needs. `not made` means that the log has nothing
    for this check to look at, so it proves nothing and is not counted among those that passed.
    """

    PASSED = "passed"
    WARNING = "warning"
    FAILED = "failed"
    UNKNOWN = "cannot tell"
    NOT_MADE = "not made"


@dataclass(frozen=True, slots=True)
class Example:
    """One case of what a gate found.

    Attributes:
        where: `file:line`, or the listener.
        what: What stands there, and what should.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One gate's answer.

    Attributes:
        name: The same in every run; docs and doctor know the gate by it.
        question: The question that it answers, as a sentence.
        status: The answer.
        figure: The number behind the verdict, for a table.
        explanation: What was found, what it means and what to do, for the author of the log; empty
            where there is nothing to say.
        numbers: The numbers behind it, as plain JSON values.
        examples: At most `EXAMPLES` cases.
    """

    name: str
    question: str
    status: Status
    figure: str
    explanation: str = ""
    numbers: Mapping[str, Any] = field(default_factory=dict)
    examples: tuple[Example, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "name": self.name,
            "question": self.question,
            "status": self.status.value,
            "figure": self.figure,
            "explanation": self.explanation,
            "numbers": dict(self.numbers),
            "examples": [{"where": each.where, "what": each.what} for each in self.examples],
        }


@dataclass(frozen=True, slots=True)
class ValidityReport:
    """All gates of one experiment in one log.

    Attributes:
        experiment: Its name; None where the log has no experiment.
        checks: In the order in which they are best read.
    """

    experiment: str | None
    checks: tuple[CheckResult, ...]

    @property
    def valid(self) -> bool:
        """Whether no gate failed; only then may an effect be shown."""
        return not self.failed

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The gates that failed."""
        return tuple(check for check in self.checks if check.status is Status.FAILED)

    def check(self, name: str) -> CheckResult:
        """The gate of this name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return {
            "experiment": self.experiment,
            "valid": self.valid,
            "checks": [check.to_dict() for check in self.checks],
        }
