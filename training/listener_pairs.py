"""Listener pairs: pairs of tracks that one listener heard well, in the same session or not."""

import numpy as np
import numpy.typing as npt

from training.interactions import Interactions
from training.session_pairs import Pairs


def listener_pairs(
    given: Interactions, wanted: Interactions, min_time: float, partners: int, seed: int
) -> Pairs:
    """Draw `partners` anchors for each target, among what the same listener heard well.

    All pairs would be as many as the square of a listener's tracks, so a seed draws some. The first
    track of a session is only an anchor, because no recommender chose it.

    Args:
        given: Listens to draw anchors from.
        wanted: Listens that are targets; the same log to learn from, a later one to validate.
        min_time: Share heard from which a track was heard well, in [0, 1].
        partners: Anchors of each target, at least 1.
        seed: Seed of the draws.
    """
    anchors = _heard_well(given, min_time)
    anchors = anchors[np.argsort(given.user[anchors], kind="stable")]
    begins = np.searchsorted(given.user[anchors], np.arange(len(given.users) + 1))
    targets = _heard_well(wanted, min_time)
    targets = targets[wanted.position[targets] > 0]
    count = np.diff(begins)[wanted.user[targets]]
    targets, count = targets[count > 0], count[count > 0]
    places = np.random.default_rng((seed, 5)).random((len(targets), partners)) * count[:, None]
    first = begins[:-1][wanted.user[targets]]
    anchor = anchors[first[:, None] + places.astype(np.int64)].ravel()
    target = np.repeat(targets, partners)
    two = given.track[anchor] != wanted.track[target]
    anchor, target = anchor[two], target[two]
    weight = given.time[anchor] * wanted.time[target] * wanted.weight[target]
    return Pairs(given.track[anchor], wanted.track[target], weight.astype(np.float32))


def _heard_well(log: Interactions, min_time: float) -> npt.NDArray[np.int64]:
    """Rows heard for `min_time` or more, the first of each listener and track."""
    rows = np.flatnonzero(log.time >= np.float32(min_time))
    pair = log.user[rows].astype(np.int64) * len(log.catalog) + log.track[rows]
    _, first = np.unique(pair, return_index=True)
    kept: npt.NDArray[np.int64] = rows[np.sort(first)]
    return kept
