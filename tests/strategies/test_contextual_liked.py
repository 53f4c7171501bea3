"""Contextual liked: near what was liked, else the personal list."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import build, chances, list_for, list_of, why


def liked(**params):
    return build("contextual_liked", list="contextual", personal="personal", **params)


@pytest.mark.parametrize("time", [0.65, 0.9, 1.0])
def test_a_liked_track_is_followed_by_its_list(time):
    assert liked().propose(Listener.of("1", [(9, 1.0), (4, time)])).listed() == list_of(4)


@pytest.mark.parametrize(
    "listens",
    [[], [(4, 0.649999999)], [(4, 1.0), (9, 0.1)], [(UNKNOWN, 0.1)]],
    ids=["first-visit", "just-below", "skipped-after-a-hit", "unknown-skipped"],
)
@pytest.mark.parametrize("anchor", ["last", "weighted"])
def test_any_other_turn_gets_the_personal_list(listens, anchor):
    assert liked(anchor=anchor).propose(Listener.of("3", listens)).listed() == list_for(3)


@pytest.mark.parametrize(
    "listener",
    [
        Listener.of("1", [(21, 0.8)]),
        Listener.of("1", [(UNKNOWN, 0.8)]),
        Listener.of("9", [(4, 0.2)]),
        Listener.of("9"),
    ],
    ids=["liked-without-a-list", "liked-unknown", "nobody-skipped", "nobody-new"],
)
@pytest.mark.parametrize("anchor", ["last", "weighted"])
def test_it_abstains_without_a_list(listener, anchor):
    assert liked(anchor=anchor).propose(listener) is None


def test_weighted_anchors_give_the_exact_mixture():
    listener = Listener.of(
        "1", [(0, 0.75), (21, 1.0), (6, 0.2), (10, 0.75), (0, 0.75), (4, 0.75)], earlier=[(8, 1.0)]
    )
    expected: dict[int, float] = {}
    for anchor, share in ((0, 0.5), (10, 0.25), (4, 0.25)):  # 0 was heard twice as long
        for track in list_of(anchor):
            expected[track] = expected.get(track, 0) + share / 6
    assert chances(liked(anchor="weighted").propose(listener)) == pytest.approx(expected)


def test_a_memory_over_the_history_draws_anchors_of_earlier_sessions_too():
    listener = Listener.of("1", [(0, 0.75), (6, 0.2), (4, 0.75)], earlier=[(10, 0.75), (8, 0.3)])
    expected: dict[int, float] = {}
    for anchor in (0, 4, 10):
        for track in list_of(anchor):
            expected[track] = expected.get(track, 0) + 1 / 18
    remembering = liked(anchor="weighted", memory="history")
    assert chances(remembering.propose(listener)) == pytest.approx(expected)
    assert "3 of 3 tracks liked so far have a list" in why(remembering, listener)


def test_a_new_session_begins_with_the_personal_list_whatever_the_memory():
    listener = Listener.of("3", [], earlier=[(4, 1.0)])
    for memory in ("session", "history"):
        own = liked(anchor="weighted", memory=memory).propose(listener)
        assert own.listed() == list_for(3)


def test_weighted_anchors_by_rank():
    listener = Listener.of("1", [(0, 1.0), (10, 0.75)])
    proposed = chances(liked(anchor="weighted", draw="rank").propose(listener))
    total = sum(1 / rank for rank in range(1, 7))
    # 11 is fourth on the list of 0 (1, 5, 7, 11, ...) and first on that of 10 (11, 15, ...).
    assert proposed[11] == pytest.approx((4 / 7 * 1 / 4 + 3 / 7) / total)


def test_an_anchor_whose_list_was_heard_out_gives_its_share_to_others():
    heard = [(track, 0.1) for track in list_of(0)]
    listener = Listener.of("1", [*heard, (0, 1.0), (10, 0.8)])
    proposed = liked(anchor="weighted", unheard="session").propose(listener)
    assert proposed.listed() == [t for t in list_of(10) if t not in {*list_of(0), 0, 10}]


def test_it_says_why():
    assert why(liked(), Listener.of("1", [(4, 0.7)])) == ["previous track liked (time 0.7 >= 0.65)"]
    assert why(liked(), Listener.of("1", [(4, 0.2)])) == [
        "previous track not liked (time 0.2 < 0.65): the listener's own list"
    ]
    assert why(liked(anchor="weighted"), Listener.of("1", [(21, 0.7), (4, 0.7)]))[1:] == [
        "1 of 2 tracks liked in this session have a list"
    ]


def test_a_threshold_of_zero_still_needs_some_time_to_weigh_by():
    assert liked(liked=0, anchor="weighted").propose(Listener.of("1", [(4, 0.0)])) is None
