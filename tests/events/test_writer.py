"""The event writer: a line is on file before its answer leaves, or not at all."""

import errno
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from core.allocation import UNASSIGNED
from core.decision import Feedback
from core.errors import EventLogError
from events import writer
from events.durable_files import write_file
from events.event_files import find_event_files
from events.kept_folder import KeptFolder
from events.schema import line
from events.writer import EventWriter


def turn(number: int) -> Feedback:
    return Feedback(f"id-{number}", 7, 1000, 0.5, 1_700_000_000_000, "s", number, UNASSIGNED, "c")


def opened(folder: Path, rotate_bytes: int = 1_000_000) -> EventWriter:
    return EventWriter(folder, rotate_bytes, lambda: 1_700_000_000_000)


def lines(folder: Path) -> list[int]:
    """List the turn numbers of all lines of all files, in order of the files' names."""
    return [
        json.loads(each)["turn"]
        for path in sorted(folder.glob("events-*.jsonl"))
        for each in path.read_bytes().splitlines()
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

    names = sorted(path.name for path in tmp_path.glob("*.jsonl"))
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


def test_half_a_line_is_cut_off_and_its_turn_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    whole = os.write
    monkeypatch.setattr(writer.os, "write", lambda descriptor, data: whole(descriptor, data[:20]))
    with pytest.raises(EventLogError, match="only 20 of"):
        log.append(turn(2))
    monkeypatch.undo()
    log.append(turn(3))
    log.close()

    assert lines(tmp_path) == [1, 3]


def test_a_full_disk_is_reported_and_the_next_line_is_written_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    log = opened(tmp_path)
    monkeypatch.setattr(writer.os, "write", full)
    with pytest.raises(EventLogError, match="No space left on device"):
        log.append(turn(1))
    monkeypatch.undo()
    log.append(turn(2))
    log.close()

    assert lines(tmp_path) == [2]


def test_half_a_line_that_cannot_be_cut_off_ends_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line written after it would join it, and would be lost although it was acknowledged."""
    log = opened(tmp_path)
    log.append(turn(1))
    whole = os.write

    monkeypatch.setattr(writer.os, "write", lambda descriptor, data: whole(descriptor, data[:20]))
    monkeypatch.setattr(writer.os, "ftruncate", failing)
    with pytest.raises(EventLogError, match="only 20 of"):
        log.append(turn(2))
    monkeypatch.undo()
    log.append(turn(3))
    log.close()

    first, second = sorted(tmp_path.glob("*.jsonl"))
    assert first.read_bytes().splitlines()[1:] == [first.read_bytes()[-20:]]
    assert json.loads(second.read_bytes())["turn"] == 3


def test_the_full_file_continues_if_no_next_one_can_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The line that filled the file is on file: the writer must accept it and close nothing."""
    log = opened(tmp_path, rotate_bytes=400)
    really = os.open

    def refused(*_: object) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(writer.os, "open", refused)
    for number in range(1, 6):
        log.append(turn(number))
    assert lines(tmp_path) == [1, 2, 3, 4, 5]
    assert len(list(tmp_path.iterdir())) == 1
    assert "cannot be created: Too many open files" in caplog.text
    monkeypatch.setattr(writer.os, "open", really)
    for number in range(6, 11):
        log.append(turn(number))
    log.close()
    assert lines(tmp_path) == list(range(1, 11))
    assert len(list(tmp_path.iterdir())) > 1


def test_a_writer_without_a_file_never_writes_to_a_reused_descriptor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path / "log")
    monkeypatch.setattr(writer.os, "ftruncate", failing)
    monkeypatch.setattr(writer.os, "write", lambda descriptor, data: half_of(descriptor, data))
    monkeypatch.setattr(writer.os, "open", failing)
    with pytest.raises(EventLogError):
        log.append(turn(1))
    log.sync()
    monkeypatch.undo()
    with (tmp_path / "a connection").open("wb") as other:  # takes the lowest free number
        with pytest.raises(EventLogError):
            log.append(turn(2))
        log.append(turn(3))
        other.flush()
    log.close()
    assert (tmp_path / "a connection").read_bytes() == b""
    assert json.loads(sorted((tmp_path / "log").glob("*.jsonl"))[-1].read_bytes())["turn"] == 3


def test_appending_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only `sync`, which runs in a second thread, writes to the disk itself."""
    log = opened(tmp_path, rotate_bytes=400)
    synced: list[os.stat_result] = []
    monkeypatch.setattr(writer.os, "fsync", lambda file: synced.append(os.fstat(file)))
    for number in range(1, 9):
        log.append(turn(number))
    files = len(list(tmp_path.glob("*.jsonl")))
    assert files > 2
    assert synced == []
    log.sync()
    assert len({each.st_ino for each in synced if stat.S_ISREG(each.st_mode)}) == files
    assert tmp_path.stat().st_ino in {each.st_ino for each in synced}  # the new files' names
    count = len(synced)
    log.sync()
    assert len(synced) == count
    log.close()


def test_a_failed_sync_is_made_up_for_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    monkeypatch.setattr(writer.os, "fsync", failing)
    with pytest.raises(OSError, match="Input/output error"):
        log.sync()
    synced: list[int] = []
    monkeypatch.setattr(writer.os, "fsync", synced.append)
    log.sync()
    assert len(synced) == 1
    log.close()


def test_files_are_closed_even_if_nobody_syncs_them(tmp_path: Path) -> None:
    descriptors = Path("/proc/self/fd")
    if not descriptors.exists():
        pytest.skip("/proc/self/fd is not here, so nobody can count open files")
    log = opened(tmp_path, rotate_bytes=1)
    before = len(list(descriptors.iterdir()))
    for number in range(1, 101):
        log.append(turn(number))
    assert len(list(descriptors.iterdir())) < before + 20
    log.close()
    assert lines(tmp_path) == list(range(1, 101))


def failing(*_: object) -> int:
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def half_of(descriptor: int, data: bytes) -> int:
    return len(data) // 2


def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    log.close()
    log.close()
    log.sync()


def test_a_batch_that_goes_in_partly_keeps_its_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = opened(tmp_path)
    turns = [turn(number) for number in range(4)]
    sizes = [len(line(each)) for each in turns]
    whole = os.write
    monkeypatch.setattr(
        writer.os, "write", lambda descriptor, data: whole(descriptor, data[: sum(sizes[:2]) + 9])
    )
    with pytest.raises(EventLogError, match=r"2 of 4 lines are whole") as refused:
        log.append_all(turns)
    monkeypatch.undo()
    assert refused.value.written == 2
    log.append_all(turns[2:])
    log.close()
    (path,) = tmp_path.glob("events-*.jsonl")
    assert path.read_bytes() == b"".join(map(line, turns))
    assert log.lines == 4


def test_the_end_of_each_file_is_written_beside_it(tmp_path: Path) -> None:
    log = opened(tmp_path, rotate_bytes=400)
    for number in range(1, 11):
        log.append(turn(number))
    assert len(list(tmp_path.glob("*.end.json"))) == len(list(tmp_path.glob("*.jsonl"))) - 1
    log.close()

    for path in tmp_path.glob("*.jsonl"):
        content = path.read_bytes()
        end = json.loads(path.with_suffix(".end.json").read_bytes())
        last = json.loads(content.splitlines()[-1])["decision"]
        assert end == {"lines": content.count(b"\n"), "bytes": len(content), "last": last}


def test_the_end_of_a_file_is_no_event_file(tmp_path: Path) -> None:
    log = opened(tmp_path)
    log.append(turn(1))
    log.close()
    assert [file.path for file in find_event_files([tmp_path])] == [log.path]


@pytest.mark.parametrize("reported", [True, False], ids=["inotify", "fstat"])
def test_a_line_never_goes_to_a_removed_file_alone(tmp_path: Path, reported: bool) -> None:
    kept: list[int] = []
    log = EventWriter(tmp_path / "log", 10**6, lambda: 1_700_000_000_000, lambda: kept.append(1))
    if not reported:
        log._watch.close()
    log.append(turn(1))
    log.path.chmod(0o600)  # a report, but no removal
    log.append(turn(2))
    assert (lines(tmp_path / "log"), kept) == ([1, 2], [])
    log.path.unlink()
    log.append(turn(3))
    log.append(turn(4))
    assert (lines(tmp_path / "log"), kept) == ([3, 4], [1])
    log.path.with_name("other").write_bytes(b"")
    log.path.with_name("other").replace(log.path)
    log.append(turn(5))
    log.close()
    assert lines(tmp_path / "log") == [5]


def test_no_line_goes_to_a_file_whose_companions_cannot_be_kept(tmp_path: Path) -> None:
    refused = [True]

    def keep() -> None:
        if refused[0]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    log = EventWriter(tmp_path / "log", 10**6, lambda: 1_700_000_000_000, keep)
    log.path.unlink()
    for number in (1, 2):
        with pytest.raises(EventLogError):
            log.append(turn(number))
    assert log.fault is not None
    assert lines(tmp_path / "log") == []
    refused[0] = False
    with pytest.raises(EventLogError):
        log.append(turn(3))  # and begins a file for the next
    log.append(turn(4))
    log.close()
    assert (lines(tmp_path / "log"), log.fault) == ([4], None)


def test_the_next_file_is_prepared_with_its_name_on_the_disk(tmp_path: Path) -> None:
    """So the first line of the next file needs no sync of the folder before its answer."""
    log = opened(tmp_path, rotate_bytes=4 * len(line(turn(1))))
    log.append(turn(1))
    log.sync()
    assert len(list(tmp_path.glob("*.jsonl"))) == 1
    log.append(turn(2))
    log.sync()
    assert len(list(tmp_path.glob("*.jsonl"))) == 2
    for number in range(3, 11):
        log.append(turn(number))
        log.sync()
    log.close()
    assert lines(tmp_path) == list(range(1, 11))
    assert all(path.stat().st_size for path in tmp_path.iterdir())  # an unused one is removed


def test_a_record_that_somebody_removes_is_written_again_with_its_content(tmp_path: Path) -> None:
    folder = KeptFolder(tmp_path / "started")
    assert folder.keep() == []
    folder.folder.mkdir()
    (folder.folder / "a@1.json").write_bytes(b"1")
    (folder.folder / ".lock").write_bytes(b"")
    assert folder.keep() == []
    (folder.folder / "a@1.json").write_bytes(b"22")
    folder.keep()
    shutil.rmtree(folder.folder)
    assert folder.keep() == ["a@1.json"]
    assert [each.read_bytes() for each in folder.folder.iterdir()] == [b"22"]


def test_a_whole_file_replaces_the_old_one_or_stays_away(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    write_file(path, b"old")
    write_file(path, b"new", replace=False)
    assert path.read_bytes() == b"old"
    write_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["record.json"]


def test_the_count_of_refused_turns_is_said_once_lines_go_in_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now_ms = [1_700_000_000_000]
    log = EventWriter(tmp_path, 10**6, lambda: now_ms[0])
    for refused in (3, 2, 4):
        monkeypatch.setattr(writer.os, "write", failing)
        for number in range(refused):
            with pytest.raises(EventLogError):
                log.append(turn(number))
        monkeypatch.undo()
        log.append(turn(9))
        assert log.fault is None
    now_ms[0] += 60_000
    log.append(turn(10))
    log.append(turn(11))
    log.close()
    said = [
        each.getMessage() for each in caplog.records if "takes events again" in each.getMessage()
    ]
    assert [line.rpartition("; ")[2] for line in said] == [
        "3 turns were refused",
        "6 turns were refused",
    ]
    assert caplog.text.count("cannot append an event") == 1
