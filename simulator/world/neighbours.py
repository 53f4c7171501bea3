"""The tracks nearest to each listener's tastes: exact, and kept in a file from then on."""

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


def neighbourhoods(
    world: World, k: int = 10, cache: Path | None = None, progress: Progress = SILENT
) -> Tracks:
    """The k tracks nearest to each interest, by inner product, the interest itself among them.

    Equal inner products go by the order of the catalog. The answer does not depend on the
    processor, nor on how its linear algebra library adds up.

    Args:
        world: Whose interests.
        k: How many tracks, a count; at most the size of the catalog.
        cache: Folder to keep the answer in, under a name made of everything it depends on.
        progress: Shown while it is worked out.

    Returns:
        Catalog indices, nearest first: int32, (users, interests, k).
    """
    distinct, where = np.unique(world.interests, return_inverse=True)
    where = where.reshape(world.interests.shape)
    if cache is None:
        return nearest(world.embeddings, distinct, k, progress)[where]
    path = cache / f"nearest-{_key(world.embeddings, distinct, k)}.bin"
    known = _read(path, progress)
    if known is None:
        known = nearest(world.embeddings, distinct, k, progress)
        _write(path, known, progress)
    return known[where]


def nearest(
    embeddings: npt.NDArray[np.float32],
    of: npt.NDArray[np.integer],
    k: int,
    progress: Progress = SILENT,
) -> Tracks:
    """The k tracks of the greatest inner product with each of some tracks.

    Args:
        embeddings: float32, (tracks, d).
        of: Catalog indices, (m,).
        k: How many, in 1..tracks.
        progress: Advanced by one for each of `of`.

    Returns:
        Catalog indices, nearest first, equals by index: int32, (m, k).
    """
    tracks, d = embeddings.shape
    assert 1 <= k <= tracks, "there are not so many tracks"
    found = np.empty((len(of), k), dtype=np.int32)
    lengths = np.sqrt(np.einsum("td,td->t", embeddings, embeddings, dtype=np.float64))
    # However a library adds up d products of float32, it errs by less than this (Higham 2002, 3.1).
    slack = (2 * d * 2.0**-24 * lengths.max(initial=0.0)) * lengths
    rows = max(1, min(512, _CELLS // tracks))
    scores = np.empty((rows, tracks), dtype=np.float32)
    columns = np.ascontiguousarray(embeddings.T)
    progress.start("nearest tracks", len(of))
    for start in range(0, len(of), rows):
        block = of[start : start + rows]
        part = scores[: len(block)]
        np.matmul(embeddings[block], columns, out=part)
        least = _lower_bound(part, k) - 2 * slack[block]
        # Flat, for numpy's nonzero of two dimensions takes ten times as long.
        near = np.flatnonzero(part >= least.astype(np.float32)[:, None])
        row, track = np.divmod(near, tracks)
        found[start : start + len(block)] = _first(embeddings, block, row, track, k)
        progress.advance(len(block))
    return found


def _lower_bound(scores: npt.NDArray[np.float32], k: int) -> npt.NDArray[np.float64]:
    """For each row a number that at least k of its scores reach.

    The k-th greatest of the maxima of groups of columns: found in one pass over the scores, where
    partitioning them all takes ten times as long, and nearly as high as the k-th greatest score.
    """
    rows, tracks = scores.shape
    size = max(1, min(_GROUP, tracks // (8 * k)))
    groups = tracks // size
    maxima = scores[:, : groups * size].reshape(rows, size, groups).max(axis=1)
    return np.partition(maxima, groups - k, axis=1)[:, groups - k].astype(np.float64)


def _first(
    embeddings: npt.NDArray[np.float32],
    of: npt.NDArray[np.integer],
    row: npt.NDArray[np.intp],
    track: npt.NDArray[np.intp],
    k: int,
) -> npt.NDArray[np.intp]:
    """The best k of each row's candidates, by products added up in one order everywhere."""
    score = np.zeros(len(row))
    for left, right in zip(embeddings[of[row]].T, embeddings[track].T, strict=True):
        score += left.astype(np.float64) * right
    order = np.lexsort((track, -score, row))
    begins = np.searchsorted(row[order], np.arange(len(of)))
    best: npt.NDArray[np.intp] = track[order[begins[:, None] + np.arange(k)]]
    return best


def _key(embeddings: npt.NDArray[np.float32], of: npt.NDArray[np.integer], k: int) -> str:
    digest = hashlib.sha256(FORMAT)
    digest.update(repr((embeddings.shape, len(of), k)).encode())
    digest.update(np.ascontiguousarray(embeddings, dtype="<f4").data)
    digest.update(np.ascontiguousarray(of, dtype="<i8").data)
    return digest.hexdigest()[:32]


def _read(path: Path, progress: Progress) -> Tracks | None:
    """What the file has; None, and said, where it has been damaged."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        progress.say(f"{path}: cannot be read ({error.strerror}); working it out anew")
        return None
    head = len(FORMAT) + 32
    if content[:head] == FORMAT + hashlib.sha256(content[head:]).digest():
        # What the name is made of says which world and how many, so the shape is right as well.
        known: Tracks = np.load(io.BytesIO(content[head:]), allow_pickle=False).astype(np.int32)
        return known
    progress.say(f"{path}: is damaged; working it out anew")
    return None


def _write(path: Path, known: Tracks, progress: Progress) -> None:
    """Put the whole file in place at once, so that no other process sees half of it."""
    content = io.BytesIO()
    np.save(content, known.astype("<i4"), allow_pickle=False)
    body = content.getvalue()
    beside = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        beside.write_bytes(FORMAT + hashlib.sha256(body).digest() + body)
        beside.replace(path)
    except OSError as error:
        progress.say(
            f"{path}: cannot be written ({error.strerror}); the next run works it out anew"
        )
        with suppress(OSError):
            beside.unlink(missing_ok=True)
