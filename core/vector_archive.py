"""The file of vectors: writes it, checks it whole, and maps it.

It is an .npz as that of lists: arrays `keys`, `units` and `lengths` (float32, the directions one
after the other), and a JSON `manifest`, which has the length of a vector. A file of float16, and
an older one, has `vectors` instead, which become directions when it is loaded.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.archive import Key, Members, check_catalog, named_keys, read_members, write_archive
from core.catalog import Catalog, TrackId
from core.errors import InputError
from core.nearest import Floats
from core.sealed import same_content, sealed_copy
from core.vector_cells import Cells, default_probed
from core.vector_graph import Graph
from core.vector_index import OF_INDEX, Way, make_index
from core.vectors import Index, Vectors, split

FORMAT = 1
Precision = Literal["float32", "float16"]
Arrays = Mapping[str, npt.NDArray[Any]]

_AGAIN = "Make it again with `segue train` or `segue vectors import`"


def save_vectors(
    path: Path,
    key: Key,
    keys: Sequence[int] | Sequence[TrackId],
    vectors: npt.NDArray[np.floating],
    catalog: Catalog,
    about: Mapping[str, Any],
    precision: Precision = "float32",
    way: Way = "auto",
) -> None:
    """Write a vector file; same input, same bytes.

    Args:
        path: The file; replaced as a whole.
        key: Whether `keys` are catalog indices or listener ids.
        keys: Distinct, one for each row.
        vectors: (rows, d), finite.
        catalog: The catalog that the indices belong to.
        about: Entries for the manifest: how the vectors were made.
        precision: Type of the numbers; float16 takes half the room on disk.
        way: How a search finds the tracks near a point.

    Raises:
        InputError: The file cannot be written.
    """
    assert vectors.ndim == 2
    assert len(keys) == len(vectors) == len(set(keys))
    assert bool(np.isfinite(vectors).all()), "a vector has finite numbers"
    manifest = {
        **about,
        "format": FORMAT,
        "key": key,
        "catalog": catalog.checksum,
        "dimensions": vectors.shape[1],
    }
    rounded = vectors.astype(precision)
    units, lengths = split(rounded)
    more: dict[str, npt.NDArray[Any]] = {}
    if key == "track" and (made := make_index(units, catalog, way)) is not None:
        order, more = made.order, made.arrays
        keys, rounded = np.asarray(keys)[order].tolist(), rounded[order]
        units, lengths = units[order], lengths[order]
        manifest |= made.facts
    if precision == "float32":
        numbers = {"units": units.ravel(), "lengths": lengths}
    else:
        numbers = {"vectors": rounded.ravel()}
    write_archive(
        path,
        {"manifest": _bytes_of(manifest), "keys": named_keys(key, keys), **numbers, **more},
        aligned=True,
    )


def save_again(path: Path, vectors: Vectors, catalog: Catalog, way: Way) -> None:
    """Write a file of the same vectors with a different index; its numbers are float32.

    Raises:
        InputError: The file cannot be written.
    """
    about = {name: each for name, each in vectors.manifest.items() if name not in OF_INDEX}
    points = vectors.units * vectors.lengths[:, None]
    save_vectors(path, vectors.key, vectors.keys, points, catalog, about, way=way)


def load_vectors(path: Path, catalog: Catalog, known: Iterable[Vectors] = ()) -> Vectors:
    """Load a vector file for this catalog.

    Args:
        path: The file.
        catalog: The catalog of its tracks.
        known: Vectors of the same catalog; those with the same content are returned, not loaded
            again, so that a reload needs no memory for vectors that did not change.

    Raises:
        InputError: The file is missing, damaged, foreign, or of a different catalog.
    """
    if (found := same_content(path, known)) is not None:
        return found
    copy = sealed_copy(path)
    where = str(path)
    with copy.file:
        members = read_members(path, copy.file, copy.content, "a vector file", _AGAIN)
    check_catalog(where, members.manifest, catalog, FORMAT, _AGAIN)
    units, lengths = _numbers_of(where, members, len(catalog))
    index = _index_of(where, members, units.shape)
    digest = hashlib.sha256(copy.content.data).hexdigest()
    return Vectors(
        members.key, members.keys, units, catalog, members.manifest, digest, index, lengths
    )


def _numbers_of(where: str, members: Members, tracks: int) -> tuple[Floats, Floats]:
    """Give directions and lengths; directions that the file has are a view of it.

    Raises:
        InputError: They do not fit the keys.
    """
    keys, d = members.keys, members.manifest.get("dimensions")
    units, lengths = members.arrays.get("units"), members.arrays.get("lengths")
    flat = members.arrays.get("vectors") if units is None else units
    types = ("f4", "f2") if units is None else ("f4",)
    is_sound = (
        flat is not None
        and flat.dtype in map(np.dtype, types)
        and isinstance(d, int)
        and d > 0
        and len(flat) == d * len(keys)
        and len(set(keys)) == len(keys) > 0
        and (members.key == "user" or 0 <= min(keys) <= max(keys) < tracks)  # type: ignore[operator]
        and bool(np.isfinite(flat).all())
    )
    if is_sound and units is not None:
        is_sound = (
            lengths is not None
            and lengths.dtype == np.dtype("f4")
            and len(lengths) == len(keys)
            and bool(np.isfinite(lengths).all())
            and _have_unit_length(units.reshape(len(keys), -1))
        )
    if not is_sound:
        raise InputError.one(
            where,
            "must have one vector of finite numbers for each key, of known tracks; this does not "
            f"hold. {_AGAIN}",
        )
    assert flat is not None
    rows = flat.reshape(len(keys), -1)
    return split(rows) if lengths is None else (rows, lengths)


def _have_unit_length(units: Floats) -> bool:
    """Test whether each row has the length 1 or 0: what bounds the error of a product."""
    squares = np.einsum("ij,ij->i", units, units)
    return bool(((np.abs(squares - 1) < _ROUNDING) | (squares == 0)).all())


_ROUNDING = 1e-3


def _index_of(where: str, members: Members, shape: tuple[int, ...]) -> Index | None:
    """Give the index of a file that has one.

    Raises:
        InputError: It does not fit the vectors, or needs a package.
    """
    arrays, manifest = members.arrays, members.manifest
    if (content := arrays.get("graph")) is not None:
        return _graph_of(where, content, manifest, shape)
    starts, centres = arrays.get("cells"), arrays.get("centres")
    if starts is None and centres is None:
        return None
    rows, d = shape
    is_sound = (
        starts is not None
        and centres is not None
        and (starts.dtype, centres.dtype) == (np.dtype("i8"), np.dtype("f4"))
        and len(starts) > 1
        and len(centres) == (len(starts) - 1) * d
        and (int(starts[0]), int(starts[-1])) == (0, rows)
        and bool((np.diff(starts) >= 0).all())
        and bool(np.isfinite(centres).all())
        and _have_unit_length(centres.reshape(-1, d))
    )
    if not is_sound:
        raise InputError.one(where, f"must have cells that hold each row once. {_AGAIN}")
    assert starts is not None
    assert centres is not None
    probed = manifest.get("probed", default_probed(len(starts) - 1))
    if not isinstance(probed, int) or probed < 1:
        raise InputError.one(where, f"must read one cell or more, reads {probed!r:.40}. {_AGAIN}")
    return Cells(centres.reshape(-1, d), starts, probed)


def _graph_of(
    where: str,
    content: npt.NDArray[Any],
    manifest: Mapping[str, Any],
    shape: tuple[int, ...],
) -> Graph:
    if find_spec("usearch") is None:
        raise InputError.one(
            where,
            "has a graph, which needs the package usearch. Install it with "
            "`pip install 'segue[vectors]'`, or make the file again with `--index cells`",
        )
    expansion = manifest.get("expansion")
    if content.dtype == np.uint8 and isinstance(expansion, int) and expansion > 0:
        try:
            graph = Graph.over(content, expansion)
        except Exception as error:  # whatever the library makes of bytes that are no graph
            raise InputError.one(
                where, f"must have a graph ({str(error)[:100]}). {_AGAIN}"
            ) from error
        if (len(graph), graph.dimensions) == shape:
            return graph
    raise InputError.one(where, f"must have a graph over each row once. {_AGAIN}")


def _bytes_of(manifest: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8)
