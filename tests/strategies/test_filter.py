"""Filter: only tracks that meet conditions on their fields."""

import pytest
from pydantic import ValidationError

from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import TOP, TRACKS, build, chances, list_of, small_artifacts
from strategies.base import Named

ROCK = [track for track in range(TRACKS - 1) if track % 2]  # see small_world.fields_of
AFTER_0 = Listener.of("1", [(0, 1.0)])


def asking(**conditions):
    return Listener("1", AFTER_0.packed, 0, 2, conditions=conditions)


def test_it_keeps_order_and_source():
    found = build("filter", of="contextual", where={"genre": "rock"}).propose(AFTER_0)

    assert found.listed() == [track for track in list_of(0) if track in ROCK]
    assert found.source == "contextual"


def test_it_keeps_the_ratios_of_the_chances():
    artifacts = small_artifacts()
    parts = {"contextual": 3, "random": 1}
    mixed = build("mixture", artifacts, strategies=parts)
    artifacts.strategies["mixed"] = Named("mixed", mixed)
    before = chances(mixed.propose(AFTER_0))

    found = build("filter", artifacts, of="mixed", where={"genre": "rock"}).propose(AFTER_0)

    total = sum(before[track] for track in ROCK)
    assert chances(found) == pytest.approx({track: before[track] / total for track in ROCK})


def test_over_the_whole_catalog_it_always_answers():
    made = build("filter", of="random", where={"year": {"min": 2010}})

    assert made.always_answers
    assert made.propose(AFTER_0).listed() == [20, 21, 22]  # track 23 has no year
    assert not build("filter", of="popular", where={"genre": "rock"}).always_answers
    assert not build("filter", of="random", request=True).always_answers


def test_the_draw_of_the_wrapped_strategy_acts_after_the_filter():
    artifacts = small_artifacts()
    first = build("contextual", list="contextual", draw="first")
    whole = build("contextual", list="contextual")
    artifacts.strategies["first"] = Named("first", first, whole, "first")

    made = build("filter", artifacts, of="first", where={"year": {"min": 1995}})

    # Track 1 is the first of the list of track 0, and of 1991.
    assert artifacts.strategies["first"].propose(AFTER_0).listed() == [1]
    assert made.propose(AFTER_0).listed() == [track for track in list_of(0) if track >= 5][:1]


def test_a_request_adds_its_own_conditions():
    made = build("filter", of="popular", where={"genre": "rock"}, request=True)
    rock = [track for track in TOP[:8] if track in ROCK]

    assert made.propose(AFTER_0).listed() == rock
    assert made.propose(asking(year={"max": 2003})).listed() == [t for t in rock if t <= 13]
    assert made.propose(asking(year=1900)) is None


def test_without_request_the_filter_of_a_request_does_not_count():
    made = build("filter", of="popular", where={"genre": "rock"})
    assert made.propose(asking(genre="pop")).listed() == made.propose(AFTER_0).listed()


def test_conditions_that_no_track_meets_stop_the_start():
    with pytest.raises(SegueError, match="no track of the catalog meets these conditions"):
        build("filter", of="popular", where={"genre": "polka"})


def test_a_filter_without_conditions_is_refused():
    with pytest.raises(ValidationError, match="it filters nothing"):
        build("filter", of="popular")
    with pytest.raises(ValidationError, match="must have `min`, `max` or `not`"):
        build("filter", of="popular", where={"year": {"least": 1}})
