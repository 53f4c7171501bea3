"""JSON lines: reads them, and names every faulty line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from core.errors import Faults
from core.lines import text_in
from core.sealed import read_whole


def read_records(path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number from 1, object) for each line of a file that is a JSON object.

    The file may be packed. A faulty line is added to `faults` and skipped; a blank line is skipped.

    Raises:
        InputError: The file cannot be read.
    """
    yield from records_in(read_whole(path), path, faults)


def records_in(content: bytes, path: Path, faults: Faults) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the records of a file whose content was read before, as `read_records` does."""
    for number, line in enumerate(text_in(str(path), content).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            faults.add(f"{path}:{number}", f"must be one JSON object a line: {error.msg}")
            continue
        if isinstance(record, dict):
            yield number, record
        else:
            faults.add(f"{path}:{number}", f"must be a JSON object, got {type(record).__name__}")
