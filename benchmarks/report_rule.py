"""The error rate of the whole rule of a report: every look counts, before the plan and after it.

Listeners come one by one, return, and like more or less than one another (log-normal, coefficient
of variation 0.9). Nothing differs between the arms. A reader looks at the report 18 times before
the planned size, at it, and 20 times until twice as many listeners came. Each look takes the
decisions of `segue report`: which sessions count, which inference, at which error rate.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.effects.comparison import (
    Question,
    always_valid,
    choose_inference,
    estimate_effects,
)
from analysis.effects.metrics import SESSION_TIME
from analysis.effects.results import PlannedSize
from analysis.statistics.contrast import Contrast
from analysis.statistics.corrections import holm
from analysis.statistics.inference import FixedHorizonTest, InferenceMethod
from analysis.statistics.sample_moments import SampleMoments, Values

PLANNED = 1_000
LOOKS = tuple(round(PLANNED * part / 20) for part in range(2, 41))
"""Listeners at each look, from a tenth of the plan to twice the plan."""
SIGMA = math.sqrt(math.log1p(0.9**2))
RETURNS = 4


@dataclass(frozen=True, slots=True)
class Experiment:
    """Simulated listeners in the order in which they come; the planned ones are there at time 1.

    Attributes:
        entered: float64, (listeners,), when each came.
        treated: bool, (listeners,), who is in the treatment.
        at: float64, (listeners, sessions), when each session began; infinite for none.
        time: float64, (listeners, sessions), session times.
    """

    entered: Values
    treated: Values
    at: Values
    time: Values


def draw(random: np.random.Generator, lift: float = 0.0) -> Experiment:
    """Draw twice the planned listeners, each with a first session and up to four later ones."""
    n = 2 * PLANNED
    entered = np.sort(random.uniform(0, 2, n))
    taste = random.lognormal(-(SIGMA**2) / 2, SIGMA, n)
    later = entered[:, None] + random.exponential(1.0, (n, RETURNS))
    later[random.random((n, RETURNS)) < 0.6] = np.inf
    treated = random.random(n) < 0.5
    time = taste[:, None] * random.lognormal(0, 0.5, (n, RETURNS + 1))
    time[treated] *= 1 + lift
    return Experiment(entered, treated, np.column_stack([entered, later]), time)


def contrast_at(drawn: Experiment, seen: int, counted: int) -> Contrast:
    """Compare the arms by the sessions that began until listener number `counted` came.

    Args:
        drawn: The experiment.
        seen: Listeners so far.
        counted: Listeners that count, at most `seen`.
    """
    began = drawn.at[:seen] <= drawn.entered[counted - 1]
    sessions = began.sum(axis=1)
    there = sessions > 0
    means = np.where(began, drawn.time[:seen], 0).sum(axis=1)[there] / sessions[there]
    treated = drawn.treated[:seen][there]
    return Contrast(SampleMoments.of(means[~treated]), SampleMoments.of(means[treated]))


def claims(contrast: Contrast, inference: InferenceMethod, alpha: float) -> bool:
    """Say if a report would claim an effect."""
    question = Question(SESSION_TIME, "C", "T1", contrast, inference)
    return estimate_effects([question], holm, alpha)[0].claim is not None


def look(drawn: Experiment, seen: int) -> Mapping[str, bool]:
    """Return which rule claims an effect at one look: the report's, and those it could have."""
    plan = PlannedSize(PLANNED, "sealed", seen)
    everybody = contrast_at(drawn, seen, seen)
    counted = everybody if seen <= PLANNED else contrast_at(drawn, seen, PLANNED)
    report = claims(counted, choose_inference(plan, 1.0), plan.claim_alpha)
    whole = always_valid(replace(plan, listeners=PLANNED), 1.0)
    return {
        "report": report,
        "significant": report and plan.reached,
        "early at 5 %": claims(
            counted, FixedHorizonTest() if plan.reached else replace(whole, tuned_for=plan.alpha),
            plan.alpha,
        ),
        "fixed": plan.reached and claims(everybody, FixedHorizonTest(), plan.alpha),
        "always-valid": claims(everybody, replace(whole, tuned_for=plan.alpha), plan.alpha),
    }  # fmt: skip


def first_claims(drawn: Experiment, looks: Sequence[int] = LOOKS) -> dict[str, int]:
    """Return for each rule the listeners at its first claim; absent if it never makes one."""
    found: dict[str, int] = {}
    for seen in looks:
        for rule, claimed in look(drawn, seen).items():
            if claimed:
                found.setdefault(rule, seen)
    return found


def report_rule(
    random: np.random.Generator, runs: int = 10_000
) -> Iterator[tuple[str, str, float, int]]:
    """Measure how often each rule claims an effect where there is none, and finds a planned one."""
    found = [first_claims(draw(random)) for _ in range(runs)]

    def share(rule: str, until: float) -> float:
        return sum(first.get(rule, math.inf) <= until * PLANNED for first in found) / runs

    yield (
        "report",
        "A/A, significant at any look, up to 2 x the plan",
        share("significant", 2),
        runs,
    )
    yield "report", "A/A, any claim at any look, up to 2 x the plan", share("report", 2), runs
    yield "report", "A/A, any claim before the plan", share("report", 0.99), runs
    yield "(early looks at 5 %)", "A/A, any claim at any look", share("early at 5 %", 2), runs
    for until in (1, 1.1, 2):
        yield (
            "(fixed at every look)",
            f"A/A, from the plan to {until} x",
            share("fixed", until),
            runs,
        )
    yield "(always-valid)", "A/A, any look, up to 2 x the plan", share("always-valid", 2), runs
    few = runs // 5
    late = [look(draw(random, lift=0.21), PLANNED) for _ in range(few)]
    for rule in ("report", "always-valid"):
        power = sum(each[rule] for each in late) / few
        yield (rule if rule == "report" else f"({rule})"), "finds +21 % at the plan", power, few
