"""Paired sessions: the same random numbers on both sides, so less noise in the difference."""

import math

import numpy as np
import pytest

from simulator.play.in_process_runner import InProcessRunner
from simulator.play.paired_comparison import compare
from simulator.play.session_table import Arm, SessionTable
from simulator.recommenders.baselines import PopularTracks, RandomTracks
from simulator.recommenders.oracle import Oracle
from tests.simulator.tiny import botify, nearest_by_sorting, some_world


def played(time: list[float], number: list[int], listener: list[int]) -> SessionTable:
    count = len(time)
    return SessionTable(
        number=np.array(number),
        listener=np.array(listener),
        day=np.zeros(count, dtype=np.int64),
        arm=np.zeros(count, dtype=np.int64),
        steps=np.array([5] * count),
        time=np.array(time),
        truncated=np.zeros(count, dtype=bool),
        arms=[Arm("", "s")],
    )


def test_a_difference_by_hand() -> None:
    one = played([1.0, 3.0, 8.0], [0, 1, 2], [4, 5, 6])
    two = played([2.0, 4.0, 12.0, 9.0], [0, 1, 2, 3], [4, 5, 6, 4])
    found = compare(one, two)
    assert found.pairs == 3
    # differences 1, 1, 4: mean 2, residuals -1 -1 2, error ** 2 = 3/2 * 6 / 9 = 1
    assert found.time.paired.mean == 2.0
    assert found.time.paired.standard_error == pytest.approx(1.0)
    assert found.time.confidence_interval == pytest.approx((2 - 1.96, 2 + 1.96), abs=1e-4)
    # first: mean 4, residuals -3 -1 4, 3/2 * 26 / 9 = 13/3; second: mean 6, -4 -2 6, 3/2 * 56/9
    assert found.time.variance_ratio == pytest.approx(13 / 3 + 28 / 3)


def test_an_arm_does_not_differ_from_itself() -> None:
    listeners = botify(some_world(), 8)
    sessions = listeners.plan_day(0, 400)
    one, two = (
        InProcessRunner(listeners, RandomTracks(), slots).play(sessions).sessions
        for slots in (9, 60)
    )
    found = compare(one, two)
    assert (found.time.paired.mean, found.time.paired.standard_error) == (0.0, 0.0)
    assert found.time.confidence_interval == (0.0, 0.0)
    assert math.isinf(found.time.variance_ratio)


def test_both_sides_start_the_same_sessions_and_pairing_finds_the_difference() -> None:
    world = some_world()
    listeners = botify(world, 8)
    sessions = listeners.plan_day(0, 1500)
    top = np.arange(60)
    sides = [
        InProcessRunner(listeners, policy, 100, keep_truth=True).play(sessions)
        for policy in (
            PopularTracks(top, 30),
            PopularTracks(top, 40),
            Oracle(nearest_by_sorting(world, 60), 100),
        )
    ]
    firsts = [
        [line.split(b'"tracks":[')[1].split(b",")[0] for line in side.truth.values()]
        for side in sides
    ]
    assert sorted(firsts[0]) == sorted(firsts[1]) == sorted(firsts[2])
    alike = compare(sides[0].sessions, sides[1].sessions)
    assert alike.time.variance_ratio > 1.2
    apart = compare(sides[0].sessions, sides[2].sessions)
    assert apart.time.confidence_interval[0] > 0


def test_no_sessions_give_no_difference() -> None:
    empty = played([], [], []).rows(np.array([], dtype=int))
    assert compare(empty, empty).pairs == 0
    assert math.isnan(compare(empty, empty).time.variance_ratio)
