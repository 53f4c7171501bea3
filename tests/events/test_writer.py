"""The event writer: in the file before the answer leaves, or not at all."""

import errno
import json
import os
from pathlib import Path

import pytest

from core.allocation import NOBODY
from core.decision import Feedback
from core.errors import LogUnwritable
from events import writer
from events.writer import EventWriter


def turn(number: int) -> Feedback:
    return Feedback(f"id-{number}", 7, 1000, 0.5, 1_700_000_000_000, "s", number, NOBODY, "c")


def opened(folder: Path, rotate_bytes: int = 1_000_000) -> EventWriter:
    return EventWriter(folder, rotate_bytes, lambda: 1_700_000_000_000)


def lines(folder: Path) -> list[int]:
    """Turn numbers of all lines of all files, in order of the files' names."""
    return [
        json.loads(line)["turn"]
        for path in sorted(folder.glob("events-*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def test_a_line_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    log = opened(tmp_path / "new" / "folder")
    log.append(turn(1))

    assert log.path.read_bytes().endswith(b"\n")
    assert lines(tmp_path / "new" / "folder") == [1]
    log.close()


def test_a_full_file_is_followed_by_the_next_number_and_never_renamed(tmp_path: Path) -> None:
    log = opened(tmp_path, rotate_bytes=400)
    first = log.path
    for number in range(1, 11):
        log.append(turn(number))
    log.close()

    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) > 2
    assert names[0] == first.name
    assert [name[-10:-6] for name in names] == [f"{n:04}" for n in range(len(names))]
    assert lines(tmp_path) == list(range(1, 11))
    assert all(path.stat().st_size < 400 + 300 for path in tmp_path.iterdir())


def test_two_writers_never_share_a_file(tmp_path: Path) -> None:
    log = opened(tmp_path)
    with pytest.raises(FileExistsError):
        opened(tmp_path)
    log.close()


def test_a_line_that_went_in_by_half_is_cut_off_and_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    whole = os.write
    monkeypatch.setattr(writer.os, "write", lambda descriptor, data: whole(descriptor, data[:20]))
    with pytest.raises(LogUnwritable, match="only 20 of"):
        log.append(turn(2))
    monkeypatch.undo()
    log.append(turn(3))
    log.close()

    assert lines(tmp_path) == [1, 3]


def test_a_full_disk_is_said_and_the_next_line_goes_in_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = opened(tmp_path)
    monkeypatch.setattr(writer.os, "write", full)
    with pytest.raises(LogUnwritable, match="No space left on device"):
        log.append(turn(1))
    monkeypatch.undo()
    log.append(turn(2))
    log.close()

    assert lines(tmp_path) == [2]


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    log.close()
    log.close()
    log.sync()
