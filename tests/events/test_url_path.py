"""Paths of URLs: what is true of a local path is true of them."""

import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from core.errors import InputError
from events.url_path import UrlPath, disk_path, log_path, on_disk, place_file

FILES = {
    "events-a.jsonl": b"one\n",
    "day=1/experiment=a b/x#1.parquet": b"two\n",
    "configs/1.json": b"{}",
    "deep/configs/2.json": b"{}",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    store = fsspec.filesystem("memory")
    for name, content in FILES.items():
        store.pipe(f"/bucket/log/{name}", content)
    yield log_path("memory://bucket/log/")
    store.rm("/bucket", recursive=True)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("s3://bucket/log/", "s3://bucket/log"),
        ("s3a://bucket/log", "s3://bucket/log"),
        ("GCS://bucket", "gs://bucket"),
        ("hdfs://host:8020/log/a.jsonl", "hdfs://host:8020/log/a.jsonl"),
        ("file:///srv/log", "/srv/log"),
        ("log/a.jsonl", "log/a.jsonl"),
        ("odd:name", "odd:name"),
    ],
)
def test_a_url_keeps_its_text_and_a_path_is_a_path(given: str, expected: str) -> None:
    found = log_path(given)
    assert str(found) == expected
    assert isinstance(found, UrlPath) == ("://" in expected)
    assert log_path(found) is found
    assert pickle.loads(pickle.dumps(found)) == found


def test_parts_of_a_url_are_those_of_a_path() -> None:
    path = log_path("s3://bucket/log/events-a.jsonl")
    assert path.name == "events-a.jsonl"
    assert str(path.parent) == "s3://bucket/log"
    assert str(path.with_suffix(".end.json")) == "s3://bucket/log/events-a.end.json"
    assert path.relative_to(log_path("s3a://bucket")).as_posix() == "log/events-a.jsonl"
    assert path.resolve() == path.absolute() == path
    assert path.parent / "/srv/tracks.jsonl" == Path("/srv/tracks.jsonl")
    assert not isinstance(path.parent / "/srv/tracks.jsonl", UrlPath)
    with pytest.raises(TypeError, match="lies on no disk"):
        os.fspath(path)


def test_a_folder_is_searched_as_on_the_disk(folder: Path, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    def found(root: Path, pattern: str) -> set[tuple[str, bool]]:
        return {(path.relative_to(root).as_posix(), path.is_file()) for path in root.glob(pattern)}

    for pattern in ("*", "*.jsonl", "configs/*.json", "**/configs/*.json", "**/*.json", "no/*"):
        assert found(folder, pattern) == found(tmp_path, pattern), pattern
    assert {path.name for path in folder.rglob("*.json")} == {"1.json", "2.json"}
    assert {path.name for path in folder.iterdir()} == {path.name for path in tmp_path.iterdir()}
    assert folder.is_dir()
    assert not (folder / "events-a.jsonl").is_dir()
    assert not (folder / "nothing").exists()


def test_a_file_is_read_written_and_removed(folder: Path, tmp_path: Path) -> None:
    path = folder / "day=1/experiment=a b/x#1.parquet"
    assert path.read_bytes() == b"two\n"
    assert path.stat().st_size == 4
    with path.open("rb") as file:
        file.seek(1)
        assert file.read(2) == b"wo"
    with on_disk(path) as copy:
        assert copy.read_bytes() == b"two\n"
    assert not copy.exists()
    (made := tmp_path / "made").write_bytes(b"three")
    place_file(made, folder / "new" / "file")
    assert not made.exists()
    assert (folder / "new" / "file").read_bytes() == b"three"
    (folder / "new" / "file").unlink()
    (folder / "new" / "file").unlink(missing_ok=True)
    for ask in (Path.read_bytes, Path.stat, Path.unlink):
        with pytest.raises(FileNotFoundError):
            getattr(folder / "nothing", ask.__name__)()


def test_a_store_that_refuses_is_said_in_one_sentence() -> None:
    path = log_path("nope://bucket/log/a.jsonl")
    assert isinstance(path, UrlPath)
    for ask in (path.exists, path.read_bytes, lambda: path.upload(io.BytesIO(b"x")), path.unlink):
        with pytest.raises(
            InputError, match=r"^nope://bucket/log/a.jsonl: cannot be reached: .*nope. Check the"
        ):
            ask()


def test_a_command_that_needs_a_disk_says_how_to_copy_a_url() -> None:
    assert disk_path("log") == Path("log")
    with pytest.raises(InputError, match=r"must be a file or folder on this machine, got a URL\."):
        disk_path("s3://bucket/log")
