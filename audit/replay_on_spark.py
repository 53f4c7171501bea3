"""Replay on Spark: executors read whole files, a shuffle brings a listener's events together, and
executors replay them.

The result is that of one process: the lines are placed by the same reader, sorted by their place in
the log, and replayed by the same code.
"""

import pickle
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Event, Replayer
from audit.replay_processes import ReplayJob, ReplayRun, peak_mb
from audit.replay_result import ReplayResult
from core.errors import InputError
from core.listener import History
from core.progress import SILENT, Progress
from events.event_files import EventFile
from events.merge import PlacedReader, listener_of
from events.spark_session import SparkOptions, start_session
from events.url_path import log_path

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

    from engine.runtime import Runtime

    RuntimeOf = Callable[[str], Runtime]
    MakeWatcher = Callable[[], "Watcher"]

Batches = Iterator["pa.RecordBatch"]
BATCH = 10_000
"""Rows that an executor hands to Spark at once."""
PLACED = "listener BINARY, at_ms BIGINT, file INT, line BIGINT, place STRING, event BINARY"
"""Rows of a placed event. `place` is NULL where `event` is no event but an outcome, pickled."""
OUTCOME = "outcome BINARY"


class Watcher(Protocol):
    """A watcher of the decisions of a partition."""

    def watch(self, event: Event, history: History) -> None:
        """Look at a decision that came out the same; see `Replayer`."""

    def notes(self) -> Any:
        """Give what the driver should get; it must be picklable."""


def replay_on_spark(
    job: ReplayJob,
    options: SparkOptions,
    progress: Progress = SILENT,
    make_watcher: "MakeWatcher | None" = None,
) -> ReplayRun:
    """Replay a log on a cluster, whose machines find the files and the configs at the same paths.

    Args:
        job: The log and its configs.
        options: Options of Spark.
        progress: Shows that the replay is under way.
        make_watcher: Makes the watcher of a partition, on its executor; picklable.

    Raises:
        InputError: A config that decided cannot be built, a file cannot be read, or Spark does not
            start.
    """
    session = start_session(options)
    progress.start("replaying on Spark")
    placed = placed_events(session, job)
    outcomes = placed.mapInArrow(
        _ReplayPartition(replace(job, sources=()), make_watcher), OUTCOME
    ).toArrow()
    runs = [_unpacked(each) for each in outcomes.column("outcome").to_pylist()]
    progress.advance(sum(source.size for source in job.sources))
    merged = ReplayResult.merge([ReplayResult(job.shown), *(run.result for run in runs)])
    peaks = [peak for run in runs for peak in run.peaks_mb]
    return ReplayRun(merged, peaks, [notes for run in runs for notes in run.notes])


def placed_events(session: "SparkSession", job: ReplayJob) -> "DataFrame":
    """Make the rows of all events: a listener's are in one partition, in the order of the log."""
    files = [
        (number, source.file_id, str(source.path), source.packing, source.size)
        for number, source in enumerate(job.sources)
    ]
    # One partition for each file, because a file is read from its beginning by one reader.
    spread = session.sparkContext.parallelize(files, max(1, len(files)))
    columns = "number INT, file_id INT, path STRING, packing STRING, size BIGINT"
    read = session.createDataFrame(spread, columns).mapInArrow(
        _PlaceLines(replace(job, sources=())), PLACED
    )
    return read.repartition("listener").sortWithinPartitions("at_ms", "file", "line")


class _PlaceLines:
    """Read files on an executor; a function for `mapInArrow`."""

    def __init__(self, job: ReplayJob) -> None:
        self._job = job

    def __call__(self, batches: Batches) -> Batches:
        """Yield the events of the files, and one row with what was dropped of each file."""
        for batch in batches:
            for file in batch.to_pylist():
                number = file.pop("number")
                yield from self._read(EventFile(**{**file, "path": log_path(file["path"])}), number)

    def _read(self, source: EventFile, number: int) -> Batches:
        dropped = ReplayResult(self._job.shown)
        reader = PlacedReader(source, number, self._job.skipper(dropped))
        rows: list[tuple[Any, ...]] = []
        try:
            for order, event, where in reader.events():
                rows.append((listener_of(event), *order, where, orjson.dumps(event)))
                if len(rows) == BATCH:
                    yield _batch(rows, PLACED)
                    rows = []
        except InputError as error:
            rows.append((b"", 0, number, 0, None, _packed(error.faults)))
        rows.append((b"", 0, number, 0, None, _packed(ReplayRun(dropped, ()))))
        yield _batch(rows, PLACED)


class _ReplayPartition:
    """Replay the listeners of a partition on an executor; a function for `mapInArrow`."""

    def __init__(self, job: ReplayJob, make_watcher: "MakeWatcher | None") -> None:
        self._job = job
        self._make_watcher = make_watcher

    def __call__(self, batches: Batches) -> Batches:
        """Yield one outcome: the run of the partition, or the faults that ended it."""
        try:
            outcome: object = self._replay(batches)
        except InputError as error:
            outcome = error.faults
        yield _batch([(_packed(outcome),)], OUTCOME)

    def _replay(self, batches: Batches) -> ReplayRun:
        job = self._job
        runtime_of = _runtimes(tuple(sorted(job.snapshots.items())), tuple(job.configs))
        watcher = None if self._make_watcher is None else self._make_watcher()
        replayer = Replayer(runtime_of, job.shown, None if watcher is None else watcher.watch)
        dropped = [ReplayResult(job.shown)]
        for batch in batches:
            for _, *order, where, event in zip(*(each.to_pylist() for each in batch), strict=True):
                if where is None:
                    dropped.append(_unpacked(event).result)
                else:
                    at_ms, file, line = order
                    replayer.take(orjson.loads(event), where, (at_ms, file, line))
        merged = ReplayResult.merge([replayer.finish(), *dropped])
        return ReplayRun(merged, peak_mb(), () if watcher is None else [watcher.notes()])


@lru_cache(maxsize=1)
def _runtimes(snapshots: tuple[tuple[str, Path], ...], configs: tuple[Path, ...]) -> "RuntimeOf":
    """Give the runtimes of a job, which stay in an executor's process for its next partitions."""
    runtime_of = runtimes_by_digest(dict(snapshots), configs)
    known: dict[str, Runtime] = {}

    def remembered(digest: str) -> "Runtime":
        if digest not in known:
            known[digest] = runtime_of(digest)
        return known[digest]

    return remembered


def _batch(rows: list[tuple[Any, ...]], columns: str) -> "pa.RecordBatch":
    import pyarrow as pa

    kinds = {"BINARY": pa.binary(), "BIGINT": pa.int64(), "INT": pa.int32(), "STRING": pa.string()}
    named = [column.split() for column in columns.split(", ")]
    schema = pa.schema([(name, kinds[kind]) for name, kind in named])
    arrays = [
        pa.array(values, field.type)
        for values, field in zip(zip(*rows, strict=True), schema, strict=True)
    ]
    return pa.record_batch(arrays, schema=schema)


def _packed(outcome: object) -> bytes:
    return pickle.dumps(outcome)


def _unpacked(outcome: bytes) -> ReplayRun:
    """Read an outcome that one of our own processes packed.

    Raises:
        InputError: The outcome is the faults that ended it.
    """
    found = pickle.loads(outcome)  # noqa: S301
    if not isinstance(found, ReplayRun):
        raise InputError(found)
    return found
