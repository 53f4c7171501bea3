"""Playing many sessions: nobody in two at once, nothing depends on how it is done."""

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
from tests.simulator.tiny import classic, nearest_by_sorting, some_world


class ByNumber(RandomTracks):
    """Plays at random, under two arms by listener."""

    def end(self, stage: SessionBatch, slots: Indices) -> list[Arm]:
        arms = [Arm.of({"e": "T" if odd else "C"}, "s") for odd in stage.listener[slots] % 2]
        return list(arms)


def model(seed: int = 4) -> BotifyListeners:
    return classic(some_world(), seed)


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
    return player.play(listeners.visits(0, count))


def rows_of(played: SessionTable) -> list[tuple[object, ...]]:
    columns = (played.number, played.listener, played.steps, played.time, played.truncated)
    named = [str(played.arms[arm]) for arm in played.arm]
    return list(zip(named, *(column.tolist() for column in columns), strict=True))


@pytest.mark.parametrize("name", ["random", "by-number", "popular", "best"])
@pytest.mark.parametrize("slots", [1, 7, 1000], ids=["one-slot", "few", "more-than-listeners"])
def test_the_number_of_slots_changes_nothing(name: str, slots: int) -> None:
    one, other = sessions(name), sessions(name, slots)
    assert rows_of(one.played) == rows_of(other.played)
    assert one.truth == other.truth
    assert len(one.played) == 300


def make_part(process: int) -> Shard:
    listeners = model()
    return Shard(listeners, InProcessRunner(listeners, ByNumber(), 16, keep_truth=True))


def test_the_number_of_processes_changes_nothing() -> None:
    told: Counter[str] = Counter()

    def play(crew: SingleProcess | ProcessPool) -> Outcome:
        try:
            days = [
                crew.play(
                    day,
                    150,
                    lambda count: told.update({"expected": count}),
                    lambda count: told.update({"advanced": count}),
                    lambda: False,
                )
                for day in range(2)
            ]
        finally:
            crew.close()
        return Outcome.of(days)

    alone, together = play(SingleProcess(make_part)), play(ProcessPool(make_part, 2))
    assert rows_of(alone.played) == rows_of(together.played)
    assert alone.truth == together.truth
    assert alone.played.day.tolist() == [0] * 150 + [1] * 150
    assert told == {"expected": 600, "advanced": 600}


@given(st.lists(st.integers(0, 5), max_size=60), st.integers(1, 8), st.randoms())
def test_a_listener_is_in_one_session_at_a_time_and_in_order(
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
        assert under_way, "somebody must always be able to go on"
        busy = [listeners[visit] for visit in under_way]
        assert len(set(busy)) == len(busy)
        over = under_way.pop(random.randrange(len(under_way)))  # type: ignore[attr-defined]
        finished.append(over)
        queue.done(listeners[over])
    assert sorted(finished) == list(range(len(listeners)))
    for listener in set(listeners):
        mine = [visit for visit in finished if listeners[visit] == listener]
        assert mine == sorted(mine)
    assert not queue.take(1)


@pytest.mark.parametrize("processes", [1, 2, 5])
def test_every_visit_is_dealt_to_one_process_and_listeners_are_not_split(processes: int) -> None:
    visits = model().visits(0, 200)
    hands = [shard(visits, number, processes) for number in range(processes)]
    assert sorted(np.concatenate([hand.number for hand in hands]).tolist()) == list(range(200))
    owners = [set(hand.listener.tolist()) for hand in hands]
    assert sum(map(len, owners)) == len(set.union(*owners))


def test_stopping_keeps_what_was_played() -> None:
    listeners = model()
    asked = iter([False] * 8 + [True])
    player = InProcessRunner(listeners, RandomTracks(), 16)
    outcome = player.play(listeners.visits(0, 300), stopped=lambda: next(asked))
    whole = sessions()
    assert 0 < len(outcome.played) < 300
    assert outcome.unfinished == 300 - len(outcome.played)
    assert set(rows_of(outcome.played)) <= set(rows_of(whole.played))


def test_popular_plays_only_the_head_of_its_list() -> None:
    assert set(map(int, made("popular", 8).recommend(begun(8), np.arange(8)))) <= set(range(50, 60))


def begun(slots: int) -> SessionBatch:
    listeners = model()
    stage = SessionBatch(listeners, slots)
    stage.begin(np.arange(slots), listeners.visits(0, slots))
    return stage


def test_random_plays_everything_alike() -> None:
    stage = begun(6000)
    counts = np.bincount(RandomTracks().recommend(stage, np.arange(6000)), minlength=60)
    # sd of a count is sqrt(6000 * 1/60 * 59/60) = 10
    assert (abs(counts - 100) < 4 * 10).all()


def test_best_plays_what_will_be_heard_longest_of_all_tracks() -> None:
    """Against trying every track of the catalog at every step."""
    stage, slots = begun(20), np.arange(20)
    best = made("best", 20)
    best.begin(stage, slots)
    catalog = stage.listeners.world.catalog
    everything = np.tile(np.arange(60), (20, 1))
    fresh = stage.listeners.expected(stage.visits(slots), stage.taste, everything)
    for _ in range(30):
        chosen = best.recommend(stage, slots)
        for slot in slots:
            played, _ = stage.heard(slot)
            by = Counter(catalog.artist_of[played].tolist())
            worth = [
                0.0 if track in played else fresh[slot, track] * 0.8 ** by[catalog.artist_of[track]]
                for track in range(60)
            ]
            assert worth[chosen[slot]] == pytest.approx(max(worth), rel=1e-5)
        stage.hear(slots, chosen)


def test_the_floor_is_below_the_ceiling() -> None:
    times = {name: sessions(name).played.time.mean() for name in ("random", "best")}
    assert times["random"] * 2 < times["best"]


def test_errors_take_a_listener_as_one_observation() -> None:
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
    assert found.error == pytest.approx(math.sqrt(1.6875))
    assert math.isnan(played.rows(np.array([0])).mean(np.array([1.0])).error)
    assert math.isnan(played.rows(np.array([], dtype=int)).mean(np.array([])).mean)
