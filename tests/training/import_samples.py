"""A small sound file of each kind that is imported, as its data set has it."""

import io
import json
import tarfile
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet

BEGIN = datetime(2024, 1, 1, 10, tzinfo=UTC)
ROWS = [(user, track, BEGIN + timedelta(minutes=4 * place))
        for user in ("ann", "bob") for place, track in enumerate([1, 2, 3, 2, 4, 5])]  # fmt: skip

TIMES = [BEGIN + timedelta(minutes=4 * place) for place in range(len(ROWS))]


def parquet(columns: dict[str, Any]) -> bytes:
    """Make the bytes of a Parquet file of these columns."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(pa.table(columns), file)
    return file.getvalue()


def _lines(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()


def listen(user: str, track: int, at: datetime) -> str:
    """A line of ListenBrainz."""
    names = {"artist_name": f"Artist {track}", "track_name": f"Grüße {track}"}
    record = {"user_name": user, "listened_at": int(at.timestamp()), "track_metadata": names}
    return json.dumps(record, ensure_ascii=False)


def _tar(content: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for place in (1, 2):
            member = tarfile.TarInfo(f"listens/2024/{place}.listens")
            part = content if place == 1 else content.replace(b'"user_name": "', b'"user_name": "x')
            member.size = len(part)
            archive.addfile(member, io.BytesIO(part))
    return file.getvalue()


def _slice() -> bytes:
    playlists = [
        {"pid": pid, "modified_at": 1493424000, "tracks": [
            {"pos": pos, "artist_name": "A", "track_uri": f"spotify:track:{track}",
             "track_name": f"T{track}"} for pos, (_, track, _) in enumerate(ROWS[:6])]}
        for pid in (7, 8)
    ]  # fmt: skip
    return json.dumps({"info": {}, "playlists": playlists}, indent=1).encode()


def short_stream(track: int, at: datetime, played_ms: int = 200_000) -> dict[str, Any]:
    """A stream of Spotify's short export."""
    return {"endTime": f"{at:%Y-%m-%d %H:%M}", "artistName": f"Artist {track}",
            "trackName": f"Track {track}", "msPlayed": played_ms}  # fmt: skip


def extended_stream(track: int, at: datetime, played_ms: int = 200_000) -> dict[str, Any]:
    """A stream of Spotify's extended export."""
    return {"ts": f"{at:%Y-%m-%dT%H:%M:%SZ}", "ms_played": played_ms, "episode_name": None,
            "master_metadata_track_name": f"Track {track}",
            "master_metadata_album_artist_name": f"Artist {track}",
            "spotify_track_uri": f"spotify:track:{track}"}  # fmt: skip


def _json(rows: list[dict[str, Any]]) -> bytes:
    return json.dumps(rows, indent=1).encode()


def _columns() -> dict[str, Any]:
    users, tracks, at = zip(*ROWS, strict=True)
    return {"user": users, "track": tracks, "at": at, "time": [0.5] * len(ROWS)}


SAMPLES: dict[str, tuple[str, str, bytes]] = {
    # id: (kind, name of the file, content)
    "lastfm1k": ("lastfm1k", "x.traname.tsv", _lines(
        [f"{user}\t{at:%Y-%m-%dT%H:%M:%SZ}\t\tArtist\t\tGrüße {track}"
         for user, track, at in ROWS])),
    "lastfm360k": ("lastfm360k", "x.plays.tsv", _lines(
        [f"{user}\t\tArtist {track}\t{track}" for user, track, _ in ROWS])),
    "taste_profile": ("taste_profile", "train_triplets.txt", _lines(
        [f"{user}\tS{track}\t{track}" for user, track, _ in ROWS])),
    "listenbrainz": ("listenbrainz", "1.listens", _lines([listen(*row) for row in ROWS])),
    "listenbrainz-tar": ("listenbrainz", "dump.tar", _tar(_lines([listen(*row) for row in ROWS]))),
    "mpd": ("mpd", "mpd.slice.0-999.json", _slice()),
    "spotify-short": ("spotify_history", "StreamingHistory0.json", _json(
        [short_stream(row[1], at) for row, at in zip(ROWS, TIMES, strict=True)])),
    "spotify-extended": ("spotify_history", "Streaming_History_Audio_2024_0.json", _json(
        [extended_stream(row[1], at) for row, at in zip(ROWS, TIMES, strict=True)])),
    "csv": ("table", "x.csv", _lines(["user,track,at,title", *(
        f'{user},{track},{at.isoformat()},"a ""b"", c"' for user, track, at in ROWS)])),
    "tsv": ("table", "x.tsv", _lines(["user\ttrack\tat\ttitle", *(
        f'{user}\t{track}\t{at.timestamp():.0f}\t"a' for user, track, at in ROWS)])),
    "jsonl": ("table", "x.jsonl", _lines([
        json.dumps({"user": user, "track": track, "at": at.isoformat(), "time": 0.5})
        for user, track, at in ROWS])),
    "parquet": ("table", "x.parquet", parquet(_columns())),
    "yambda": ("yambda", "listens.parquet", parquet({
        "uid": [1] * 6 + [2] * 6, "timestamp": [5 * place for place in range(12)],
        "item_id": [track for _, track, _ in ROWS], "played_ratio_pct": [100, 40] * 6})),
    "yambda-sequential": ("yambda", "listens.parquet", parquet({
        "uid": [1, 2], "timestamp": [[5 * place for place in range(6)]] * 2,
        "item_id": [[track for _, track, _ in ROWS[:6]]] * 2,
        "played_ratio_pct": [[100, 40] * 3] * 2})),
}  # fmt: skip

TEXTS = [name for name, (_, file, _) in SAMPLES.items() if not file.endswith((".parquet", ".tar"))]
