"""`interest` against its formula, and against `session_vectors` where nothing is known."""

import dataclasses

import numpy as np
import pytest

from core.catalog import UNKNOWN
from core.errors import SegueError
from core.listener import Listener
from core.listener_tables import ListenerTable
from segue.testing.small_world import WITHOUT_LIST, build, chances, small_artifacts, why

WORLD = small_artifacts()
ARTIST = WORLD.catalog.artist_of.tolist()
TASTE = WORLD.vectors["taste"]
TABLE = WORLD.tables["interests"]
ROW = {track: row for row, track in enumerate(TASTE.keys)}


def made(**params):
    return build("interest", vectors="taste", table="interests", **params)


def expected(user, listens, interest=2.0, sharpness=10.0):
    """Scores of all tracks, with the defaults of the remaining params."""
    session, plays = np.zeros(3), {}
    for track, time in listens:
        played = plays.get(ARTIST[track], 0)
        plays[ARTIST[track]] = played + 1
        liking = min(1.0, time / 0.6**played)
        session += (liking**2 - 0.3 * (1 - liking)) * TASTE.units[ROW[track]]
    row = TABLE.row_of_user(user)
    cosines = TABLE.units[row] @ session / np.linalg.norm(session)
    weights = TABLE.rows.shares[row] * np.exp(sharpness * cosines)
    query = session + interest * (weights / weights.sum()) @ TABLE.units[row]
    heard = {track for track, _ in listens}
    scores = {
        track: float(TASTE.units[row] @ query) * 0.6 ** plays.get(ARTIST[track], 0)
        for track, row in ROW.items()
        if track not in heard
    }
    return {track: score for track, score in scores.items() if score > 0}


@pytest.mark.parametrize("given", [{}, {"interest": 7.0, "sharpness": 1.0}, {"interest": 0.0}])
def test_scores_follow_the_formula(given):
    session = [(0, 1.0), (6, 0.05), (11, 0.7)]
    wanted = expected("4", session, **given)

    found = made(draw="score", **given).propose(Listener.of("4", session))

    total = sum(wanted.values())
    assert chances(found) == pytest.approx(
        {track: score / total for track, score in wanted.items()}, rel=1e-4
    )


def test_a_listener_who_is_not_in_the_table_gets_what_session_vectors_gives():
    listener = Listener.of("9", [(0, 1.0), (6, 0.3)])
    plain = build("session_vectors", vectors="taste", draw="score")

    assert chances(made(draw="score").propose(listener)) == chances(plain.propose(listener))


@pytest.mark.parametrize("listens", [[], [(UNKNOWN, 1.0), (WITHOUT_LIST[0], 1.0)]])
def test_without_a_session_the_most_common_interest_decides(listens):
    found = made().propose(Listener.of("4", listens))

    most = TABLE.units[TABLE.row_of_user("4"), 0]
    assert found.listed() == [TASTE.keys[int((TASTE.units @ most).argmax())]]
    assert "the most common interest of this listener" in why(made(), Listener.of("4", listens))


def test_it_abstains_for_a_listener_of_whom_nothing_is_known():
    assert made().propose(Listener.of("9", [])) is None


def test_prepared_turns_get_what_they_get_alone():
    listeners = [Listener.of(str(user), [(user, 0.9), (12, 0.4)]) for user in range(1, 9)]
    together = made(draw="score")
    together.prepare(listeners)

    for listener in listeners:
        alone = made(draw="score").propose(listener)
        assert chances(together.propose(listener)) == chances(alone)


@pytest.mark.parametrize("change", ["space", "dimensions"])
def test_a_table_of_a_different_training_is_refused(change):
    manifest = {"space": "other"} if change == "space" else {}
    rows = TABLE.rows
    if change == "dimensions":
        rows = dataclasses.replace(rows, interests=rows.interests[:, :, :2])
    artifacts = small_artifacts()
    artifacts.tables["interests"] = ListenerTable(TABLE.keys, rows, manifest, "by hand")

    with pytest.raises(SegueError, match="must be of the same training as the vectors 'taste'"):
        build("interest", artifacts, vectors="taste", table="interests")
