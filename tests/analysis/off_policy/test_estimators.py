"""Off-policy estimates: by hand, and against logs of which the truth is known."""

import re
from typing import Any

import numpy as np
import pytest

from analysis.off_policy.estimators import (
    FOLDS,
    Estimate,
    Evaluation,
    RewardModel,
    WeightedDecisions,
    encode,
    evaluate,
)
from core.errors import InputError

TRACKS = 6
LOGGED = np.array([0.4, 0.2, 0.2, 0.1, 0.05, 0.05])
TARGET = np.array([0.05, 0.05, 0.1, 0.2, 0.2, 0.4])
LIKED = np.array([0.2, 0.3, 0.5, 0.4, 0.7, 0.6])


def by_name(found: Evaluation) -> dict[str, Estimate]:
    return {estimate.name: estimate for estimate in found.estimates}


def bandit(
    listeners: int,
    turns: int,
    seed: int,
    logged: Any = LOGGED,
    target: Any = TARGET,
) -> WeightedDecisions:
    """Decisions of listeners who differ in how long they listen to anything; LIKED on average."""
    random = np.random.default_rng(seed)
    mood = random.normal(0, 0.15, listeners)
    count = 1 + random.integers(turns, size=listeners)
    who = np.repeat(np.arange(listeners), count)
    tracks = random.choice(TRACKS, size=len(who), p=logged)
    rewards = LIKED[tracks] + mood[who] + random.normal(0, 0.1, len(who))
    model = RewardModel(tracks, rewards, who, TRACKS)
    values = np.array([model.predict_all(int(each)) @ target for each in who])
    return WeightedDecisions(
        who, rewards, logged[tracks], target[tracks], model.predict(tracks, who), values
    )


def test_the_formulae_by_hand() -> None:
    found = by_name(
        evaluate(
            WeightedDecisions(
                listeners=np.array([0, 0, 1]),
                rewards=np.array([1.0, 0.5, 0.2]),
                logged_propensity=np.array([0.5, 0.25, 0.5]),
                target_propensity=np.array([0.25, 0.5, 0.0]),
                q_hat=np.array([0.6, 0.6, 0.6]),
                v_hat=np.array([0.5, 0.7, 0.3]),
            )
        )
    )
    # weights 0.5, 2, 0
    assert found["logged"].mean == pytest.approx(1.7 / 3)
    assert found["IPS"].mean == pytest.approx((0.5 * 1 + 2 * 0.5) / 3)
    assert found["SNIPS"].mean == pytest.approx((0.5 * 1 + 2 * 0.5) / 2.5)
    assert found["DR"].mean == pytest.approx((0.5 + 0.5 * 0.4 + 0.7 + 2 * -0.1 + 0.3) / 3)
    assert found["IPS"].difference == pytest.approx(0.5 - 1.7 / 3)


def test_diagnostics_by_hand() -> None:
    found = evaluate(
        WeightedDecisions(
            np.array([0, 1, 2]),
            np.ones(3),
            np.array([0.5, 0.5, 0.5]),
            np.array([1.0, 0.5, 0.0]),
            np.zeros(3),
            np.zeros(3),
        )
    )
    assert (found.decisions, found.listeners) == (3, 3)
    assert found.effective == pytest.approx(3**2 / 5)
    assert found.overlap == pytest.approx(1)
    assert found.never == pytest.approx(1 / 3)
    assert found.largest == 2


def test_the_strategy_that_served_has_the_logged_mean() -> None:
    found = by_name(evaluate(bandit(200, 5, seed=1, target=LOGGED)))
    for name in ("IPS", "SNIPS"):
        assert found[name].mean == found["logged"].mean
        assert found[name].difference == 0
    assert found["DR"].mean == pytest.approx(found["logged"].mean, abs=0.01)


def test_the_intervals_have_their_nominal_coverage() -> None:
    rounds = 200
    truth = float(LIKED @ TARGET)
    apart = truth - float(LIKED @ LOGGED)
    covered = dict.fromkeys(("IPS", "SNIPS", "DR"), 0)
    differences = dict.fromkeys(covered, 0)
    for seed in range(rounds):
        found = by_name(evaluate(bandit(400, 5, seed)))
        for name in covered:
            each = found[name]
            covered[name] += each.low <= truth <= each.high
            differences[name] += each.difference_low <= apart <= each.difference_high
    # Three standard errors of a share of 0.95 seen 200 times.
    error = 3 * (0.95 * 0.05 / rounds) ** 0.5
    for name, count in {**covered, **{f"{k} apart": v for k, v in differences.items()}}.items():
        assert count / rounds == pytest.approx(0.95, abs=error), name


def test_an_interval_by_decision_would_be_too_narrow() -> None:
    together = bandit(150, 20, seed=4)
    alone = WeightedDecisions(
        np.arange(len(together.rewards)),
        together.rewards,
        together.logged_propensity,
        together.target_propensity,
        together.q_hat,
        together.v_hat,
    )
    by_listener, by_decision = (by_name(evaluate(each))["DR"] for each in (together, alone))
    assert by_decision.mean == pytest.approx(by_listener.mean)
    assert by_listener.high - by_listener.low > 1.2 * (by_decision.high - by_decision.low)


def test_the_model_narrows_the_interval() -> None:
    found = by_name(evaluate(bandit(2000, 3, seed=2)))
    width = {name: each.high - each.low for name, each in found.items()}
    assert width["DR"] < width["SNIPS"] < width["IPS"]


@pytest.mark.parametrize(
    ("made", "warning"),
    [
        (lambda: bandit(50, 3, seed=1), r"Only 50 listeners"),
        (lambda: bandit(50, 3, seed=1), r"decisions are as precise as \d+ of the strategy's own"),
        (
            lambda: bandit(900, 4, 1, np.array([0.5, 0.5, 0, 0, 0, 0]), np.full(6, 1 / 6)),
            r"never play about 6\d% of what this strategy",
        ),
        (
            lambda: bandit(
                900, 4, 1, np.array([1.0, 0, 0, 0, 0, 0]), np.array([0, 0, 0, 0, 0, 1.0])
            ),
            r"the log cannot tell",
        ),
        (lambda: bandit(900, 4, 1, target=LOGGED * 1.2), r"mean weight is 1\.200, above 1"),
    ],
    ids=["few-listeners", "few-effective", "no-overlap", "none-at-all", "wrong-chances"],
)  # fmt: skip
def test_an_evaluation_warns_of_what_makes_it_doubtful(made: Any, warning: str) -> None:
    warnings = evaluate(made()).warnings
    assert any(re.search(warning, each) for each in warnings), warnings


def test_one_heavy_listener_is_named() -> None:
    decisions = bandit(300, 2, seed=1, target=LOGGED)
    target = decisions.target_propensity.copy()
    target[decisions.listeners == 7] *= 400
    heavy = WeightedDecisions(
        decisions.listeners,
        decisions.rewards,
        decisions.logged_propensity,
        target,
        decisions.q_hat,
        decisions.v_hat,
    )
    assert any("One listener carries" in warning for warning in evaluate(heavy).warnings)


def test_a_sound_log_gives_no_warning() -> None:
    assert evaluate(bandit(2000, 4, seed=3)).warnings == ()


def test_the_model_is_the_smoothed_mean_of_other_listeners() -> None:
    tracks = np.array([0, 0, 1, 0])
    listeners = np.array([0, 1, 2, 3])
    rewards = np.array([1.0, 0.5, 0.2, 0.0])
    model = RewardModel(tracks, rewards, listeners, size=3, smoothing=2)
    others = (0.5 + 0.2 + 0.0) / 3
    assert model.predict_all(0).tolist() == pytest.approx(
        [(0.5 + 0.0 + 2 * others) / 4, (0.2 + 2 * others) / 3, others]
    )
    assert model.predict(np.array([2, -1]), np.array([0, 0])).tolist() == pytest.approx(
        [others] * 2
    )


def test_the_model_of_a_listener_is_fitted_on_other_listeners_only() -> None:
    tracks = np.zeros(10, dtype=np.int64)
    listeners = np.arange(10)
    rewards = np.linspace(0, 1, 10)
    before = RewardModel(tracks, rewards, listeners, size=1).predict_all(3)
    changed = rewards.copy()
    changed[listeners % FOLDS == 3] = 99
    assert (
        RewardModel(tracks, changed, listeners, size=1).predict_all(3).tolist() == before.tolist()
    )


def test_listeners_are_encoded_in_the_order_of_their_names() -> None:
    assert encode(["b", "a", "b", "10", "9"]).tolist() == [3, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"listeners": np.zeros(3, dtype=np.int64)},
            r"decisions of two listeners or more, has fewer",
        ),
        (
            {"logged_propensity": np.array([0.5, 0.0, 0.5])},
            r"propensities must be in \(0, 1\], 1 are not",
        ),
        ({"logged_propensity": np.array([0.5, np.nan, 1.5])}, r"\(0, 1\], 2 are not"),
    ],
    ids=["one-listener", "no-chance", "no-number"],
)
def test_decisions_that_cannot_be_weighted_are_refused(
    change: dict[str, Any], message: str
) -> None:
    given = {
        "listeners": np.array([0, 1, 2]),
        **dict.fromkeys(
            ("rewards", "logged_propensity", "target_propensity", "q_hat", "v_hat"), np.full(3, 0.5)
        ),
    }
    with pytest.raises(InputError, match=message):
        evaluate(WeightedDecisions(**(given | change)))
