"""Remote logs: folders, object stores and docker containers, with event files."""

import hashlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.errors import InputError
from events.event_files import END_SUFFIX, EVENT_FILE
from events.url_path import UrlPath, log_path

DOCKER_FOLDERS = ("/srv/segue/log", "/app/log")
"""Folders that our own image and botify's log to."""

PIECE = 4 << 20


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """An event file at its origin.

    Attributes:
        name: Path below the origin, with `/`.
        size: Bytes when the file was listed.
        path: Its path.
    """

    name: str
    size: int
    path: Path

    def read_pieces(self, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to before `end`, fewer when the file became shorter."""
        with self.path.open("rb") as content:
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
        root: Path of the origin.
        files: The event files below it, by name.
    """

    url: str
    folder: str
    root: Path
    files: tuple[RemoteFile, ...]


@contextmanager
def remote_log(url: str, scratch: Path) -> Iterator[RemoteLog]:
    """Open the origin at a path or URL, to be read within the block.

    Args:
        url: A path, a URL, or `docker://CONTAINER[/path]`.
        scratch: Folder for the files of a container while they are read.

    Raises:
        InputError: The origin cannot be reached, does not exist, or has no event files.
    """
    if url.startswith("docker://"):
        with _container(url, scratch) as origin:
            yield origin
        return
    root = log_path(url).resolve()
    whole = str(root) if isinstance(root, UrlPath) else f"file://{root}"
    yield RemoteLog(url, _folder(root.name, whole), root, _files(url, root))


def _files(url: str, root: Path) -> tuple[RemoteFile, ...]:
    try:
        single = root.is_file()
        listed = [root] if single else sorted(each for each in root.rglob("*") if each.is_file())
        there = bool(listed) or root.exists()
    except OSError as error:
        raise InputError.one(url, f"cannot be read: {error}") from error
    found = []
    for path in listed:
        name = path.name if single else path.relative_to(root).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        wanted = EVENT_FILE.search(name) or name.endswith(END_SUFFIX)
        if single or (wanted and not hidden):
            found.append(RemoteFile(name, path.stat().st_size, path))
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
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".docker-", dir=scratch) as folder:
        target = Path(folder).resolve() / "log"
        for path in paths:
            copied = _copy_out(docker, f"{container}:{path}", target)
            if copied is None:
                break
        else:
            raise InputError.one(url, f"cannot be read: {copied}")
        found = _files(url, target)
        if target.is_file():
            one = found[0]
            found = (RemoteFile(PurePosixPath(path).name, one.size, one.path),)
        yield RemoteLog(url, _folder(container, f"docker://{container}{path}"), target, found)


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


def _folder(last: str, whole: str) -> str:
    clean = re.sub(r"[^\w.-]+", "-", last).strip("-.") or "log"
    return f"{clean}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
