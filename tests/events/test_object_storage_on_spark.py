"""Logs in an object store, which Spark's executors read and write by Segue's own reader."""

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from audit.replay_on_spark import replay_on_spark
from audit.replay_processes import ReplayJob, run_replay
from audit.synthetic_traffic import SyntheticTraffic
from events.compaction import compact
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.reader import open_log
from events.spark_compaction import SparkCompaction
from events.url_path import log_path
from tests import needs
from tests.s3_server import BUCKET, damage, put, running_s3, tables_of
from tests.service import loaded
from tests.spark_local import MARKS, SPARK

pytestmark = [*MARKS, needs.s3_server()]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A damaged log of a server on the disk."""
    folder = tmp_path_factory.mktemp("played")
    with SyntheticTraffic(loaded(folder), folder / "log" / "server", rotate_mb=0.03) as trial:
        trial.play(range(30), 60)
    damage(folder / "log")
    return folder / "log"


@pytest.fixture(scope="module")
def url(log: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same log in a bucket."""
    with running_s3(tmp_path_factory.mktemp("s3")) as store:
        put(store, log, "log")
        yield f"s3a://{BUCKET}/log"


def test_executors_read_a_url_as_one_machine_reads_the_disk(url: str, log: Path) -> None:
    there = log_path(url)
    with open_log([log]) as here, open_log([there], spark=SPARK) as cluster:
        expected = tables_of(here, str(log))
        assert tables_of(cluster, str(there)) == expected
    assert len(expected["dropped_lines"]) > 5
    assert len(expected["file_ends"]) > 2


def test_executors_compact_to_a_url_and_read_it(url: str, log: Path, tmp_path: Path) -> None:
    to = log_path(f"s3a://{BUCKET}/parquet")
    made = compact([log], tmp_path)
    done = compact([log_path(url)], to, make_parts=SparkCompaction(SPARK))
    expected = orjson.dumps(list(made.parts.values()))
    assert orjson.dumps(list(done.parts.values())) == expected
    for path in tmp_path.rglob("*.parquet"):
        assert (to / path.relative_to(tmp_path).as_posix()).read_bytes() == path.read_bytes()
    with open_log([tmp_path]) as here, open_log([to], spark=SPARK) as cluster:
        assert tables_of(cluster, str(to)) == tables_of(here, str(tmp_path))


def test_executors_replay_a_url(url: str, log: Path) -> None:
    there = log_path(url)
    here = run_replay(ReplayJob(find_event_files([log]), snapshots_beside([log]))).result
    job = ReplayJob(find_event_files([there]), snapshots_beside([there]))
    found = replay_on_spark(job, SPARK).result
    assert found.events == here.events > 0
    assert found.mismatched == here.mismatched == 0
    assert found.skipped == here.skipped
    examples = {reason: at.replace(str(there), str(log)) for reason, at in found.examples.items()}
    assert examples == here.examples
