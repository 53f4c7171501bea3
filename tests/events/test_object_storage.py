"""Logs in an object store: a real S3-compatible server, and the reports of its log."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit.synthetic_traffic import SyntheticTraffic
from cli.main import build
from core.errors import InputError
from events.collection import collect
from events.compaction import compact
from events.reader import open_log
from events.url_path import log_path
from tests import needs
from tests.s3_server import BUCKET, damage, denied, put, running_s3, send, tables_of
from tests.service import loaded

pytestmark = needs.s3_server()


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_s3(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    for number in range(2):
        with SyntheticTraffic(
            loaded(folder), folder / "log" / f"server-{number}", seed=number, rotate_mb=0.1
        ) as trial:
            trial.play(range(50), 150)
    return folder / "log"


def effects_of(folder: Path) -> Any:
    with open_log([folder], threads=1) as opened:
        return opened.query(
            "SELECT experiment, arm, count(*), sum(time_all) FROM listeners "
            "GROUP BY ALL ORDER BY ALL"
        )


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


@pytest.mark.parametrize(
    ("url", "complaint"),
    [("s3://logs/nothing", "is not there"), ("s3://no-such-bucket/log", "is not there|cannot be")],
)
def test_a_url_without_a_log_is_refused(
    url: str, complaint: str, store: str, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=complaint):
        collect([url], tmp_path)


@pytest.fixture(scope="module")
def damaged(store: str, log: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A damaged log on the disk, and the same below `damaged/` in the bucket."""
    folder = tmp_path_factory.mktemp("damaged") / "log"
    shutil.copytree(log, folder)
    damage(folder)
    put(store, folder, "damaged")
    return folder


def test_a_damaged_log_reads_from_a_url_as_from_the_disk(damaged: Path) -> None:
    url = f"s3://{BUCKET}/damaged"
    with open_log([damaged]) as here, open_log([f"{url}/"]) as there:
        expected, found = tables_of(here, str(damaged)), tables_of(there, url)
    assert found == expected
    reasons = " ".join(expected["dropped_lines"])
    for reason in ("torn archive", "copy of another file", "not JSON", "torn line"):
        assert reason in reasons
    assert len(expected["file_ends"]) > 4


def test_a_log_is_compacted_to_a_url_and_read_from_there(damaged: Path, tmp_path: Path) -> None:
    url, to = f"s3://{BUCKET}/damaged", log_path(f"s3a://{BUCKET}/parquet")
    made = compact([damaged], tmp_path)
    done = compact([url], to)
    assert list(done.parts.values()) == list(made.parts.values())
    for path in tmp_path.rglob("*.parquet"):
        assert (to / path.relative_to(tmp_path).as_posix()).read_bytes() == path.read_bytes()
    for name in ("configs/*.json", "started/*.json"):
        copies = {path.name: path.read_bytes() for path in tmp_path.glob(name)}
        assert copies == {path.name: path.read_bytes() for path in to.glob(name)} != {}
    assert compact([url], to).written == 0
    with open_log([tmp_path]) as here, open_log([to]) as there:
        assert tables_of(there, str(to)) == tables_of(here, str(tmp_path))


def test_parquet_of_a_file_that_has_grown_replaces_the_old(store: str, damaged: Path) -> None:
    content = b"".join(path.read_bytes() for path in damaged.rglob("events-*.jsonl"))
    half = content.rindex(b"\n", 0, len(content) // 2) + 1
    to = log_path(f"s3://{BUCKET}/grown-parquet")
    for end in (half, len(content)):
        send(f"{store}/{BUCKET}/grown/events.jsonl", content[:end])
        done = compact([f"s3://{BUCKET}/grown"], to)
        assert done.written == 1
        (part,) = done.parts.values()
        assert sorted(path.relative_to(to).as_posix() for path in to.rglob("*.parquet")) == sorted(
            part.files
        )


def segue(*arguments: object) -> Any:
    result = CliRunner().invoke(build(), [str(each) for each in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout


COMMANDS = {
    "verify": ("verify", "LOG", "--replay", "--json"),
    "report": ("report", "LOG", "--no-replay", "--json"),
    "logs show": ("logs", "show", "LOG", "--json"),
    "replay": ("replay", "LOG", "--json"),
    "evaluate": ("evaluate", "LOG", "--strategy", "popular", "--even-if-doubtful", "--json"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_says_of_a_url_what_it_says_of_the_disk(
    name: str, store: str, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, log, "clean")
    monkeypatch.chdir(log.parent)  # there is the config
    url = f"s3://{BUCKET}/clean"
    code, here = segue(*(str(log) if part == "LOG" else part for part in COMMANDS[name]))
    code_there, there = segue(*(url if part == "LOG" else part for part in COMMANDS[name]))
    assert code_there == code
    assert _comparable(there.replace(url, str(log))) == _comparable(here)


def _comparable(text: str) -> list[str]:
    """Lines without times and peaks of memory, and floats without their last digits."""
    lines = re.sub(r"\d+\.\d{12,}", lambda number: f"{float(number[0]):.9g}", text).splitlines()
    return [line for line in lines if not re.search(r'"(seconds|made_at)"|peaks_mb|^    \d', line)]


def test_lists_are_trained_on_a_url(store: str, log: Path, tmp_path: Path) -> None:
    put(store, log, "clean")
    made = []
    for place, source in enumerate((log, f"s3://{BUCKET}/clean")):
        to = tmp_path / str(place)
        segue("train", "popular", source, "--catalog", log.parent / "tracks.jsonl", "--to", to)
        made.append(sorted((path.name, path.read_bytes()) for path in to.rglob("*.json*")))
    assert made[0] == made[1] != []


@pytest.mark.parametrize(("url", "complaint"), [
    ("s3://no-such-bucket/log", r"is not there: name an event file or a folder"),
    (f"s3://{BUCKET}/nothing/", r"is not there: name an event file or a folder"),
    (f"s3://{BUCKET}/other", r"has no event files"),
    ("s3:///log", r"must name a bucket or host after //, got none"),
    ("nope://bucket/log", r"cannot be reached: Protocol not known: nope\. Check the URL"),
    ("hdfs://namenode:8020/log", r"cannot be reached: .*HADOOP_HOME"),
])  # fmt: skip
def test_a_url_that_no_command_can_read_is_refused(store: str, url: str, complaint: str) -> None:
    send(f"{store}/{BUCKET}/other/readme.txt", b"nothing here")
    for command in (["verify"], ["logs", "show"], ["replay"]):
        with pytest.raises(InputError, match=complaint):
            segue(*command, url)


def test_denied_access_ends_a_command_with_exit_code_2(store: str, damaged: Path) -> None:
    with denied(store):
        ran = subprocess.run(
            [sys.executable, "-m", "cli", "verify", f"s3://{BUCKET}/damaged"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "1 fault found" in ran.stderr
    assert f"s3://{BUCKET}/damaged: cannot be reached: " in ran.stderr
    assert "ACCESS_DENIED" in ran.stderr
    assert "AWS_ACCESS_KEY_ID" in ran.stderr
    assert "Traceback" not in ran.stderr


def test_a_store_that_refuses_to_write_is_said(damaged: Path) -> None:
    with pytest.raises(InputError, match=r"s3://no-such-bucket/\S+: cannot be reached: .*BUCKET"):
        compact([damaged], log_path("s3://no-such-bucket/parquet"))


def test_objects_are_never_removed_for_their_age(damaged: Path, tmp_path: Path) -> None:
    url = f"s3://{BUCKET}/damaged"
    for source, to in ((url, tmp_path), (damaged, url)):
        with pytest.raises(InputError, match=r"must be on this machine for --keep-days.*lifecycle"):
            segue("logs", "compact", source, "--to", to, "--keep-days", "0", "--remove")
