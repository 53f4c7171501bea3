"""Remote logs: folders, anything that fsspec reaches, and docker containers, with event files."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from core.errors import InputError
from events.event_files import END_SUFFIX, EVENT_FILE

DOCKER_FOLDERS = ("/srv/segue/log", "/app/log")
"""Folders that our own image and botify's log to."""

PIECE = 4 << 20

_BY_PYARROW = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "abfs": "abfs", "abfss": "abfss"}
"""Scheme of a URL -> scheme by which PyArrow knows the same store."""


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An event file at its origin.

    Attributes:
        name: Path below the origin, with `/`.
        size: Bytes when the file was listed.
        system: The fsspec file system that has it.
        path: Its path in that file system.
    """

    name: str
    size: int
    system: Any
    path: str

    def read_pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`, fewer when the file became shorter."""
        with self.system.open(self.path, "rb") as content:
            content.seek(start)
            while start < end and (piece := content.read(min(PIECE, end - start))):
                start += len(piece)
                yield piece


@dataclass(frozen=True, slots=True)
class RemoteLog:
    """An origin of event files.

    Attributes:
        url: Path or URL as the user gave it.
        folder: Name of this origin's folder in every cache: the last part of its path, which
            people recognise, and a digest of the whole URL, which makes it unique.
        root: Path of the origin in the file system.
        files: The event files below it, by name.
    """

    url: str
    folder: str
    root: str
    files: tuple[RemoteFile, ...]


@contextmanager
def remote_log(url: str, scratch: Path) -> Iterator[RemoteLog]:
    """Open the origin at a path or URL, to be read within the block.

    Args:
        url: A path, an fsspec URL, or `docker://CONTAINER[/path]`.
        scratch: Folder for the files of a container while they are read.

    Raises:
        InputError: The origin cannot be reached, does not exist, or has no event files.
    """
    if url.startswith("docker://"):
        with _container(url, scratch) as origin:
            yield origin
        return
    try:
        system, root = _file_system(url)
    except (ImportError, ValueError, OSError) as error:
        raise InputError.one(url, f"cannot be reached: {error}") from error
    if _is_local(system):
        root = str(Path(root).resolve())
    folder = _folder(PurePosixPath(root).name, system.unstrip_protocol(root))
    yield RemoteLog(url, folder, root, _files(url, system, root))


def _file_system(url: str) -> tuple[Any, str]:
    """Give the file system of a URL, and the path in it.

    Without the package that fsspec needs for an object store, PyArrow's own client reads it.
    """
    import fsspec

    try:
        system, root = fsspec.core.url_to_fs(url)
    except ImportError:
        scheme, _, rest = url.partition("://")
        if scheme not in _BY_PYARROW:
            raise
        from fsspec.implementations.arrow import ArrowFSWrapper
        from pyarrow import fs

        inner, root = fs.FileSystem.from_uri(f"{_BY_PYARROW[scheme]}://{rest}")
        system = ArrowFSWrapper(inner)
    return system, root


def _files(url: str, system: Any, root: str) -> tuple[RemoteFile, ...]:
    try:
        single = system.isfile(root)
        listed = system.find(root, detail=True)
        there = bool(listed) or system.exists(root)
    except Exception as error:  # each file system raises exceptions of its own
        raise InputError.one(url, f"cannot be read: {error}") from error
    found = []
    for path, detail in sorted(listed.items()):
        name = PurePosixPath(path).name if single else path.removeprefix(root).lstrip("/")
        hidden = any(part.startswith(".") for part in name.split("/"))
        wanted = EVENT_FILE.search(name) or name.endswith(END_SUFFIX)
        if single or (wanted and not hidden):
            found.append(RemoteFile(name, int(detail["size"]), system, path))
    if not found:
        raise InputError.one(
            url,
            "has no event files (*.jsonl, *.json, *.log, also .gz, .zst, .bz2 and .xz)"
            if there
            else "is not there: name a folder or a URL with event files",
        )
    return tuple(found)


@contextmanager
def _container(url: str, scratch: Path) -> Iterator[RemoteLog]:
    """Copy a folder or file out of a container by `docker cp`, which needs no program in it."""
    container, slash, path = url.removeprefix("docker://").partition("/")
    paths = (slash + path,) if path else DOCKER_FOLDERS
    if not container or container.startswith("-"):
        raise InputError.one(url, "must name a container: docker://CONTAINER[/path]")
    docker = shutil.which("docker")
    if docker is None:
        raise InputError.one(url, "needs the command docker, which is not on this machine's PATH")
    from fsspec.implementations.local import LocalFileSystem

    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".docker-", dir=scratch) as folder:
        target = Path(folder).resolve() / "log"
        for path in paths:
            copied = _copy_out(docker, f"{container}:{path}", target)
            if copied is None:
                break
        else:
            raise InputError.one(url, f"cannot be read: {copied}")
        found = _files(url, LocalFileSystem(), str(target))
        if target.is_file():
            one = found[0]
            found = (RemoteFile(PurePosixPath(path).name, one.size, one.system, one.path),)
        yield RemoteLog(url, _folder(container, f"docker://{container}{path}"), str(target), found)


def _copy_out(docker: str, source: str, target: Path) -> str | None:
    """Copy a folder or file out of a container; say why, if docker could not."""
    done = subprocess.run(  # noqa: S603
        [docker, "cp", source, str(target)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return None if done.returncode == 0 else done.stderr.strip() or "docker failed"


def _is_local(system: Any) -> bool:
    protocol = system.protocol
    return "file" in ((protocol,) if isinstance(protocol, str) else protocol)


def _folder(last: str, whole: str) -> str:
    clean = re.sub(r"[^\w.-]+", "-", last).strip("-.") or "log"
    return f"{clean}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
