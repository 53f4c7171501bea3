"""Checks of the sample ratio: does each arm have its planned share of the listeners?"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from analysis.checks.arm_counts import (
    NO_CONFIG,
    NOBODY,
    compare_parts,
    count_by_arm,
    drop_empty_arms,
    find_definition,
    list_counts,
    name_parts,
    planned_shares,
    watch,
)
from analysis.checks.context import CheckContext
from analysis.checks.parity import TOO_FEW_ARMS
from analysis.checks.result import CheckResult, Status
from analysis.statistics.sample_ratio import detectable_loss, sample_ratio_p
from core.allocation import Allocation

ADVICE = (
    "An arm has too few listeners or too many: events are lost, logged late, or logged under a "
    "different arm. The missing listeners differ from the rest."
)


def check_sample_ratio(context: CheckContext, experiment: str) -> CheckResult:
    """Compare the listeners of each arm with the weights of the config."""
    question = "Does every arm have its planned share of the listeners?"
    arms, weights = planned_shares(context, experiment)
    seen = count_by_arm(context, experiment, "first_seen")
    if not arms:
        return CheckResult("sample-ratio", question, Status.UNKNOWN, list_counts(seen), NO_CONFIG)
    for arm in sorted(set(seen) - set(arms)):
        arms, weights = (*arms, arm), (*weights, 0.0)
    if not seen.total():
        return CheckResult("sample-ratio", question, Status.NOT_MADE, NOBODY)
    counts = [seen[arm] for arm in arms]
    p = sample_ratio_p(counts, weights)
    if p == 1.0 and len(drop_empty_arms(arms, weights)[0]) < 2:
        return CheckResult("sample-ratio", question, Status.NOT_MADE, TOO_FEW_ARMS)
    loss = detectable_loss(sum(counts), weights)
    numbers: dict[str, Any] = {
        "listeners": dict(zip(arms, counts, strict=True)),
        "weights": dict(zip(arms, weights, strict=True)),
        "p": p,
        "detectable_loss": loss,
    }
    figure = f"{list_counts(dict(zip(arms, counts, strict=True)))}; p = {p:.3g}"
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
    arms, weights = planned_shares(context, experiment)
    if not arms:
        return CheckResult("sample-ratio-watched", question, Status.UNKNOWN, "", NO_CONFIG)
    arms_, weights_ = drop_empty_arms(arms, weights)
    if len(arms_) < 2:
        return CheckResult("sample-ratio-watched", question, Status.NOT_MADE, TOO_FEW_ARMS)
    listeners = context.one("SELECT count(*) FROM first_seen WHERE experiment = ?", [experiment])
    if not listeners:
        return CheckResult("sample-ratio-watched", question, Status.NOT_MADE, NOBODY)
    p, looks = watch(context, experiment, "first_seen", arms_, weights_)
    figure = f"smallest p at any time {p:.3g}"
    numbers = {"p": p, "looks": looks}
    if p < context.thresholds.alarm_p:
        return CheckResult("sample-ratio-watched", question, Status.FAILED, figure, ADVICE, numbers)
    return CheckResult("sample-ratio-watched", question, Status.PASSED, figure, numbers=numbers)


def check_sample_ratio_by_part(context: CheckContext, experiment: str) -> CheckResult:
    """Compare by the day and by the process on which a listener first came (Bonferroni)."""
    question = "Does every arm have its planned share on every day and process?"
    promised = planned_shares(context, experiment)
    if not promised[0]:
        return CheckResult("sample-ratio-by-part", question, Status.UNKNOWN, "", NO_CONFIG)
    arms, weights = drop_empty_arms(*promised)
    if len(arms) < 2:
        return CheckResult("sample-ratio-by-part", question, Status.NOT_MADE, TOO_FEW_ARMS)
    parts, tested = compare_parts(context, experiment, "first_seen", arms, weights)
    alarms = {part: p for part, p in tested.items() if p * len(tested) < context.thresholds.alarm_p}
    numbers = {"parts": len(parts), "tested": len(tested), "alarms": alarms}
    if not tested:
        return CheckResult(
            "sample-ratio-by-part", question, Status.NOT_MADE, "no part has enough listeners",
            numbers=numbers,
        )  # fmt: skip
    if alarms:
        return CheckResult(
            "sample-ratio-by-part", question, Status.FAILED,
            f"{len(alarms)} of {len(tested)} parts off",
            f"{name_parts(parts, alarms)}. {ADVICE}", numbers,
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
    definition = find_definition(context, experiment)
    if definition is None:
        return CheckResult("population", question, Status.UNKNOWN, "", NO_CONFIG)
    allocation = Allocation([definition])
    expected: Counter[str] = Counter()
    for listener in listeners:
        arm = allocation.assign(listener).arms.get(experiment)
        if arm is not None:
            expected[arm] += 1
    came = count_by_arm(context, experiment, "first_seen")
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


def _loss_p(came: Sequence[int], expected: Sequence[int]) -> float:
    """Chi-square test of equal losses by arm; 0.0 if more listeners came than exist."""
    if any(seen > exist for seen, exist in zip(came, expected, strict=True)):
        return 0.0
    if sum(came) == sum(expected):
        return 1.0
    from scipy import stats

    table = [came, [exist - seen for seen, exist in zip(came, expected, strict=True)]]
    return float(stats.chi2_contingency(table, correction=False).pvalue)
