"""Lists for the board: one with its titles, and how much two files of lists have in common."""

from collections import Counter
from typing import Any

import numpy as np

from audit.board.tracks import index_of
from core.errors import InputError, unknown_name
from core.lists import Lists
from engine.runtime import Runtime

Found = dict[str, Any]


def show_list(runtime: Runtime, name: str, owner: str) -> Found:
    """Show the list of a track or of a listener.

    Raises:
        InputError: There is no such file, track or listener.
    """
    lists, catalog = _lists_of(runtime, name, "name"), runtime.catalog
    of = None
    if lists.key == "track":
        index = index_of(catalog, owner, "id")
        row, of = lists.row_of_track(index), catalog.describe(index)
    else:
        row = lists.row_of_user(owner)
    if row < 0:
        raise InputError.one("id", f"'{name}' has no list of {lists.key} {owner!r:.80}")
    here = slice(int(lists.offsets[row]), int(lists.offsets[row + 1]))
    tracks = lists.tracks[here].tolist()
    scores = [None] * len(tracks) if lists.scores is None else lists.scores[here].tolist()
    return {
        "name": name,
        "id": of["track"] if of else owner,
        "of": of,
        "tracks": [
            {"rank": rank, **catalog.describe(track), "score": score}
            for rank, (track, score) in enumerate(zip(tracks, scores, strict=True), start=1)
        ],
    }


def overlap_of(runtime: Runtime, a: str, b: str, k: int) -> Found:
    """Compare the first `k` tracks of each list in two files.

    Raises:
        InputError: There is no such file, or one is by track and one by listener.
    """
    first, second = _lists_of(runtime, a, "a"), _lists_of(runtime, b, "b")
    if first.key != second.key:
        raise InputError.one(
            "b",
            f"must have lists of each {first.key}, as '{a}' has; '{b}' has lists of each "
            f"{second.key}. Compare two files of one kind",
        )
    places = {key: place for place, key in enumerate(second.keys)}
    pairs = [(row, places[key]) for row, key in enumerate(first.keys) if key in places]
    shared, sizes = _shared(first, second, pairs, k)
    histogram = Counter(shared.tolist())
    either = sizes.sum(axis=0) - shared
    smaller = sizes.min(axis=0)
    return {
        "a": a,
        "b": b,
        "k": k,
        "both": len(pairs),
        "only_a": len(first) - len(pairs),
        "only_b": len(second) - len(pairs),
        "overlap": float((shared / smaller).mean()) if pairs else None,
        "jaccard": float((shared / either).mean()) if pairs else None,
        "histogram": [{"shared": each, "rows": histogram[each]} for each in range(k + 1)],
    }


def _shared(first: Lists, second: Lists, pairs: list[tuple[int, int]], k: int) -> tuple[Any, Any]:
    """Count the tracks that each pair of lists shares, (pairs,), and those of each, (2, pairs)."""
    shared, sizes = np.zeros(len(pairs), dtype=np.int64), np.zeros((2, len(pairs)), dtype=np.int64)
    if not pairs:
        return shared, sizes
    marks = []
    for side, lists in enumerate((first, second)):
        tracks, owners, _ = lists.heads([pair[side] for pair in pairs], k)
        sizes[side] = np.bincount(owners, minlength=len(pairs))
        marks.append(owners.astype(np.int64) << 32 | tracks.astype(np.int64))
    common = np.intersect1d(marks[0], marks[1], assume_unique=True)
    shared += np.bincount(common >> 32, minlength=len(pairs))
    return shared, sizes


def _lists_of(runtime: Runtime, name: str, where: str) -> Lists:
    found = runtime.artifacts.lists.get(name)
    if found is None:
        raise InputError.one(where, unknown_name("list", name, runtime.artifacts.lists))
    return found
