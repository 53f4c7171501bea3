"""Botify's experiments: its log names arms, but neither their number nor their order.

Botify's arm is murmur3_32(listener, seed = murmur3_32(experiment)) modulo the number of arms. A log
in which each residue has one arm tells the number and the order.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from analysis.checks.archived_configs import botify_experiment
from analysis.checks.context import CheckContext
from core.allocation import Allocation

if TYPE_CHECKING:
    import pyarrow as pa

MOST_ARMS = 16
"""Largest number of arms that is tried."""
AGREEING = 0.9
"""Share of the listeners from which an order of arms is believed although some are in no such arm.
Over two wrong orders of arms, at most half the listeners agree."""


def infer_arms(context: CheckContext, experiment: str) -> tuple[tuple[str, ...], str] | None:
    """Infer the arms of an experiment in the order of their numbers, and tell how.

    None if botify's lines have no such experiment.
    """
    if experiment not in context.numbered:
        context.numbered[experiment] = _infer_arms(_LoggedArms(context, experiment))
    return context.numbered[experiment]


def _infer_arms(logged: "_LoggedArms") -> tuple[tuple[str, ...], str] | None:
    given = logged.context.configs.botify.get(logged.experiment)
    if given is not None:
        return given, f"Arms in the order given: {', '.join(given)}.{logged.unknown(given)}"
    if not logged.by_arm:
        return None
    listeners = logged.by_arm.total()
    named = _botify_names(list(logged.by_arm))
    if named is not None and logged.agreement(named) == listeners:
        return named, (
            f"The arms were taken to be {', '.join(named)} in this order, as botify numbers them. "
            f"With a wrong order one listener in {len(named)} agrees; here all {listeners:,} do."
        )
    logged.count_by_number(range(2, MOST_ARMS + 1))
    for ways in range(2, MOST_ARMS + 1):
        order = logged.order(ways)
        if order is not None:
            return order, (
                f"The log agrees with botify's hash over {ways} arms in the order "
                f"{', '.join(order)}. That order comes from the log itself, so swapped names stay "
                "unnoticed: give the order with --botify-arms."
            )
    most = _most_agreeing(logged)
    if most is not None:
        return most, (
            f"The arms were taken to be {', '.join(most)} in this order: with them botify's hash "
            f"agrees with {logged.agreement(most):,} of {listeners:,} listeners."
            f"{logged.unknown(most)}"
        )
    seen = sorted(logged.by_arm, key=_botify_order)
    usual = _botify_names(_usual_arms(logged.by_arm)) or tuple(seen)
    return usual, (
        f"No order of 2 to {MOST_ARMS} arms makes botify's hash of the name '{logged.experiment}' "
        f"agree with the log.{logged.unknown(usual)}"
    )


class _LoggedArms:
    """Numbers of listeners by logged arm, and by the number that botify's hash gives them.

    Attributes:
        context: The log.
        experiment: Name of the experiment.
    """

    def __init__(self, context: CheckContext, experiment: str) -> None:
        self.context = context
        self.experiment = experiment
        self._by_number: dict[int, Counter[tuple[int, str]]] = {}

    @cached_property
    def by_arm(self) -> Counter[str]:
        """Logged arm -> listeners; one who was in two arms counts in both."""
        query = f"SELECT arm, count(*) FROM ({_LISTENERS}) GROUP BY arm ORDER BY arm"  # noqa: S608
        return Counter(dict(self.context.query(query, [self.experiment])))

    def count_by_number(self, ways: Sequence[int]) -> None:
        """Count listeners by number modulo each of `ways`, in one pass where the listeners are."""
        import pyarrow as pa

        schema = pa.schema([("found", pa.list_(pa.int64())), ("arm", pa.string())])
        rows = self.context.engine.map_batches(
            _LISTENERS, NumberListeners(self.experiment, tuple(ways)), schema, [self.experiment]
        )
        self._by_number |= {count: Counter() for count in ways}
        for (count, number, listeners), arm in zip(
            rows.column("found").to_pylist(), rows.column("arm").to_pylist(), strict=True
        ):
            self._by_number[count][number, arm] += listeners

    def agreement(self, arms: Sequence[str]) -> int:
        """Count the listeners whose arm is the one of their number."""
        if len(arms) not in self._by_number:
            self.count_by_number([len(arms)])
        counts = self._by_number[len(arms)]
        return sum(counts[number, arm] for number, arm in enumerate(arms))

    def order(self, ways: int) -> tuple[str, ...] | None:
        """Return the arm of each number modulo `ways`, if every number has one arm of its own."""
        pairs = sorted(pair for pair, listeners in self._by_number[ways].items() if listeners)
        order = tuple(arm for _, arm in pairs)
        is_whole = [number for number, _ in pairs] == list(range(ways))
        return order if is_whole and len(set(order)) == ways else None

    def unknown(self, arms: Sequence[str]) -> str:
        """Write a sentence for each arm of the log that is none of the experiment's."""
        return "".join(
            f" Unknown arm {arm}: {count:,} {'listener is' if count == 1 else 'listeners are'} "
            "logged in it, and it is none of these arms."
            for arm, count in sorted(self.by_arm.items())
            if arm not in arms
        )


@dataclass(frozen=True, slots=True)
class NumberListeners:
    """Count listeners by botify's number and logged arm, in the process that has them.

    Attributes:
        experiment: Name of the experiment.
        ways: Numbers of arms; a listener's number is taken modulo each of them.
    """

    experiment: str
    ways: tuple[int, ...]

    def __call__(self, batches: "Iterator[pa.RecordBatch]") -> "Iterator[pa.RecordBatch]":
        """Yield one batch: [ways, number, listeners] and the arm."""
        import pyarrow as pa

        counts: Counter[tuple[int, int, str]] = Counter()
        numbers = [(ways, _numbering(self.experiment, ways)) for ways in self.ways]
        for batch in batches:
            users, arms = (column.to_pylist() for column in batch.columns)
            for ways, allocation in numbers:
                counts.update(
                    (ways, int(allocation.assign(user).arms[self.experiment]), arm)
                    for user, arm in zip(users, arms, strict=True)
                )
        found = [[ways, number, listeners] for (ways, number, _), listeners in counts.items()]
        yield pa.record_batch(
            [
                pa.array(found, pa.list_(pa.int64())),
                pa.array([arm for *_, arm in counts], pa.string()),
            ],
            names=["found", "arm"],
        )


_LISTENERS = """SELECT DISTINCT e."user", a.arm FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE e."schema" = 0 AND a.experiment = ?"""


def _numbering(experiment: str, ways: int) -> Allocation:
    """Return the allocation whose arms are the numbers from 0."""
    return Allocation([botify_experiment(experiment, map(str, range(ways)))])


def _most_agreeing(logged: _LoggedArms) -> tuple[str, ...] | None:
    """C, T1, T2 ..., as many as agree with most listeners; None below a share of `AGREEING`."""
    ways = [
        ("C", *(f"T{number}" for number in range(1, count))) for count in range(2, MOST_ARMS + 1)
    ]
    best = max(ways, key=logged.agreement)
    return best if logged.agreement(best) >= AGREEING * logged.by_arm.total() else None


def _usual_arms(counts: Counter[str]) -> list[str]:
    """Arms with a tenth of the median arm's listeners or more: botify's arms have equal shares."""
    least = sorted(counts.values())[len(counts) // 2] / 10
    return sorted((arm for arm in counts if counts[arm] >= least), key=_botify_order)


def _botify_order(arm: str) -> tuple[int, str]:
    if arm == "C":
        return 0, arm
    return (int(arm[1:]) if arm[:1] == "T" and arm[1:].isdecimal() else MOST_ARMS + 1), arm


def _botify_names(seen: list[str]) -> tuple[str, ...] | None:
    """C, T1, T2 ... up to the highest number in the log; None if an arm has a different name."""
    highest = max(_botify_order(arm)[0] for arm in seen)
    if highest > MOST_ARMS:
        return None
    return ("C", *(f"T{number}" for number in range(1, max(highest, 1) + 1)))
