"""Logs in an object store: a real S3-compatible server, and the reports of its log."""

import os
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.synthetic_traffic import SyntheticTraffic
from core.errors import InputError
from events.collection import collect
from events.reader import open_log
from tests import needs
from tests.redis_server import free_port, wait_until
from tests.service import loaded

BUCKET = "logs"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an S3 server with an empty bucket; a client's settings are in os.environ."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    log = tmp_path_factory.mktemp("s3") / "server.log"
    settings = {
        "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    with log.open("wb") as output:
        server = subprocess.Popen(
            [needs.MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        wait_until(lambda: answers(address))
        send(f"{address}/{BUCKET}", b"")
        yield address
    finally:
        server.kill()
        server.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10):
            return True
    except OSError:
        return False


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    for number in range(2):
        with SyntheticTraffic(
            loaded(folder), folder / "log" / f"server-{number}", seed=number, rotate_mb=0.1
        ) as trial:
            trial.play(range(50), 150)
    return folder / "log"


def send(url: str, content: bytes) -> None:
    """Put an object, or make a bucket; this server does not verify the signature."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request",
        "Content-Type": "application/octet-stream",  # a form, as urllib says, would be no content
    }
    put = urllib.request.Request(url, content, headers, method="PUT")
    with urllib.request.urlopen(put, timeout=30):
        pass


def put(store: str, log: Path, prefix: str, only: str = "*") -> int:
    """Copy files of a log below a prefix; returns how many."""
    paths = [path for path in log.rglob(only) if path.is_file()]
    for path in paths:
        name = path.relative_to(log).as_posix()
        send(f"{store}/{BUCKET}/{prefix}/{name}", path.read_bytes())
    return len(paths)


def effects_of(folder: Path) -> Any:
    with open_log([folder], threads=1) as opened:
        return opened.query(
            "SELECT experiment, arm, count(*), sum(time_all) FROM listeners "
            "GROUP BY ALL ORDER BY ALL"
        )


@needs.s3_server()
def test_a_log_in_s3_is_collected_whole_and_read_as_the_log_is(
    store: str, log: Path, tmp_path: Path
) -> None:
    put(store, log, "all")

    (done,) = collect([f"s3://{BUCKET}/all"], tmp_path)

    events = sorted(log.rglob("events-*.jsonl"))
    assert done.new >= len(events) > 4
    copied = sorted(done.folder.rglob("events-*.jsonl"))
    assert [path.read_bytes() for path in copied] == [path.read_bytes() for path in events]
    assert effects_of(done.folder) == effects_of(log)
    (again,) = collect([f"s3a://{BUCKET}/all"], tmp_path / "by the name that Spark uses")
    assert (again.new, again.lines) == (done.new, done.lines)


@needs.s3_server()
def test_only_the_new_part_of_a_grown_object_is_fetched(
    store: str, log: Path, tmp_path: Path
) -> None:
    content = b"".join(path.read_bytes() for path in sorted(log.rglob("events-*.jsonl")))
    half = content.rindex(b"\n", 0, len(content) // 2) + 1
    for end, expected in ((half, "new"), (half, "same"), (len(content), "grown")):
        send(f"{store}/{BUCKET}/one/events.jsonl", content[:end])
        (done,) = collect([f"s3://{BUCKET}/one/events.jsonl"], tmp_path)
        assert getattr(done, expected) == 1, expected
    assert done.bytes == len(content) - half
    (copied,) = done.folder.glob("*.jsonl")
    assert copied.read_bytes() == content


@needs.s3_server()
@pytest.mark.parametrize(
    ("url", "complaint"),
    [("s3://logs/nothing", "is not there"), ("s3://no-such-bucket/log", "is not there|cannot be")],
)
def test_a_url_without_a_log_is_refused(
    url: str, complaint: str, store: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=complaint):
        collect([url], tmp_path)
