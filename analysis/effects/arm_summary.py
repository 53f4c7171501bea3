"""The arms of an experiment: their listeners, sessions and answers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy import special

from analysis.effects.listener_table import ListenerTable
from analysis.effects.metrics import LATENCY_P99
from analysis.effects.results import ArmSummary, Effect
from analysis.quantiles import quantiles_by
from analysis.statistics.bootstrap import (
    FEWEST_CLUSTERS,
    UpperTail,
    fewest_values,
    lift_of_replicates,
    tail_interval,
    tail_place,
)
from analysis.statistics.contrast import Interval
from analysis.statistics.inference import ALPHA
from analysis.statistics.sample_moments import Values
from core.allocation import Experiment
from events.queries import read_named, read_query

KNOWN_TRACKS = 0.9
"""A catalog counts as the log's own if it has at least this share of the recommended tracks."""
MOST_ANSWERS = 2_000_000
"""An arm with more answers than this gives the bootstrap of its p99 those of a sample of listeners.
The p99 of so many answers has a standard error below 1 % of itself already; more cost memory. Of
these only the slowest 3 % leave the cluster."""
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def order_arms(seen: Sequence[str], definition: Experiment | None) -> list[str]:
    """Order the arms as in config; without a config, C first and the rest by name."""
    if definition is None:
        return sorted(seen, key=lambda arm: (arm != "C", arm))
    known = [arm.name for arm in definition.arms]
    return [*known, *sorted(set(seen) - set(known))]


def summarise_arms(
    listeners: ListenerTable,
    definition: Experiment | None,
    answers_known: bool,
    types: Mapping[str, str] | None = None,
) -> tuple[ArmSummary, ...]:
    """Summarise each arm for the allocation table."""
    asked = quantiles_by("arm", "latency_ms", "answers", list(QUANTILES.values()))
    quantiles = {arm: found for arm, *found in listeners.query(asked)}
    rows = {
        arm: counts
        for arm, *counts in listeners.query(
            "SELECT arm, sum(sessions), sum(open_sessions), sum(recommendations), sum(fallbacks) "
            "FROM listener_table GROUP BY arm"
        )
    }
    answers = dict(listeners.query("SELECT arm, count(*) FROM answers GROUP BY arm"))
    covered = coverages(listeners)
    tracks = catalog_size(listeners)
    weights = {arm.name: arm.weight for arm in definition.arms} if definition else {}
    strategies = {arm.name: arm.strategy for arm in definition.arms} if definition else {}
    found = []
    for arm in listeners.arms:
        sessions, still_open, ended_answers, fallbacks = rows.get(arm, (0, 0, 0, 0))
        count = listeners.counts[arm]
        found.append(
            ArmSummary(
                name=arm,
                strategy=strategies.get(arm),
                strategy_type=(types or {}).get(strategies.get(arm) or ""),
                weight=weights.get(arm, 0.0) / sum(weights.values()) if weights else None,
                listeners=count,
                share=count / listeners.count if listeners.count else 0.0,
                sessions=int(sessions),
                open_sessions=int(still_open),
                answers=answers.get(arm, 0),
                fallbacks=fallbacks / ended_answers if answers_known and ended_answers else None,
                latency_ms=dict(zip(QUANTILES, quantiles.get(arm, ()), strict=False)),
                coverage=covered.get(arm, 0.0),
                catalog_share=covered.get(arm, 0.0) / tracks if tracks else None,
            )
        )
    return tuple(found)


def catalog_size(listeners: ListenerTable) -> int:
    """Number of tracks of the catalog; 0 without a catalog, or if it belongs to a different log."""
    known = listeners.one(
        "SELECT coalesce(avg(CASE WHEN c.track IS NULL THEN 0 ELSE 1 END), 0) FROM "
        "(SELECT DISTINCT recommendation FROM answers) AS a "
        "LEFT JOIN catalog AS c ON a.recommendation = c.track"
    )
    return int(listeners.one("SELECT count(*) FROM catalog")) if known >= KNOWN_TRACKS else 0


def coverages(listeners: ListenerTable) -> Mapping[str, float]:
    """Different tracks that each arm recommended, at as many answers as the smallest arm gave.

    Expected number in a draw without replacement (Hurlbert, "The Nonconcept of Species Diversity",
    Ecology 1971): more listeners alone would give an arm more tracks.
    """
    counts: dict[str, Values] = {}
    for arm in listeners.arms:
        found = listeners.query(
            "SELECT answers, count(*) FROM ("
            "SELECT count(*) AS answers FROM answers WHERE arm = ? GROUP BY recommendation"
            ") GROUP BY answers ORDER BY answers",
            [arm],
        )
        if found:
            answers, tracks = np.asarray(found, dtype=np.int64).T
            counts[arm] = np.repeat(answers.astype(np.float64), tracks)
    if not counts:
        return {}
    draws = min(float(arm.sum()) for arm in counts.values())

    def log_ways(of: Values | float) -> Values:
        """Logarithm of the ways to choose `draws` of `of`."""
        return np.asarray(
            special.gammaln(np.add(of, 1))
            - special.gammaln(draws + 1)
            - special.gammaln(np.subtract(of, draws) + 1)
        )

    result = {}
    for arm, tracks in counts.items():
        without = tracks.sum() - tracks
        possible = without >= draws
        missed = np.exp(log_ways(without[possible]) - log_ways(float(tracks.sum())))
        result[arm] = len(tracks) - float(missed.sum())
    return result


def compare_latency_p99(
    listeners: ListenerTable,
    pairs: Sequence[tuple[str, str]],
    seed: int,
    alpha: float = ALPHA,
    one_look: bool = False,
    most: int | None = None,
) -> tuple[Effect, ...]:
    """Compare the p99 latency of each pair of arms, with a bootstrap over listeners.

    An arm of more than `most` answers (`MOST_ANSWERS`) gives those of a sample of its listeners:
    those with the smallest MD5 of their id, which are the same ones in every report. The row says
    so.
    """
    drawn: dict[str, tuple[Interval, Values] | None] = {}
    sizes: dict[str, int] = {}
    sampled: list[str] = []
    fewest, few = fewest_values(0.99, alpha), set()
    slowest = _slowest_answers(listeners, MOST_ANSWERS if most is None else most)
    for place, arm in enumerate(listeners.arms):
        drawn[arm], sizes[arm] = None, 0
        if arm in slowest:
            tail, sizes[arm], is_sample = slowest[arm]
            drawn[arm] = tail_interval(tail, 0.99, seed + place)
            if is_sample:
                sampled.append(f"{sizes[arm]:,} listeners of {arm}")
        if arm not in slowest or tail.events < fewest or sizes[arm] < FEWEST_CLUSTERS:
            few.add(arm)
    effects, part = [], " and ".join(sampled)
    for control, treatment in pairs:
        before, after = drawn[control], drawn[treatment]
        effect = Effect(
            LATENCY_P99,
            control,
            treatment,
            sizes[control],
            sizes[treatment],
            before[0].estimate if before else None,
            after[0].estimate if after else None,
            method="bootstrap over listeners" if not sampled else f"bootstrap over {part}",
            confidence=1 - alpha,
            one_look=one_look,
        )
        if few & {control, treatment}:
            least = f"{fewest} answers or {FEWEST_CLUSTERS} listeners"
            effect = replace(effect, note=f"no interval: an arm has under {least}")
        elif before and after and (lift := lift_of_replicates(before, after, alpha)):
            low, high = np.quantile(after[1] - before[1], [alpha / 2, 1 - alpha / 2])
            difference = Interval(after[0].estimate - before[0].estimate, float(low), float(high))
            claim = None if one_look else lift.direction
            effect = replace(effect, lift=lift, difference=difference, claim=claim)
        effects.append(effect)
    return tuple(effects)


def _slowest_answers(
    listeners: ListenerTable, most: int
) -> Mapping[str, tuple[UpperTail, int, bool]]:
    """Fetch each arm's slowest answers; with its listeners, and whether they are only a sample."""
    (sample,) = read_named("analysis", "sampled_listeners")
    listeners.engine.create(sample, {"most": most})
    totals = dict(
        listeners.query(
            "SELECT arm, count(*) FROM answers WHERE latency_ms IS NOT NULL GROUP BY arm"
        )
    )
    found = {}
    for arm, count, events, squares in listeners.query(
        "SELECT arm, count(*), sum(answers), sum(answers * answers) FROM sampled_listeners "
        "GROUP BY arm ORDER BY arm"
    ):
        # Half a place above the one below: no rounding makes it the place beside it.
        share = (tail_place(int(events), 0.99) + 0.5) / int(events)
        query = read_query("analysis", "slowest_answers").replace("{share}", repr(share))
        rows = listeners.arrays(query, {"arm": arm})
        tail = UpperTail(
            np.asarray(rows["listener"], dtype=np.str_),
            np.asarray(rows["latency_ms"], dtype=np.float64),
            np.asarray(rows["answers"], dtype=np.float64),
            int(events),
            int(squares),
        )
        found[arm] = (tail, int(count), totals[arm] > most)
    return found
