"""Top-k: the exact best tracks of each key, by matrix products in blocks.

Nothing is approximate: at 50,000 tracks an index saves seconds and loses neighbours. Ties are
ordered by catalog index, so that the same scores give the same file.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.progress import SILENT, Progress

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.float32]
Rankings = npt.NDArray[np.int32]
"""int32, (keys, k): catalog indices, best first; padded with -1."""

Scores = Callable[[Ints], Floats]
"""Keys (b,) to scores float32 (b, tracks), higher is better; a score of -inf is never ranked."""

NONE = -1

BLOCK = 256
"""Keys scored at a time: 51 MB of scores at 50,000 tracks; `top_k_of_entries` takes no more."""

_GROUP = 32


def dot_products(queries: Floats, tracks: Floats, bias: Floats | None = None) -> Scores:
    """Scores by the dot product of a key's vector and a track's vector, plus the track's bias.

    Args:
        queries: float32, (keys, d).
        tracks: float32, (tracks, d).
        bias: float32, (tracks,), or None.
    """
    columns = np.ascontiguousarray(tracks.T)

    def scores(keys: Ints) -> Floats:
        block: Floats = queries[keys] @ columns
        if bias is not None:
            block += bias
        return block

    return scores


def top_k(
    scores: Scores,
    keys: Ints,
    k: int,
    *,
    without: Ints | None = None,
    progress: Progress = SILENT,
) -> Rankings:
    """Rank the `k` best tracks of each key.

    Args:
        scores: Scores a block of keys.
        keys: (keys,), passed to `scores` in blocks.
        k: Length of each list, at least 1.
        without: (keys,), a track to leave out of each list, as a track out of its own list.
        progress: Advanced by one a key.
    """
    ranked = np.full((len(keys), k), NONE, dtype=np.int32)
    for start in range(0, len(keys), BLOCK):
        rows = slice(start, min(start + BLOCK, len(keys)))
        block = scores(keys[rows])
        if without is not None:
            block[np.arange(len(block)), without[rows]] = -np.inf
        ranked[rows] = _top_k_of_block(block, k)
        progress.advance(len(block))
    return ranked


def top_k_of_entries(row: Ints, track: Ints, score: Floats, rows: int, k: int) -> Rankings:
    """Rank the `k` best tracks of each row from scattered entries (row, track, score).

    One 64-bit word holds row, score and track: numpy sorts it many times faster than three
    columns. So there are at most 256 rows and 16 million tracks.
    """
    assert rows <= BLOCK, "rank in blocks"
    assert track.max(initial=0) < 1 << 24, "a track must fit into 24 bits"
    # Adding 0 makes -0 a 0, so that they tie.
    bits = (score.astype(np.float32) + np.float32(0)).view(np.uint32)
    # Map floats to integers of the same order: flip the sign bit of positive ones, and all bits of
    # negative ones.
    rising = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    words = row.astype(np.uint64) << 56 | (~rising).astype(np.uint64) << 24
    words |= track.astype(np.uint64)
    words.sort()
    row = (words >> 56).astype(np.int64)
    starts = np.searchsorted(row, np.arange(rows))
    place = np.arange(len(row)) - starts[row]
    kept = place < k
    ranked = np.full((rows, k), NONE, dtype=np.int32)
    ranked[row[kept], place[kept]] = words[kept] & ((1 << 24) - 1)
    return ranked


def _top_k_of_block(block: Floats, k: int) -> Rankings:
    """Rank the k best tracks of each row, ties by index.

    The k-th best of the maxima of groups of tracks cannot exceed the k-th best score, so only
    scores that reach it are sorted: a few hundred of 50,000.
    """
    rows, tracks = block.shape
    chosen = block > -np.inf
    if tracks > 2 * k:
        size = max(1, min(_GROUP, tracks // (4 * k)))
        groups = tracks // size
        maxima = block[:, : groups * size].reshape(rows, groups, size).max(axis=2)
        threshold = np.partition(maxima, groups - k, axis=1)[:, groups - k]
        chosen &= block >= threshold[:, None]
    row, track = np.divmod(np.flatnonzero(chosen), tracks)
    return top_k_of_entries(row, track, block[row, track], rows, k)
