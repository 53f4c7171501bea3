"""Botify's listener against its formulae, by hand, by scalar code and by Wald's identity."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rng import uniforms
from simulator.listeners.botify import BotifyListeners, BotifySettings
from simulator.listeners.model import SessionPlan, SessionStarts
from simulator.play.session_batch import SessionBatch
from simulator.random_keys import Purpose
from tests.simulator.tiny import botify, by_hand, nearest_by_sorting, some_world, world_of


def plan_of(listeners: list[int], numbers: list[int] | None = None) -> SessionPlan:
    count = len(listeners)
    return SessionPlan(
        np.array(listeners),
        np.arange(count) if numbers is None else np.array(numbers),
        np.zeros(count, dtype=np.int64),
    )


def begin(
    model: BotifyListeners, listeners: list[int], numbers: list[int] | None = None
) -> SessionBatch:
    batch = SessionBatch(model, len(listeners))
    batch.begin(np.arange(len(listeners)), plan_of(listeners, numbers))
    return batch


def times(batch: SessionBatch, *tracks: int) -> list[float]:
    slot = np.array([0])
    return [float(batch.listen(slot, np.array([track])).time[0]) for track in tracks]


class Starting(BotifyListeners):
    """Sessions that begin with a track that the test chooses."""

    first: int

    def start(self, sessions: SessionPlan) -> SessionStarts:
        starts = super().start(sessions)
        return replace(starts, first=np.full(len(sessions), self.first))


def starting_with(first: int) -> SessionBatch:
    """A session of listener 7, whose taste is track 0 = (2, 0), that began with `first`."""
    world = by_hand()
    model = Starting(world, nearest_by_sorting(world, 2), 1, BotifySettings(2, 100))
    model.first = first
    return begin(model, [0])


@pytest.mark.parametrize(
    ("first", "tracks", "heard"),
    [
        # (1, 0).(2, 0) = 2; (2 - 1) * 2 = 2; sigmoid(2) = 0.8808
        pytest.param(2, [1], [0.88], id="liked"),
        # the same, and the artist of the first track: 0.8808 * 0.8 = 0.7046
        pytest.param(0, [1], [0.70], id="liked-by-an-artist-heard-before"),
        # (0, 1).(2, 0) = 0; (0 - 1) * 2 = -2; sigmoid(-2) = 0.1192
        pytest.param(0, [2], [0.12], id="disliked"),
        # (3, 1).(2, 0) = 6; (6 - 1) * 2 = 10; sigmoid(10) = 0.99995, which rounds to 1
        pytest.param(0, [3], [1.0], id="loved"),
        # (-1, 2).(2, 0) = -2; (-2 - 1) * 2 = -6; sigmoid(-6) = 0.0025, which rounds to 0
        pytest.param(0, [4], [0.0], id="hated"),
        # 0.99995; then by the same artist 0.0025 * 0.8
        pytest.param(0, [3, 4], [1.0, 0.0], id="second-of-an-artist"),
        # A was heard twice before (0 and 1): (2, 0).(2, 0) = 4, sigmoid(6) = 0.9975 but repeated
        pytest.param(0, [1, 0], [0.70, 0.0], id="the-first-track-again"),
        # a repeat is 0 and counts as a play of its artist: 0.8808 * 0.8 ** 2 = 0.5637
        pytest.param(0, [0, 1], [0.0, 0.56], id="a-repeat-tires-of-the-artist"),
        pytest.param(2, [3, 3], [1.0, 0.0], id="a-loved-track-again"),
    ],
)
def test_the_time_heard_follows_botifys_formula(
    first: int, tracks: list[int], heard: list[float]
) -> None:
    assert times(starting_with(first), *tracks) == heard


def test_the_budget_falls_by_one_exactly_when_luck_exceeds_the_time() -> None:
    """Botify: `if np.random.random() > time: budget -= 1`."""
    batch = begin(botify(by_hand(), seed=5), [0], [17])
    budgets = [5]
    for step, track in enumerate([1, 2, 4], start=1):
        time = times(batch, track)[0]
        luck = float(uniforms(5, 0, 17, int(Purpose.LUCK), step))
        budgets.append(budgets[-1] - (luck > time))
        assert batch.budget[0] == budgets[-1]
    assert budgets[-1] < 5, "nothing was ever spent, so nothing was tested"


def test_the_session_ends_when_the_budget_is_spent() -> None:
    # Track 4 is hated and then repeated: time 0.00, so every step costs one of five.
    batch = begin(botify(by_hand()), [0])
    steps = [batch.listen(np.array([0]), np.array([4])) for _ in range(5)]
    assert [bool(step.ended[0]) for step in steps] == [False] * 4 + [True]
    assert not any(step.truncated[0] for step in steps)


def test_a_session_that_cannot_end_is_truncated() -> None:
    # 400 tracks, all with inner product 100: time 1.00, budget never spent.
    world = world_of([[10.0]] * 400, "".join(chr(500 + n) for n in range(400)), [[0]], [1], [1])
    batch = SessionBatch(botify(world), 1, max_steps=300)
    batch.begin(np.array([0]), plan_of([0]))
    unheard = [track for track in range(400) if track != batch.track[0]]
    steps = [batch.listen(np.array([0]), np.array([track])) for track in unheard[:300]]
    assert batch.total[0] == 300
    assert [bool(step.truncated[0]) for step in steps] == [False] * 299 + [True]
    assert not any(step.ended[0] for step in steps)


def test_the_first_track_is_drawn_among_the_nearest_of_a_drawn_interest() -> None:
    model = botify(by_hand())
    starts = model.start(plan_of([1] * 4000))
    # Inner products with track 2 = (0, 1): 0 0 1 1 2, so 4 and 2 (the lower index of equals).
    # With track 3 = (3, 1): 6 3 1 10 -1, so 3 and 0.
    pairs = Counter(zip(starts.interest.tolist(), starts.first.tolist(), strict=True))
    assert set(pairs) == {(2, 4), (2, 2), (3, 3), (3, 0)}
    # 4 pairs of 1/4: sd of a count is sqrt(4000 * 3/16) = 27
    assert all(abs(count - 1000) < 4 * 27 for count in pairs.values())
    assert (starts.budget == 5).all()


def test_listeners_come_uniformly() -> None:
    model = botify(some_world(listeners=12))
    counts = np.bincount(model.plan_day(0, 12_000).listener, minlength=12)
    # sd of a count is sqrt(12000 * 1/12 * 11/12) = 30
    assert (abs(counts - 1000) < 4 * 30).all()
    assert model.plan_day(2, 10).number.tolist() == list(range(20, 30))


@pytest.mark.parametrize("liking", [0.0, 0.5, 0.8], ids=str)
def test_session_lengths_satisfy_walds_identity(liking: float) -> None:
    """budget / (1 - m) recommendations, budget * m / (1 - m) of time."""
    tracks = 400
    # All tracks have inner product 1 with the taste, none shares an artist or is repeated.
    bias = 1 - math.log(liking / (1 - liking)) if liking else 50.0
    names = "".join(chr(500 + n) for n in range(tracks))
    model = botify(world_of([[1.0]] * tracks, names, [[0]], [bias], [1.0]), seed=11)
    sessions = 4000
    batch = begin(model, [0] * sessions)
    under_way = np.arange(sessions)
    # The k-th recommendation is the k-th track after the first one.
    while len(under_way):
        heard = batch.listen(under_way, (batch.track[under_way] + 1) % tracks)
        under_way = under_way[~(heard.ended | heard.truncated)]
    expected = 5 / (1 - liking)
    # A negative binomial: variance budget * m / (1 - m) ** 2.
    error = math.sqrt(5 * liking / (1 - liking) ** 2 / sessions)
    assert abs(batch.steps.mean() - expected) <= 4 * error
    assert abs(batch.total.mean() - expected * liking) <= 4 * error + 1e-9


def play_as_botify(
    model: BotifyListeners, listener: int, number: int, tracks: list[int]
) -> list[str]:
    """A session as its scalar code plays it: plain Python, one float at a time."""
    world = model.world
    starts = model.start(plan_of([listener], [number]))
    interest, track, budget = int(starts.interest[0]), int(starts.first[0]), 5
    taste = [float(x) for x in world.embeddings[interest]]
    artists = [world.catalog.artist_of[track]]
    played, story = {track}, [f"{track} 1.0 5"]
    for step, track in enumerate(tracks, start=1):
        score = math.fsum(float(x) * y for x, y in zip(world.embeddings[track], taste, strict=True))
        sharp = (score - world.consume_bias[listener]) * world.consume_sharpness[listener]
        k = artists.count(world.catalog.artist_of[track])
        time = 0.0 if track in played else round(1 / (1 + math.exp(-sharp)) * 0.8**k, 2)
        if float(uniforms(model.seed, listener, number, int(Purpose.LUCK), step)) > time:
            budget -= 1
        played.add(track)
        artists.append(world.catalog.artist_of[track])
        story.append(f"{track} {time} {budget}")
        if budget == 0:
            break
    return story


@given(st.integers(0, 2**63), st.integers(0, 10**6), st.data())
def test_a_batch_equals_botifys_scalar_code(seed: int, number: int, data: st.DataObject) -> None:
    model = botify(some_world(), seed)
    listeners = [0, 5, 11, 5]
    numbers = [number, number + 1, number + 2, number + 3]
    plan = data.draw(
        st.lists(st.lists(st.integers(0, 59), min_size=8, max_size=8), min_size=4, max_size=4)
    )
    batch = begin(model, listeners, numbers)
    stories = [[f"{batch.track[s]} {batch.time[s]} {batch.budget[s]}"] for s in range(4)]
    under_way = np.arange(4)
    for step in range(8):
        heard = batch.listen(under_way, np.array([plan[s][step] for s in under_way], dtype=int))
        for s in under_way:
            stories[s].append(f"{batch.track[s]} {batch.time[s]} {batch.budget[s]}")
        under_way = under_way[~heard.ended]
    for s in range(4):
        assert stories[s] == play_as_botify(model, listeners[s], numbers[s], plan[s])


@given(st.integers(0, 59), st.floats(0, 5))
def test_a_higher_bias_never_raises_the_time_heard(track: int, harder: float) -> None:
    world = some_world()
    pleased = times(begin(botify(world), [3]), track)
    world.consume_bias[3] += harder
    assert times(begin(botify(world), [3]), track) <= pleased


def test_the_expected_time_equals_the_time_heard() -> None:
    model = botify(some_world())
    batch = begin(model, [2, 4])
    everything = np.tile(np.arange(60), (2, 1))
    expected = model.expected_time(batch.sessions(np.arange(2)), batch.taste, everything)
    for track in range(60):
        batch = begin(model, [2, 4])
        known = batch.listeners.world.catalog.artist_of[batch.track]
        heard = batch.listen(np.arange(2), np.array([track, track])).time
        new = known != batch.listeners.world.catalog.artist_of[track]
        assert (np.rint(expected[:, track] * 100)[new] == np.rint(heard * 100)[new]).all()
