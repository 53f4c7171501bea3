"""Checks of `time`: every arm reports the share that was heard on the same scale.

No arm chose the first track of a session, so its time is alike in all arms. And no treatment
changes how a client writes a share: in tenths, in hundredths, from 0 to 1.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from analysis.checks.context import CheckContext
from analysis.checks.parity import (
    TOO_FEW_ARMS,
    Clustered,
    comparable,
    heterogeneity,
    sum_by_arm,
)
from analysis.checks.result import CheckResult, Status
from events.queries import read_named, read_query

ENOUGH = 100
"""Listens of an arm from which its scale is judged."""
STEP_GAP = 0.25
"""Shares of times on a grid differ by more only if an arm writes times otherwise: a treatment moves
the share of tenths among hundredths by a few points."""
HOLE = 20
"""A hundredth without a listen is a hole if both hundredths beside it have so many, and all other
arms have so many in it: by chance, one in e^20 is."""
ENDS_GAP = 0.2
"""A difference of the shares of 0 and 1 from which it is a warning; a treatment may change them."""


def check_first_tracks(context: CheckContext, experiment: str) -> CheckResult:
    """Compare mean and spread of the time of first tracks, which no arm chose."""
    name, question = (
        "first-tracks",
        "Are first tracks, which no arm chose, heard alike in all arms?",
    )
    query = read_query("analysis", "first_listens_by_listener").rstrip().rstrip(";")
    means, spreads = (
        sum_by_arm(
            context,
            f'SELECT arm, "user", {value} AS x, 1 AS y FROM ({query})',  # noqa: S608
            {"experiment": experiment},
        )
        for value in ("first_time", "distance")
    )
    numbers: dict[str, Any] = {
        "mean": {group.name: group.ratio for group in means},
        "spread": {group.name: group.ratio for group in spreads},
        "listeners": {group.name: group.n for group in means},
        "p": {"mean": heterogeneity(means), "spread": heterogeneity(spreads)},
    }
    if len(comparable(means)) < 2:
        why = TOO_FEW_ARMS if means else "no session begins with a listen"
        return CheckResult(name, question, Status.NOT_MADE, why, numbers=numbers)
    figure = "mean time " + ", ".join(f"{group.name} {group.ratio:.3f}" for group in means)
    differing = [
        what
        for what, groups in (("mean", means), ("spread", spreads))
        if _differ(context, groups, context.thresholds.parity_gap, tests=2)
    ]
    if not differing:
        return CheckResult(name, question, Status.PASSED, figure, numbers=numbers)
    values = numbers[differing[0]]
    arms = ", ".join(f"{arm} {value:.3f}" for arm, value in values.items())
    return CheckResult(
        name, question, Status.FAILED, figure,
        f"The {' and the '.join(differing)} of these times differ by arm ({differing[0]} {arms}). "
        "The arms had no part in these tracks, so one arm's client reports times on a different "
        "scale, or with the wrong track. Every effect on time is wrong by as much.",
        numbers,
    )  # fmt: skip


class _Scale(NamedTuple):
    """Say how an arm's times are written: counts of its listens, and their longest time."""

    arm: str
    listens: int
    zeros: int
    ones: int
    inside: int
    tenths: int
    hundredths: int
    longest: float

    @property
    def step(self) -> str:
        """The coarsest step that (nearly) all times are multiples of."""
        if self.inside <= self.listens / 1000:
            return "whole numbers"
        if self.tenths >= 0.99 * self.inside:
            return "tenths"
        return "hundredths" if self.hundredths >= 0.99 * self.inside else "finer"


def check_time_scale(context: CheckContext, experiment: str) -> CheckResult:
    """Compare how the arms write times: steps, range, and the shares of 0 and 1."""
    name, question = "time-scale", "Is `time` reported on the same scale in all arms?"
    params = {"experiment": experiment}
    for query in (
        *read_named("analysis", "times_by_hundredth"),
        *read_named("analysis", "reported_times"),
    ):
        context.engine.create(query, params)
    scales = [_Scale(*row) for row in context.query(_SCALES, [ENOUGH])]
    numbers: dict[str, Any] = {
        scale.arm: {**scale._asdict(), "step": scale.step} for scale in scales
    }
    if len(scales) < 2:
        why = f"fewer than two arms with {ENOUGH} listens"
        return CheckResult(name, question, Status.NOT_MADE, why, numbers=numbers)
    figure = ", ".join(f"{scale.arm} {scale.step}" for scale in scales)
    if fault := _fault(context, scales):
        return CheckResult(name, question, Status.FAILED, figure, fault, numbers)
    for what in ("zeros", "ones"):
        groups = _shares(context, what, "listens")
        if _differ(context, groups, ENDS_GAP, tests=2):
            end = "0" if what == "zeros" else "1"
            shares = ", ".join(f"{group.name} {group.ratio:.0%}" for group in groups)
            return CheckResult(
                name, question, Status.WARNING, f"{figure}; time {end}: {shares}",
                f"The share of listens with time {end} differs much between the arms. The "
                "treatment may do that; a client that reports only starts or ends looks the same.",
                numbers,
            )  # fmt: skip
    return CheckResult(name, question, Status.PASSED, figure, numbers=numbers)


def _fault(context: CheckContext, scales: Sequence[_Scale]) -> str:
    """Give what is wrong with the scale of an arm, as a sentence; empty if nothing is."""
    whole = [scale.arm for scale in scales if scale.step == "whole numbers"]
    fine = [scale.arm for scale in scales if scale.inside > scale.listens / 10]
    both = [s.arm for s in scales if s.arm in whole and min(s.zeros, s.ones) > s.listens / 100]
    if both and fine:
        return (
            f"Arm {' and '.join(both)} reports nothing but 0 and 1, and arm {' and '.join(fine)} "
            "shares between them: its times are rounded."
        )
    for step in ("tenths", "hundredths"):
        groups = _shares(context, step, "inside")
        if _differ(context, groups, STEP_GAP, tests=2):
            shares = ", ".join(f"{group.name} {group.ratio:.0%}" for group in groups)
            return (
                f"The share of times that are whole {step} differs by arm ({shares}): one arm's "
                "times are rounded, or come in a different unit."
            )
    if holes := _holes(context):
        arm = holes[0][0]
        values = ", ".join(f"{value / 100:.2f}" for name, value in holes if name == arm)
        return (
            f"Arm {arm} never reports {values}, although it reports the times beside them and the "
            "other arms report these too: its times are multiplied, or rounded otherwise."
        )
    shortest = min(scales, key=lambda scale: scale.longest)
    longest = max(scale.longest for scale in scales)
    if shortest.longest < longest / 2:
        return (
            f"The longest time of arm {shortest.arm} is {shortest.longest:g}, that of the others "
            f"{longest:g}: its times come in a different unit."
        )
    return ""


def _holes(context: CheckContext) -> list[tuple[str, int]]:
    """Find hundredths that an arm never reports and should; a single one may be an accident."""
    rows: list[tuple[str, int]] = context.query(read_query("analysis", "time_holes"), [HOLE])
    counts = Counter(arm for arm, _ in rows)
    return [(arm, value) for arm, value in rows if counts[arm] > 1]


def _shares(context: CheckContext, part: str, whole: str) -> list[Clustered]:
    return sum_by_arm(
        context,
        f'SELECT arm, "user", {part} AS x, {whole} AS y FROM times_of_listeners',  # noqa: S608
        [],
    )


def _differ(context: CheckContext, groups: Sequence[Clustered], gap: float, tests: int) -> bool:
    """Say whether ratios differ by more than a gap, and surely; `tests` share the error rate."""
    ratios = [group.ratio for group in comparable(groups)]
    if len(ratios) < 2 or max(ratios) - min(ratios) <= gap:
        return False
    return heterogeneity(groups) < context.thresholds.alarm_p / tests


_SCALES = """SELECT arm, CAST(sum(listens) AS BIGINT) AS heard, CAST(sum(zeros) AS BIGINT),
    CAST(sum(ones) AS BIGINT), CAST(sum(inside) AS BIGINT), CAST(sum(tenths) AS BIGINT),
    CAST(sum(hundredths) AS BIGINT), max(longest)
FROM times_of_listeners GROUP BY arm HAVING heard >= $1 ORDER BY arm"""
