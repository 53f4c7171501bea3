"""Playing many sessions: one per listener at a time, with results that depend on no setting."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.listeners.botify import BotifyListeners
from simulator.listeners.model import SessionPlan
from simulator.play.in_process_runner import InProcessRunner, Recommender, SessionQueue
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm, SessionTable
from simulator.play.workers import Outcome, ProcessPool, Shard, SingleProcess, shard
from simulator.random_keys import Indices
from simulator.recommenders.baselines import PopularTracks, RandomTracks
from simulator.recommenders.oracle import Oracle
from tests.simulator.tiny import botify, nearest_by_sorting, some_world


class ByNumber(RandomTracks):
    """Plays at random, under two arms by listener."""

    def end(self, batch: SessionBatch, slots: Indices) -> list[Arm]:
        arms = [Arm.of({"e": "T" if odd else "C"}, "s") for odd in batch.listener[slots] % 2]
        return list(arms)


def model(seed: int = 4) -> BotifyListeners:
    return botify(some_world(), seed)


def made(name: str, slots: int) -> Recommender:
    world = some_world()
    return {
        "random": RandomTracks(),
        "by-number": ByNumber(),
        "popular": PopularTracks(np.arange(60)[::-1].copy(), 10),
        "best": Oracle(nearest_by_sorting(world, 60), slots),
    }[name]


def sessions(name: str = "random", slots: int = 32, count: int = 300) -> Outcome:
    listeners = model()
    player = InProcessRunner(listeners, made(name, slots), slots, keep_truth=True)
    return player.play(listeners.plan_day(0, count))


def rows_of(played: SessionTable) -> list[tuple[object, ...]]:
    columns = (played.number, played.listener, played.steps, played.time, played.truncated)
    named = [str(played.arms[arm]) for arm in played.arm]
    return list(zip(named, *(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("name", ["random", "by-number", "popular", "best"])
@pytest.mark.parametrize("slots", [1, 7, 1000], ids=["one-slot", "few", "more-than-listeners"])
def test_the_number_of_slots_changes_nothing(name: str, slots: int) -> None:
    one, other = sessions(name), sessions(name, slots)
    assert rows_of(one.sessions) == rows_of(other.sessions)
    assert one.truth == other.truth
    assert len(one.sessions) == 300


def make_shard_of(process: int) -> Shard:
    listeners = model()
    return Shard(listeners, InProcessRunner(listeners, ByNumber(), 16, keep_truth=True))


def test_the_number_of_processes_changes_nothing() -> None:
    counts: Counter[str] = Counter()

    def play(pool: SingleProcess | ProcessPool) -> Outcome:
        try:
            days = [
                pool.play(
                    day,
                    150,
                    lambda count: counts.update({"planned": count}),
                    lambda count: counts.update({"advanced": count}),
                    lambda: False,
                )
                for day in range(2)
            ]
        finally:
            pool.close()
        return Outcome.merge(days)

    alone, together = play(SingleProcess(make_shard_of)), play(ProcessPool(make_shard_of, 2))
    assert rows_of(alone.sessions) == rows_of(together.sessions)
    assert alone.truth == together.truth
    assert alone.sessions.day.tolist() == [0] * 150 + [1] * 150
    assert counts == {"planned": 600, "advanced": 600}


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 8), st.randoms())
def test_a_listener_plays_one_session_at_a_time_and_in_order(
    listeners: list[int], slots: int, random: object
) -> None:
    none = np.zeros(len(listeners), dtype=np.int64)
    queue = SessionQueue(
        SessionPlan(np.array(listeners, dtype=np.int64), np.arange(len(listeners)), none)
    )
    under_way: list[int] = []
    finished: list[int] = []
    while len(finished) < len(listeners):
        under_way += queue.take(slots - len(under_way))
        assert under_way, "some session can always go on"
        busy = [listeners[position] for position in under_way]
        assert len(set(busy)) == len(busy)
        over = under_way.pop(random.randrange(len(under_way)))  # type: ignore[attr-defined]
        finished.append(over)
        queue.release(listeners[over])
    assert sorted(finished) == list(range(len(listeners)))
    for listener in set(listeners):
        mine = [position for position in finished if listeners[position] == listener]
        assert mine == sorted(mine)
    assert not queue.take(1)


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_a_shard_has_all_sessions_of_its_listeners(processes: int) -> None:
    sessions = model().plan_day(0, 200)
    hands = [shard(sessions, number, processes) for number in range(processes)]
    assert sorted(np.concatenate([hand.number for hand in hands]).tolist()) == list(range(200))
    owners = [set(hand.listener.tolist()) for hand in hands]
    assert sum(map(len, owners)) == len(set.union(*owners))


def test_stopping_keeps_the_sessions_played() -> None:
    listeners = model()
    asked = iter([False] * 8 + [True])
    player = InProcessRunner(listeners, RandomTracks(), 16)
    outcome = player.play(listeners.plan_day(0, 300), should_stop=lambda: next(asked))
    whole = sessions()
    assert 0 < len(outcome.sessions) < 300
    assert outcome.unfinished == 300 - len(outcome.sessions)
    assert set(rows_of(outcome.sessions)) <= set(rows_of(whole.sessions))


def test_popular_plays_only_the_head_of_its_list() -> None:
    assert set(map(int, made("popular", 8).recommend(begin(8), np.arange(8)))) <= set(range(50, 60))


def begin(slots: int) -> SessionBatch:
    listeners = model()
    batch = SessionBatch(listeners, slots)
    batch.begin(np.arange(slots), listeners.plan_day(0, slots))
    return batch


def test_random_plays_all_tracks_equally() -> None:
    batch = begin(6000)
    counts = np.bincount(RandomTracks().recommend(batch, np.arange(6000)), minlength=60)
    # sd of a count is sqrt(6000 * 1/60 * 59/60) = 10
    assert (abs(counts - 100) < 4 * 10).all()


def test_the_oracle_plays_the_track_that_is_heard_longest() -> None:
    """Against trying every track of the catalog at every step."""
    batch, slots = begin(20), np.arange(20)
    best = made("best", 20)
    best.begin(batch, slots)
    catalog = batch.listeners.world.catalog
    everything = np.tile(np.arange(60), (20, 1))
    fresh = batch.listeners.expected_time(batch.sessions(slots), batch.taste, everything)
    for _ in range(30):
        chosen = best.recommend(batch, slots)
        for slot in slots:
            played, _ = batch.listens(slot)
            by = Counter(catalog.artist_of[played].tolist())
            worth = [
                0.0 if track in played else fresh[slot, track] * 0.8 ** by[catalog.artist_of[track]]
                for track in range(60)
            ]
            assert worth[chosen[slot]] == pytest.approx(max(worth), rel=1e-5)
        batch.listen(slots, chosen)


def test_random_earns_less_than_popular_and_popular_less_than_the_oracle() -> None:
    times = {name: sessions(name).sessions.time.mean() for name in ("random", "best")}
    assert times["random"] * 2 < times["best"]


def test_standard_errors_are_clustered_by_listener() -> None:
    """By hand: listeners with 2, 1 and 1 sessions."""
    played = SessionTable(
        number=np.arange(4),
        listener=np.array([0, 0, 1, 2]),
        day=np.zeros(4, dtype=np.int64),
        arm=np.zeros(4, dtype=np.int64),
        steps=np.array([5, 6, 7, 10]),
        time=np.array([0.0, 1.0, 2.0, 5.0]),
        truncated=np.zeros(4, dtype=bool),
        arms=[Arm("", "s")],
    )
    found = played.mean(played.time)
    assert found.mean == 2.0
    # residuals -2 -1, 0, 3; by listener -3, 0, 3; 3/2 * (9 + 0 + 9) / 4 ** 2 = 1.6875
    assert found.standard_error == pytest.approx(math.sqrt(1.6875))
    assert math.isnan(played.rows(np.array([0])).mean(np.array([1.0])).standard_error)
    assert math.isnan(played.rows(np.array([], dtype=int)).mean(np.array([])).mean)
