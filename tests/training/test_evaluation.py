"""Offline evaluation, against numbers computed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest

from core.catalog import Catalog
from core.progress import SILENT, Progress
from tests.training.listening import TRACKS, listening
from training.evaluation import beyond_accuracy, evaluate, held_out_pairs
from training.interactions import Interactions, assemble
from training.model import FittedModel
from training.top_k import Ints, Rankings


def log(sessions: list[tuple[int, list[tuple[int, float]]]]) -> Interactions:
    """Sessions of (user, [(track, time), ...]) over ten tracks of five artists."""
    rows = [
        (number, user, track, time)
        for number, (user, listens) in enumerate(sessions)
        for track, time in listens
    ]
    session, user, track, time = (np.array(column) for column in zip(*rows, strict=True))
    tracks = Catalog(range(10), [f"a{index // 2}" for index in range(10)], [""] * 10)
    return assemble(user, track, time, session * 1000, ["x", "y"], tracks, {}, session=session)


def fitted_of(table: dict[int, list[int]], predict: float | None = None) -> FittedModel:
    """A model with these lists by track, that always predicts one time."""

    def ranker(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = np.full((len(keys), k), -1, dtype=np.int32)
        for row, key in enumerate(keys.tolist()):
            ranked[row, : len(table.get(key, []))] = table.get(key, [])
        return ranked

    predicted = (
        None if predict is None else lambda user, before, track: np.full(len(track), predict)
    )
    return FittedModel({"track": ranker}, predict=predicted)


TEST = log([
    (0, [(0, 1.0), (1, 0.9), (2, 0.1), (3, 0.6)]),
    (0, [(4, 1.0), (4, 1.0)]),
    (1, [(0, 1.0), (5, 0.5)]),
])  # fmt: skip


def test_a_held_out_pair_is_a_liked_listen_after_a_liked_listen() -> None:
    pairs = held_out_pairs(TEST, liked=0.5)
    assert pairs.before.tolist() == [0, 1, 0]
    assert pairs.track.tolist() == [1, 3, 5]
    assert pairs.user.tolist() == [0, 0, 1]


def test_metrics_are_means_over_listeners_of_means_over_their_pairs() -> None:
    lists = {0: [9, 1, 8], 1: [7]}  # 1 stands second after 0; 3 not at all after 1; 5 nowhere
    metrics = evaluate(fitted_of(lists, 0.5), "track", TEST, TEST, held_out_pairs(TEST, 0.5))
    second = 1 / math.log2(3)
    assert metrics.accuracy["ndcg10"].value == pytest.approx((second / 2 + 0) / 2)
    assert metrics.accuracy["recall10"].value == pytest.approx((1 / 2 + 0) / 2)
    assert metrics.accuracy["mrr"].value == pytest.approx((1 / 2 / 2 + 0) / 2)
    assert metrics.beyond_accuracy["answered"] == 1.0
    # Times after the first of each session: .9, .1, .6, 1.0 and .5.
    assert metrics.mse == pytest.approx(np.mean([0.4**2, 0.4**2, 0.1**2, 0.5**2, 0.0]))


def test_the_interval_holds_the_value_and_shrinks_with_listeners() -> None:
    table = listening(600)
    some = table.where(table.user < 12)
    lists = {track: [(track + 1) % TRACKS, (track + 2) % TRACKS] for track in range(TRACKS)}
    wide, narrow = (
        evaluate(fitted_of(lists), "track", part, part, held_out_pairs(part, 0.5)).accuracy[
            "ndcg100"
        ]
        for part in (some, table)
    )
    assert wide.low < wide.value < wide.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_inverse_propensities_weight_pairs() -> None:
    weighted = replace(TEST, weight=np.where(TEST.track == 1, 3, 1).astype(np.float32))
    lists = {0: [1], 1: [8]}
    metrics = evaluate(fitted_of(lists), "track", weighted, weighted, held_out_pairs(weighted, 0.5))
    assert metrics.accuracy["recall10"].value == pytest.approx(3 / 5)


def test_beyond_accuracy_metrics() -> None:
    ranked = np.array([[0, 1, 2, 3], [0, 2, 4, -1]], dtype=np.int32)
    figures = beyond_accuracy(ranked, TEST)
    assert figures["coverage"] == pytest.approx(5 / 10)
    # Artists: two of four tracks; three of three.
    assert figures["artists"] == pytest.approx((2 / 4 + 3 / 3) / 2)
    counts = np.array([0, 0, 0, 0, 0, 1, 1, 1, 2, 2])
    by_pairs = np.abs(counts[:, None] - counts).sum() / (2 * 10 * counts.sum())
    assert figures["gini"] == pytest.approx(by_pairs)
    plays = np.bincount(TEST.track, minlength=10) + 1
    surprise = -np.log2(plays / plays.sum())
    assert figures["novelty"] == pytest.approx(surprise[[0, 1, 2, 3, 0, 2, 4]].mean())
