"""Spotify's own streaming history, as it sends it to a person: JSON arrays of streams.

The short export (StreamingHistory*.json) has names and minutes, the extended one
(Streaming_History_*.json, endsong_*.json) ids and seconds. Neither says how long a track is. Its
length counts as that of its longest stream, and as 30 seconds at least, for Spotify counts nothing
shorter as played; so a track that was only ever begun does not look finished.
"""

from pathlib import Path
from typing import Any, NamedTuple

from core.errors import InputError
from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import InputFile, find_files, read_json, reading
from training.importers.stamps import moment_ms, parse_number

ABOUT = "Spotify's streaming history of a person (short or extended export), or a folder of them"

BEGINS = ("streaminghistory", "streaming_history", "endsong")
SHORT = ("endTime", "artistName", "trackName", "msPlayed")
EXTENDED = ("ts", "master_metadata_album_artist_name", "master_metadata_track_name", "ms_played")

_NO_TRACK = ("episodeName", "podcastName", "episode_name", "spotify_episode_uri",
             "audiobook_title", "audiobook_uri", "audiobookTitle")  # fmt: skip
_LEAST_MS = 30_000
_LONGEST_MS = 86_400_000


class _Stream(NamedTuple):
    """A stream before the length of its track is known."""

    listener: int
    track: int
    at_ms: int
    played_ms: float


def looks_like_history(record: object) -> bool:
    """Test whether a JSON object looks like a stream of either export."""
    return isinstance(record, dict) and (
        set(SHORT[::2]) <= record.keys() or {"ts", "ms_played"} <= record.keys()
    )


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Read the file, or all files of the folder that are named like a history."""
    longest: dict[int, float] = {}
    for file in find_files(path, into, (".json",), begins=BEGINS):
        owner = _owner(file, path)
        with reading(file, into, options.progress) as pieces:
            _read_array(file, read_json(str(file.path), pieces), owner, longest, into, options)
    into.scale_times(longest, _LEAST_MS)
    return True


def _owner(file: InputFile, root: Path) -> str:
    """The listener of an export that names none: its folder, below the one that was named."""
    inside = Path(file.name).parent.as_posix()
    top = (root if root.is_dir() else root.parent).resolve().name or "me"
    return (top if inside == "." else inside)[-256:].strip()


def _read_array(
    file: InputFile, streams: Any, owner: str, longest: dict[int, float], into: Collector,
    options: ImportOptions,
) -> None:  # fmt: skip
    if not isinstance(streams, list):
        raise InputError.one(
            f"{file.path}:1:1",
            "must be a JSON array of streams, as Spotify's streaming history has",
        )
    into.count(len(streams))
    for number, stream in enumerate(streams, start=1):
        try:
            found = _parse(stream, owner, into, options)
        except BadLine as trouble:
            into.reject(f"{file.path}[{number}]", 1, trouble)
            continue
        if found is None:
            into.leave_out("podcast or audiobook, no track")
            continue
        longest[found.track] = max(longest.get(found.track, 0.0), found.played_ms)
        into.add(found.listener, found.track, found.at_ms, found.played_ms)


def _parse(stream: Any, owner: str, into: Collector, options: ImportOptions) -> _Stream | None:
    """The listen of a stream; None for a podcast or an audiobook."""
    if not isinstance(stream, dict):
        raise BadLine(1, "a stream must be a JSON object", stream)
    end, artist, title, played = (
        stream.get(short, stream.get(extended))
        for short, extended in zip(SHORT, EXTENDED, strict=True)
    )
    if end is None:
        raise BadLine(1, "a stream must have endTime or ts")
    if not title and any(stream.get(name) for name in _NO_TRACK):
        return None
    if not isinstance(artist, str) or not isinstance(title, str) or not title.strip():
        raise BadLine(1, "a stream must have the names of artist and track", title)
    if not artist.strip():
        raise BadLine(1, "a stream must have the names of artist and track", artist)
    played_ms = parse_number(played)
    if played_ms is None or not 0 <= played_ms <= _LONGEST_MS:
        raise BadLine(1, "msPlayed must be milliseconds, at most a day", played)
    at_ms = moment_ms(end, 1, options.now_ms) - round(played_ms)
    uri = stream.get("spotify_track_uri")
    user = stream.get("username")
    listener = into.listener(user if isinstance(user, str) and user.strip() else owner)
    id_ = uri.strip() if isinstance(uri, str) else ""
    return _Stream(listener, into.named_track(id_, artist.strip(), title.strip()), at_ms, played_ms)
