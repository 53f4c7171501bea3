"""Co-occurrence: makes lists by track from lists by listener, for users without a log.

The similarity of two tracks is the cosine of their columns: the number of lists with both, divided
by the root of the product of the numbers of lists with either.
"""

import numpy as np
import numpy.typing as npt

from core.lists import Lists
from core.progress import SILENT, Progress
from training.top_k import NONE, Rankings

_PAIRS_AT_ONCE = 4_000_000

Integers = npt.NDArray[np.int64]


def rank_by_cooccurrence(
    lists: Lists, tracks: int, top: int, *, at_least: int = 1, progress: Progress = SILENT
) -> Rankings:
    """Find the `top` most similar tracks of each track; a track is never in its own list.

    The result is exact; blocks of tracks bound the memory. Ties are ordered by the number of shared
    lists, most first, then by catalog index, so that the result is the same on every machine.

    Args:
        lists: Lists by listener.
        tracks: Number of tracks of the catalog.
        top: Length of each list.
        at_least: Number of lists that two tracks must share.
        progress: Shows the tracks that are done.

    Returns:
        int32, (tracks, top), best first, padded with -1.
    """
    members = np.asarray(lists.tracks, dtype=np.int64)
    begins = np.asarray(lists.offsets[:-1], dtype=np.int64)
    lengths = np.diff(lists.offsets).astype(np.int64)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    list_count = np.bincount(members, minlength=tracks)  # number of lists with each track
    by_track = np.argsort(members, kind="stable")
    owners = owners[by_track]
    ends = np.cumsum(list_count)
    pairs = np.concatenate([[0], np.cumsum(lengths[owners])])  # pairs before each (track, list)
    ranked: Rankings = np.full((tracks, top), NONE, dtype=np.int32)
    progress.start("tracks that share lists", tracks)
    start = 0
    while start < tracks:
        first = 0 if start == 0 else int(ends[start - 1])
        room = pairs[first] + _PAIRS_AT_ONCE
        # A block has at least one track, even if its pairs exceed the bound.
        stop = max(start + 1, int(np.searchsorted(pairs[ends], room, side="right")))
        entries = owners[first : ends[stop - 1]]
        rows = np.repeat(np.arange(start, stop), list_count[start:stop])
        others = members[_ranges(begins[entries], lengths[entries])]
        _rank(np.repeat(rows, lengths[entries]), others, list_count, at_least, ranked)
        progress.advance(stop - start)
        start = stop
    return ranked


def _ranges(begins: Integers, lengths: Integers) -> Integers:
    """begin, begin + 1, ... of each range, one after another."""
    steps = np.arange(int(lengths.sum()))
    return steps + np.repeat(begins - np.cumsum(lengths) + lengths, lengths)


def _rank(
    rows: Integers, others: Integers, list_count: Integers, at_least: int, ranked: Rankings
) -> None:
    """Count each pair of a row and a second track, and write the best tracks of each row."""
    size = len(list_count)
    pair, shared = np.unique((rows * size + others)[rows != others], return_counts=True)
    pair, shared = pair[shared >= at_least], shared[shared >= at_least]
    row, other = np.divmod(pair, size)
    # The row's own count is the same for all its pairs and left out; the square is a ratio of whole
    # numbers, so ties are exact.
    similarity = shared.astype(np.float64) ** 2 / list_count[other]
    order = np.lexsort((other, -shared, -similarity, row))
    row, other = row[order], other[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < ranked.shape[1]
    ranked[row[kept], place[kept]] = other[kept]
