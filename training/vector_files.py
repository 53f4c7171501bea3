"""Vector files of somebody else's vectors: .npy or Parquet, of tracks or of listeners.

Vectors of audio or text need no listens, so a track that nobody heard has one too.
"""

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
from core.sealed import checksum_of, read_whole
from core.vector_archive import Precision, load_vectors, save_vectors
from core.vector_index import Way
from core.vectors import Vectors, split
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
    way: Way = "auto",
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
        way: How a search finds the tracks near a point.
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
    _check_numbers(file, vectors, precision, faults)
    faults.raise_if_any()
    if not keys:
        raise InputError.one(str(file), "must have a vector of a known track, has none")
    progress.start("writing")
    about = {
        "model": model,
        "made_by": "segue vectors import",
        "from": {file.name: checksum_of(file)},
        **({"dropped": dropped} if dropped else {}),
    }
    save_vectors(to, key, keys, np.asarray(vectors)[rows], catalog, about, precision, way)
    return load_vectors(to, catalog)


def _check_numbers(file: Path, vectors: Numbers, precision: Precision, faults: Faults) -> None:
    """Note the rows whose numbers, or whose length, are not finite, or not as this type."""
    for start in range(0, len(vectors), ROWS_AT_ONCE):
        block = np.asarray(vectors[start : start + ROWS_AT_ONCE])
        finite = np.asarray(np.isfinite(block).all(axis=1))
        with np.errstate(over="ignore", invalid="ignore"):
            rounded = block.astype(precision)
            _, lengths = split(rounded)
        fits = np.isfinite(rounded).all(axis=1) & np.isfinite(lengths)
        for row in np.flatnonzero(~(finite & fits)).tolist():
            at = f"{file}: row {start + row + 1}"
            if not finite[row]:
                faults.add(at, "must have finite numbers, has one that is not")
            else:
                faults.add(at, f"must have numbers that fit {precision}, has larger ones")


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
    # The head of a .npy file is a Python literal, so a damaged one raises nearly anything.
    except Exception as error:
        # Of a file that is no .npy, numpy says how to load it unsafely.
        reason = "" if "pickle" in str(error) else f" ({str(error)[:100]})"
        raise InputError.one(str(file), f"must be a .npy file or Parquet{reason}") from error
    if not isinstance(vectors, np.ndarray):
        vectors.close()
        raise InputError.one(
            str(file), "must be a .npy file of one array, is an archive of several (.npz)"
        )
    if vectors.ndim != 2 or vectors.dtype.kind != "f" or vectors.shape[1] == 0:
        raise InputError.one(
            str(file),
            f"must be an array (rows, numbers) of floats, is {vectors.shape} of {vectors.dtype}. "
            "Save it again with numpy.save, after .astype('float32')",
        )
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
    blocks: list[Numbers] = []
    lengths: set[int] = set()
    with open_parquet(file) as source:
        for option, name in (("--ids", ids), ("--column", column)):
            if name not in source.names:
                raise InputError.one(
                    str(file),
                    f"must have a column '{name}', has {', '.join(source.names[:20])}. "
                    f"Name the right one by {option}",
                )
        where = f"{file}: column '{column}'"
        for batch in source.batches([ids, column], ROWS_AT_ONCE, SILENT):
            names += batch.column(ids).to_pylist()
            of_batch, numbers = _lists_in(where, batch.column(column))
            lengths |= of_batch
            blocks.append(numbers)
    if len(lengths) != 1 or 0 in lengths:
        raise InputError.one(
            where,
            "must have lists of numbers, all of one length; has lengths "
            f"{', '.join(map(str, sorted(lengths)[:5])) or 'of no row'} (0: no list). Leave out "
            "the rest",
        )
    [length] = lengths
    return names, np.concatenate(blocks).reshape(-1, length)


def _lists_in(where: str, lists: Any) -> tuple[set[int], Numbers]:
    """Give the lengths of the lists of a column, and their numbers one after the other.

    Raises:
        InputError: The column has no lists of numbers.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = lists.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not is_list and not pa.types.is_fixed_size_list(kind):
        raise InputError.one(
            where, f"must have lists of numbers, has {kind}. Name the right column by --column"
        )
    item = kind.value_type
    if not (pa.types.is_floating(item) or pa.types.is_integer(item)):
        raise InputError.one(
            where, f"must have lists of numbers, has lists of {item}. Name the right column"
        )
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    numbers = pc.list_flatten(lists).to_numpy(zero_copy_only=False)
    # Where an element is missing, whole numbers become floats with NaN.
    return set(pc.unique(lengths).to_pylist()), np.asarray(numbers, dtype=np.float64)
