"""The listener's history and views: exact to the billionth, and equal to a plain loop's result."""

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import UNKNOWN, Catalog
from core.listener import History, Listen, Listener, pack, unpack

ARTISTS = "aabbcd"
CATALOG = Catalog([10 * i for i in range(6)], list(ARTISTS), [""] * 6)
TIMES = st.sampled_from([0.0, 0.1, 0.3, 0.65, 0.9, 1.0])

listens = st.lists(st.tuples(st.integers(UNKNOWN, 5), TIMES), max_size=8)


@given(st.integers(UNKNOWN, 2**31 - 2), st.integers(0, 10**9))
def test_a_listen_comes_back_exactly(track, billionths):
    time = billionths / 10**9
    assert unpack(pack(track, time)) == Listen(track, time)


@given(st.floats(0, 1))
def test_any_time_comes_back_to_the_billionth(time):
    assert abs(unpack(pack(3, time)).time - time) <= 0.5e-9 + 1e-16
    assert 0 <= unpack(pack(3, time)).time <= 1


@given(listens, listens, TIMES, st.booleans())
def test_views_agree_with_a_plain_loop(earlier, session, at_least, in_session):
    listener = Listener.of("1", session, earlier, turn=4)
    everything = [Listen(*listen) for listen in [*earlier, *session]]
    present = everything[len(earlier) :]
    looked_at = present if in_session else everything
    known = [listen for listen in looked_at if listen.track != UNKNOWN and listen.time >= at_least]

    assert listener.listens == everything
    assert listener.session == present
    assert listener.last == (present[-1] if present else None)
    first = present[0] if present else None
    assert listener.first == (first if first and first.track != UNKNOWN else None)
    assert listener.heard == {listen.track for listen in everything} - {UNKNOWN}
    assert listener.heard_in_session == {listen.track for listen in present} - {UNKNOWN}
    assert listener.last_listen(at_least, in_session) == (known[-1] if known else None)
    best = max((listen.time for listen in known), default=None)
    best_listens = [listen for listen in known if listen.time == best]
    assert listener.best_listen(at_least, in_session) == (best_listens or [None])[-1]
    streak = 0
    while streak < len(present) and present[-1 - streak].time < at_least:
        streak += 1
    assert listener.skip_streak(below=at_least) == streak
    artists = [ARTISTS[listen.track] for listen in looked_at if listen.track != UNKNOWN]
    counted = listener.artist_counts(CATALOG, in_session)
    assert {CATALOG.artists[index]: count for index, count in counted.items()} == Counter(artists)


def history(*listened, session="s", start=0):
    made = History(CATALOG)
    made.listens.extend(pack(*listen) for listen in listened)
    made.session, made.session_start = session, start
    return made


def heard(made):
    return [unpack(word) for word in made.listens]


def test_ending_a_session_keeps_what_was_heard():
    made = history((0, 1.0), (3, 0.5), start=1)
    made.end_session()
    assert (heard(made), made.session_start, made.session) == ([(0, 1.0), (3, 0.5)], 2, "")


@given(listens, st.integers(0, 8), st.integers(0, 10))
def test_trimming_forgets_the_oldest_and_keeps_the_session(listened, start, most):
    start = min(start, len(listened))
    made = history(*listened, start=start)
    present = listened[start:]
    made.trim(most)
    kept = listened[len(listened) - min(most, len(listened)) :]
    assert heard(made) == kept
    assert heard(made)[made.session_start :] == present[len(present) - min(most, len(present)) :]


def test_a_new_catalog_keeps_the_tracks_by_their_ids():
    other = Catalog([30, "0", 99], ["x", "y", "z"], [""] * 3)
    made = history((0, 1.0), (3, 0.7), (5, 0.2), (UNKNOWN, 0.4), start=2)
    made.move_to(other)
    assert heard(made) == [(1, 1.0), (0, 0.7), (UNKNOWN, 0.2), (UNKNOWN, 0.4)]
    assert (made.catalog, made.session_start) == (other, 2)


def test_the_same_catalog_moves_nothing():
    made = history((0, 1.0))
    before = made.listens
    made.move_to(CATALOG)
    assert made.listens is before


def test_notes_are_written_only_for_explain():
    explained = Listener("1", notes=[])
    explained.note("time {} < {}", 0.08, 0.1)
    explained.note("braces: {{}}")
    assert explained._notes == ["time 0.08 < 0.1", "braces: {}"]
    Listener("1").note("{} is not even formatted")


def test_a_hundred_listens_take_less_than_a_kilobyte_and_a_half():
    made = history(*[(5, 0.5)] * 100)
    parts = [made, made.listens, made.session, *(getattr(made, s) for s in ("turn", "seen_ms"))]
    assert sum(sys.getsizeof(part) for part in parts) < 1_500


@pytest.mark.parametrize("view", ["id", "turn", "session_start"])
def test_a_listener_has_its_id_turn_and_session_start(view):
    listener = Listener.of("7", [(1, 0.5)], earlier=[(2, 0.5)], turn=9)
    assert {"id": "7", "turn": 9, "session_start": 1}[view] == getattr(listener, view)


def test_likings_take_the_fatigue_of_an_artist_out():
    listens = [(0, 0.9), (2, 0.5), (1, 0.3), (UNKNOWN, 1.0), (0, 0.3)]  # 0 and 1: one artist
    listener = Listener.of("1", listens, earlier=[(3, 1.0)])

    found = listener.likings(CATALOG, 0.6)

    assert found == [(0, 0.9), (2, 0.5), (1, pytest.approx(0.5)), (0, pytest.approx(0.3 / 0.36))]
    assert listener.likings(CATALOG) == [(0, 0.9), (2, 0.5), (1, 0.3), (0, 0.3)]
