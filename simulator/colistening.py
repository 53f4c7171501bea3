"""Lists out of listening: what is popular, what goes with a track, what suits a listener.

Counting, and no looking at taste vectors: the lists know what a log would tell. Sums are of
integers and scores of + - * / sqrt, so that equal listening makes equal bytes.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.rehearsal import Ints, Listening

LIKED = 30
"""Hundredths heard from which two tracks of a session say something about each other."""

_REACH = 12  # listens apart at most
_SHRINKAGE = 0.02  # of a track's mean total: rare company is not yet good company
_CLOSE = 30  # companions of a liked track that count for its listener
_LISTENERS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, eq=False)
class Companions:
    """For each track the tracks heard together with it, best company first.

    Also for each listener the tracks that suit, where listeners stand for tracks.

    Attributes:
        offsets: int64, (tracks + 1,): those of track t stand at offsets[t] to offsets[t + 1].
        tracks: int64, catalog indices.
        scores: float64, falling within a track's.
    """

    offsets: Ints
    tracks: Ints
    scores: npt.NDArray[np.float64]

    def of(self, track: int) -> Ints:
        """The companions of one track, best first."""
        return self.tracks[self.offsets[track] : self.offsets[track + 1]]


def popularity(listening: Listening, tracks: int) -> Ints:
    """Tracks by time listened to, most first, equals by index; those never heard are left out."""
    heard = np.bincount(listening.track, weights=listening.hundredths, minlength=tracks)
    order = np.argsort(-heard, kind="stable")
    return order[: np.count_nonzero(heard)]


def companions(listening: Listening, tracks: int, most: int) -> Companions:
    """Who is heard together with whom: cosine of co-listening, shrunk where there was little of it.

    Two tracks of a session, both heard for at least `LIKED` hundredths and at most 12 listens
    apart, count for the product of their hundredths, times the fourth power of how much their
    listener leaves unheard: who likes everything does not tell which tracks go together.
    """
    liked = listening.hundredths >= LIKED
    picky = _pickiness(listening)[listening.listener[liked]]
    session, track = listening.session[liked], listening.track[liked]
    weight = listening.hundredths[liked]
    keys, weights = [], []
    for apart in range(1, _REACH + 1):
        together = session[:-apart] == session[apart:]
        left, right = track[:-apart][together], track[apart:][together]
        both = weight[:-apart][together] * weight[apart:][together] * picky[apart:][together]
        both //= 1_000_000
        other = left != right
        keys += [(left * tracks + right)[other], (right * tracks + left)[other]]
        weights += [both[other]] * 2
    pairs, counts = _summed(np.concatenate(keys), np.concatenate(weights))
    left, right = np.divmod(pairs, tracks)
    total = np.bincount(left, weights=counts, minlength=tracks)  # exact: integers below 2**53
    usual = total.sum() / max(1, np.count_nonzero(total))
    scores = counts / (np.sqrt(total[left] * total[right]) + _SHRINKAGE * usual)
    return _best(left, right, scores, tracks, most)


def _pickiness(listening: Listening) -> Ints:
    """Fourth power of the mean hundredths left unheard: int64, (listeners,), in 0..1e8."""
    unheard = np.bincount(listening.listener, weights=100 - listening.hundredths)
    share = np.floor(unheard / np.maximum(1, np.bincount(listening.listener))).astype(np.int64)
    return share * share * share * share


def _summed(keys: Ints, weights: Ints) -> tuple[Ints, Ints]:
    """Distinct keys in order, and the sum of the weights of each."""
    order = np.argsort(keys, kind="stable")
    keys, weights = keys[order], weights[order]
    if not len(keys):
        return keys, weights
    begins = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
    return keys[begins], np.add.reduceat(weights, begins)


def _best(
    owner: Ints, track: Ints, scores: npt.NDArray[np.float64], owners: int, most: int
) -> Companions:
    """The `most` best-scored tracks of each owner, equals by index."""
    order = np.lexsort((track, -scores, owner))
    owner, track, scores = owner[order], track[order], scores[order]
    begins = np.searchsorted(owner, np.arange(owners))
    kept = np.arange(len(owner)) - begins[owner] < most
    sizes = np.bincount(owner[kept], minlength=owners)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Companions(offsets, track[kept], scores[kept])


def personal(listening: Listening, company: Companions, listeners: int, most: int) -> Companions:
    """For each listener the tracks in the best company with what they liked.

    Each liked track adds its companions' scores, and 0.01 for itself, times how much of it was
    heard: what a listener knows already comes after what goes with it, and before strangers.
    """
    liked = listening.hundredths >= LIKED
    owner, track = listening.listener[liked], listening.track[liked]
    weight = listening.hundredths[liked]
    tracks = len(company.offsets) - 1
    pairs, weights = _summed(owner * tracks + track, weight)
    owner, track = np.divmod(pairs, tracks)
    parts = []
    for start in range(0, listeners, _LISTENERS_AT_ONCE):
        some = min(_LISTENERS_AT_ONCE, listeners - start)
        low, high = np.searchsorted(owner, [start, start + some])
        who, what, how = owner[low:high] - start, track[low:high], weights[low:high]
        sizes = np.minimum(_CLOSE, company.offsets[what + 1] - company.offsets[what])
        row = np.repeat(np.arange(len(what)), sizes)
        within = np.arange(len(row)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        place = company.offsets[what[row]] + within
        # Millionths, so that sums do not depend on their order.
        gains = np.rint(company.scores[place] * how[row] * 1e6).astype(np.int64)
        keys, sums = _summed(
            np.concatenate([who[row] * tracks + company.tracks[place], who * tracks + what]),
            np.concatenate([gains, how * 10_000]),
        )
        mine, theirs = np.divmod(keys, tracks)
        parts.append(_best(mine, theirs, sums.astype(np.float64), some, most))
    return _joined(parts)


def _joined(parts: list[Companions]) -> Companions:
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    return Companions(
        np.concatenate([[0], np.cumsum(sizes)]),
        np.concatenate([part.tracks for part in parts]),
        np.concatenate([part.scores for part in parts]),
    )
