"""A world: the catalog, its taste vectors, and its listeners.

Only the simulator may read a world. A strategy, a trainer or a report that read it would read the
answers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog, TrackId, id_fault, is_id, known_tracks, load_catalog
from core.errors import Faults, InputError
from core.jsonl import read_records

TRACKS = ("tracks.jsonl", "tracks.json")
EMBEDDINGS = ("embeddings.npy",)
USERS = ("users.jsonl", "users.json")


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Tracks and listeners with their true tastes; immutable.

    Attributes:
        catalog: The tracks; the arrays below hold its indices.
        embeddings: float32, (tracks, d); the inner product of two tracks measures how well they
            go together.
        users: Listener ids, in the order of the file.
        interests: int64, (users, k), catalog indices; the vectors of these tracks are the tastes.
        consume_bias: float64, (users,), inner product at which half a track is heard.
        consume_sharpness: float64, (users,), how fast liking rises there (1 / inner product).
    """

    catalog: Catalog
    embeddings: npt.NDArray[np.float32]
    users: Sequence[TrackId]
    interests: npt.NDArray[np.int64]
    consume_bias: npt.NDArray[np.float64]
    consume_sharpness: npt.NDArray[np.float64]

    def __len__(self) -> int:
        """Return the number of listeners."""
        return len(self.users)


def load_world(folder: Path) -> World:
    """Read a world from a folder of ours, or from botify's files.

    Raises:
        InputError: A file is missing; and see `read_world`.
    """
    faults = Faults()
    if _has(folder, TRACKS) and not _has(folder, EMBEDDINGS) and not _has(folder, USERS):
        raise InputError.one(
            str(folder),
            "has a catalog, but no simulated listeners and no taste vectors: nobody knows how your "
            "listeners would like your tracks. Simulate the embedded world (`segue init world`, "
            "then serve world/config.yaml and give --world world/data), or compare a world with "
            "your log (`segue world calibrate --help`)",
        )
    found = [_find_file(folder, names, faults) for names in (TRACKS, EMBEDDINGS, USERS)]
    faults.raise_if_any()
    return read_world(*found)


def read_world(tracks: Path, embeddings: Path, users: Path) -> World:
    """Read a world from three files.

    Args:
        tracks: Catalog, JSON lines.
        embeddings: .npy of floats, (tracks, d), rows in the order of the catalog.
        users: JSON lines of {"user", "interests", "consume_bias", "consume_sharpness"}.

    Raises:
        InputError: Lists everything that is wrong, by file and line.
    """
    faults = Faults()
    catalog = load_catalog(tracks)
    vectors = _embeddings(embeddings, catalog, faults)
    listeners = _listeners(users, catalog, faults)
    faults.raise_if_any()
    assert vectors is not None, "a missing matrix is a fault, raised above"
    return World(
        catalog,
        vectors,
        [listener.user for listener in listeners],
        np.array([listener.interests for listener in listeners], dtype=np.int64),
        np.array([listener.bias for listener in listeners]),
        np.array([listener.sharpness for listener in listeners]),
    )


class _Listener(NamedTuple):
    user: TrackId
    interests: npt.NDArray[np.int32]
    bias: float
    sharpness: float


def _has(folder: Path, names: Sequence[str]) -> bool:
    return any((folder / name).exists() for name in names)


def _find_file(folder: Path, names: Sequence[str], faults: Faults) -> Path:
    for name in names:
        if (folder / name).exists():
            return folder / name
    faults.add(
        str(folder),
        f"must have {' or '.join(names)} to be a world. "
        "Make a world with: segue world create --to FOLDER",
    )
    return folder / names[0]


def _embeddings(path: Path, catalog: Catalog, faults: Faults) -> npt.NDArray[np.float32] | None:
    where = str(path)
    try:
        stored = np.load(path, allow_pickle=False)
    except OSError as error:
        faults.add(where, f"cannot be read: {error.strerror or error}")
        return None
    except (ValueError, EOFError) as error:
        faults.add(where, f"must be a .npy file of floats, but numpy cannot read it ({error})")
        return None
    if not isinstance(stored, np.ndarray) or stored.dtype.kind != "f" or stored.ndim != 2:
        shape = getattr(stored, "shape", None)
        faults.add(where, f"must be a matrix of floats, (tracks, d); has shape {shape}")
        return None
    if len(stored) != len(catalog):
        faults.add(
            where,
            f"must have a row for each of the {len(catalog)} tracks of the catalog, "
            f"has {len(stored)}",
        )
        return None
    vectors: npt.NDArray[np.float32] = np.ascontiguousarray(stored, dtype=np.float32)
    invalid = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(invalid):
        faults.add(where, f"must be finite, row {invalid[0]} is not ({len(invalid)} rows are not)")
        return None
    return vectors


def _listeners(path: Path, catalog: Catalog, faults: Faults) -> list[_Listener]:
    listeners: list[_Listener] = []
    seen: dict[str, int] = {}
    for number, record in read_records(path, faults):
        where = f"{path}:{number}"
        user = record.get("user")
        if not is_id(user):
            faults.add(where, f"user {id_fault(user)}")
        elif str(user) in seen:
            faults.add(where, f"user {user!r} is already in line {seen[str(user)]}")
        else:
            seen[str(user)] = number
            listener = _listener(where, user, record, catalog, faults)
            if listener is None:
                continue
            if listeners and len(listener.interests) != len(listeners[0].interests):
                faults.add(
                    where,
                    f"must have as many interests as the first listener, "
                    f"{len(listeners[0].interests)}, has {len(listener.interests)}",
                )
            listeners.append(listener)
    if not listeners and not faults.found:
        faults.add(str(path), "must have at least one listener, has none")
    return listeners


def _listener(
    where: str, user: TrackId, record: dict[str, Any], catalog: Catalog, faults: Faults
) -> _Listener | None:
    interests = record.get("interests")
    if not isinstance(interests, list) or not interests:
        faults.add(where, f"interests must be an array of track ids, got {interests!r}")
        return None
    is_valid = True
    for key in ("consume_bias", "consume_sharpness"):
        value = record.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            faults.add(where, f"{key} must be a finite number, got {value!r}")
            is_valid = False
    try:
        # A listener may have an interest twice: botify drew them with replacement.
        distinct = known_tracks(where, list(dict.fromkeys(interests)), catalog)
    except (InputError, TypeError) as error:
        if isinstance(error, InputError):
            faults.extend(error)
        else:
            faults.add(where, f"interests must be an array of track ids, got {interests!r}")
        return None
    if not is_valid:
        return None
    index = dict(zip(dict.fromkeys(interests), distinct.tolist(), strict=True))
    return _Listener(
        user,
        np.array([index[track] for track in interests], dtype=np.int32),
        float(record["consume_bias"]),
        float(record["consume_sharpness"]),
    )
