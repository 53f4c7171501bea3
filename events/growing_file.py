"""An event file to which a server appends, and how much of it was read."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from core.errors import InputError
from core.lines import BOM, check_encoding
from events.event_files import LONGEST_LINE, PIECE, EventFile


@dataclass(slots=True)
class GrowingFile:
    """One event file, and how much of it was read.

    Attributes:
        source: The file; all but its path and packing are those of the last reading.
        offset: Bytes read: all whole lines.
        digest: SHA-256 of these bytes.
    """

    source: EventFile
    offset: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def copy(self) -> "GrowingFile":
        """Copy it; reading the copy moves nothing here."""
        source = replace(self.source, unreadable=[])
        return GrowingFile(source, self.offset, self.digest.copy())

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole lines behind the offset, and move the offset behind them.

        Raises:
            InputError: The file cannot be read, is UTF-16, or has a line longer than 64 MB.
        """
        path, rest = self.source.path, b""
        try:
            with path.open("rb") as file:
                file.seek(self.offset)
                while self.offset + len(rest) < self.source.size:
                    left = self.source.size - self.offset - len(rest)
                    content = file.read(min(PIECE, left))
                    if not content:
                        break
                    content = rest + content
                    end = content.rfind(b"\n") + 1
                    whole, rest = content[:end], content[end:]
                    if len(rest) > LONGEST_LINE:
                        raise InputError.one(
                            f"{path}:{self.source.lines + 1}",
                            f"is longer than {LONGEST_LINE >> 20} MB; an event log has one event "
                            "a line",
                        )
                    if whole:
                        yield self._take(whole)
        except OSError as error:
            raise InputError.one(str(path), f"cannot be read: {error.strerror}") from error

    def _take(self, whole: bytes) -> bytes:
        if not self.offset:
            check_encoding(str(self.source.path), whole)
        is_first, self.offset = not self.offset, self.offset + len(whole)
        self.digest.update(whole)
        self.source.checksum = self.digest.hexdigest()
        return whole.removeprefix(BOM) if is_first else whole

    def is_lost(self) -> bool:
        """Tell whether known lines are gone: the file went, shrank or was replaced."""
        try:
            found = self.source.path.stat()
        except OSError:
            return True
        return found.st_size < self.source.size or found.st_ino != self.source.inode

    def began_again(self, found: EventFile | None) -> bool:
        """Tell whether the file that was found is not the continuation of this one."""
        before = self.source
        if found is None or found.size < before.size or found.inode != before.inode:
            return True
        if found.size == before.size:
            # Windows writes the time of an append later than its bytes.
            return os.name == "posix" and found.changed_ns != before.changed_ns
        # A packed file is read whole, and an empty file has no packing yet.
        return not found.packing == before.packing == "plain"
