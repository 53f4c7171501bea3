"""The lifelong listener: botify's without effects, and each effect by itself."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

from simulator.listeners.botify import BotifyListeners
from simulator.listeners.drift import HypedTracks, SkipPoints
from simulator.listeners.fatigue import RecentPlays
from simulator.listeners.lifelong import LifelongListeners, make_listeners
from simulator.listeners.model import ListenBatch, ListenerModel, SessionPlan
from simulator.listeners.settings import EFFECTS, Fatigue, Hype, ListenerSettings
from simulator.play.in_process_runner import SLOTS, InProcessRunner
from simulator.play.session_table import SessionTable
from simulator.play.workers import shard
from simulator.random_keys import session_keys
from simulator.recommenders.baselines import RandomTracks
from simulator.recommenders.oracle import Oracle
from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours
from simulator.world.world import World

SEED = 31337


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(400, 300, 11).world


@pytest.fixture(scope="module")
def near(world: World) -> np.ndarray:
    return find_neighbours(world)


Make = Callable[..., LifelongListeners]


@pytest.fixture
def make(world: World, near: np.ndarray) -> Make:
    """Makes lifelong listeners with only these effects."""

    def made(**effects: Any) -> LifelongListeners:
        settings = ListenerSettings.model_validate(
            {"listener": "lifelong"} | dict.fromkeys(EFFECTS, False) | effects
        )
        listeners = make_listeners(settings, world, near, SEED)
        assert isinstance(listeners, LifelongListeners)
        return listeners

    return made


def lived(
    listeners: ListenerModel, days: int, episodes: int = 300, slots: int = 64
) -> list[SessionTable]:
    """Days against a recommender of random tracks."""
    player = InProcessRunner(listeners, RandomTracks(), slots=slots)
    return [player.play(listeners.plan_day(day, episodes)).sessions for day in range(days)]


def listens(
    listeners: ListenerModel,
    listener: int,
    tracks: list[int],
    number: int = 0,
    day: int = 0,
    step: int = 1,
) -> ListenBatch:
    """One listener's own taste and several tracks, as if each were the next of a session."""
    n = len(tracks)
    who, numbers = np.full(n, listener), np.full(n, number)
    interest = listeners.world.interests[listener, 0]
    return ListenBatch(
        who,
        np.full(n, day),
        session_keys(listeners.seed, who, numbers),
        np.full(n, step),
        np.tile(listeners.world.embeddings[interest].astype(np.float64), (n, 1)),
        np.array(tracks),
        np.zeros(n, dtype=bool),
        np.zeros(n, dtype=np.int64),
    )


def time_of(listeners: ListenerModel, listener: int, track: int, **at: int) -> float:
    """Time that one listener hears of one track."""
    return float(listeners.listen(listens(listeners, listener, [track], **at))[0])


def assert_same(one: list[SessionTable], other: list[SessionTable]) -> None:
    for mine, theirs in zip(one, other, strict=True):
        for field in fields(mine):
            assert np.array_equal(getattr(mine, field.name), getattr(theirs, field.name)), field


def test_without_effects_it_is_botifys_listener_bit_for_bit(
    world: World, near: np.ndarray, make: Make
) -> None:
    assert_same(lived(make(), 3), lived(BotifyListeners(world, near, SEED), 3))


@pytest.mark.parametrize(
    "effects",
    [
        {"weariness": {"track": 0, "artist": 0}},
        {"hype": {"lift": 0}},
        {"leaving": {"floor": 0}},
        {"returning": {"chance": 0.999999999, "steepness": 0}},
        {"drift": {"spread": 0}},
    ],
    ids=lambda effects: next(iter(effects)),
)
def test_an_effect_of_zero_strength_changes_nothing(
    world: World, near: np.ndarray, make: Make, effects: dict[str, Any]
) -> None:
    """Unlike no effects, this goes through the effect's own arithmetic."""
    assert_same(lived(make(**effects), 3), lived(BotifyListeners(world, near, SEED), 3))


def test_the_defaults_switch_all_effects_on() -> None:
    settings = ListenerSettings(listener="lifelong")
    assert all(getattr(settings, effect) is not None for effect in EFFECTS)


def test_with_everything_on_slots_change_nothing(world: World, near: np.ndarray) -> None:
    """The order in which sessions of different listeners are played does not matter."""
    settings = ListenerSettings(listener="lifelong")
    few = lived(make_listeners(settings, world, near, SEED), 4, slots=3)
    many = lived(make_listeners(settings, world, near, SEED), 4, slots=500)
    for one, other in zip(few, many, strict=True):
        order, its = np.argsort(one.number), np.argsort(other.number)
        for field in fields(one):
            values = getattr(one, field.name)
            if isinstance(values, np.ndarray):
                assert np.array_equal(values[order], getattr(other, field.name)[its]), field


def test_with_everything_on_processes_change_nothing(world: World, near: np.ndarray) -> None:
    """Each process needs only the sessions of its own listeners."""
    settings = ListenerSettings(listener="lifelong")
    whole = lived(make_listeners(settings, world, near, SEED), 4)
    for number in range(3):
        listeners = make_listeners(settings, world, near, SEED)
        player = InProcessRunner(listeners, RandomTracks())
        for day, table in enumerate(whole):
            mine = player.play(shard(listeners.plan_day(day, 300), number, 3)).sessions
            its = table.listener % 3 == number
            assert its.any()
            assert np.array_equal(mine.number, table.number[its])
            assert np.array_equal(mine.time, table.time[its])


def test_activity_differs_between_listeners_and_persists(make: Make) -> None:
    listeners = make(activity={"spread": 0.9, "sessions_a_day": 3})
    days = [listeners.plan_day(day, 1) for day in range(20)]
    counts = np.array([np.bincount(sessions.listener, minlength=300) for sessions in days])
    by_listener = counts.sum(axis=0)
    assert counts.mean() == pytest.approx(3, rel=0.15)
    assert np.sort(by_listener)[-30:].sum() / by_listener.sum() > 0.25  # evenly: 0.1
    assert np.corrcoef(counts[:10].sum(axis=0), counts[10:].sum(axis=0))[0, 1] > 0.9


def test_a_day_has_the_requested_number_of_sessions_on_average(make: Make) -> None:
    listeners = make(activity={})
    assert np.mean([len(listeners.plan_day(day, 600)) for day in range(20)]) == pytest.approx(
        600, rel=0.1
    )


def test_session_numbers_are_unique(make: Make) -> None:
    listeners = make(activity={"sessions_a_day": 2})
    numbers = np.concatenate([listeners.plan_day(day, 1).number for day in range(10)])
    assert len(np.unique(numbers)) == len(numbers)


def test_tastes_drift_slowly_keep_their_length_and_stay_near(world: World, make: Make) -> None:
    listeners = make(drift={"spread": 0.5, "days": 10})

    def tastes(day: int) -> np.ndarray:
        listeners.plan_day(day, 300)
        who = np.arange(300)
        return listeners.start(SessionPlan(who, who, np.full(300, day))).taste

    first = tastes(0)
    assert np.array_equal(
        first, make().start(SessionPlan(*[np.arange(300)] * 2, np.zeros(300, int))).taste
    )
    after = {day: tastes(day) for day in (1, 30, 60)}

    def alike(one: np.ndarray, other: np.ndarray) -> float:
        lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        return float(np.mean(np.vecdot(one, other) / lengths))

    assert alike(first, after[1]) > 0.95
    # In the long run the walk is half as long as the interest, and at right angles to it.
    assert alike(first, after[60]) == pytest.approx(1 / np.sqrt(1 + 0.5**2), abs=0.03)
    assert alike(first, after[30]) == pytest.approx(alike(first, after[60]), abs=0.03)
    for drifted in after.values():
        assert np.allclose(np.linalg.norm(drifted, axis=1), np.linalg.norm(first, axis=1))


def test_fatigue_fades_and_is_smaller_for_the_artist() -> None:
    """Tracks 0 and 1 are by one artist, 2 by a second one; track 0 was heard in full on day 0."""
    settings = Fatigue(track=0.6, track_days=7, artist=0.2, artist_days=2)
    plays = RecentPlays(1, np.array([0, 0, 1]), settings)
    zero, full = np.array([0]), np.array([1.0])
    plays.record(zero, np.array([8], dtype=np.uint64), zero, zero, full)

    def left(day: int) -> list[float]:
        now = np.array([9], dtype=np.uint64), np.array([day])
        one_by_one = [
            float(plays.remaining_share(zero, *now, np.array([track]))[0]) for track in range(3)
        ]
        assert plays.remaining_share(zero, *now, np.array([[0, 1, 2]])).tolist() == [one_by_one]
        return one_by_one

    assert left(0) == pytest.approx([1 - 0.6, 1 - 0.2, 1])
    assert left(2) == pytest.approx([1 - 0.6 * np.exp(-2 / 7), 1 - 0.2 / np.e, 1])
    assert left(7) == pytest.approx([1 - 0.6 / np.e, 1 - 0.2 * np.exp(-3.5), 1])
    assert left(200) == pytest.approx([1, 1, 1])
    half = np.array([0.5])
    plays.record(zero, np.array([7], dtype=np.uint64), zero, np.array([1]), half)
    assert left(0) == pytest.approx([(1 - 0.6) * (1 - 0.1), (1 - 0.2) * (1 - 0.3), 1])


def test_fatigue_reduces_the_time_heard(make: Make) -> None:
    fresh, tired = make(), make(weariness={"track": 0.6, "artist": 0})
    fan = int(np.argmin(fresh.world.consume_bias))  # hears enough of anything to show it
    once = time_of(tired, fan, 9, number=0)
    assert once == time_of(fresh, fan, 9, number=0)
    again = time_of(tired, fan, 9, number=1)
    assert again == pytest.approx(once * (1 - 0.6 * once), abs=0.011)


def test_fatigue_does_not_count_the_present_session(make: Make) -> None:
    listeners, botify = make(weariness={"track": 1}), make()
    sessions = SessionPlan(np.array([5]), np.array([3]), np.array([0]))
    first = int(listeners.start(sessions).first[0])
    assert time_of(listeners, 5, first, number=3) == time_of(botify, 5, first, number=3)
    assert time_of(listeners, 5, first, number=4) == 0


def test_fatigue_remembers_a_limited_number_of_plays(make: Make) -> None:
    listeners = make(weariness={"track": 1, "artist": 0, "memory": 3})
    fan = int(np.argmin(listeners.world.consume_bias))
    fresh = time_of(make(), fan, 9)
    time_of(listeners, fan, 9, number=0)
    assert time_of(listeners, fan, 9, number=1) < fresh
    for number in range(2, 6):
        time_of(listeners, fan, 50 + number, number=number)
    assert time_of(listeners, fan, 9, number=9) == fresh


def present_after(listeners: LifelongListeners, mean_time: np.ndarray, day: int) -> np.ndarray:
    """Give each listener one session of this mean time; return who is present the next day."""
    who = np.arange(len(listeners.world))
    listeners.end(SessionPlan(who, who, np.full(len(who), day)), mean_time)
    listeners.plan_day(day + 1, 1)
    return listeners.present


def test_satisfied_listeners_return_more_often(make: Make) -> None:
    happy, bored = np.full(300, 0.9), np.full(300, 0.05)
    effects = {"returning": {"chance": 0.8, "steepness": 5, "usual": 0.4, "weight": 1}}
    # Log odds log(4) + 5 * (0.9 - 0.4): chance 0.98. And log(4) + 5 * (0.05 - 0.4): 0.41.
    assert present_after(make(**effects), happy, 0).mean() == pytest.approx(0.98, abs=0.03)
    assert present_after(make(**effects), bored, 0).mean() == pytest.approx(0.41, abs=0.08)


def test_absent_listeners_come_back_unless_they_have_churned(make: Make) -> None:
    effects = {"chance": 0.5, "steepness": 0, "for_good": 0.5, "comeback": 0.3}
    listeners = make(returning=effects)
    there = present_after(listeners, np.full(300, 0.5), 0).copy()
    gone = listeners.churned.copy()
    assert there.mean() == pytest.approx(0.5, abs=0.08)
    assert gone.mean() == pytest.approx(0.25, abs=0.08)
    assert not (there & gone).any()
    away = [np.mean(~listeners.present & ~listeners.churned)]
    for day in range(2, 40):
        listeners.plan_day(day, 1)
        away.append(np.mean(~listeners.present & ~listeners.churned))
    assert away[1] / away[0] == pytest.approx(0.7, abs=0.12)
    assert away[-1] == 0
    assert np.array_equal(listeners.churned, gone)


def test_listeners_without_a_session_do_not_leave(make: Make) -> None:
    listeners = make(returning={"chance": 0.01, "steepness": 0})
    for day in range(5):
        listeners.plan_day(day, 1)
    assert listeners.present.all()


def test_absent_listeners_have_no_sessions(make: Make) -> None:
    listeners = make(returning={"chance": 0.3, "steepness": 0, "comeback": 0, "for_good": 0.5})
    there = present_after(listeners, np.full(300, 0.5), 0)
    sessions = listeners.plan_day(1, 2000)
    assert 0 < len(sessions) < 2000
    assert there[sessions.listener].all()


def test_a_better_recommender_keeps_more_listeners(world: World, make: Make) -> None:
    """Retention can be measured: the same listeners, the same luck, two recommenders."""

    kept = []
    for recommender in (RandomTracks(), Oracle(find_neighbours(world, 100), SLOTS)):
        listeners = make(activity={"sessions_a_day": 1}, returning={})
        player = InProcessRunner(listeners, recommender, max_steps=12)
        for day in range(12):
            player.play(listeners.plan_day(day, 1))
        kept.append(float(np.mean(~listeners.churned)))
    assert kept[1] > kept[0] + 0.05


def test_hyped_tracks_are_liked_better_for_some_days(world: World, make: Make) -> None:
    hyped = HypedTracks(Hype(tracks=5, lift=6, days=3), world, SEED)
    everything = np.arange(400)
    lifts = np.array([hyped.lift(np.full(400, day), everything) for day in range(40)])
    first = np.flatnonzero(lifts[0])
    assert len(first) == 5
    assert lifts[0, first].tolist() == [6] * 5
    # None of them is drawn again in the next three days.
    assert lifts[3, first] == pytest.approx([6 / np.e] * 5)
    assert lifts[39].sum() == pytest.approx(5 * 6 / (1 - np.exp(-1 / 3)), rel=0.01)
    mixed = hyped.lift(np.array([0, 3]), np.array([first[0], first[0]]))
    assert mixed.tolist() == [lifts[0, first[0]], lifts[3, first[0]]]
    plain, lifted = make(), make(hype={"tracks": 5, "lift": 6, "days": 3})
    hidden = int(np.flatnonzero(lifts[0] == 0)[0])
    assert time_of(lifted, 3, int(first[0])) > time_of(plain, 3, int(first[0]))
    assert time_of(lifted, 3, hidden) == time_of(plain, 3, hidden)


def test_skip_points_follow_the_published_shares(make: Make) -> None:
    """Of tracks that are liked by 0.514 on average: skipped 0.486, by 30 s 0.351, by 5 s 0.241."""
    points = SkipPoints(ListenerSettings(listener="lifelong").skips)  # type: ignore[arg-type]
    luck = (np.arange(100_000) + 0.5) / 100_000
    shares = points.share_heard(luck)
    for seconds, published in [(5, 0.241), (10, 0.290), (30, 0.351)]:
        assert np.mean(shares <= seconds / 230) * 0.486 == pytest.approx(published, abs=0.001)
    assert shares.max() <= 1
    assert shares.mean() == pytest.approx(points.mean, abs=0.001)


def test_with_skips_the_share_of_finished_tracks_equals_the_liking(make: Make) -> None:
    botify, skipping = make(), make(skips={})
    n = 4000
    one = listens(botify, 3, [0] * n)
    several = ListenBatch(
        one.listener, one.day, session_keys(SEED, one.listener, np.arange(n)), one.step, one.taste,
        np.arange(n) % 400, one.repeated, one.artist_plays,
    )  # fmt: skip
    liked, heard = botify.listen(several), skipping.listen(several)
    assert np.mean(heard == 1) == pytest.approx(liked.mean(), abs=0.03)
    skipped = heard[heard < 1]
    assert np.mean(skipped <= 0.02) == pytest.approx(0.241 / 0.486, abs=0.04)


def test_the_floor_of_leaving_ends_sessions_with_budget_left(make: Make) -> None:
    listeners = make(leaving={"floor": 0.25})
    n = 4000
    one = listens(listeners, 3, [0] * n)
    several = ListenBatch(
        one.listener, one.day, session_keys(SEED, one.listener, np.arange(n)), one.step, one.taste,
        one.track, one.repeated, one.artist_plays,
    )  # fmt: skip
    left = listeners.spend(several, np.ones(n), np.full(n, 5))
    assert np.mean(left == 0) == pytest.approx(0.25, abs=0.02)
    assert set(left.tolist()) == {0, 5}


def test_the_expected_time_is_the_mean_time_heard(world: World, near: np.ndarray) -> None:
    """The oracle uses it, so it must count fatigue, hype and skips."""
    settings = ListenerSettings(listener="lifelong")
    listeners = make_listeners(settings, world, near, SEED)
    lived(listeners, 3)
    who = np.arange(300)
    sessions = SessionPlan(who, 10**9 + who, np.full(300, 3))
    starts = listeners.start(sessions)
    tracks = np.tile(np.arange(40), (300, 1))
    expected = listeners.expected_time(sessions, starts.taste, tracks)
    heard = np.zeros_like(expected)
    for column in range(40):
        heard[:, column] = heard_once(listeners, sessions, starts, tracks[:, column])
    assert heard.mean() == pytest.approx(expected.mean(), abs=0.02)
    assert np.corrcoef(heard.ravel(), expected.ravel())[0, 1] > 0.3


def heard_once(
    listeners: ListenerModel, sessions: SessionPlan, starts: Any, tracks: np.ndarray
) -> np.ndarray:
    n = len(sessions)
    return listeners.listen(
        ListenBatch(
            sessions.listener, sessions.day, starts.key, 1 + tracks, starts.taste, tracks,
            np.zeros(n, dtype=bool), np.zeros(n, dtype=np.int64),
        )
    )  # fmt: skip
