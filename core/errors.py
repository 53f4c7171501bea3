"""Our own errors.

SegueError                 catch this to catch all of ours
├── InputError             faulty config, data or log: every fault, each with its place
├── EmptyLog               an InputError: a log without an event in the chosen window
├── InvalidFilter          a request's filter that no strategy reads, or with an unknown field
├── NoCandidatesLeft       no strategy of the chain could answer a decision
├── LateProposal           a strategy took longer to propose than its timeout_ms
├── UndeclaredAnswer       a strategy answered that is not in the arm's chain
├── StrategiesFailed     a strategy raised, and no strategy after it answered
├── InvalidCandidates    a strategy proposed a track that does not exist, or a faulty weight
├── EventLogError          an event could not be appended to the event log
├── StateUnavailable       the shared state of listeners cannot be reached
└── ReusedKey              an idempotency key came before with a different body

A fault reads: where, what must hold, what was found, what to do next.
"""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass


class SegueError(Exception):
    """Base of all errors that Segue raises on purpose."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault of the input.

    Attributes:
        where: File, and line or key path in it: `config.yaml: strategies.improved.type`.
        what: What must hold, what was found, what to do.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class InputError(SegueError):
    """Faulty input; `faults` has every fault that was found, not only the first.

    Attributes:
        faults: The faults; of a file of faulty lines only the first ones, and one about the rest.
        count: Number of faults, shown or not.
    """

    def __init__(self, faults: Iterable[Fault], count: int | None = None) -> None:
        self.faults = tuple(faults)
        self.count = len(self.faults) if count is None else count
        super().__init__("\n".join(str(fault) for fault in self.faults))

    @classmethod
    def one(cls, where: str, what: str) -> "InputError":
        """An error of a single fault."""
        return cls([Fault(where, what)])


class EmptyLog(InputError):
    """A log has no event, or none in the window that was asked for."""


class NoCandidatesLeft(SegueError):
    """Every strategy of the chain abstained, or the request excluded all its tracks."""


class InvalidFilter(SegueError):
    """No strategy reads the request's filter, or the catalog does not have its field."""


class UndeclaredAnswer(SegueError):
    """A strategy answered that the arm does not declare: a bug in Segue, which is never logged."""


class StrategiesFailed(SegueError):
    """At least one strategy of the chain raised, and no strategy after it answered.

    Attributes:
        strategy: Strategy that the arm, or `default`, names.
        failed: The members that raised, as the event log has them: {"strategy", "error"}.
    """

    def __init__(self, strategy: str, failed: Sequence[Mapping[str, str]]) -> None:
        named = ", ".join(f"'{each['strategy']}' ({each['error']})" for each in failed)
        super().__init__(
            f"strategy '{strategy}' gave no track: {named} failed, and no later member of its "
            "chain answered. The server's log has the traceback"
        )
        self.strategy = strategy
        self.failed = failed


class InvalidCandidates(SegueError):
    """A strategy proposed faulty candidates: a track that does not exist, or a negative weight."""


class LateProposal(SegueError):
    """A strategy took longer to propose than its `timeout_ms`; the log calls it `timeout`."""

    def __init__(self, strategy: str, took_s: float, limit_s: float) -> None:
        super().__init__(
            f"strategy '{strategy}' took {took_s * 1000:.3g} ms to propose, and its timeout_ms is "
            f"{limit_s * 1000:g}. Its proposal was discarded"
        )


def failure_name(error: BaseException) -> str:
    """Return the name that the event log has for a strategy's failure."""
    return "timeout" if isinstance(error, LateProposal) else type(error).__name__


class EventLogError(SegueError):
    """The event log did not take every line; turns without a line must not be acknowledged.

    Attributes:
        written: How many lines of the batch are on file, from its beginning.
    """

    def __init__(self, message: str, written: int = 0) -> None:
        super().__init__(message)
        self.written = written


class StateUnavailable(SegueError):
    """The shared state of listeners cannot be reached; turns are decided without it meanwhile."""


class ReusedKey(SegueError):
    """An idempotency key came before with a different body, to a process of the same state."""


class Faults:
    """A collection of faults, so that one run reports all of them.

    Attributes:
        found: The faults; the first `most` of them, and how many there are is in `count`.
        count: Number of faults.
    """

    def __init__(self, most: int | None = None) -> None:
        self.found: list[Fault] = []
        self.count = 0
        self._most = most

    def add(self, where: str, what: str) -> None:
        """Record one fault and continue."""
        self.count += 1
        if self._most is None or self.count <= self._most:
            self.found.append(Fault(where, what))

    def extend(self, error: InputError) -> None:
        """Add the faults of an error that a called function raised."""
        for fault in error.faults:
            self.add(fault.where, fault.what)

    def raise_if_any(self) -> None:
        """Raise `InputError` with the faults so far, if there are any."""
        if not self.found:
            return
        more = self.count - len(self.found)
        last = self.found[-1].where.rpartition(":")[0] or self.found[-1].where
        rest = [Fault(last, f"has {more:,} more faults like these")] if more else []
        raise InputError([*self.found, *rest], self.count)


def unknown_name(kind: str, name: object, known: Iterable[str]) -> str:
    """A message for an unknown name, with the nearest known name and the full list."""
    names = sorted(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return f"unknown {kind} '{name}'.{hint} Known: {', '.join(names) or 'none'}"
