"""Last.fm 360K: `usersha1-artmbid-artname-plays.tsv`: how often a listener played an artist.

The data set has no tracks, so each artist becomes a track. It has no times either, so a listener's
artists are one session, in the order of the file, which is the order of the counts.
"""

from pathlib import Path

from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import each_line, find_files

ABOUT = "Last.fm 360K, usersha1-artmbid-artname-plays.tsv (artists as tracks)"


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream the file."""

    def use(line: str) -> None:
        user, _, rest = line.partition("\t")
        mbid, _, rest = rest.partition("\t")
        artist, tab, plays = rest.rpartition("\t")
        if not tab:
            raise BadLine(len(line) + 1, "must have 4 fields by tabs")
        if not artist.strip():
            raise BadLine(len(user) + len(mbid) + 3, "artist must not be empty")
        count = plays.strip()
        if not (count.isascii() and count.isdigit()) or len(count) > 9 or int(count) < 1:
            raise BadLine(len(line) - len(plays) + 1, "plays must be a count of at least 1", plays)
        track = into.named_track(mbid, artist.strip(), artist.strip())
        listener = into.listener(user)
        into.add(listener, track, 0, session=into.session(listener, ""), plays=int(count))

    for file in find_files(path, into, ("plays.tsv",)):
        each_line(file, into, options.progress, use)
    return False
