"""Every draw depends on its listener, session, step and purpose only."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rng import extend_keys, integers, keys, to_integers, to_uniforms, uniforms
from simulator.play.session_batch import SessionBatch
from simulator.random_keys import Purpose, draw_at_step, draw_listeners, draw_once, session_keys
from tests.simulator.tiny import botify, some_world

SEEDS = st.integers(0, 2**64 - 1)
GOLDEN_LISTENERS = [885, 5910, 283, 663, 5751, 2530]
GOLDEN_INTEREST = 0
GOLDEN_FIRST = 5
GOLDEN_LUCK = 0.4295439244706847


@given(SEEDS, st.lists(st.integers(0, 2**40), min_size=1, max_size=4), st.integers(0, 99))
def test_a_key_can_be_continued(seed: int, coordinates: list[int], last: int) -> None:
    assert keys(seed, *coordinates, last) == extend_keys(keys(seed, *coordinates), last)
    assert uniforms(seed, *coordinates, last) == to_uniforms(keys(seed, *coordinates, last))
    assert integers(7, seed, last) == to_integers(7, keys(seed, last))


@given(SEEDS, st.permutations(range(20)))
def test_a_draw_does_not_depend_on_the_batch(seed: int, order: list[int]) -> None:
    listeners, numbers = np.arange(20) % 7, np.arange(20)
    whole = draw_at_step(session_keys(seed, listeners, numbers), Purpose.LUCK, numbers)
    mixed = np.array(order)
    alone = session_keys(seed, listeners[mixed], numbers[mixed])
    assert (draw_at_step(alone, Purpose.LUCK, numbers[mixed]) == whole[mixed]).all()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"seed": 1}, id="seed"),
        pytest.param({"listener": 1}, id="listener"),
        pytest.param({"number": 1}, id="session"),
        pytest.param({"purpose": Purpose.POLICY}, id="purpose"),
        pytest.param({"step": 1}, id="step"),
    ],
)
def test_a_draw_changes_with_each_coordinate(change: dict[str, int]) -> None:
    def drawn(seed: int = 0, listener: int = 0, number: int = 0, step: int = 0, **other: int):
        key = session_keys(seed, np.array([listener]), np.array([number]))
        return draw_at_step(key, other.get("purpose", Purpose.LUCK), np.array([step]))[0]

    assert drawn(**change) != drawn()


def test_a_seed_keeps_its_numbers() -> None:
    """Golden: a change here changes every published simulation."""
    assert draw_listeners(31337, np.arange(6), 10_000).tolist() == GOLDEN_LISTENERS
    key = session_keys(31337, np.array([42]), np.array([7]))
    assert draw_once(3, key, Purpose.INTEREST).tolist() == [GOLDEN_INTEREST]
    assert draw_once(10, key, Purpose.FIRST).tolist() == [GOLDEN_FIRST]
    assert draw_at_step(key, Purpose.LUCK, np.array([1])).tolist() == [GOLDEN_LUCK]


def test_draws_are_uniform_over_sessions() -> None:
    key = session_keys(3, np.zeros(20_000, dtype=np.int64), np.arange(20_000))
    luck = draw_at_step(key, Purpose.LUCK, np.ones(20_000, dtype=np.int64))
    counts = np.histogram(luck, bins=20, range=(0, 1))[0]
    # chi-squared with 19 degrees of freedom: 43.8 is its 99.9th percentile
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8


def test_a_session_does_not_depend_on_the_sessions_beside_it() -> None:
    """Played one at a time, backwards, and all at once."""
    model = botify(some_world(), seed=9)
    sessions = model.plan_day(0, 40)
    order = np.arange(40)

    def alone(index: int) -> tuple[float, ...]:
        batch = SessionBatch(model, 1)
        batch.begin(np.array([0]), sessions.rows(np.array([index])))
        first = [float(batch.track[0])]
        return tuple(
            first + [batch.listen(np.array([0]), np.array([t])).time[0] for t in (3, 40, 3)]
        )

    together = SessionBatch(model, 40)
    together.begin(order, sessions)
    columns = [together.track.astype(float)]
    columns += [together.listen(order, np.full(40, t)).time for t in (3, 40, 3)]
    played = [tuple(row) for row in np.array(columns).T.tolist()]
    assert [alone(index) for index in reversed(range(40))] == played[::-1]
