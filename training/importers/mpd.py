"""Spotify Million Playlist Dataset: `mpd.slice.*.json`, a thousand playlists a file.

Each playlist is a session and a listener of its own; its tracks count as fully heard.
"""

from pathlib import Path
from typing import Any

import orjson

from core.errors import InputError
from training.importers.collector import BadLine, Collector, ImportOptions
from training.importers.text_files import files, open_file
from training.interactions import Interactions

ABOUT = "Spotify Million Playlist Dataset, mpd.slice.*.json or the folder of them"


def read(path: Path, into: Collector, options: ImportOptions) -> Interactions:
    """Read slice after slice; each is small enough to be held whole."""
    slices = files(path, (".json", ".json.gz"))
    options.progress.start("slices", len(slices))
    for file in slices:
        into.source(file)
        with open_file(file) as content:
            _read_slice(file, content.read(), into)
        options.progress.advance()
    return into.finish(options, stamped=False)


def _read_slice(path: Path, content: bytes, into: Collector) -> None:
    try:
        record = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise InputError.one(
            f"{path}:{error.lineno}:{error.colno}", f"must be JSON: {error.msg}"
        ) from error
    playlists = record.get("playlists") if isinstance(record, dict) else None
    if not isinstance(playlists, list):
        raise InputError.one(
            f"{path}:1:1", 'must be an object with an array "playlists", as mpd.slice.*.json has'
        )
    for playlist in playlists:
        pid = playlist.get("pid") if isinstance(playlist, dict) else None
        tracks = playlist.get("tracks") if isinstance(playlist, dict) else None
        if not isinstance(pid, int) or not isinstance(tracks, list):
            into.reject(path, 1, BadLine(1, "a playlist must have a pid and tracks", pid))
            continue
        for place, entry in enumerate(tracks):
            try:
                _add(into, playlist, pid, place, entry)
            except BadLine as trouble:
                line, column = _where(content, f'"pid":{pid}', f'"pid": {pid}', entry)
                into.reject(path, line, BadLine(column, trouble.reason, trouble.got))


def _add(into: Collector, playlist: dict[str, Any], pid: int, place: int, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise BadLine(1, "a track of a playlist must be an object", entry)
    uri, artist, title = (entry.get(k) for k in ("track_uri", "artist_name", "track_name"))
    if not isinstance(uri, str) or not uri:
        raise BadLine(1, "track_uri must be a non-empty string", uri)
    if not isinstance(artist, str) or not artist.strip() or not isinstance(title, str):
        raise BadLine(1, "a track must have artist_name and track_name", artist)
    modified = playlist.get("modified_at")
    at_ms = modified * 1000 if isinstance(modified, int) else 0
    pos = entry.get("pos")
    name = f"playlist {pid}"
    track = into.track(uri, artist, title)
    position = pos if isinstance(pos, int) and pos >= 0 else place
    into.add(name, track, at_ms, session=name, position=position)


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
