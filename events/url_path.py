"""URL paths: files and folders of an object store or of HDFS, used as local ones are."""

import io
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any, TypeVar

from core.errors import InputError
from events.stores import connect, describe_refusal

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo, FileSystem

T = TypeVar("T")

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_SAME = {"s3a": "s3", "s3n": "s3", "gcs": "gs"}
"""Scheme as Hadoop or fsspec names it -> as PyArrow does."""


class UrlPath(Path, PurePosixPath):
    """A path of a URL: these methods ask or change the store, and `Path` has the rest.

    A store has no folders of its own: one is there as long as something lies below it.

    Raises:
        InputError: The store cannot be reached, or refuses; from everything that asks it.
        FileNotFoundError: From reading what is not there.
    """

    _listed: "FileInfo | None" = None

    def __str__(self) -> str:
        head, *rest = self.parts or (".",)
        return f"{head}//{'/'.join(rest)}" if head.endswith(":") else "/".join((head, *rest))

    def __repr__(self) -> str:
        return f"UrlPath('{self}')"

    def __fspath__(self) -> str:
        raise TypeError(f"{self} lies on no disk")

    def __truediv__(self, key: Any) -> Path:  # type: ignore[override]
        """Go down; an absolute path is one of the local disk, as everywhere."""
        return Path(key) if Path(key).is_absolute() else super().__truediv__(key)

    def info(self) -> "FileInfo":
        """Say what is there: its kind, size and time; known already if a listing found it."""
        if self._listed is not None:
            return self._listed
        return self._ask(lambda system, path: system.get_file_info(path))

    def exists(self, **_: Any) -> bool:
        """Test whether a file or folder is there."""
        return bool(self.info().type.value)

    def is_file(self, **_: Any) -> bool:
        """Test whether a file is there."""
        return bool(self.info().is_file)

    def is_dir(self, **_: Any) -> bool:
        """Test whether anything lies below."""
        from pyarrow.fs import FileType

        return bool(self.info().type == FileType.Directory)

    def stat(self, **_: Any) -> os.stat_result:
        """Give size and time of last change; all else is 0."""
        info = self.info()
        if not info.type.value:
            raise FileNotFoundError(str(self))
        kind = stat.S_IFREG if info.is_file else stat.S_IFDIR
        changed_ns = info.mtime_ns or 0
        changed = changed_ns // 10**9
        values = (kind, 0, 0, 0, 0, 0, info.size or 0, changed, changed, changed)
        return os.stat_result(values, {"st_mtime_ns": changed_ns, "st_mtime": changed_ns / 1e9})

    def open(self, mode: str = "rb", *_: Any, **__: Any) -> Any:
        """Open for reading bytes, in any order."""
        assert mode == "rb", mode
        return self._ask(lambda system, path: system.open_input_file(path))

    def read_bytes(self) -> bytes:
        """Read the whole file."""
        content = io.BytesIO()
        self.download(content)
        return content.getvalue()

    def download(self, to: IO[bytes]) -> None:
        """Copy the content of the file, without all of it in memory."""

        def read(system: "FileSystem", path: str) -> None:
            with system.open_input_stream(path, compression=None) as file:
                shutil.copyfileobj(file, to, 4 << 20)

        self._ask(read)

    def write_bytes(self, data: Any) -> int:
        """Write a file in one step: readers see all of it or what was there before."""
        return self.upload(io.BytesIO(data))

    def upload(self, content: IO[bytes]) -> int:
        """Write a file as `write_bytes` does, without all of it in memory; return its size."""

        def write(system: "FileSystem", path: str) -> int:
            try:
                with system.open_output_stream(path, compression=None) as file:
                    shutil.copyfileobj(content, file, 4 << 20)
                    return int(file.tell())
            except FileNotFoundError as error:  # the bucket, as s3fs says it
                raise OSError(str(error)) from error

        return self._ask(write)

    def iterdir(self) -> Generator["UrlPath", None, None]:
        """Yield what lies directly below."""
        yield from self._list(recursive=False)

    def glob(self, pattern: str, **_: Any) -> Iterator["UrlPath"]:  # type: ignore[override]
        """Yield what matches; `**/` may stand at the beginning, `*` in the last name."""
        if pattern.startswith("**/"):
            shape = pattern.removeprefix("**/")
            found = self._list(recursive=True)
        else:
            *folders, shape = pattern.split("/")
            found = self.joinpath(*folders)._list(recursive=False)
        return (each for each in found if each.relative_to(self).match(shape))

    def rglob(self, pattern: str, **_: Any) -> Iterator["UrlPath"]:  # type: ignore[override]
        """Yield what matches, at any depth."""
        return self.glob(f"**/{pattern}")

    def mkdir(self, *_: Any, **__: Any) -> None:
        """Do nothing: a folder is there with its first file."""

    def unlink(self, missing_ok: bool = False) -> None:
        """Remove a file."""
        try:
            self._ask(lambda system, path: system.delete_file(path))
        except FileNotFoundError:
            if not missing_ok:
                raise

    def resolve(self, strict: bool = False) -> "UrlPath":
        """Return the path itself: a URL has no links."""
        return self

    def absolute(self) -> "UrlPath":
        """Return the path itself."""
        return self

    def _list(self, recursive: bool) -> Iterator["UrlPath"]:
        from pyarrow.fs import FileSelector

        def listed(system: "FileSystem", path: str) -> tuple[str, list["FileInfo"]]:
            below = FileSelector(path, recursive=recursive, allow_not_found=True)
            return path.strip("/"), system.get_file_info(below)

        root, found = self._ask(listed)
        for info in found:
            each = self.joinpath(info.path.strip("/").removeprefix(root).lstrip("/"))
            each._listed = info
            yield each

    def _ask(self, what: "Callable[[FileSystem, str], T]") -> T:
        """Ask the store; every store raises errors of its own."""
        scheme, place, *rest = (*self.parts, "")
        scheme = scheme.removesuffix(":")
        try:
            system, root = connect(scheme, place)
            return what(system, "/".join((root.rstrip("/"), *rest)).rstrip("/") or "/")
        except (FileNotFoundError, ModuleNotFoundError):
            raise
        except Exception as error:
            raise InputError.one(str(self), describe_refusal(scheme, error)) from error


def log_path(given: str | Path) -> Path:
    """Make a path of what a user gave: of the local disk, or a `UrlPath`.

    Raises:
        InputError: The URL names no store.
    """
    if isinstance(given, Path):
        return given
    found = _URL.fullmatch(given)
    if found is None:
        return Path(given)
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return Path(rest)
    if not rest or rest.startswith("/"):
        raise InputError.one(
            given,
            "must name a bucket or host after //, got none. Write it as in s3://BUCKET/log",
        )
    return UrlPath(f"{_SAME.get(scheme, scheme)}:", rest)


@contextmanager
def on_disk(path: Path) -> Iterator[Path]:
    """Give a file on the local disk for as long as the block takes: itself, or a copy of it."""
    if not isinstance(path, UrlPath):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="segue-copy-") as folder:
        copy = Path(folder) / path.name
        with copy.open("wb") as content:
            path.download(content)
        yield copy


def disk_path(given: str) -> Path:
    """Make a path of what a user gave to a command that needs files on the disk.

    Raises:
        InputError: It is a URL.
    """
    path = log_path(given)
    if isinstance(path, UrlPath):
        raise InputError.one(
            given,
            "must be a file or folder on this machine, got a URL. A log can be copied here: segue "
            f"logs collect --from {given} --to cache",
        )
    return path


def place_file(made: Path, path: Path) -> None:
    """Move a file of the local disk to its place: a step on the same disk, or into a store."""
    if not isinstance(path, UrlPath):
        made.replace(path)
        return
    with made.open("rb") as content:
        path.upload(content)
    made.unlink()
