"""Input files of an import: finds them, reads them line by line, and counts every line."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from core.errors import InputError
from core.lines import line_blocks, text_pieces
from core.packings import ENDINGS, read_file
from core.progress import Progress
from training.importers.bad_line import BadLine
from training.importers.collector import Collector

if TYPE_CHECKING:
    from hashlib import _Hash

BLANK = "blank line"

_IGNORED = 20
"""Names of files that are not read which are kept; the rest does not help."""


@dataclass(frozen=True, slots=True)
class InputFile:
    """A file to import.

    Attributes:
        path: The file.
        name: Its path below the folder that was named; the file's name if no folder was.
    """

    path: Path
    name: str

    @property
    def unpacked_name(self) -> str:
        """The name without the ending of its packing, in small letters."""
        name = self.path.name.lower()
        return next((name.removesuffix(end) for end in ENDINGS if name.endswith(end)), name)


def find_files(
    path: Path, into: Collector, endings: tuple[str, ...], *, begins: tuple[str, ...] = ("",)
) -> list[InputFile]:
    """List the file itself, or the files of the folder whose names fit, packed or not, sorted.

    Hidden files and folders are skipped. Files whose names do not fit are noted as ignored.

    Raises:
        InputError: The path does not exist, or is a folder without such files.
    """
    if not path.exists():
        raise InputError.one(str(path), "does not exist. Name a file or a folder")
    if not path.is_dir():
        return [InputFile(path, path.name)]
    found: list[InputFile] = []
    ignored: list[InputFile] = []
    for each in sorted(path.rglob("*")):
        inside = each.relative_to(path)
        if not each.is_file() or any(part.startswith(".") for part in inside.parts):
            continue
        file = InputFile(each, inside.as_posix())
        fits = file.unpacked_name.endswith(endings) and file.unpacked_name.startswith(begins)
        (found if fits else ignored).append(file)
    if not found:
        some = f"; it has {', '.join(file.name for file in ignored[:5])}" if ignored else ""
        wanted = " or ".join(f"{begin}*" for begin in begins if begin)
        named = f" begin with {wanted} and" if wanted else ""
        raise InputError.one(
            str(path), f"must hold files that{named} end in {', '.join(endings)}; has none{some}"
        )
    into.ignored += [file.name for file in ignored[:_IGNORED]]
    return found


@contextmanager
def reading(file: InputFile, into: Collector, progress: Progress) -> Iterator[Iterator[bytes]]:
    """Read the unpacked content of a file in pieces; during the block, `into` counts for it."""
    packed = file.path.name.lower().endswith(ENDINGS)
    progress.start(file.name, None if packed else file.path.stat().st_size)
    with into.file(file.name) as digest:
        yield hashed(read_file(file.path), digest, progress)


def hashed(pieces: Iterable[bytes], digest: "_Hash", progress: Progress) -> Iterator[bytes]:
    """Feed the pieces to the hash as they pass."""
    for piece in pieces:
        digest.update(piece)
        progress.advance(len(piece))
        yield piece


def each_line(
    file: InputFile, into: Collector, progress: Progress, use: Callable[[str], None]
) -> None:
    """Pass each line of a file to `use`, and count and name the lines that it rejects."""
    with reading(file, into, progress) as pieces:
        each_of(str(file.path), pieces, into, use)


def each_of(
    where: str, pieces: Iterable[bytes], into: Collector, use: Callable[[str], None]
) -> None:
    """Pass each line of a content to `use`; see `each_line`."""
    for number, line in text_lines(where, pieces, into):
        try:
            use(line)
        except BadLine as trouble:
            into.reject(where, number, trouble)


def text_lines(where: str, pieces: Iterable[bytes], into: Collector) -> Iterator[tuple[int, str]]:
    """Yield (number, line) for each line that is text; blank and faulty lines are counted."""
    for first, lines in line_blocks(where, pieces):
        into.count(len(lines))
        for number, raw in enumerate(lines, start=first):
            if not raw or raw.isspace():
                into.leave_out(BLANK)
                continue
            try:
                line = raw.decode()
            except UnicodeDecodeError as error:
                got = raw[error.start : error.end]
                into.reject(where, number, BadLine(error.start + 1, "must be UTF-8", got))
                continue
            if "\0" in line:
                column = line.index("\0") + 1
                into.reject(where, number, BadLine(column, "must not contain a zero byte"))
                continue
            yield number, line


def read_json(where: str, pieces: Iterable[bytes]) -> Any:
    """Parse a whole content as JSON.

    Raises:
        InputError: It is no JSON.
    """
    content = b"".join(text_pieces(where, pieces))
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError.one(
            f"{where}:{error.lineno}:{error.colno}", f"must be JSON: {error.msg}"
        ) from error


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
