"""The result of a check, and the validity report that all checks of a log make together."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

EXAMPLES = 10
"""Most examples that a check gives."""


class Status(StrEnum):
    """The outcome of a check.

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
    """One case of what a check found.

    Attributes:
        where: `file:line`, or the listener.
        what: What stands there, and what should stand there.
    """

    where: str
    what: str


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        name: Name of the check, the same in every run.
        question: The question that the check answers, as a sentence.
        status: The outcome.
        figure: The number behind the status, for a table.
        explanation: What the check found, what it means and what to do; empty if there is nothing
            to explain.
        numbers: All numbers behind the status, as plain JSON values.
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
        """Describe it in plain JSON values."""
        return {
            "name": self.name,
            "question": self.question,
            "status": self.status.value,
            "figure": self.figure,
            "explanation": self.explanation,
            "numbers": dict(self.numbers),
            "examples": [{"where": each.where, "what": each.what} for each in self.examples],
        }

    @classmethod
    def from_dict(cls, said: Mapping[str, Any]) -> "CheckResult":
        """Read what `to_dict` wrote."""
        return cls(
            said["name"],
            said["question"],
            Status(said["status"]),
            said["figure"],
            said["explanation"],
            said["numbers"],
            tuple(Example(each["where"], each["what"]) for each in said["examples"]),
        )


@dataclass(frozen=True, slots=True)
class ValidityReport:
    """All checks of one experiment in one log.

    Attributes:
        experiment: Name of the experiment; None if the log has none.
        checks: In the order of `analysis.checks.suite`.
    """

    experiment: str | None
    checks: tuple[CheckResult, ...]

    @property
    def valid(self) -> bool:
        """Say whether no check failed; only then may an effect be shown."""
        return not self.failed

    @property
    def failed(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(check for check in self.checks if check.status is Status.FAILED)

    def check(self, name: str) -> CheckResult:
        """The check of this name."""
        return next(check for check in self.checks if check.name == name)

    def to_dict(self) -> dict[str, Any]:
        """Describe it in plain JSON values."""
        return {
            "experiment": self.experiment,
            "valid": self.valid,
            "checks": [check.to_dict() for check in self.checks],
        }
