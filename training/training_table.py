"""The training table: interactions on the disk, as Parquet with the checksum of their catalog."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.errors import InputError
from training.interactions import Interactions

FORMAT = 1
COLUMNS = ("session", "position", "user", "track", "time", "at")


class TableWriter:
    """A training table that is written part by part, as Parquet; use it with `with`.

    The catalog's checksum is in its metadata. An error leaves an unfinished file.
    """

    def __init__(
        self, path: Path, catalog: Catalog, sources: Mapping[str, str], about: Mapping[str, Any]
    ) -> None:
        import pyarrow as pa
        from pyarrow import parquet

        manifest = {
            "format": FORMAT, "catalog": catalog.checksum, "sources": dict(sources), **about,
        }  # fmt: skip
        self._schema = pa.schema(
            [
                ("session", pa.int64()),
                ("position", pa.int32()),
                ("user", pa.dictionary(pa.int32(), pa.string())),
                ("track", pa.int32()),
                ("time", pa.float32()),
                ("at", pa.timestamp("ms", "UTC")),
                ("plays", pa.int32()),
            ],
            metadata={"segue": json.dumps(manifest)},
        )
        # Dictionaries of numbers cost time, and zstd finds the repetitions without them.
        self._writer = parquet.ParquetWriter(
            path, self._schema, compression="zstd", use_dictionary=["user"]
        )

    def write(self, columns: Mapping[str, Any]) -> None:
        """Write rows: the columns of the table as arrays, `users` the ids that `user` means."""
        import pyarrow as pa

        users = pa.array(list(columns["users"]), pa.string())
        user = pa.array(np.asarray(columns["user"], dtype=np.int32))
        arrays = [
            pa.DictionaryArray.from_arrays(user, users)
            if field.name == "user"
            else pa.array(np.ascontiguousarray(columns[field.name])).cast(field.type)
            for field in self._schema
        ]
        self._writer.write_table(pa.table(arrays, schema=self._schema))

    def __enter__(self) -> "TableWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()


def save_table(path: Path, table: Interactions, about: Mapping[str, Any]) -> None:
    """Write the training table as Parquet, with the catalog's checksum in its metadata."""
    part = path.with_name(path.name + ".part")
    try:
        with TableWriter(part, table.catalog, table.sources, about) as writer:
            columns = ("session", "position", "user", "users", "track", "time", "plays")
            writer.write({name: getattr(table, name) for name in columns} | {"at": table.at_ms})
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)  # still there only after an error, as on a full disk


def load_table(path: Path, catalog: Catalog) -> Interactions:
    """Read a training table made for this catalog.

    Raises:
        InputError: The file is missing, damaged, no training table, or made for a different
            catalog.
    """
    import pyarrow as pa
    from pyarrow import parquet

    where = str(path)
    try:
        content = parquet.read_table(path)
        content.validate(full=True)
        manifest = json.loads((content.schema.metadata or {}).get(b"segue", b"{}"))
    except FileNotFoundError as error:
        raise InputError.one(
            where, "does not exist. Name a training table of `segue data import`"
        ) from error
    # Damaged Parquet makes pyarrow raise nearly anything, as a damaged archive of lists does.
    except Exception as error:
        what = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError.one(where, f"must be a Parquet file: {what}") from error
    missing = [name for name in COLUMNS if name not in content.column_names]
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT or missing:
        raise InputError.one(
            where,
            "must be a training table that segue wrote. "
            "Make one from a table of your own with: segue data import table FILE --to DIR",
        )
    if manifest.get("catalog") != catalog.checksum:
        raise InputError.one(
            where, "was made for a different catalog. Give the tracks.jsonl that is beside it"
        )
    try:
        columns = {name: _column(content, name) for name in (*COLUMNS, "plays")}
        user = content.column("user").combine_chunks()
        user = user if pa.types.is_dictionary(user.type) else user.dictionary_encode()
        columns["user"], users = user.indices.to_numpy(), user.dictionary.to_pylist()
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        raise InputError.one(where, f"is damaged: {error!s:.200}. Import the data again") from error
    if not _is_in_order(columns, len(users), len(catalog)):
        raise InputError.one(
            where,
            "is damaged: sessions, listeners, tracks and times must be in order and in their "
            "bounds. Import the data again",
        )
    rows = len(content)
    return Interactions(
        session=columns["session"].astype(np.int64),
        position=columns["position"].astype(np.int32),
        user=columns["user"].astype(np.int32),
        track=columns["track"].astype(np.int32),
        time=columns["time"].astype(np.float32),
        at_ms=columns["at"].astype(np.int64),
        propensity=np.full(rows, np.nan, dtype=np.float32),
        plays=columns["plays"].astype(np.int32),
        weight=np.ones(rows, dtype=np.float32),
        users=users,
        catalog=catalog,
        sources={path.name: checksum(path)},
    )


def _column(content: Any, name: str) -> npt.NDArray[Any]:
    """The numbers of a column, none of them missing; of `user` its places in the dictionary."""
    import pyarrow as pa

    column = content.column(name)
    if column.null_count:
        raise ValueError(f"column '{name}' has rows without a value")
    if name == "user":
        return np.empty(0)
    kind = pa.float64() if name == "time" else pa.int64()
    numbers: npt.NDArray[Any] = column.cast(kind).to_numpy()
    return numbers


def _is_in_order(columns: Mapping[str, npt.NDArray[Any]], users: int, tracks: int) -> bool:
    """Test what every model relies on; numpy would read a negative index from the end."""
    session, track, user = columns["session"], columns["track"], columns["user"]
    if not len(session):
        return True
    steps = np.diff(session)
    return bool(
        session[0] == 0
        and np.all((steps == 0) | (steps == 1))
        and 0 <= track.min() <= track.max() < tracks
        and 0 <= user.min() <= user.max() < users
        and np.all((columns["time"] >= 0) & (columns["time"] <= 1))
        and columns["plays"].min() >= 1
        and 0 <= columns["position"].min() <= columns["position"].max() < 2**31
    )


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
