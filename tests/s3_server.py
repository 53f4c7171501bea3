"""A real S3-compatible server (moto's, in a process of its own) for tests of logs in a store."""

import gzip
import os
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import zstandard

from events.reader import EventLog
from tests import needs
from tests.redis_server import free_port, wait_until

BUCKET = "logs"


@contextmanager
def running_s3(folder: Path) -> Iterator[str]:
    """Give the address of a server with an empty bucket; clients find it in `os.environ`.

    Args:
        folder: Where the server's own output goes.
    """
    address = f"http://127.0.0.1:{(port := free_port())}"
    settings = {
        "AWS_ENDPOINT_URL": address, "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    before = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    with (folder / "server.log").open("wb") as output:
        server = subprocess.Popen(
            [needs.MOTO, "-H", "127.0.0.1", "-p", str(port)], stdout=output, stderr=output
        )
    try:
        wait_until(lambda: _answers(address))
        send(f"{address}/{BUCKET}", b"")
        yield address
    finally:
        server.kill()
        server.wait()
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def send(url: str, content: bytes) -> None:
    """Put an object, or make a bucket; this server does not verify the signature."""
    headers = {
        "Authorization": "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request",
        "Content-Type": "application/octet-stream",  # a form, as urllib says, would be no content
    }
    put = urllib.request.Request(url, content, headers, method="PUT")
    with urllib.request.urlopen(put, timeout=60):
        pass


def put(store: str, log: Path, prefix: str, only: str = "*") -> int:
    """Copy files of a log below a prefix; returns how many."""
    paths = [path for path in log.rglob(only) if path.is_file()]
    for path in paths:
        name = quote(path.relative_to(log).as_posix())
        send(f"{store}/{BUCKET}/{prefix}/{name}", path.read_bytes())
    return len(paths)


@contextmanager
def denied(store: str) -> Iterator[None]:
    """Let the server refuse the keys of its clients, as one that knows its users."""
    _ask_for_keys(store, after=b"0")
    try:
        yield
    finally:
        _ask_for_keys(store, after=b"inf")


def _ask_for_keys(store: str, after: bytes) -> None:
    change = urllib.request.Request(
        f"{store}/moto-api/reset-auth", after, {"Content-Type": "text/plain"}
    )
    urllib.request.urlopen(change, timeout=60).close()


def _answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=60):
            return True
    except OSError:
        return False


def damage(log: Path) -> None:
    """Add packed copies, torn archives, a torn last line and a sealed plan to a log's folder."""
    first, second, third, *_ = sorted(log.rglob("events-*.jsonl"))
    content = first.read_bytes()
    first.with_name("whole copy #1.jsonl.zst").write_bytes(zstandard.compress(content))
    for name, packed in (
        ("torn.jsonl.gz", gzip.compress(second.read_bytes())),
        ("torn.jsonl.zst", zstandard.compress(third.read_bytes())),
    ):
        first.with_name(name).write_bytes(packed[: len(packed) // 2])
    (first.parent / "started").mkdir(exist_ok=True)
    plan = b'{"definition": {"name": "fallback"}, "started_ms": 1, "planned": {}}'
    (first.parent / "started" / "fallback@1.json").write_bytes(plan)
    with second.open("ab") as file:
        file.write(b'not JSON\n{"message":"next","timest')


TABLES = ("files", "dropped_lines", "events", "sessions", "listeners", "file_ends", "assignments")


def tables_of(log: EventLog, root: str) -> dict[str, list[str]]:
    """The rows of a log's tables, as text and sorted, with paths from `root` on."""
    return {
        table: sorted(str(row).replace(root, "ROOT") for row in log.query(f"SELECT * FROM {table}"))
        for table in TABLES
    }
