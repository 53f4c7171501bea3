"""Co-occurrence: lists by track out of lists by listener, where no log is at hand.

Two tracks are near when the same listeners' lists have both: the count of such lists, divided by
the root of the product of how many lists have either (cosine of the two columns).
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
    """The `top` tracks that share most lists with each track, itself never among them.

    Exact, in blocks of tracks that bound the memory. Equals are ordered by how many lists they
    share, more first, then by catalog index, so that the same lists give the same ones everywhere.

    Args:
        lists: Lists by listener.
        tracks: How many tracks the catalog has.
        top: How many for each track.
        at_least: How many lists two tracks must share.
        progress: Told how far the work is, in tracks.

    Returns:
        int32, (tracks, top), best first, filled up with -1.
    """
    members = np.asarray(lists.tracks, dtype=np.int64)
    begins = np.asarray(lists.offsets[:-1], dtype=np.int64)
    lengths = np.diff(lists.offsets).astype(np.int64)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    list_count = np.bincount(members, minlength=tracks)  # in how many lists each track stands
    by_track = np.argsort(members, kind="stable")
    owners = owners[by_track]
    ends = np.cumsum(list_count)
    pairs = np.concatenate([[0], np.cumsum(lengths[owners])])  # before each (track, list)
    ranked: Rankings = np.full((tracks, top), NONE, dtype=np.int32)
    progress.start("tracks that share lists", tracks)
    start = 0
    while start < tracks:
        first = 0 if start == 0 else int(ends[start - 1])
        room = pairs[first] + _PAIRS_AT_ONCE
        # At least one track a block, however many pairs it has.
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
    """Count each pair of a row and another track, and write the best of each row."""
    size = len(list_count)
    pair, shared = np.unique((rows * size + others)[rows != others], return_counts=True)
    pair, shared = pair[shared >= at_least], shared[shared >= at_least]
    row, other = np.divmod(pair, size)
    # The row's own reach is the same for all others; squared, so that equals are equal exactly.
    similarity = shared.astype(np.float64) ** 2 / list_count[other]
    order = np.lexsort((other, -shared, -similarity, row))
    row, other = row[order], other[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    kept = place < ranked.shape[1]
    ranked[row[kept], place[kept]] = other[kept]
