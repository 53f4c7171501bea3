"""Listeners by arm, all or the analysed ones, beside the shares that the config planned."""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from analysis.checks.archived_configs import botify_experiment
from analysis.checks.botify_arms import infer_arms
from analysis.checks.context import CheckContext
from analysis.checks.result import EXAMPLES
from analysis.statistics.sample_ratio import sample_ratio_p, sequential_sample_ratio_p
from core.allocation import Experiment
from events.queries import read_query

NOBODY = "no listeners"
Listeners = Literal["first_seen", "analysed"]
"""A table of listeners: everybody with an event, or those whom the effects count."""
Parts = dict[str, Counter[str]]
"""Day or process -> arm -> listeners."""
LOOKS = 2000
"""Number of looks of the sequential test."""
CONCENTRATIONS = (10, 1_000, 100_000)
"""Distance of the alternatives from the planned shares, in listeners: fewer is farther."""
NO_CONFIG = "The weights are unknown: the config that decided is not archived."


def count_by_arm(context: CheckContext, experiment: str, listeners: Listeners) -> Counter[str]:
    return Counter(
        dict(
            context.query(
                f"SELECT arm, count(*) FROM {listeners} WHERE experiment = ? GROUP BY arm",  # noqa: S608
                [experiment],
            )
        )
    )


def watch(
    context: CheckContext,
    experiment: str,
    listeners: Listeners,
    arms: Sequence[str],
    weights: Sequence[float],
) -> tuple[float, int]:
    """Smallest p-value at any time, corrected for the concentrations; and the number of looks."""
    total = context.one(
        f"SELECT count(*) FROM {listeners} WHERE experiment = ?",  # noqa: S608
        [experiment],
    )
    size = max(1, total // LOOKS)
    query = read_query("analysis", "listeners_by_look").replace("{listeners}", listeners)
    rows = context.query(query, {"experiment": experiment, "size": size})
    # A low concentration finds a large deviation of few listeners, a high one a small deviation of
    # many. Bonferroni corrects for trying them all.
    smallest = min(
        sequential_sample_ratio_p(_batches(rows, arms), weights, concentration)
        for concentration in CONCENTRATIONS
    )
    return min(1.0, len(CONCENTRATIONS) * smallest), -(-total // size)


def compare_parts(
    context: CheckContext,
    experiment: str,
    listeners: Listeners,
    arms: Sequence[str],
    weights: Sequence[float],
) -> tuple[Parts, dict[str, float]]:
    """Listeners by part and arm; and the p-value of each part that is large enough for a test."""
    parts: Parts = {}
    query = read_query("analysis", "listeners_by_part").replace("{listeners}", listeners)
    for part, arm, count in context.query(query, {"experiment": experiment}):
        parts.setdefault(part, Counter())[arm] = count
    smallest = min(weights) / sum(weights)
    return parts, {
        part: sample_ratio_p([seen[arm] for arm in arms], weights)
        for part, seen in parts.items()
        if seen.total() * smallest >= 5  # below that the statistic is not chi-square distributed
    }


def name_parts(parts: Parts, alarms: Mapping[str, float]) -> str:
    """The worst parts, with their listeners."""
    worst = sorted(alarms, key=lambda part: alarms[part])[:EXAMPLES]
    return "; ".join(
        f"{part}: {list_counts(parts[part])}, p = {alarms[part]:.3g}" for part in worst
    )


def find_definition(context: CheckContext, experiment: str) -> Experiment | None:
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


def planned_shares(
    context: CheckContext, experiment: str
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    definition = find_definition(context, experiment)
    if definition is None:
        return (), ()
    return (
        tuple(arm.name for arm in definition.arms),
        tuple(arm.weight for arm in definition.arms),
    )


def drop_empty_arms(
    arms: Sequence[str], weights: Sequence[float]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    kept = [(arm, weight) for arm, weight in zip(arms, weights, strict=True) if weight]
    return tuple(arm for arm, _ in kept), tuple(weight for _, weight in kept)


def _batches(rows: Iterable[tuple[Any, ...]], arms: Sequence[str]) -> Iterable[list[int]]:
    for _, look in itertools.groupby(rows, key=lambda row: row[0]):
        counts = {arm: count for _, arm, count in look}
        yield [counts.get(arm, 0) for arm in arms]


def list_counts(counts: dict[str, int] | Counter[str]) -> str:
    return " : ".join(f"{arm} {count:,}" for arm, count in sorted(counts.items()))
