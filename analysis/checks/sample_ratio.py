"""Checks of the sample ratio: does each arm have its planned share of the listeners?"""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.checks.archived_configs import botify_experiment
from analysis.checks.botify_arms import infer_arms
from analysis.checks.context import CheckContext
from analysis.checks.parity import TOO_FEW_ARMS
from analysis.checks.result import EXAMPLES, CheckResult, Status
from analysis.statistics.sample_ratio import (
    detectable_loss,
    sample_ratio_p,
    sequential_sample_ratio_p,
)
from core.allocation import Allocation, Experiment
from events.queries import read_query

NOBODY = "no listeners"
LOOKS = 2000
"""Number of looks of the sequential test."""
CONCENTRATIONS = (10, 1_000, 100_000)
"""How close to the planned shares the alternatives expect the true shares, in listeners."""
ADVICE = (
    "An arm has too few listeners or too many: events are lost, logged late, or logged under a "
    "different arm. The missing listeners differ from the rest."
)


def check_sample_ratio(context: CheckContext, experiment: str) -> CheckResult:
    """Compare the listeners of each arm with the weights of the config."""
    question = "Does every arm have its planned share of the listeners?"
    arms, weights = _planned_shares(context, experiment)
    seen = Counter(
        dict(
            context.query(
                "SELECT arm, count(*) FROM first_seen WHERE experiment = ? GROUP BY arm",
                [experiment],
            )
        )
    )
    if not arms:
        return CheckResult("sample-ratio", question, Status.UNKNOWN, _list_counts(seen), NO_CONFIG)
    for arm in sorted(set(seen) - set(arms)):
        arms, weights = (*arms, arm), (*weights, 0.0)
    if not seen.total():
        return CheckResult("sample-ratio", question, Status.NOT_MADE, NOBODY)
    counts = [seen[arm] for arm in arms]
    p = sample_ratio_p(counts, weights)
    if p == 1.0 and len(_drop_empty_arms(arms, weights)[0]) < 2:
        return CheckResult("sample-ratio", question, Status.NOT_MADE, TOO_FEW_ARMS)
    loss = detectable_loss(sum(counts), weights)
    numbers: dict[str, Any] = {
        "listeners": dict(zip(arms, counts, strict=True)),
        "weights": dict(zip(arms, weights, strict=True)),
        "p": p,
        "detectable_loss": loss,
    }
    figure = f"{_list_counts(dict(zip(arms, counts, strict=True)))}; p = {p:.3g}"
    if p < context.thresholds.alarm_p:
        return CheckResult("sample-ratio", question, Status.FAILED, figure, ADVICE, numbers)
    explanation = (
        f"This check does not notice an arm that lost less than {loss:.0%} of its listeners."
        if loss is not None
        else "There are too few listeners to notice even the loss of a whole arm."
    )
    return CheckResult("sample-ratio", question, Status.PASSED, figure, explanation, numbers)


def check_sample_ratio_over_time(context: CheckContext, experiment: str) -> CheckResult:
    """Compare over time, with a p-value that is valid at every look."""
    question = "Did every arm have its planned share at every moment?"
    arms, weights = _planned_shares(context, experiment)
    if not arms:
        return CheckResult("sample-ratio-watched", question, Status.UNKNOWN, "", NO_CONFIG)
    arms_, weights_ = _drop_empty_arms(arms, weights)
    if len(arms_) < 2:
        return CheckResult("sample-ratio-watched", question, Status.NOT_MADE, TOO_FEW_ARMS)
    listeners = context.one("SELECT count(*) FROM first_seen WHERE experiment = ?", [experiment])
    if not listeners:
        return CheckResult("sample-ratio-watched", question, Status.NOT_MADE, NOBODY)
    size = max(1, listeners // LOOKS)
    rows = context.query(
        """SELECT look, arm, count(*) FROM (
            SELECT arm, (row_number() OVER (ORDER BY first_ms, "user") - 1) // $2 AS look
            FROM first_seen WHERE experiment = $1)
        GROUP BY look, arm ORDER BY look""",
        [experiment, size],
    )
    # A low concentration finds a large deviation of few listeners, a high one a small deviation of
    # many. Bonferroni corrects for trying them all.
    p = min(
        1.0,
        len(CONCENTRATIONS)
        * min(
            sequential_sample_ratio_p(_batches(rows, arms_), weights_, concentration)
            for concentration in CONCENTRATIONS
        ),
    )
    figure = f"smallest p at any time {p:.3g}"
    numbers = {"p": p, "looks": -(-listeners // size) if listeners else 0}
    if p < context.thresholds.alarm_p:
        return CheckResult("sample-ratio-watched", question, Status.FAILED, figure, ADVICE, numbers)
    return CheckResult("sample-ratio-watched", question, Status.PASSED, figure, numbers=numbers)


def check_sample_ratio_by_part(context: CheckContext, experiment: str) -> CheckResult:
    """Compare by the day and by the process on which a listener first came (Bonferroni)."""
    question = "Does every arm have its planned share on every day and process?"
    promised = _planned_shares(context, experiment)
    if not promised[0]:
        return CheckResult("sample-ratio-by-part", question, Status.UNKNOWN, "", NO_CONFIG)
    arms, weights = _drop_empty_arms(*promised)
    if len(arms) < 2:
        return CheckResult("sample-ratio-by-part", question, Status.NOT_MADE, TOO_FEW_ARMS)
    parts: dict[str, Counter[str]] = {}
    for part, arm, count in context.query(
        read_query("analysis", "listeners_by_part"), {"experiment": experiment}
    ):
        parts.setdefault(part, Counter())[arm] = count
    smallest = min(weights) / sum(weights)
    tested = {
        part: sample_ratio_p([seen[arm] for arm in arms], weights)
        for part, seen in parts.items()
        if seen.total() * smallest >= 5  # below that the statistic is not chi-square distributed
    }
    alarms = {part: p for part, p in tested.items() if p * len(tested) < context.thresholds.alarm_p}
    numbers = {"parts": len(parts), "tested": len(tested), "alarms": alarms}
    if not tested:
        return CheckResult(
            "sample-ratio-by-part", question, Status.NOT_MADE, "no part has enough listeners",
            numbers=numbers,
        )  # fmt: skip
    if alarms:
        worst = sorted(alarms, key=lambda part: alarms[part])[:EXAMPLES]
        named = "; ".join(
            f"{part}: {_list_counts(parts[part])}, p = {alarms[part]:.3g}" for part in worst
        )
        return CheckResult(
            "sample-ratio-by-part", question, Status.FAILED,
            f"{len(alarms)} of {len(tested)} parts off", f"{named}. {ADVICE}", numbers,
        )  # fmt: skip
    figure = f"{len(tested)} parts tested"
    return CheckResult("sample-ratio-by-part", question, Status.PASSED, figure, numbers=numbers)


def check_population(
    context: CheckContext, experiment: str, listeners: Iterable[str]
) -> CheckResult:
    """Compare with the hash's own counts over all listeners that exist.

    This is sharper than the weights: the number of listeners that the hash gave each arm is known
    exactly, and only staying away is random.
    """
    question = "Did the same share of each arm's own listeners come?"
    definition = _definition(context, experiment)
    if definition is None:
        return CheckResult("population", question, Status.UNKNOWN, "", NO_CONFIG)
    allocation = Allocation([definition])
    expected: Counter[str] = Counter()
    for listener in listeners:
        arm = allocation.assign(listener).arms.get(experiment)
        if arm is not None:
            expected[arm] += 1
    came = Counter(
        dict(
            context.query(
                "SELECT arm, count(*) FROM first_seen WHERE experiment = ? GROUP BY arm",
                [experiment],
            )
        )
    )
    if not came.total():
        return CheckResult("population", question, Status.NOT_MADE, NOBODY)
    names = sorted(set(expected) | set(came))
    p = _loss_p([came[arm] for arm in names], [expected[arm] for arm in names])
    numbers = {"expected": dict(expected), "came": dict(came), "p": p}
    figure = ", ".join(f"{arm} {came[arm]:,} of {expected[arm]:,}" for arm in names)
    if p < context.thresholds.alarm_p:
        return CheckResult(
            "population", question, Status.FAILED, f"{figure}; p = {p:.3g}", ADVICE, numbers
        )
    return CheckResult(
        "population", question, Status.PASSED, f"{figure}; p = {p:.3g}", numbers=numbers
    )


NO_CONFIG = "The weights are unknown: the config that decided is not archived."


def _definition(context: CheckContext, experiment: str) -> Experiment | None:
    """The definition under which most listeners came; for botify, equal shares."""
    rows = context.query(
        "SELECT config, count(*) FROM first_seen WHERE experiment = ? GROUP BY config "
        "ORDER BY 2 DESC, 1",
        [experiment],
    )
    for digest, _ in rows:
        if digest is None and (numbered := infer_arms(context, experiment)) is not None:
            return botify_experiment(experiment, numbered[0])
        found = context.configs.experiment(experiment, digest)
        if found is not None:
            return found
    return None


def _planned_shares(
    context: CheckContext, experiment: str
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    definition = _definition(context, experiment)
    if definition is None:
        return (), ()
    return (
        tuple(arm.name for arm in definition.arms),
        tuple(arm.weight for arm in definition.arms),
    )


def _drop_empty_arms(
    arms: Sequence[str], weights: Sequence[float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    kept = [(arm, weight) for arm, weight in zip(arms, weights, strict=True) if weight]
    return tuple(arm for arm, _ in kept), tuple(weight for _, weight in kept)


def _batches(rows: Iterable[tuple[Any, ...]], arms: Sequence[str]) -> Iterable[list[int]]:
    for _, look in itertools.groupby(rows, key=lambda row: row[0]):
        counts = {arm: count for _, arm, count in look}
        yield [counts.get(arm, 0) for arm in arms]


def _list_counts(counts: dict[str, int] | Counter[str]) -> str:
    return " : ".join(f"{arm} {count:,}" for arm, count in sorted(counts.items()))


def _loss_p(came: Sequence[int], expected: Sequence[int]) -> float:
    """Chi-square test of equal losses by arm; 0.0 if more listeners came than exist."""
    if any(seen > exist for seen, exist in zip(came, expected, strict=True)):
        return 0.0
    if sum(came) == sum(expected):
        return 1.0
    from scipy import stats

    table = [came, [exist - seen for seen, exist in zip(came, expected, strict=True)]]
    return float(stats.chi2_contingency(table, correction=False).pvalue)
