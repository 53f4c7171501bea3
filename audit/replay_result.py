"""The result of a replay: counts, and the first of what differs or is missing.

"First" means first in the order of the log. So the results of parts of the listeners, added up,
are the result of all listeners, whichever process had which part.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Self

from events.file_ends import UNACKNOWLEDGED
from events.merge import Order

Difference = tuple[str, Any, Any]
"""A field of an event: its name, the logged value, the replayed value."""

_BY_ORDER = attrgetter("order")


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A field of an event that came out differently.

    Attributes:
        where: `file:line`.
        decision: Id of the decision.
        field: Name of the field.
        logged: Value in the log.
        replayed: Value in the replay.
        order: Place of the event in the order of the log.
    """

    where: str
    decision: str
    field: str
    logged: Any
    replayed: Any
    order: Order = (0, 0, 0)


@dataclass(slots=True)
class ReplayResult:
    """The result of a replay.

    Attributes:
        shown: Most mismatches to keep.
        events: Number of events read.
        decisions: Number of decisions replayed.
        degraded: Number of turns among `events` that were decided without the shared state.
        repeated: Number of lines that a retry wrote again; they are not among `events`.
        mismatched: Number of events with a field that came out differently.
        mismatches: The first of them in the order of the log, field by field.
        skipped: Reason -> number of events that replay could not make again.
        examples: Reason -> `file:line` of the first such event in the order of the log.
        example_orders: Reason -> place of that event in the order of the log.
        mismatched_by_arm: "experiment arm" -> number of events that came out differently.
        by_strategy: Answering strategy -> number of decisions replayed.
        configs: Digest -> events.
    """

    shown: int = 10
    events: int = 0
    decisions: int = 0
    degraded: int = 0
    repeated: int = 0
    mismatched: int = 0
    mismatches: list[Mismatch] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    example_orders: dict[str, Order] = field(default_factory=dict)
    mismatched_by_arm: Counter[str] = field(default_factory=Counter)
    by_strategy: Counter[str] = field(default_factory=Counter)
    configs: Counter[str] = field(default_factory=Counter)

    @classmethod
    def merge(cls, parts: Sequence[Self]) -> Self:
        """Add the results of parts of the listeners."""
        whole = cls(shown=max(part.shown for part in parts))
        for part in parts:
            whole._add(part)
        return whole

    def _add(self, part: Self) -> None:
        self.events += part.events
        self.decisions += part.decisions
        self.degraded += part.degraded
        self.repeated += part.repeated
        self.mismatched += part.mismatched
        self._keep_first([*self.mismatches, *part.mismatches])
        self.skipped.update(part.skipped)
        for reason, where in part.examples.items():
            self._show(reason, where, part.example_orders[reason])
        self.mismatched_by_arm.update(part.mismatched_by_arm)
        self.by_strategy.update(part.by_strategy)
        self.configs.update(part.configs)

    @property
    def sound(self) -> bool:
        """True if there are decisions, and all of them were replayed and came out the same."""
        missing = self.skipped.keys() - {UNACKNOWLEDGED}
        return self.decisions > 0 and not self.mismatched and not missing

    def skip(self, reason: str, where: str, order: Order = (0, 0, 0)) -> None:
        """Count an event that replay cannot make again."""
        self.skipped[reason] += 1
        self._show(reason, where, order)

    def differ(
        self, event: Mapping[str, Any], fields: Sequence[Difference], where: str, order: Order
    ) -> None:
        """Count an event that came out differently."""
        self.mismatched += 1
        arms = [f"{experiment} {arm}" for experiment, arm in event["experiments"].items()]
        self.mismatched_by_arm.update(arms or ["no experiment"])
        is_full = len(self.mismatches) >= self.shown
        if not is_full or (self.shown and order < self.mismatches[-1].order):
            found = [Mismatch(where, event["decision"], *each, order) for each in fields]
            self._keep_first([*self.mismatches, *found])

    def _keep_first(self, mismatches: Sequence[Mismatch]) -> None:
        # The sort is stable, so the fields of an event stay in their order.
        self.mismatches = sorted(mismatches, key=_BY_ORDER)[: self.shown]

    def _show(self, reason: str, where: str, order: Order) -> None:
        if reason not in self.examples or order < self.example_orders[reason]:
            self.examples[reason] = where
            self.example_orders[reason] = order
