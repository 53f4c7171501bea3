"""Million Song taste profile: `train_triplets.txt`, lines of user, song, play count by tabs.

Artists and titles come from `unique_tracks.txt` (track<SEP>song<SEP>artist<SEP>title) if it is
beside the file. The data set has no times: a listener's songs are one session, in file order.
"""

from pathlib import Path

from core.packings import ENDINGS
from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import InputFile, each_line, find_files

_NAMES = "unique_tracks.txt"

ABOUT = "Million Song taste profile, train_triplets.txt (unique_tracks.txt beside gives names)"


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream the names, then the triplets."""
    triplets = find_files(path, into, ("triplets.txt",))
    names: dict[str, tuple[str, str]] = {}

    def name(line: str) -> None:
        fields = line.split("<SEP>", 3)
        if len(fields) < 4:
            raise BadLine(len(line) + 1, "must have 4 fields by <SEP>", f"{len(fields)} fields")
        names.setdefault(fields[1], (fields[2], fields[3]))
        into.leave_out("name of a track, no listen")

    def use(line: str) -> None:
        fields = line.split("\t")
        if len(fields) != 3:
            raise BadLine(len(line) + 1, "must have 3 fields by tabs", f"{len(fields)} fields")
        user, song, plays = fields
        count = plays.strip()
        if not (count.isascii() and count.isdigit()) or len(count) > 9 or int(count) < 1:
            raise BadLine(
                len(user) + len(song) + 3, "play count must be a count of at least 1", plays
            )
        artist, title = names.get(song, ("", ""))
        track = into.track(song, artist, title, len(user) + 2)
        listener = into.listener(user)
        into.add(listener, track, 0, session=into.session(listener, ""), plays=int(count))

    for beside in _names_beside(triplets[0]):
        into.ignored = [each for each in into.ignored if each != beside.name]
        each_line(beside, into, options.progress, name)
    for file in triplets:
        each_line(file, into, options.progress, use)
    return False


def _names_beside(triplets: InputFile) -> list[InputFile]:
    """List the file of names beside the triplets, packed or not; at most one."""
    inside = Path(triplets.name).parent
    found = [
        InputFile(place, (inside / place.name).as_posix())
        for place in (triplets.path.parent / f"{_NAMES}{ending}" for ending in ("", *ENDINGS))
        if place.is_file()
    ]
    return found[:1]
