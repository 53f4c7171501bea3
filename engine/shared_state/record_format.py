"""The binary form of a listener's record on Redis: a head of a known version, then packed listens.

`turn.lua` writes the same form. The head has the turn, the time last seen, the session, the tag of
the catalog whose indices the listens have, and the lineages: the experiments that the history grew
under, six bytes of their fingerprint each.
"""

from array import array
from collections.abc import Iterable, Sequence
from struct import Struct
from typing import NamedTuple

from core.catalog import UNKNOWN, Catalog, TrackId
from core.listener import History, pack, unpack

VERSION = 1
LINEAGE = 6
"""Bytes of a lineage: a fingerprint has 12 hex digits."""
_HEAD = Struct("<BIQH8sBB")
_TAKEN = Struct("<cHI")
_new = tuple.__new__


class Head(NamedTuple):
    """The head of a record.

    Attributes:
        turn: Number of turns that the history has seen.
        seen_ms: Unix time in ms of the last turn.
        session_start: Number of listens from before the present session.
        session: Id of the present session; empty when none is open.
        lineages: The experiments that the history grew under.
    """

    turn: int
    seen_ms: int
    session_start: int
    session: str
    lineages: bytes


NO_HEAD = Head(0, 0, 0, "", b"")


class TakenTurn(NamedTuple):
    """A turn that the store has taken.

    Attributes:
        old_head_bytes: Head of the record before the turn; empty if there was no record.
        dropped: Packed listens that went, the oldest of all.
        record: The record after the turn.
        head: Its head.
        listens: Its packed listens.
    """

    old_head_bytes: bytes
    dropped: bytes
    record: bytes
    head: Head
    listens: bytes

    @property
    def old_head(self) -> Head:
        """The head before the turn; few turns need it."""
        return read_head(self.old_head_bytes)[0] if self.old_head_bytes else NO_HEAD

    @property
    def was_reset(self) -> bool:
        """True if the history was emptied for a new experiment: only then turns begin again."""
        return self.head.turn == 1 and self.old_head.turn > 0

    def record_before(self, heard: bool) -> bytes:
        """Give the record as it was before the turn; empty if there was none.

        Args:
            heard: Whether the turn added a listen.
        """
        if not self.old_head_bytes:
            return b""
        stayed = self.listens[:-8] if heard else self.listens
        return self.old_head_bytes + self.dropped + stayed

    def history(self, catalog: Catalog) -> History:
        """Make the history that strategies read."""
        history = History(catalog)
        history.listens = array("Q", self.listens)
        history.turn, history.seen_ms, history.session_start, history.session, _ = self.head
        return history


def history_of(head: Head, listens: bytes, catalog: Catalog) -> History:
    """Make the history of a record whose listens have this catalog's indices."""
    return TakenTurn(b"", b"", b"", head, listens).history(catalog)


def read_taken(reply: bytes) -> TakenTurn:
    """Read the reply to a turn that was taken."""
    _, head_size, dropped_size = _TAKEN.unpack_from(reply)
    head_end = _TAKEN.size + head_size
    record_at = head_end + dropped_size
    old_head_bytes = reply[_TAKEN.size : head_end]
    record = reply[record_at:]
    head, size = read_head(record)
    return _new(TakenTurn, (old_head_bytes, reply[head_end:record_at], record, head, record[size:]))


def read_head(record: bytes) -> tuple[Head, int]:
    """Read a record's head; give its size too."""
    _, turn, seen_ms, start, _, session_size, count = _HEAD.unpack_from(record)
    lineages_at = _HEAD.size + session_size
    size = lineages_at + LINEAGE * count
    session = record[_HEAD.size : lineages_at].decode()
    return _new(Head, (turn, seen_ms, start, session, record[lineages_at:size])), size


def make_record(head: Head, tag: bytes, listens: bytes) -> bytes:
    """Make a record."""
    turn, seen_ms, start, session, lineages = head
    name = session.encode()
    count = len(lineages) // LINEAGE
    fixed = _HEAD.pack(VERSION, turn, seen_ms, start, tag, len(name), count)
    return fixed + name + lineages + listens


def tag_of(catalog: Catalog) -> bytes:
    """Give the eight bytes that name a catalog in a record."""
    return bytes.fromhex(catalog.checksum[:16])


def read_tag(record: bytes) -> bytes:
    """Give the tag of the catalog whose indices a record has."""
    tag: bytes = _HEAD.unpack_from(record)[4]
    return tag


def moved_listens(record: bytes, catalog: Catalog, ids: Sequence[TrackId] | None) -> bytes:
    """Translate a record's listens to a catalog's indices.

    Args:
        record: A record with the indices of an earlier catalog.
        catalog: The catalog whose indices are wanted.
        ids: The earlier catalog's ids; None if they are gone, and no track is known.
    """
    moved = bytearray()
    for place in range(read_head(record)[1], len(record), 8):
        track, time = unpack(int.from_bytes(record[place : place + 8], "little"))
        index = UNKNOWN if track == UNKNOWN or ids is None else catalog.index_of(ids[track])
        moved += pack(index, time).to_bytes(8, "little")
    return bytes(moved)


def lineages_of(fingerprints: Iterable[str]) -> bytes:
    """Give the lineages of experiments by their fingerprints."""
    return b"".join(map(bytes.fromhex, fingerprints))


def has_lineage(lineages: bytes, fingerprint: str) -> bool:
    """Test whether a fingerprint's experiment is among lineages."""
    wanted = bytes.fromhex(fingerprint)
    return any(
        lineages[place : place + LINEAGE] == wanted for place in range(0, len(lineages), LINEAGE)
    )
