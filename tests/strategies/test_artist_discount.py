"""Artist discount: scores fall with each play of the artist in the session."""

import pytest

from core.listener import Listener
from segue.testing.small_world import build, chances, list_of, small_artifacts
from strategies.base import Named

ARTIST = small_artifacts().catalog.artist_of.tolist()


def test_scores_fall_by_the_factor_for_each_play():
    made = build("artist_discount", of="contextual", factor=0.5, k=10, draw="score")
    session = [(2, 1.0), (7, 1.0), (0, 1.0)]  # two tracks of Artist a, one of Artist b
    plays = {ARTIST[0]: 2, ARTIST[7]: 1}
    wanted = {
        track: 0.5 ** plays.get(ARTIST[track], 0) / (10 + rank)
        for rank, track in enumerate(list_of(0), 1)
    }

    found = made.propose(Listener.of("1", session))

    assert chances(found) == pytest.approx({t: s / sum(wanted.values()) for t, s in wanted.items()})
    assert found.listed() == sorted(wanted, key=wanted.__getitem__, reverse=True)
    assert found.source == "contextual"


def test_first_is_the_default_draw():
    made = build("artist_discount", of="contextual")
    assert made.propose(Listener.of("1", [(0, 1.0)])).listed() == [7]  # rank 3, by a second artist


def test_scores_of_the_wrapped_strategy_are_kept():
    artifacts = small_artifacts()
    session = build("session_lists", lists="contextual", draw="first", fatigue=1.0)
    scored = build("session_lists", lists="contextual", draw="score", fatigue=1.0)
    artifacts.strategies["session"] = Named("session", session, scored, "first")
    listener = Listener.of("1", [(0, 1.0)])
    before = chances(scored.propose(listener))

    found = chances(
        build("artist_discount", artifacts, of="session", factor=0.5, draw="score").propose(
            listener
        )
    )

    played = {track for track in before if ARTIST[track] == ARTIST[0]}
    total = sum(each * (0.5 if track in played else 1.0) for track, each in before.items())
    for track, each in before.items():
        assert found[track] == pytest.approx(each * (0.5 if track in played else 1.0) / total)


def test_only_the_first_tracks_count():
    made = build("artist_discount", of="contextual", depth=2, draw="uniform")
    assert sorted(made.propose(Listener.of("1", [(8, 1.0)])).listed()) == sorted(list_of(8)[:2])


def test_it_abstains_with_the_wrapped_strategy():
    assert build("artist_discount", of="contextual").propose(Listener.of("1")) is None
