"""Explore: exact chances over a ranking."""

import pytest

from core.listener import Listener
from segue.testing.small_world import TOP, build, chances, list_of, small_artifacts
from strategies.base import Named

AFTER_0 = Listener.of("1", [(0, 1.0)])


def test_chances_follow_the_formula():
    made = build("explore", of="contextual", temperature=0.5, epsilon=0.1, k=2)
    soft = [(1 / (2 + rank)) ** 2 for rank in range(1, 7)]

    found = made.propose(AFTER_0)

    assert found.listed() == list_of(0)
    assert chances(found) == pytest.approx(
        {t: 0.9 * s / sum(soft) + 0.1 / 6 for t, s in zip(list_of(0), soft, strict=True)}
    )
    assert found.source == "contextual"


def test_a_temperature_of_1_draws_by_the_scores_of_the_strategy():
    artifacts = small_artifacts()
    first = build("session_lists", lists="contextual")
    scored = build("session_lists", lists="contextual", draw="score")
    artifacts.strategies["session"] = Named("session", first, scored, "first")

    found = build("explore", artifacts, of="session", temperature=1.0).propose(AFTER_0)

    assert chances(found) == pytest.approx(chances(scored.propose(AFTER_0)))


@pytest.mark.parametrize("temperature", [0.001, 1e-300])
def test_a_small_temperature_keeps_to_the_best_track_and_states_a_chance_for_all(temperature):
    found = build("explore", of="contextual", temperature=temperature).propose(AFTER_0)

    assert found.chances()[0] == pytest.approx(1.0)
    assert (found.chances() > 0).all()


def test_epsilon_1_is_uniform_over_the_first_tracks():
    found = build("explore", of="popular", epsilon=1.0, depth=4).propose(AFTER_0)
    assert chances(found) == pytest.approx(dict.fromkeys(TOP[:4], 0.25))


def test_it_abstains_with_the_strategy():
    assert build("explore", of="contextual").propose(Listener.of("1")) is None
