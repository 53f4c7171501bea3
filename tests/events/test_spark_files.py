"""Compacted Parquet on Spark, and a compaction that executors make: as one machine does."""

from pathlib import Path

import pytest

from events.compaction import compact
from events.event_files import MANIFEST
from events.reader import EventLog, open_log
from events.spark_compaction import SparkCompaction
from tests import logs
from tests.spark_local import MARKS, SPARK

pytestmark = MARKS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    log = tmp_path / "log of [two] servers"
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.8)}
    logs.write_ours(log, logs.listening(logs.Plan(arms=arms, listeners=30)), servers=2)
    return log


def _rows(log: EventLog) -> tuple[list[object], list[object]]:
    events = log.engine.arrow("SELECT * FROM events ORDER BY file_id, line").to_pylist()
    return events, log.query("SELECT path, format, lines, checksum FROM files ORDER BY file_id")


def test_spark_compacts_and_reads_parquet_as_one_machine_does(folder: Path, tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    made = compact([folder], one)
    again = compact([folder], other, make_parts=SparkCompaction(SPARK))
    assert again.parts == made.parts
    assert (other / MANIFEST).read_bytes() == (one / MANIFEST).read_bytes()
    assert compact([folder], other, make_parts=SparkCompaction(SPARK)).written == 0
    with open_log([one]) as log, open_log([one], spark=SPARK) as cluster:
        assert _rows(cluster) == _rows(log)
