"""Last.fm 1K: `userid-timestamp-artid-artname-traid-traname.tsv`, newest first, no header.

Six fields, separated by tabs; either MBID may be empty, and the title may contain tabs. A scrobble
says that the track was played, but not for how long: its time counts as 1.
"""

from pathlib import Path

from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import each_line, find_files
from training.importers.stamps import moment_ms

ABOUT = "Last.fm 1K, userid-timestamp-artid-artname-traid-traname.tsv"

_MBID = 36


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream the file, or all .tsv files of the folder that look like it."""

    def use(line: str) -> None:
        fields = line.split("\t", 5)
        if len(fields) < 6:
            raise BadLine(len(line) + 1, "must have 6 fields by tabs", f"{len(fields)} fields")
        user, stamp, _, artist, mbid, title = fields
        at_ms = moment_ms(stamp, len(user) + 2, options.now_ms)
        if not artist.strip():
            raise BadLine(_column(fields, 3), "artist must not be empty")
        if mbid and len(mbid) != _MBID:
            raise BadLine(
                _column(fields, 4), f"track MBID must be empty or {_MBID} characters", mbid
            )
        if not mbid and not title.strip():
            raise BadLine(_column(fields, 5), "must have a track MBID or a title, has neither")
        track = into.named_track(mbid, artist.strip(), title.strip())
        into.add(into.listener(user), track, at_ms)

    for file in find_files(path, into, ("traname.tsv",)):
        each_line(file, into, options.progress, use)
    return True


def _column(fields: list[str], number: int) -> int:
    return sum(len(field) + 1 for field in fields[:number]) + 1
