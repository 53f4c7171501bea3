"""Compaction on Spark: executors write the Parquet of whole files, as one machine does."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson
import pyarrow as pa

from core.errors import InputError, SegueError
from core.progress import SILENT
from events.compaction import PartFile, compact_file
from events.event_files import EventFile
from events.spark_engine import map_in_arrow
from events.spark_session import SparkOptions, start_session
from events.url_path import log_path

_SCHEMA = pa.schema([("file_id", pa.int32()), ("part", pa.string()), ("fault", pa.string())])


@dataclass(frozen=True, slots=True)
class SparkCompaction:
    """Make the Parquet of files on executors, which must see the same folders as this machine.

    Attributes:
        options: Of the Spark session.
        memory_mb: Memory of the DuckDB in which an executor compacts one file.
    """

    options: SparkOptions
    memory_mb: int = 256

    def __call__(
        self, sources: Sequence[EventFile], to: Path
    ) -> Iterator[tuple[EventFile, PartFile]]:
        """Yield each file with what was written of it.

        Raises:
            InputError: A file is unreadable.
            SegueError: Parquet and dropped lines do not add up to the lines of a file.
        """
        if not sources:
            return
        session = start_session(self.options)
        files = [
            (source.file_id, str(source.path.resolve()), source.packing, source.size)
            for source in sources
        ]
        frame = session.createDataFrame(
            session.sparkContext.parallelize(files, len(files)),
            "file_id INT, path STRING, packing STRING, size BIGINT",
        )
        work = _Compactor(str(to.resolve()), self.memory_mb)
        by_id = {source.file_id: source for source in sources}
        for row in map_in_arrow(frame, work, _SCHEMA).collect():
            if row["fault"] is not None:
                where, what = orjson.loads(row["fault"])
                raise InputError.one(where, what) if where else SegueError(what)
            yield by_id[row["file_id"]], PartFile(**orjson.loads(row["part"]))


@dataclass(frozen=True, slots=True)
class _Compactor:
    """Compact the files of batches, on an executor."""

    to: str
    memory_mb: int

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield a row for each file."""
        for batch in batches:
            for file in batch.to_pylist():
                yield pa.RecordBatch.from_pylist([self._compact(**file)], schema=_SCHEMA)

    def _compact(self, file_id: int, path: str, packing: str, size: int) -> dict[str, int | str]:
        source = EventFile(file_id, log_path(path), packing, size)
        try:
            part = compact_file(source, log_path(self.to), self.memory_mb, 1, SILENT)
        except InputError as error:
            fault = orjson.dumps([error.faults[0].where, error.faults[0].what])
            return {"file_id": file_id, "fault": fault.decode()}
        except SegueError as error:
            return {"file_id": file_id, "fault": orjson.dumps(["", str(error)]).decode()}
        return {"file_id": file_id, "part": orjson.dumps(asdict(part)).decode()}
