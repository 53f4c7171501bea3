"""Several files as one stream of events, in the order of their clocks."""

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from events.event_files import find_event_files
from events.merge import merge_events


def line(at_ms: int, **fields: Any) -> bytes:
    return json.dumps({"schema": 1, "timestamp": at_ms, "user": 1, **fields}).encode() + b"\n"


def merged(folder: Path, **options: Any) -> tuple[list[tuple[int, str]], Counter[str]]:
    lost: Counter[str] = Counter()
    read = [
        (event["timestamp"], where.rpartition("/")[2])
        for event, where in merge_events(
            find_event_files([folder]), lambda reason, *_: lost.update([reason]), **options
        )
    ]
    return read, lost


def test_files_are_merged_by_time(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(1) + line(5) + line(6))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(line(2) + line(5) + line(9)))

    read, lost = merged(tmp_path)

    assert read == [
        (1, "a.jsonl:1"), (2, "b.jsonl.gz:1"), (5, "a.jsonl:2"), (5, "b.jsonl.gz:2"),
        (6, "a.jsonl:3"), (9, "b.jsonl.gz:3"),
    ]  # fmt: skip
    assert not lost


def test_a_clock_that_goes_back_leaves_the_order_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(10) + line(4) + line(11))
    (tmp_path / "b.jsonl").write_bytes(line(5) + line(12))

    read, _ = merged(tmp_path)

    assert [where for _, where in read] == [
        "b.jsonl:1", "a.jsonl:1", "a.jsonl:2", "a.jsonl:3", "b.jsonl:2",
    ]  # fmt: skip


def test_lines_that_are_not_events_are_reported(tmp_path: Path) -> None:
    foreign = b'{"message": "next", "timestamp": 3}\n'
    content = line(1) + b'{"torn\n' + b"\n" + foreign + b"[]\n" + line(2)[:-1]
    (tmp_path / "a.jsonl").write_bytes(content)
    (tmp_path / "b.jsonl").write_bytes(foreign)
    (tmp_path / "c.jsonl").write_bytes(b'{"schema": 1, "timestamp": "soon"}\n')

    read, lost = merged(tmp_path)

    assert read == [(1, "a.jsonl:1"), (2, "a.jsonl:6")]
    assert lost == {"torn line": 1, "no event of ours": 3, "no timestamp": 1}


def test_only_lines_that_contain_a_mark_are_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(line(1, key="x") + b'{"torn\n' + line(2, key="y"))

    read, lost = merged(tmp_path, containing=[b'"key": "y"'])

    assert read == [(2, "a.jsonl:3")]
    assert not lost


@given(some.lists(some.lists(some.integers(0, 9)), min_size=1, max_size=4))
def test_nothing_is_lost_and_no_file_is_reordered(
    tmp_path_factory: Any, files: list[list[int]]
) -> None:
    folder = tmp_path_factory.mktemp("merged")
    for number, times in enumerate(files):
        (folder / f"{number}.jsonl").write_bytes(b"".join(line(at) for at in times))

    read, _ = merged(folder)

    for number, times in enumerate(files):
        mine = [(at, where) for at, where in read if where.startswith(f"{number}.")]
        assert mine == [(at, f"{number}.jsonl:{n}") for n, at in enumerate(times, start=1)]
    assert len(read) == sum(map(len, files))
    if all(times == sorted(times) for times in files):
        assert [at for at, _ in read] == sorted(at for at, _ in read)
