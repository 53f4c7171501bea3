"""The tracks nearest to each listener's interests: exact, and cached in a file."""

import hashlib
import io
import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.progress import SILENT, Progress
from simulator.world.world import World

FORMAT = b"segue-nearest-1\n"
_CELLS = 1 << 25  # scores held at a time: 128 MB; smaller blocks multiply twice as slowly
_GROUP = 64

Tracks = npt.NDArray[np.int32]


def find_neighbours(
    world: World, k: int = 10, cache: Path | None = None, progress: Progress = SILENT
) -> Tracks:
    """Find the k tracks nearest to each interest, by inner product, the interest itself included.

    Ties go by the order of the catalog. The result depends neither on the processor nor on the
    order in which its linear algebra library adds.

    Args:
        world: The world.
        k: Number of tracks, at most the size of the catalog.
        cache: Folder that caches the result, under a name made of all that it depends on.
        progress: Shows the computation.

    Returns:
        Catalog indices, nearest first: int32, (users, interests, k).
    """
    distinct, where = np.unique(world.interests, return_inverse=True)
    where = where.reshape(world.interests.shape)
    if cache is None:
        return nearest_tracks(world.embeddings, distinct, k, progress)[where]
    path = cache / f"nearest-{_key(world.embeddings, distinct, k)}.bin"
    known = _read(path, progress)
    if known is None:
        known = nearest_tracks(world.embeddings, distinct, k, progress)
        _write(path, known, progress)
    return known[where]


def nearest_tracks(
    embeddings: npt.NDArray[np.float32],
    queries: npt.NDArray[np.integer],
    k: int,
    progress: Progress = SILENT,
) -> Tracks:
    """Find the k tracks with the greatest inner product with each query track.

    Args:
        embeddings: float32, (tracks, d).
        queries: Catalog indices, (m,).
        k: Number of tracks, in 1..tracks.
        progress: Advances by one for each query.

    Returns:
        Catalog indices, nearest first, ties by index: int32, (m, k).
    """
    tracks, d = embeddings.shape
    assert 1 <= k <= tracks, "k is at most the size of the catalog"
    found = np.empty((len(queries), k), dtype=np.int32)
    lengths = np.sqrt(np.einsum("td,td->t", embeddings, embeddings, dtype=np.float64))
    # A sum of d products in float32 errs by less than this, in any order (Higham 2002, 3.1).
    slack = (2 * d * 2.0**-24 * lengths.max(initial=0.0)) * lengths
    rows = max(1, min(512, _CELLS // tracks))
    scores = np.empty((rows, tracks), dtype=np.float32)
    columns = np.ascontiguousarray(embeddings.T)
    progress.start("nearest tracks", len(queries))
    for start in range(0, len(queries), rows):
        block = queries[start : start + rows]
        part = scores[: len(block)]
        np.matmul(embeddings[block], columns, out=part)
        least = _lower_bound(part, k) - 2 * slack[block]
        # Flat, because numpy's nonzero of two dimensions takes ten times as long.
        near = np.flatnonzero(part >= least.astype(np.float32)[:, None])
        row, track = np.divmod(near, tracks)
        found[start : start + len(block)] = _top_k(embeddings, block, row, track, k)
        progress.advance(len(block))
    return found


def _lower_bound(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float64]:
    """Return for each row a number that at least k of its scores reach.

    The number is the k-th greatest of the maxima of groups of columns. It is nearly as high as the
    k-th greatest score, and takes one pass; partitioning all scores takes ten times as long.
    """
    rows, tracks = scores.shape
    size = max(1, min(_GROUP, tracks // (8 * k)))
    groups = tracks // size
    maxima = scores[:, : groups * size].reshape(rows, size, groups).max(axis=1)
    return np.partition(maxima, groups - k, axis=1)[:, groups - k].astype(np.float64)


def _top_k(
    embeddings: npt.NDArray[np.float32],
    queries: npt.NDArray[np.integer],
    row: npt.NDArray[np.intp],
    track: npt.NDArray[np.intp],
    k: int,
) -> npt.NDArray[np.intp]:
    """Return the best k candidates of each row, by products added in a fixed order."""
    score = np.zeros(len(row))
    for left, right in zip(embeddings[queries[row]].T, embeddings[track].T, strict=True):
        score += left.astype(np.float64) * right
    order = np.lexsort((track, -score, row))
    begins = np.searchsorted(row[order], np.arange(len(queries)))
    best: npt.NDArray[np.intp] = track[order[begins[:, None] + np.arange(k)]]
    return best


def _key(embeddings: npt.NDArray[np.float32], queries: npt.NDArray[np.integer], k: int) -> str:
    digest = hashlib.sha256(FORMAT)
    digest.update(repr((embeddings.shape, len(queries), k)).encode())
    digest.update(np.ascontiguousarray(embeddings, dtype="<f4").data)
    digest.update(np.ascontiguousarray(queries, dtype="<i8").data)
    return digest.hexdigest()[:32]


def _read(path: Path, progress: Progress) -> Tracks | None:
    """Return the content of the file; None if it is absent, or reported as damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        progress.say(f"{path}: cannot be read ({error.strerror}); computing it again")
        return None
    head = len(FORMAT) + 32
    if content[:head] == FORMAT + hashlib.sha256(content[head:]).digest():
        # The name stands for the world and k, so the shape is right too.
        known: Tracks = np.load(io.BytesIO(content[head:]), allow_pickle=False).astype(np.int32)
        return known
    progress.say(f"{path}: is damaged; computing it again")
    return None


def _write(path: Path, known: Tracks, progress: Progress) -> None:
    """Put the whole file in place at once, so that no concurrent process reads half of it."""
    content = io.BytesIO()
    np.save(content, known.astype("<i4"), allow_pickle=False)
    body = content.getvalue()
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(FORMAT + hashlib.sha256(body).digest() + body)
        part.replace(path)
    except OSError as error:
        progress.say(
            f"{path}: cannot be written ({error.strerror}); the next run computes it again"
        )
        with suppress(OSError):
            part.unlink(missing_ok=True)
