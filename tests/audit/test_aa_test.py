"""A/A over many salts: the p-values are uniform if the test is right, and an alarm if it is not."""

from pathlib import Path

import numpy as np
import pytest

from analysis.statistics.contrast import Contrast
from analysis.statistics.inference import FixedHorizonTest
from audit import aa_test
from events.reader import open_log
from tests.logs import Plan, listening, write_ours

LISTENERS = {f"{user}": float(value) for user, value in enumerate(
    np.random.default_rng(7).lognormal(1.0, 0.8, 400)
)}  # fmt: skip


def test_the_p_values_of_nothing_are_uniform() -> None:
    splits = aa_test.run_aa_test(LISTENERS, "demo", salts=300)

    assert splits.sound
    assert splits.listeners == 400
    assert 0.02 < splits.rejected < 0.08
    assert splits == aa_test.run_aa_test(LISTENERS, "demo", salts=300)


def test_a_different_experiment_gets_a_different_split() -> None:
    one = aa_test.run_aa_test(LISTENERS, "demo", salts=20)

    assert one.p_values != aa_test.run_aa_test(LISTENERS, "other", salts=20).p_values


def test_a_test_with_too_small_p_values_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that counts each of nine sessions as a listener has a third of the true error."""

    class TooSure:
        def p_value(self, contrast: Contrast) -> float:
            real = FixedHorizonTest().p_value(contrast)
            from scipy import special

            return float(2 * special.ndtr(3 * special.ndtri(real / 2)))

    monkeypatch.setattr(aa_test, "FixedHorizonTest", TooSure)

    splits = aa_test.run_aa_test(LISTENERS, "demo", salts=100)

    assert not splits.sound
    assert splits.rejected > 0.3


def test_listeners_with_equal_values_are_no_error() -> None:
    splits = aa_test.run_aa_test({str(user): 1.0 for user in range(50)}, "demo", salts=60)

    assert not splits.sound  # no value varies, so the A/A test shows nothing


def test_the_compared_value_is_the_mean_time_of_a_session(tmp_path: Path) -> None:
    events = listening(Plan(listeners=5))
    write_ours(tmp_path, events)

    with open_log([tmp_path]) as log:
        found = aa_test.mean_session_times(log)

    user = str(events[0]["user"])
    mine = [event for event in events if str(event["user"]) == user]
    sessions: dict[str, float] = {}
    for event in mine:
        sessions[event["session"]] = sessions.get(event["session"], 0.0) + (event["time"] or 0.0)
    assert found[user] == pytest.approx(sum(sessions.values()) / len(sessions))
