"""Vector files of somebody else's vectors: .npy or Parquet, of tracks or of listeners.

Vectors of audio or text need no listens, so a track that nobody heard has one too.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.archive import Key
from core.catalog import UNKNOWN, Catalog
from core.errors import Faults, InputError
from core.lines import line_blocks, text_in
from core.progress import SILENT, Progress
from core.sealed import read_whole
from core.vectors import Precision, Vectors, load_vectors, save_vectors
from training.importers.ids import IdFault, parse_id
from training.importers.parquet_files import is_parquet, open_parquet

Numbers = npt.NDArray[np.floating]
_SHOWN = 10
ROWS_AT_ONCE = 1 << 14


def import_vectors(
    file: Path,
    to: Path,
    catalog: Catalog,
    ids: str,
    *,
    column: str = "vector",
    key: Key = "track",
    model: str = "imported",
    drop_unknown: bool = False,
    precision: Precision = "float32",
    progress: Progress = SILENT,
) -> Vectors:
    """Write a vector file.

    Args:
        file: A .npy file of one row a vector, or Parquet.
        to: The .npz file to write.
        catalog: The catalog of the tracks.
        ids: For .npy the path of a text file with one id a line, in the order of the rows; for
            Parquet the name of the column with the ids.
        column: For Parquet the name of the column with the vectors, lists of numbers.
        key: Whether the ids are of tracks or of listeners.
        model: Name of what made the vectors, for the manifest.
        drop_unknown: Leave out tracks that the catalog does not have.
        precision: Type of the numbers on disk.
        progress: Shows the work.

    Raises:
        InputError: The files do not fit together, or to the catalog.
    """
    progress.start("reading the vectors")
    if is_parquet(file):
        names, vectors = _from_parquet(file, ids, column)
    else:
        names, vectors = _from_npy(file, Path(ids))
    faults = Faults(_SHOWN)
    keys, rows, dropped = _known_keys(str(file), names, catalog, key, drop_unknown, faults)
    for row in np.flatnonzero(~np.isfinite(vectors).all(axis=1)).tolist():
        faults.add(f"{file}: row {row + 1}", "must have finite numbers, has one that is not")
    faults.raise_if_any()
    if not keys:
        raise InputError.one(str(file), "must have a vector of a known track, has none")
    progress.start("writing")
    about = {
        "model": model,
        "made_by": "segue vectors import",
        "from": {file.name: hashlib.sha256(file.read_bytes()).hexdigest()},
        **({"dropped": dropped} if dropped else {}),
    }
    save_vectors(to, key, keys, np.asarray(vectors)[rows], catalog, about, precision)
    return load_vectors(to, catalog)


def _known_keys(
    where: str, names: Sequence[Any], catalog: Catalog, key: Key, drop_unknown: bool, faults: Faults
) -> tuple[list[Any], list[int], int]:
    """Give the keys, the row of each, and how many unknown tracks were left out."""
    found: dict[Any, int] = {}
    dropped = 0
    for row, name in enumerate(names):
        at = f"{where}: row {row + 1}"
        try:
            parsed = parse_id(name, "the id")
        except IdFault as fault:
            faults.add(at, str(fault))
            continue
        own: Any = catalog.index_of(parsed) if key == "track" else str(parsed)
        if own == UNKNOWN and drop_unknown:
            dropped += 1
        elif own == UNKNOWN:
            faults.add(
                at, f"track {parsed!r} is not in the catalog. Add --drop-unknown to leave out"
            )
        elif own in found:
            faults.add(at, f"{key} {parsed!r} already has a vector in row {found[own] + 1}")
        else:
            found[own] = row
    return list(found), list(found.values()), dropped


def _from_npy(file: Path, ids: Path) -> tuple[list[str], Numbers]:
    try:
        vectors = np.load(file, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise InputError.one(str(file), "does not exist") from None
    except (OSError, ValueError, EOFError) as error:
        raise InputError.one(
            str(file), f"must be a .npy file or Parquet ({str(error)[:100]})"
        ) from error
    if not isinstance(vectors, np.ndarray) or vectors.ndim != 2 or vectors.dtype.kind != "f":
        raise InputError.one(str(file), "must be an array (rows, numbers) of floats")
    names = _lines_of(ids)
    if len(names) != len(vectors):
        raise InputError.one(
            str(ids),
            f"must have one id for each of the {len(vectors):,} rows of {file}, has {len(names):,}",
        )
    return names, vectors


def _lines_of(path: Path) -> list[str]:
    """Give the lines of a text file that have something in them."""
    where = str(path)
    blocks = line_blocks(where, [text_in(where, read_whole(path))])
    try:
        return [text for _, lines in blocks for line in lines if (text := line.decode().strip())]
    except UnicodeDecodeError as error:
        raise InputError.one(where, "must be UTF-8, one id a line") from error


def _from_parquet(file: Path, ids: str, column: str) -> tuple[list[Any], Numbers]:
    names: list[Any] = []
    vectors: list[Any] = []
    with open_parquet(file) as source:
        for option, name in (("--ids", ids), ("--column", column)):
            if name not in source.names:
                raise InputError.one(
                    str(file),
                    f"must have a column '{name}', has {', '.join(source.names[:20])}. "
                    f"Name the right one by {option}",
                )
        for batch in source.batches([ids, column], ROWS_AT_ONCE, SILENT):
            names += batch.column(ids).to_pylist()
            vectors += batch.column(column).to_pylist()
    where = f"{file}: column '{column}'"
    lengths = {len(vector) if isinstance(vector, list) else 0 for vector in vectors}
    if len(lengths) != 1 or 0 in lengths:
        raise InputError.one(
            where,
            "must have lists of numbers, all of one length; has lengths "
            f"{', '.join(map(str, sorted(lengths)[:5]))} (0: no list). Leave out the rest",
        )
    try:
        return names, np.array(vectors, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise InputError.one(
            where, f"must have lists of numbers, has others ({error}). Name the right column"
        ) from error
