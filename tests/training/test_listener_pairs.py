"""Listener pairs: what one listener heard well, in any session."""

import numpy as np

from tests.training.listening import listening
from training.interactions import Interactions
from training.listener_pairs import listener_pairs


def heard_well(log: Interactions) -> set[tuple[int, int]]:
    """(listener, track) of every listen of 0.3 or more."""
    rows = log.time >= np.float32(0.3)
    return set(zip(log.user[rows].tolist(), log.track[rows].tolist(), strict=True))


def test_both_tracks_of_a_pair_were_heard_well_by_one_listener() -> None:
    log = listening(200)
    pairs = listener_pairs(log, log, 0.3, 4, seed=1)
    assert len(pairs) > 200
    heard = heard_well(log)
    users = range(len(log.users))
    for anchor, target in list(zip(pairs.anchor.tolist(), pairs.target.tolist(), strict=True))[:99]:
        assert anchor != target
        assert any((user, anchor) in heard and (user, target) in heard for user in users)


def test_a_pair_may_span_sessions_and_no_target_began_a_session() -> None:
    log = listening(200)
    pairs = listener_pairs(log, log, 0.3, 20, seed=1)
    together = {
        (a, t)
        for start, end in zip(log.starts[:-1], log.starts[1:], strict=True)
        for a in log.track[start:end].tolist()
        for t in log.track[start:end].tolist()
    }
    found = set(zip(pairs.anchor.tolist(), pairs.target.tolist(), strict=True))
    assert found - together, "some pairs are of two sessions"
    chosen = set(log.track[(log.position > 0) & (log.time >= np.float32(0.3))].tolist())
    assert set(pairs.target.tolist()) <= chosen


def test_anchors_come_from_the_given_log_and_targets_from_the_wanted_one() -> None:
    early, late = listening(300).split(0.2)
    pairs = listener_pairs(early, late, 0.3, 3, seed=1)
    assert set(pairs.target.tolist()) <= set(late.track.tolist())
    assert set(pairs.anchor.tolist()) <= set(early.track.tolist())
    again = listener_pairs(early, late, 0.3, 3, seed=1)
    assert np.array_equal(pairs.anchor, again.anchor)
    other = listener_pairs(early, late, 0.3, 3, seed=2)
    assert len(other) != len(pairs) or not np.array_equal(pairs.anchor, other.anchor)


def test_a_log_without_a_well_heard_track_has_no_pairs() -> None:
    log = listening(20)
    assert len(listener_pairs(log, log, 1.1, 5, seed=1)) == 0
