"""Warm starts: a fit that goes on from an earlier one, over a log that has grown."""

from dataclasses import replace

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from tests import needs
from tests.training.listening import USERS, listening
from training.interactions import Interactions
from training.model import FitRun, FittedModel, build


def fit(spec: str, log: Interactions, before: FittedModel | None = None, **settings: object):  # type: ignore[no-untyped-def]
    start = None if before is None else before.state
    return build(spec, settings)[0].fit(log, FitRun(log, threads=1, start=start))


@needs.package("implicit")
def test_factors_go_on_where_they_ended() -> None:
    log = listening(900)
    half = log.where(log.user < USERS // 2)
    earlier = replace(half, users=log.users[: USERS // 2])  # the second half of them is new
    whole = fit("factors", log, factors=8).rankers["user"](np.arange(USERS), 10)
    warm = fit("factors", log, fit("factors", earlier, factors=8), factors=8)
    few = fit("factors", log, factors=8, iterations=1).rankers["user"](np.arange(USERS), 10)
    assert warm.facts == {"iterations": 3, "warm": True}
    found = warm.rankers["user"](np.arange(USERS), 10)
    assert common(found, whole) > 0.9
    assert common(found, whole) > common(few, whole)


def common(one: np.ndarray, other: np.ndarray) -> float:
    """Give the share of tracks that are in both lists of a listener."""
    pairs = zip(one.tolist(), other.tolist(), strict=True)
    return float(np.mean([len(set(a) & set(b)) / len(a) for a, b in pairs]))


@pytest.mark.parametrize("spec", ["popular", "neighbours", "ease", "interests"])
def test_models_that_gain_nothing_leave_no_start(spec: str) -> None:
    assert fit(spec, listening(60)).state is None
