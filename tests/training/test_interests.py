"""Interests: least squares by their equations, and listeners who like two kinds of tracks."""

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from tests.training.listening import GROUPS, SIZE, TRACKS, USERS, catalog, group_of, listening
from tests.training.test_epochs import Impatient
from training.interactions import Interactions, assemble
from training.least_squares import solve_groups
from training.model import FitRun, build
from training.models.interests import _first_listens


def test_each_group_solves_its_normal_equations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.least_squares.NUMBERS", 60)  # several blocks
    draws = np.random.default_rng(4)
    group = draws.integers(0, 9, 80) * 2  # every second one has no rows
    points = draws.normal(size=(12, 3)).astype(np.float32)
    point = draws.integers(0, 12, 80)
    target, weight = draws.normal(size=(2, 80)).astype(np.float32)
    weight = np.abs(weight)

    found = solve_groups(group, 18, points, point, target, weight, 0.5)

    for each, solved in enumerate(found):
        rows = group == each
        x = points[point[rows]]
        left = (x * weight[rows, None]).T @ x + 0.5 * np.eye(3)
        expected = np.linalg.solve(left, (x * weight[rows, None]).T @ target[rows])
        assert solved == pytest.approx(expected, abs=1e-4)


def test_fatigue_is_taken_out_and_a_repeat_does_not_count() -> None:
    # Tracks 0 and 1 are of one artist, track 5 is of a second one.
    track, time = np.array([0, 5, 1, 0, 1]), np.array([1.0, 0.5, 0.4, 0.9, 0.4])
    session = np.array([0, 0, 0, 0, 1])
    rows = np.arange(5)
    log = assemble(np.zeros(5, dtype=int), track, time, rows, ["u"], catalog(), {}, session=session)

    found = _first_listens(log, 0.8)

    assert found.track.tolist() == [0, 5, 1, 1]
    assert found.liking == pytest.approx([1, 0.5, 0.5, 0.4])
    assert found.weight == pytest.approx([1, 1, 0.64, 1])
    assert found.starts.tolist() == [0, 3]


def two_interests(sessions: int = 2400, length: int = 8) -> Interactions:
    """Make listeners who like groups g and g + 1, and in each session only one of the two."""
    draws = np.random.default_rng(8)
    session = np.repeat(np.arange(sessions), length)
    user = draws.integers(0, USERS, sessions)[session]
    about = ((user + draws.integers(0, 2, sessions)[session]) % GROUPS).astype(int)
    track = draws.integers(0, TRACKS, sessions * length)
    first = np.arange(len(session)) % length == 0
    track[first] = about[first] * SIZE + draws.integers(0, SIZE, sessions)
    liked = group_of(track) == about
    time = np.where(liked, draws.uniform(0.7, 1, len(track)), draws.uniform(0, 0.2, len(track)))
    return assemble(
        user, track, time, np.arange(len(track)), [f"u{n}" for n in range(USERS)], catalog(), {},
        session=session,
    )  # fmt: skip


def between_groups(log: Interactions, interests: int) -> float:
    """Give the mean cosine between tracks of neighbouring groups."""
    settings = {"interests": interests, "factors": 8, "fatigue": 1.0}
    fitted = build("interests", settings)[0].fit(log, FitRun(log))
    keys, vectors = fitted.vectors["track"]
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    neighbours = (group_of(keys)[:, None] + 1) % GROUPS == group_of(keys)
    return float(cosines[neighbours].mean())


def test_tracks_that_one_listener_likes_on_different_days_stay_apart() -> None:
    log = two_interests()

    assert between_groups(log, 2) < -0.1
    assert between_groups(log, 1) > 0


def test_fewer_listeners_than_factors_are_enough() -> None:
    log = listening(300)
    fitted = build("interests", {"factors": 2 * USERS})[0].fit(log, FitRun(log))
    rows, vectors = fitted.vectors["track"]
    assert vectors.shape == (len(rows), 2 * USERS)
    assert np.isfinite(vectors).all()


def test_ctrl_c_keeps_the_passes_so_far() -> None:
    log = listening(300)

    fitted = build("interests")[0].fit(log, FitRun(log, progress=Impatient(2)))

    assert fitted.interrupted
    assert fitted.facts["iterations"] == 3


def test_the_table_says_what_each_listener_likes() -> None:
    log = two_interests()
    fitted = build("interests", {"interests": 2, "factors": 8})[0].fit(log, FitRun(log))
    assert fitted.table is not None
    users, rows = fitted.table
    keys, vectors = fitted.vectors["track"]

    assert users.tolist() == list(range(USERS))
    assert rows.shares.sum(axis=1) == pytest.approx(np.ones(USERS))
    own = (users[:, None] + np.array([0, 1])) % GROUPS
    assert all(
        set(group_of(favourites)) <= set(groups)
        for favourites, groups in zip(rows.favourites, own, strict=True)
    )
    # The tracks nearest to an interest are all of one of the two groups, a different one each.
    near = np.argsort(-rows.interests @ vectors.T, axis=2)[:, :, :5]
    found = group_of(keys[near])
    right = [set(a) | set(b) == set(g) for (a, b), g in zip(found, own, strict=True)]
    assert np.mean(right) > 0.9
