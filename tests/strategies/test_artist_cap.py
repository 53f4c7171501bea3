"""Artist cap: no artist plays more often than it may."""

from core.listener import Listener
from segue.testing.small_world import TOP, build, list_of, small_artifacts, why
from strategies.base import Named


def capped(of, artifacts=None, **params):
    return build("artist_cap", artifacts, of=of, **params)


def test_it_leaves_out_an_artist_that_was_played_often():
    """Tracks 0 to 5 are by Artist a, 6 to 10 by Artist b."""
    cap = capped("popular", most=2)

    once = cap.propose(Listener.of("1", [(0, 1.0), (6, 1.0)]))
    twice = cap.propose(Listener.of("1", [(0, 1.0), (6, 1.0), (4, 0.2)]))

    assert once.listed() == list(TOP[:8])
    assert twice.listed() == [track for track in TOP[:8] if track > 5]
    assert twice.source == "popular"


def test_only_this_session_counts():
    listener = Listener.of("1", [(0, 1.0)], earlier=[(1, 1.0), (2, 1.0)])
    assert capped("popular", most=2).propose(listener).listed() == list(TOP[:8])


def test_it_abstains_when_all_artists_were_played_often():
    cap = capped("contextual", most=1)
    listener = Listener.of("1", [(t, 1.0) for t in (20, 22, 23, *range(20))])

    assert cap.propose(listener) is None
    assert "which leaves nothing to propose" in why(cap, listener)


def with_walk():
    """Add `walk` to the small world: the first track of the previous track's list."""
    artifacts = small_artifacts()
    walk = build("contextual", list="contextual", draw="first")
    whole = build("contextual", list="contextual")
    artifacts.strategies["walk"] = Named("walk", walk, whole, "first")
    return artifacts


def test_the_draw_of_the_wrapped_strategy_acts_after_the_cap():
    """Track 1 is the first of the list of track 0, and by the same artist."""
    listener = Listener.of("1", [(0, 1.0)])
    left = [track for track in list_of(0) if track > 5]

    assert with_walk().strategies["walk"].propose(listener).listed() == [1]
    assert capped("walk", with_walk(), most=1).propose(listener).listed() == left[:1]


def test_a_draw_of_its_own_replaces_that_of_the_wrapped_strategy():
    listener = Listener.of("1", [(0, 1.0)])
    left = [track for track in list_of(0) if track > 5]

    uniform = capped("walk", with_walk(), most=1, draw="uniform").propose(listener)
    ranked = capped("popular", most=1, draw="rank").propose(Listener.of("1"))

    assert (uniform.listed(), uniform.weights) == (left, None)
    assert ranked.weights.tolist() == [1 / rank for rank in range(1, 9)]
