"""Parquet files of an import: opened, checked for their columns, and read in batches of rows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from core.errors import InputError
from core.packings import packing_of
from core.progress import Progress

ROWS = 1 << 20
"""Rows of a batch of numbers."""

NESTED_ROWS = 1 << 8
"""Rows of a batch where a row holds all listens of a listener, some thousands."""

_CHUNK = 1 << 20


def is_parquet(path: Path) -> bool:
    """Test whether a file is Parquet, whatever its name; a pipe never is."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return packing_of(file.read(8)) == "parquet"
    except OSError as error:
        raise InputError.one(str(path), f"cannot be read: {error.strerror}") from error


def feed(path: Path, digest: Any) -> None:
    """Feed a file as it is on the disk to a hash."""
    with path.open("rb") as file:
        while block := file.read(_CHUNK):
            digest.update(block)


class ParquetInput:
    """An open Parquet file.

    Attributes:
        names: Names of its columns.
        rows: Number of its rows.
        schema: Its Arrow schema.
    """

    def __init__(self, path: Path) -> None:
        from pyarrow import parquet

        self._path = path
        if path.is_dir():
            raise InputError.one(str(path), "must be a Parquet file, is a folder")
        if not path.exists():
            raise InputError.one(str(path), "does not exist")
        with _damage(path, "must be a Parquet file"):
            self._file = parquet.ParquetFile(path, page_checksum_verification=True)
            self.schema = self._file.schema_arrow
            self.names: list[str] = self.schema.names
            self.rows: int = self._file.metadata.num_rows

    def require(self, needed: Sequence[str]) -> None:
        """Check that columns are there, each once.

        Raises:
            InputError: One is missing, or there twice.
        """
        missing = [name for name in needed if name not in self.names]
        if missing:
            raise InputError.one(
                f"{self._path}:1:1",
                f"must have the columns {', '.join(needed)}; {', '.join(missing)} missing, "
                f"has {', '.join(name[:40] for name in self.names[:20])}",
            )
        twice = [name for name in self.names if self.names.count(name) > 1]
        if twice:
            raise InputError.one(
                f"{self._path}:1:1", f"must have each column once, has '{twice[0][:40]}' twice"
            )

    def batches(self, columns: Sequence[str], rows: int, progress: Progress) -> Iterator[Any]:
        """Yield record batches of these columns.

        Raises:
            InputError: The file is damaged, or has fewer rows than it says.
        """
        progress.start(self._path.name, self.rows)
        read = 0
        with _damage(self._path, "is damaged or cut off, so nothing of it is used"):
            for batch in self._file.iter_batches(rows, columns=list(columns)):
                batch.validate(full=True)
                read += batch.num_rows
                yield batch
                progress.advance(batch.num_rows)
        if read != self.rows:
            raise InputError.one(
                str(self._path),
                f"is damaged: it says that it has {self.rows} rows, and {read} could be read",
            )

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def check_plain(where: str, name: str, kind: Any) -> None:
    """Check that a column holds ids, numbers or text, and neither lists nor times.

    Raises:
        InputError: It does not.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_nested(kind) or pa.types.is_temporal(kind):
        raise InputError.one(
            f"{where}:1:1",
            f"column '{name[:40]}' must hold ids, numbers or text, is of {kind}"[:300],
        )


@contextmanager
def open_parquet(path: Path) -> Iterator[ParquetInput]:
    """Open a Parquet file for the block."""
    file = ParquetInput(path)
    try:
        yield file
    finally:
        file.close()


@contextmanager
def _damage(path: Path, what: str) -> Iterator[None]:
    """Turn the errors of damaged Parquet into one fault; pyarrow raises several kinds."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, ValueError, MemoryError, OverflowError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InputError.one(f"{path}:1:1", f"{what}: {first}") from error
