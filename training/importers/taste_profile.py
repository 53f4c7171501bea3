"""Million Song taste profile: `train_triplets.txt`, lines of user, song, play count by tabs.

Artists and titles come from `unique_tracks.txt` (track<SEP>song<SEP>artist<SEP>title) if it is
beside the file. The data set has no times: a listener's songs are one session, in file order.
"""

from pathlib import Path

from training.importers.collector import BadLine, Collector, ImportOptions
from training.importers.text_files import each_line, files
from training.interactions import Interactions

ABOUT = "Million Song taste profile, train_triplets.txt (unique_tracks.txt beside gives names)"


def read(path: Path, into: Collector, options: ImportOptions) -> Interactions:
    """Stream the names, then the triplets."""
    triplets = files(path, ("triplets.txt", "triplets.txt.gz", "triplets.txt.zst"))
    names: dict[str, tuple[str, str]] = {}

    def name(line: str) -> None:
        fields = line.split("<SEP>", 3)
        if len(fields) < 4:
            raise BadLine(len(line) + 1, "must have 4 fields by <SEP>", f"{len(fields)} fields")
        names.setdefault(fields[1], (fields[2], fields[3]))

    def use(line: str) -> None:
        fields = line.split("\t")
        if len(fields) != 3:
            raise BadLine(len(line) + 1, "must have 3 fields by tabs", f"{len(fields)} fields")
        user, song, plays = fields
        if not user:
            raise BadLine(1, "user id must not be empty")
        count = plays.strip()
        if not (count.isascii() and count.isdigit()) or len(count) > 9 or int(count) < 1:
            raise BadLine(
                len(user) + len(song) + 3, "play count must be a count of at least 1", plays
            )
        artist, title = names.get(song, ("", ""))
        into.add(user, into.track(song, artist, title), 0, session=user, plays=int(count))

    beside = triplets[0].parent / "unique_tracks.txt"
    if beside.exists():
        each_line(beside, into, options.progress, name)
    for file in triplets:
        each_line(file, into, options.progress, use)
    return into.finish(options, stamped=False)
