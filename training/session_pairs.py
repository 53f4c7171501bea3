"""Session pairs: pairs of tracks that a listener heard well in one session."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.interactions import Interactions


@dataclass(frozen=True, slots=True)
class Pairs:
    """Anchors and targets; all arrays (pairs,).

    Attributes:
        anchor: int32, catalog index of the given track.
        target: int32, catalog index of the track to predict.
        weight: float32, product of both times and the weight of the target's listen.
    """

    anchor: npt.NDArray[np.int32]
    target: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.anchor)


def session_pairs(log: Interactions, min_time: float, reach: int) -> Pairs:
    """Find pairs within sessions, in both directions, at most `reach` listens apart.

    The first track of a session is only an anchor, because no recommender chose it. A track that
    is heard again in its session counts only the first time.
    """
    _, first = np.unique(
        np.stack([log.session, log.track.astype(np.int64)]), axis=1, return_index=True
    )
    fresh = np.zeros(len(log), dtype=bool)
    fresh[first] = True
    rows = np.flatnonzero(fresh & (log.time >= np.float32(min_time)))
    session, position = log.session[rows], log.position[rows]
    anchors, targets = [], []
    for step in range(1, reach + 1):
        if step >= len(rows):
            break
        near = (session[step:] == session[:-step]) & (position[step:] - position[:-step] <= reach)
        if not near.any():
            break
        earlier, later = rows[:-step][near], rows[step:][near]
        anchors += [earlier, later]
        targets += [later, earlier]
    anchor = np.concatenate(anchors) if anchors else np.zeros(0, dtype=np.int64)
    target = np.concatenate(targets) if targets else np.zeros(0, dtype=np.int64)
    chosen = log.position[target] > 0
    anchor, target = anchor[chosen], target[chosen]
    weight = log.time[anchor] * log.time[target] * log.weight[target]
    return Pairs(log.track[anchor], log.track[target], weight.astype(np.float32))
