"""Error rates of each test of the report: `python -m benchmarks.error_rates [LOG ...]`.

Simulated listeners are skewed (log-normal, coefficient of variation 0.9); those who come more often
also like more. If event logs are named, their listeners are split by 2,000 salts: a sound test
rejects 5 % of these splits.
"""

import math
import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy import stats

from analysis.statistics.bootstrap import bootstrap_t_lift, lift_of_replicates, quantile_interval
from analysis.statistics.contrast import Contrast
from analysis.statistics.cuped import adjust
from analysis.statistics.inference import ConfidenceSequence, FixedHorizonTest
from analysis.statistics.sample_moments import SampleMoments, Values
from benchmarks.report_rule import report_rule
from core.allocation import slot

SIGMA = math.sqrt(math.log1p(0.9**2))
SALTS = 2_000
Random = np.random.Generator
Row = tuple[str, str, float, int]


def main(logs: Sequence[str] = ()) -> None:
    """Measure and print."""
    table = Table("method", "what", "rate", "± error", "runs", title="Error rates at 5 %")
    rows = [row for measure in MEASURES for row in measure(np.random.default_rng(31337))]
    for path in logs:
        rows += list(split_by_salts(path))
    for method, what, rate, runs in rows:
        error = math.sqrt(max(rate * (1 - rate), 1e-9) / runs)
        table.add_row(method, what, f"{100 * rate:.2f} %", f"{100 * error:.2f}", f"{runs:,}")
    Console(width=110).print(table)


def lognormal(random: Random, shape: tuple[int, ...], mean: float = 3.0) -> Values:
    """Draw session times of listeners."""
    return random.lognormal(math.log(mean) - SIGMA**2 / 2, SIGMA, shape)


def welch(random: Random) -> Iterator[Row]:
    """Measure Welch on A/A, and the lift's coverage on A/B."""
    runs, method = 20_000, FixedHorizonTest()
    for sizes in ((250, 250), (450, 450), (100, 900)):
        arms = [_samples(lognormal(random, (runs, n))) for n in sizes]
        wrong = np.mean(
            [method.p_value(Contrast(a, b)) <= 0.05 for a, b in zip(*arms, strict=True)]
        )
        yield "Welch", f"A/A false positives, {sizes[0]}:{sizes[1]}", float(wrong), runs
    for lift, sizes in ((0.26, (450, 450)), (1.0, (450, 450)), (1.0, (100, 900))):
        control = _samples(lognormal(random, (runs, sizes[0])))
        treatment = _samples(lognormal(random, (runs, sizes[1]), 3.0 * (1 + lift)))
        missed = divided = 0
        for contrast in map(Contrast, control, treatment):
            critical = method.critical(contrast, 0.05)
            found = contrast.lift_ci(critical)
            missed += found is None or not found.low <= lift <= found.high
            naive = contrast.difference_ci(critical)
            divided += not naive.low <= lift * contrast.control.mean <= naive.high
        where = f"true lift {lift:+.0%}, {sizes[0]}:{sizes[1]}"
        yield "Fieller", f"interval misses, {where}", missed / runs, runs
        yield "(difference / control mean)", f"interval misses, {where}", divided / runs, runs


def sessions(random: Random) -> Iterator[Row]:
    """Measure the mean of means, the ratio of totals, time per listener, and naive sessions."""
    runs, n, method = 5_000, 250, FixedHorizonTest()
    wrong = np.zeros(4)
    for _ in range(runs):
        contrasts: list[list[SampleMoments]] = [[], [], [], []]
        for _arm in range(2):
            taste = random.gamma(2.0, 1.0, n)
            count = 1.0 + random.poisson(taste)
            totals = count * taste * random.lognormal(0, 0.4, n)
            contrasts[0].append(SampleMoments.of(totals / count))
            contrasts[1].append(SampleMoments.of_ratio(totals, count))
            contrasts[2].append(SampleMoments.of(totals))
            contrasts[3].append(SampleMoments.of(np.repeat(totals / count, count.astype(int))))
        wrong += [method.p_value(Contrast(*pair)) <= 0.05 for pair in contrasts]
    names = ("mean of session means", "ratio of totals, delta method", "time per listener",
             "(sessions as if independent)")  # fmt: skip
    for name, rate in zip(names, wrong / runs, strict=True):
        yield name, f"A/A false positives, {n}:{n}", float(rate), runs


def cuped(random: Random) -> Iterator[Row]:
    """Measure the adjustment by the past, with a third of the listeners without a past."""
    runs, n, method = 5_000, 250, FixedHorizonTest()
    wrong = 0
    for _ in range(runs):
        past = lognormal(random, (2, n))
        value = past + lognormal(random, (2, n))
        past[random.random((2, n)) < 1 / 3] = np.nan
        arms = adjust(list(value), list(past))
        wrong += method.p_value(Contrast(*(SampleMoments.of(arm) for arm in arms))) <= 0.05
    yield "CUPED", f"A/A false positives, {n}:{n}", wrong / runs, runs


def peeking(random: Random) -> Iterator[Row]:
    """Measure 100 looks, from 50 listeners per arm to 5,000."""
    runs, step, looks = 1_000, 50, 100
    sizes = np.arange(1, looks + 1) * step
    for name, method in (
        ("(Welch)", FixedHorizonTest()),
        ("always-valid", ConfidenceSequence(2 * step * looks)),
    ):
        wrong = 0
        for _ in range(runs):
            batches = lognormal(random, (2, looks, step))
            total = batches.sum(axis=2).cumsum(axis=1)
            mean = total / sizes
            variance = ((batches**2).sum(axis=2).cumsum(axis=1) - total * mean) / (sizes - 1)
            wrong += any(
                method.p_value(Contrast(*(SampleMoments(int(n), mean[a, i], variance[a, i])
                                        for a in (0, 1)))) <= 0.05
                for i, n in enumerate(sizes)
            )  # fmt: skip
        yield name, f"A/A false positives in {looks} looks", wrong / runs, runs


def bootstraps(random: Random) -> Iterator[Row]:
    """Measure small arms, and the p99 of latency."""
    runs, truth = 2_000, 0.5
    for n in (30, 100):
        missed = fieller = 0
        for seed in range(runs):
            arms = lognormal(random, (n,)), lognormal(random, (n,), 3.0 * (1 + truth))
            found = bootstrap_t_lift(*arms, seed)
            missed += found is None or not found.low <= truth <= found.high
            contrast = Contrast(*map(SampleMoments.of, arms))
            lift = contrast.lift_ci(FixedHorizonTest().critical(contrast, 0.05))
            fieller += lift is None or not lift.low <= truth <= lift.high
        yield "bootstrap-t", f"interval misses, {n} listeners an arm", missed / runs, runs
        yield "Fieller", f"interval misses, {n} listeners an arm", fieller / runs, runs
    runs, count, each = 500, 300, 20
    whose, wrong = np.repeat(np.arange(count), each), 0
    for seed in range(runs):
        drawn = []
        for arm in (0, 1):
            speed = random.lognormal(0, 0.5, count)
            values = speed[whose] * random.lognormal(0, 0.5, count * each)
            drawn.append(quantile_interval(whose, values, 0.99, 2 * seed + arm))
        assert drawn[0] is not None
        assert drawn[1] is not None
        lift = lift_of_replicates(drawn[0], drawn[1])
        wrong += lift is not None and lift.excludes_zero
    yield (
        "p99, bootstrap over listeners",
        f"A/A false positives, {count}:{count}",
        wrong / runs,
        runs,
    )


def split_by_salts(path: str) -> Iterator[Row]:
    """Measure A/A on a real log: salts split its listeners into arms."""
    from events.reader import open_log

    method = FixedHorizonTest()
    with open_log([path]) as log:
        for experiment in log.experiments():
            rows = log.query(
                'SELECT "user", mean_time_all, time_all, sessions FROM listeners '
                'WHERE experiment = ? AND mean_time_all IS NOT NULL ORDER BY "user"',
                [experiment],
            )
            users = [row[0] for row in rows]
            mean, total, count = np.array([row[1:] for row in rows], dtype=np.float64).T
            p_values = np.empty((SALTS, 2))
            for salt in range(SALTS):
                first = np.fromiter(
                    (slot(user, f"again-{salt}") < 5_000 for user in users), bool, len(users)
                )
                arms = [SampleMoments.of(mean[first]), SampleMoments.of(mean[~first])]
                totals = [SampleMoments.of_ratio(total[s], count[s]) for s in (first, ~first)]
                p_values[salt] = [
                    method.p_value(Contrast(*arms)),
                    method.p_value(Contrast(*totals)),
                ]
            what = f"{experiment}: false positives, new salts"
            for name, column in zip(("mean of session means", "ratio of totals"), p_values.T,
                                    strict=True):  # fmt: skip
                even = stats.kstest(column, "uniform").pvalue
                yield f"{name} (KS p {even:.2f})", what, float((column <= 0.05).mean()), SALTS


def _samples(values: Values) -> list[SampleMoments]:
    moments = zip(values.mean(axis=1).tolist(), values.var(axis=1, ddof=1).tolist(), strict=True)
    return [SampleMoments(values.shape[1], mean, variance) for mean, variance in moments]


MEASURES: tuple[Callable[[Random], Iterator[Row]], ...] = (
    welch, sessions, cuped, peeking, bootstraps, report_rule,
)  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1:])
