"""Collection: whole files, from several servers, again and again, without loss."""

import os
import stat
from pathlib import Path

import fsspec
import pytest

from audit.synthetic_traffic import SyntheticTraffic
from core.errors import InputError, SegueError
from events import collection
from events.collection import SAMPLE, CollectedFiles, collect
from events.remote_logs import RemoteFile
from tests.service import loaded

LINE = b'{"message": "next"}\n'


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def counts(collected: CollectedFiles) -> tuple[int, int, int, int]:
    return collected.new, collected.grown, collected.same, collected.beside


@pytest.fixture
def server(tmp_path: Path) -> Path:
    folder = tmp_path / "server" / "log"
    (folder / "old").mkdir(parents=True)
    (folder / "events-a.jsonl").write_bytes(LINE * 3)
    (folder / "old" / "data.json.1.gz").write_bytes(b"packed\n\n")
    (folder / "server.pid").write_text("7")
    return folder


def test_only_event_files_are_copied_and_unchanged(server: Path, tmp_path: Path) -> None:
    (collected,) = collect([str(server)], tmp_path / "cache")
    assert files(collected.folder) == {
        "events-a.jsonl": LINE * 3,
        "old/data.json.1.gz": b"packed\n\n",
    }
    assert counts(collected) == (2, 0, 0, 0)
    assert (collected.lines, collected.bytes) == (3, len(LINE) * 3 + 8)


@pytest.mark.parametrize("before", [3, 2 * SAMPLE // len(LINE) + 9], ids=["small", "large"])
@pytest.mark.parametrize("thorough", [False, True], ids=["ends", "thorough"])
def test_a_file_that_has_grown_is_continued(
    before: int, thorough: bool, server: Path, tmp_path: Path
) -> None:
    log = server / "events-a.jsonl"
    log.write_bytes(LINE * before + LINE[:7])
    collect([str(server)], tmp_path / "cache")
    log.write_bytes(LINE * (before + 2))
    (collected,) = collect([str(server)], tmp_path / "cache", thorough=thorough)
    assert counts(collected) == (0, 1, 1, 0)
    assert collected.lines == before + 2
    assert collected.bytes == 2 * len(LINE) - 7
    assert (collected.folder / "events-a.jsonl").read_bytes() == log.read_bytes()


def test_a_server_may_write_while_its_log_is_collected(tmp_path: Path) -> None:
    runtime = loaded(tmp_path / "server")
    with SyntheticTraffic(runtime, tmp_path / "log", rotate_mb=0.02) as trial:
        for _ in range(4):
            trial.play(range(10), 20)
            (collected,) = collect([str(tmp_path / "log")], tmp_path / "cache")
            assert files(collected.folder) == files(tmp_path / "log")
    # The log leaves the end of its last file when it closes.
    (collected,) = collect([str(tmp_path / "log")], tmp_path / "cache")
    here = files(collected.folder)
    assert here == files(tmp_path / "log")
    assert sum(name.startswith("events-") for name in here) > 2


def test_a_second_collection_changes_nothing(server: Path, tmp_path: Path) -> None:
    (first,) = collect([str(server)], tmp_path / "cache")
    kept = files(tmp_path / "cache")
    (second,) = collect([str(server)], tmp_path / "cache")
    assert files(tmp_path / "cache") == kept
    assert counts(second) == (0, 0, 2, 0)
    assert second.lines == first.lines


def test_files_of_the_same_name_on_two_servers_stay_apart(server: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "log"
    other.mkdir(parents=True)
    (other / "events-a.jsonl").write_bytes(LINE)
    one, two = collect([str(server), str(other)], tmp_path / "cache")
    assert one.folder != two.folder
    assert (one.folder / "events-a.jsonl").read_bytes() == LINE * 3
    assert (two.folder / "events-a.jsonl").read_bytes() == LINE


@pytest.mark.parametrize(
    "content",
    [LINE, b'{"message": "last"}\n' * 5],
    ids=["shorter", "other-content"],
)
def test_a_file_that_was_created_again_is_kept_beside_the_old_one(
    content: bytes, server: Path, tmp_path: Path
) -> None:
    collect([str(server)], tmp_path / "cache")
    (server / "events-a.jsonl").write_bytes(content)
    (collected,) = collect([str(server)], tmp_path / "cache")
    assert counts(collected) == (0, 0, 1, 1)
    assert (collected.folder / "events-a.jsonl").read_bytes() == LINE * 3
    assert (collected.folder / "events-a~2.jsonl").read_bytes() == content
    (server / "events-a.jsonl").write_bytes(content + LINE)
    (collected,) = collect([str(server)], tmp_path / "cache")
    assert counts(collected) == (0, 1, 1, 0)
    assert (collected.folder / "events-a~2.jsonl").read_bytes() == content + LINE


@pytest.mark.parametrize(
    ("changed_at", "thorough", "expected"),
    [
        (0.0, False, (0, 0, 1, 1)),
        (1.0, False, (0, 0, 1, 1)),
        (0.5, False, (0, 1, 1, 0)),
        (0.5, True, (0, 0, 1, 1)),
    ],
    ids=["at-its-beginning", "at-its-end", "in-the-middle-unseen", "in-the-middle-thoroughly"],
)
def test_a_change_within_the_copy_is_found(
    changed_at: float,
    thorough: bool,
    expected: tuple[int, ...],
    server: Path,
    tmp_path: Path,
) -> None:
    many = 4 * SAMPLE // len(LINE)
    log = server / "events-a.jsonl"
    log.write_bytes(LINE * many)
    collect([str(server)], tmp_path / "cache")
    changed = [LINE] * (many + 5)
    changed[round(changed_at * (many - 1))] = b'{"message": "last"}\n'
    log.write_bytes(b"".join(changed))
    (collected,) = collect([str(server)], tmp_path / "cache", thorough=thorough)
    assert counts(collected) == expected


def test_unknown_files_in_the_cache_stay(server: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "events-a.jsonl").write_bytes(b"mine\n")
    collect([str(server)], cache)
    assert (cache / "events-a.jsonl").read_bytes() == b"mine\n"


def test_a_cache_within_the_folder_is_not_collected_into_itself(server: Path) -> None:
    collect([str(server)], server / "cache")
    (collected,) = collect([str(server)], server / "cache")
    assert counts(collected) == (0, 0, 2, 0)


def test_any_url_that_fsspec_knows_is_a_source(tmp_path: Path) -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/log/a.jsonl", LINE * 2)
    memory.pipe("/bucket/log/deep/b.jsonl", LINE)
    try:
        (collected,) = collect(["memory://bucket/log"], tmp_path)
        memory.pipe("/bucket/log/a.jsonl", LINE * 5)
        (again,) = collect(["memory://bucket/log"], tmp_path)
        (single,) = collect(["memory://bucket/log/deep/b.jsonl"], tmp_path / "single")
    finally:
        memory.rm("/bucket", recursive=True)
    assert collected.lines == 3
    assert counts(again) == (0, 1, 1, 0)
    assert files(again.folder) == {"a.jsonl": LINE * 5, "deep/b.jsonl": LINE}
    assert files(single.folder) == {"b.jsonl": LINE}


def test_an_interrupted_collection_leaves_the_old_copy(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (collected,) = collect([str(server)], tmp_path / "cache")
    kept = files(tmp_path / "cache")
    (server / "events-a.jsonl").write_bytes(LINE * 50)
    whole = RemoteFile.read_pieces

    def torn(found: RemoteFile, start: int, end: int):
        for piece in whole(found, start, end):
            yield piece[: len(piece) // 2]
            if start:
                raise OSError("the line went dead")

    monkeypatch.setattr(RemoteFile, "read_pieces", torn)
    with pytest.raises(InputError, match=r"cannot be collected: the line went dead"):
        collect([str(server)], tmp_path / "cache")
    assert files(tmp_path / "cache") == kept
    assert collected.folder.exists()


def test_a_different_count_is_an_error_and_the_copy_is_not_kept(
    server: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = RemoteFile.read_pieces
    monkeypatch.setattr(
        RemoteFile, "read_pieces", lambda found, start, end: list(whole(found, start, end))[:-1]
    )
    with pytest.raises(SegueError, match=r"must have 0 lines in 60 bytes, as the origin has"):
        collect([str(server)], tmp_path / "cache")
    assert files(tmp_path / "cache") == {}


FAKE_DOCKER = """#!/bin/sh
# docker cp CONTAINER:/path TARGET, out of folders beside this script
[ "$1" = cp ] || exit 64
source="$(dirname "$0")/containers/$(echo "$2" | sed 's|:|/|')"
if [ ! -e "$source" ]; then echo "Error: No such container:path: $2" >&2; exit 1; fi
cp -r "$source" "$3"
"""


@pytest.fixture
def containers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    program = tmp_path / "bin" / "docker"
    program.parent.mkdir()
    program.write_text(FAKE_DOCKER)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    return program.parent / "containers"


def test_a_container_is_a_source(containers: Path, tmp_path: Path) -> None:
    log = containers / "recommender-1" / "app" / "log"
    log.mkdir(parents=True)
    (log / "data.json").write_bytes(LINE)
    (collected,) = collect(["docker://recommender-1"], tmp_path / "cache")
    (log / "data.json").write_bytes(LINE * 2)
    (again,) = collect(["docker://recommender-1"], tmp_path / "cache")
    (single,) = collect(["docker://recommender-1/app/log/data.json"], tmp_path / "single")
    assert counts(collected) == (1, 0, 0, 0)
    assert counts(again) == (0, 1, 0, 0)
    assert files(tmp_path / "cache") == {f"{again.folder.name}/data.json": LINE * 2}
    assert files(single.folder) == {"data.json": LINE * 2}


def test_a_container_of_our_own_image_needs_no_folder(containers: Path, tmp_path: Path) -> None:
    log = containers / "segue-1" / "srv" / "segue" / "log"
    log.mkdir(parents=True)
    (log / "data.jsonl").write_bytes(LINE)
    (collected,) = collect(["docker://segue-1"], tmp_path / "cache")
    (named,) = collect(["docker://segue-1/srv/segue/log"], tmp_path / "cache")

    assert counts(collected) == (1, 0, 0, 0)
    assert named.folder == collected.folder
    assert counts(named) == (0, 0, 1, 0)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nowhere/log", r"nowhere/log: is not there"),
        ("docker://", r"must name a container"),
        ("docker://gone", r"docker://gone: cannot be read: Error: No such container"),
        ("nope://bucket/log", r"nope://bucket/log: cannot be reached: Protocol not known"),
        (".", r"has no event files"),
    ],
)
def test_an_unreadable_source_is_named_and_the_rest_is_collected(
    url: str,
    message: str,
    server: Path,
    containers: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(InputError, match=message):
        collect([url, str(server)], tmp_path / "cache")
    assert len(files(tmp_path / "cache")) == 2


def test_without_docker_the_scheme_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"needs the command docker"):
        collect(["docker://x"], tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "second"),
    [
        ("a.jsonl", "a~2.jsonl"),
        ("deep/data.json.1", "deep/data~2.json.1"),
        ("data.json.gz", "data~2.json.gz"),
        ("data", "data~2"),
    ],
)
def test_a_second_file_of_a_name_keeps_its_suffix(name: str, second: str) -> None:
    assert collection._file_name(name, 2) == second
