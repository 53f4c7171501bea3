"""Spotify Million Playlist Dataset: `mpd.slice.*.json`, a thousand playlists a file.

Each playlist is a session and a listener of its own; its tracks count as fully heard.
"""

from pathlib import Path
from typing import Any

import orjson

from core.errors import InputError
from core.lines import text_pieces
from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.input_files import find_files, reading

ABOUT = "Spotify Million Playlist Dataset, mpd.slice.*.json or the folder of them"


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Read slice after slice; each is small enough to be held whole."""
    pids: set[int] = set()
    for file in find_files(path, into, (".json",)):
        with reading(file, into, options.progress) as pieces:
            _read_slice(str(file.path), b"".join(text_pieces(str(file.path), pieces)), into, pids)
    return False


def _read_slice(where: str, content: bytes, into: Collector, pids: set[int]) -> None:
    """Add the playlists of a slice; `pids` are those of the playlists that were read before."""
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError.one(
            f"{where}:{error.lineno}:{error.colno}", f"must be JSON: {error.msg}"
        ) from error
    playlists = record.get("playlists") if isinstance(record, dict) else None
    if not isinstance(playlists, list):
        raise InputError.one(
            f"{where}:1:1", 'must be an object with an array "playlists", as mpd.slice.*.json has'
        )
    for playlist in playlists:
        pid = playlist.get("pid") if isinstance(playlist, dict) else None
        tracks = playlist.get("tracks") if isinstance(playlist, dict) else None
        if isinstance(pid, bool) or not isinstance(pid, int) or not isinstance(tracks, list):
            into.count(max(1, len(tracks) if isinstance(tracks, list) else 1))
            for _ in range(max(1, len(tracks) if isinstance(tracks, list) else 1)):
                into.reject(where, 1, BadLine(1, "a playlist must have a pid and tracks", pid))
            continue
        into.count(len(tracks))
        if pid in pids:  # a slice that was saved again, or two that overlap
            into.leave_out("playlist with a pid that was read before", len(tracks))
            continue
        pids.add(pid)
        for place, entry in enumerate(tracks):
            try:
                _add(into, playlist, pid, place, entry)
            except BadLine as trouble:
                line, column = _where(content, f'"pid":{pid}', f'"pid": {pid}', entry)
                into.reject(where, line, BadLine(column, trouble.reason, trouble.got))


def _add(into: Collector, playlist: dict[str, Any], pid: int, place: int, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise BadLine(1, "a track of a playlist must be an object", entry)
    uri, artist, title = (entry.get(k) for k in ("track_uri", "artist_name", "track_name"))
    if not isinstance(uri, str) or not uri:
        raise BadLine(1, "track_uri must be a non-empty string", uri)
    if not isinstance(artist, str) or not artist.strip() or not isinstance(title, str):
        raise BadLine(1, "a track must have artist_name and track_name", artist)
    modified, pos = playlist.get("modified_at"), entry.get("pos")
    at_ms = modified * 1000 if isinstance(modified, int) and 0 <= modified < 2**32 else 0
    track = into.track(uri, artist, title)
    position = pos if isinstance(pos, int) and 0 <= pos < 2**31 else place
    listener = into.listener(f"playlist {pid}")
    into.add(listener, track, at_ms, session=into.session(listener, ""), position=position)


def _where(content: bytes, tight: str, loose: str, entry: Any) -> tuple[int, int]:
    """Line and column of the track in the playlist, or of the playlist if the track has no URI."""
    start = max(content.find(loose.encode()), content.find(tight.encode()), 0)
    for key in ("track_uri", "track_name"):
        if isinstance(entry, dict) and isinstance(entry.get(key), str):
            inside = content.find(orjson.dumps(entry[key]), start)
            if inside >= 0:
                start = inside
                break
    return content.count(b"\n", 0, start) + 1, start - content.rfind(b"\n", 0, start)
