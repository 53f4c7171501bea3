"""Contextual and popular: anti-recommendations after a skip."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import TOP, build, list_of, lists_of, small_artifacts, why


def improved(**params):
    return build("contextual_and_popular", list="contextual", popular="popular", **params)


def after(time, track=4):
    return Listener.of("1", [(track, time)])


@pytest.mark.parametrize("time", [0.0, 0.08, 0.099999999])
def test_a_skip_gets_popular_tracks_away_from_the_skipped_one(time):
    # The list of track 4 shares 5 and 17 with the first eight popular ones.
    proposed = improved().propose(after(time))
    assert proposed.listed() == [t for t in TOP[:8] if t not in list_of(4)] == [3, 0, 8, 13, 1, 20]
    assert proposed.source == "popular"


@pytest.mark.parametrize("time", [0.1, 0.2, 0.299999999])
def test_a_dislike_gets_popular_tracks(time):
    proposed = improved().propose(after(time))
    assert (proposed.listed(), proposed.source) == (list(TOP[:8]), "popular")


@pytest.mark.parametrize("time", [0.3, 0.5, 1.0])
def test_anything_longer_gets_the_list(time):
    proposed = improved().propose(after(time))
    assert (proposed.listed(), proposed.source) == (list_of(4), None)


def test_a_skipped_track_without_a_list_takes_nothing_out():
    assert improved().propose(after(0.05, track=21)).listed() == list(TOP[:8])


@pytest.mark.parametrize(
    "listens",
    [[], [(UNKNOWN, 0.05)], [(UNKNOWN, 0.9)], [(21, 0.9)]],
    ids=["first-visit", "unknown-skipped", "unknown-heard", "without-a-list"],
)
def test_it_abstains_without_a_previous_track_to_go_by(listens):
    assert improved().propose(Listener.of("1", listens)) is None


def test_it_abstains_when_nothing_popular_is_left():
    artifacts = small_artifacts()
    artifacts.lists["all"] = lists_of("track", {4: list(TOP)}, artifacts.catalog)
    strict = build("contextual_and_popular", artifacts, list="all", popular="popular")
    assert strict.propose(after(0.05)) is None
    assert why(strict, after(0.05))[-1] == "which leaves nothing to propose"


def test_unheard_holds_for_popular_tracks_as_well():
    listener = Listener.of("1", [(TOP[0], 1.0), (TOP[1], 0.2)])
    assert improved(unheard="session").propose(listener).listed() == list(TOP[2:8])


@pytest.mark.parametrize(
    ("time", "reasons"),
    [
        (0.08, ["previous track skipped (time 0.08 < 0.1)", "the 8 most popular tracks"]),
        (0.2, ["previous track disliked (time 0.2 < 0.3)", "the 8 most popular tracks"]),
        (0.3, ["previous track heard (time 0.3 >= 0.3)"]),
    ],
)
def test_it_says_why(time, reasons):
    assert why(improved(), after(time))[: len(reasons)] == reasons


def test_thresholds_must_stand_in_order():
    with pytest.raises(ValueError, match=r"skipped must not be above disliked, got skipped 0\.5"):
        improved(skipped=0.5)
