"""A past log as what an experiment will meet, and salts that split it evenly."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.effects.metrics import STANDARD, Metric
from analysis.planning.pilot_data import DAY_MS, PilotData, read_pilot_data
from analysis.planning.salts import compare_salts, entering_share
from analysis.statistics.sample_moments import SampleMoments
from core.allocation import Allocation, Arm, Experiment
from core.errors import InputError
from events.reader import open_log
from tests.logs import Plan, listening, write_ours

METRICS = {metric.name: metric for metric in STANDARD}
TWO = Experiment("next", (Arm("C", 50), Arm("T1", 50)), salt="next")


def past(listeners: int = 400, seed: int = 5) -> PilotData:
    random = np.random.default_rng(seed)
    values = random.gamma(2, 2, listeners)
    first_ms = np.sort(random.integers(0, 10 * DAY_MS, listeners))
    users = [str(1000 + user) for user in range(listeners)]
    return PilotData(
        users, {"time": values}, {"time": SampleMoments.of(values)}, first_ms, 10 * DAY_MS
    )


def test_pilot_listeners_have_the_values_of_the_report(tmp_path: Path) -> None:
    write_ours(tmp_path, listening(Plan(listeners=80, sessions=3)))
    wanted = [METRICS["session_time"], METRICS["sessions"], METRICS["skips"]]
    with open_log([tmp_path]) as log:
        found = read_pilot_data(log, wanted, "session_time")
        rows = log.query(
            "SELECT mean_time_all, sessions, skips, listens_chosen FROM listeners "
            "WHERE experiment = 'fallback' ORDER BY \"user\""
        )
    times, sessions, skips, listens = np.array(rows, dtype=np.float64).T
    assert found.values["session_time"] == pytest.approx(times)
    assert found.values["sessions"] == pytest.approx(sessions)
    ratio = SampleMoments.of_ratio(skips, listens)
    assert found.samples["skips"].mean == pytest.approx(ratio.mean)
    assert found.samples["skips"].variance == pytest.approx(ratio.variance)
    assert found.values["skips"].mean() == pytest.approx(ratio.mean)
    assert found.values["skips"].var(ddof=1) == pytest.approx(ratio.variance)


def test_a_metric_that_is_no_sql_is_refused(tmp_path: Path) -> None:
    write_ours(tmp_path, listening(Plan(listeners=10)))
    with open_log([tmp_path]) as log, pytest.raises(InputError, match=r"--metric odd: must be SQL"):
        read_pilot_data(log, [Metric("odd", "odd", "nonsense")], "odd")


def test_a_metric_that_is_equal_for_all_is_refused(tmp_path: Path) -> None:
    write_ours(tmp_path, listening(Plan(listeners=10)))
    with open_log([tmp_path]) as log, pytest.raises(InputError, match=r"--metric one: must differ"):
        read_pilot_data(log, [Metric("one", "one", "1")], "one")


def test_a_metric_that_nobody_has_is_left_out(tmp_path: Path) -> None:
    nobody = Metric("mine", "mine", "skips", per="nullif(sessions, sessions)")
    write_ours(tmp_path, listening(Plan(listeners=10)))
    with open_log([tmp_path]) as log:
        found = read_pilot_data(log, [METRICS["tracks"], nobody], "tracks")

    assert set(found.samples) == set(found.values) == {"tracks"}


def test_the_duration_follows_the_arrivals_of_the_log() -> None:
    known = past()
    days, beyond = known.days_until(100, share=0.5)
    assert not beyond
    assert days == pytest.approx((known.first_ms[199] - known.first_ms[0]) / DAY_MS)


def test_after_the_log_listeners_come_at_the_rate_of_its_second_half() -> None:
    days, beyond = past(listeners=1000).days_until(2000, share=1.0)
    assert beyond
    assert days == pytest.approx(20, rel=0.1)


def test_without_new_listeners_the_duration_is_infinite() -> None:
    known = replace(past(), end_ms=1000 * DAY_MS)
    assert known.days_until(500, share=1.0) == (float("inf"), True)


def test_the_chosen_salt_splits_more_evenly_than_the_rest() -> None:
    known = past()
    found = compare_salts(TWO, known, [f"next-{number}" for number in range(40)])
    assert [split.unevenness for split in found] == sorted(split.unevenness for split in found)
    assert found[0].unevenness < 0.2 < found[20].unevenness
    # About one in twenty is uneven beyond two standard errors.
    assert 0 <= sum(split.unevenness > 1.96 for split in found) <= 6


def test_a_split_counts_the_listeners_of_the_salt() -> None:
    known = past()
    (split,) = compare_salts(TWO, known, ["a"])
    allocation = Allocation([replace(TWO, salt="a")])
    arms = np.array([allocation.assign(user).arms["next"] for user in known.users])
    values = known.values["time"]
    control, treated = values[arms == "C"], values[arms == "T1"]
    assert split.listeners == {"C": len(control), "T1": len(treated)}
    apart = treated.mean() / control.mean() - 1
    assert split.differences == {"time": {"T1": pytest.approx(apart)}}
    error = (control.var(ddof=1) / len(control) + treated.var(ddof=1) / len(treated)) ** 0.5
    assert split.unevenness == pytest.approx(abs(apart * control.mean()) / error)


def test_arms_without_past_listeners_are_refused() -> None:
    tiny = replace(TWO, arms=(Arm("C", 9999), Arm("T1", 1)))
    with pytest.raises(InputError, match=r"each arm must have 2 past listeners"):
        compare_salts(tiny, past(listeners=20), ["a"])


def test_only_the_experiments_part_of_the_listeners_enters() -> None:
    part = replace(TWO, slots=(0, 5000), traffic=0.5)
    assert entering_share(part, holdout=0.1) == pytest.approx(0.225)
