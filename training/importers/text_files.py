"""Text files: reads large files line by line, plain or compressed, and names bad lines."""

import bz2
import gzip
import io
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import orjson

from core.errors import InputError
from core.progress import Progress
from training.importers.collector import BadLine, Collector


def files(path: Path, suffixes: tuple[str, ...]) -> list[Path]:
    """The file itself, or the files of the folder with these suffixes, sorted.

    Raises:
        InputError: The path does not exist, or is a folder without such files.
    """
    if path.is_dir():
        found = sorted(p for p in path.rglob("*") if p.is_file() and p.name.endswith(suffixes))
        if not found:
            raise InputError.one(
                str(path), f"must hold files that end in {', '.join(suffixes)}; has none"
            )
        return found
    if not path.exists():
        raise InputError.one(str(path), "does not exist. Name a file or a folder")
    return [path]


def open_file(path: Path) -> IO[bytes]:
    """Open a file, and unpack it by its suffix."""
    openers: dict[str, Callable[[Path], Any]] = {
        ".gz": gzip.open,
        ".bz2": bz2.open,
        ".xz": lzma.open,
        ".zst": _zstd,
    }
    try:
        file: IO[bytes] = openers.get(path.suffix, _plain)(path)
    except OSError as error:
        raise InputError.one(str(path), f"cannot be read: {error.strerror or error}") from error
    return file


def each_line(path: Path, into: Collector, progress: Progress, use: Callable[[str], None]) -> None:
    """Pass each line of a file to `use`, and count and name the lines that it rejects."""
    into.source(path)
    with open_file(path) as file:
        progress.start(path.name, path.stat().st_size if path.suffix not in _PACKED else None)
        each_of(path, file, into, progress, use)


def each_of(
    path: Path, file: IO[bytes], into: Collector, progress: Progress, use: Callable[[str], None]
) -> None:
    """Pass each line of an open file to `use`; see `each_line`."""
    read = 0
    try:
        for number, raw in enumerate(file, start=1):
            read += len(raw)
            if read >= 1 << 20:
                progress.advance(read)
                read = 0
            line = raw.rstrip(b"\r\n")
            if not line:
                continue
            try:
                use(_text(line))
            except BadLine as trouble:
                into.reject(path, number, trouble)
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise InputError.one(str(path), f"is damaged or cut off: {error}") from error
    progress.advance(read)


def json_object(line: str) -> dict[str, Any]:
    """The JSON object of a line.

    Raises:
        BadLine: The line is no JSON object.
    """
    try:
        record = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise BadLine(error.colno, f"must be JSON: {error.msg}") from error
    if not isinstance(record, dict):
        raise BadLine(1, "must be a JSON object", type(record).__name__)
    return record


def moment_ms(value: object, column: int) -> int:
    """Unix time in ms of seconds, milliseconds, or ISO 8601 text (UTC without an offset)."""
    if isinstance(value, str):
        text = value.strip()
        try:
            number = float(text)
        except ValueError:
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                raise BadLine(
                    column, "time of the listen must be ISO 8601 or Unix time", value
                ) from None
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            return round(moment.timestamp() * 1000)
    elif isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        number = float(value)
    else:
        raise BadLine(column, "time of the listen must be ISO 8601 or Unix time", value)
    if not 0 <= number < 1e14:
        raise BadLine(column, "time of the listen must be ISO 8601 or Unix time", value)
    return round(number if number >= 1e11 else number * 1000)


_PACKED = {".gz", ".bz2", ".xz", ".zst"}


def _text(line: bytes) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        got = line[error.start : error.end]
        raise BadLine(error.start + 1, "must be UTF-8", got) from error


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _zstd(path: Path) -> IO[bytes]:
    import zstandard

    return io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(path.open("rb")))
