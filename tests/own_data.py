"""Listens of people who do not exist, in the formats that people have: a file of their own."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

START_S = 1_767_571_200  # 2026-01-05
ARTISTS, TRACKS_PER_ARTIST = 24, 5


@dataclass(frozen=True, slots=True)
class Listen:
    user: str
    track: int
    at_s: int
    time: float

    @property
    def artist(self) -> str:
        return f"Artist {self.track // TRACKS_PER_ARTIST}"

    @property
    def title(self) -> str:
        return f"Song {self.track}"

    @property
    def iso(self) -> str:
        return datetime.fromtimestamp(self.at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def listens(people: int = 60, sessions: int = 6, seed: int = 1) -> Iterator[Listen]:
    """Yield listens, oldest first of each person; a session stays near one of six genres."""
    random = np.random.default_rng(seed)
    genre_size = ARTISTS * TRACKS_PER_ARTIST // 6
    for person in range(people):
        at_s = START_S + int(random.integers(0, 86_400))
        for _ in range(sessions):
            genre = (person + int(random.random() < 0.2)) % 6
            for _ in range(int(random.integers(3, 9))):
                near = random.random() < 0.8
                track = int(random.integers(genre_size)) + genre * genre_size if near else int(
                    random.integers(6 * genre_size)
                )  # fmt: skip
                time = float(np.round(random.beta(6, 2) if near else random.beta(2, 4), 2))
                yield Listen(f"u{person}", track, at_s, time)
                at_s += 200
            at_s += int(random.integers(20_000, 200_000))


def write_csv(path: Path, people: int = 60) -> Path:
    """Write a table with the names that `segue data import table` knows."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user", "track", "time", "at", "artist", "title"])
        rows.writerows([x.user, x.track, x.time, x.iso, x.artist, x.title] for x in listens(people))
    return path


def write_ratings(path: Path, people: int = 60) -> Path:
    """Write ratings as MovieLens has them."""
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["user", "item", "rating", "timestamp"])
        for x in listens(people):
            rows.writerow([x.user[1:], x.track, 1 + round(4 * x.time), x.at_s])
    return path


def write_lastfm1k(path: Path, people: int = 60) -> Path:
    """Write the Last.fm 1K form: no header, six fields, newest first."""
    lines = [
        f"user_{int(x.user[1:]) + 1:06}\t{x.iso}\t\t{x.artist}\t\t{x.title}\n"
        for x in listens(people)
    ]
    path.write_text("".join(reversed(lines)))
    return path


def write_spotify(folder: Path) -> Path:
    """Write the streaming history of one person, as Spotify sends it: JSON arrays in a folder."""
    folder.mkdir()
    history = [
        {
            "ts": x.iso,
            "platform": "android",
            "ms_played": int(x.time * 210_000),
            "master_metadata_track_name": x.title,
            "master_metadata_album_artist_name": x.artist,
            "master_metadata_album_album_name": "Album",
            "spotify_track_uri": f"spotify:track:{x.track:022}",
            "reason_start": "trackdone",
            "reason_end": "trackdone" if x.time > 0.9 else "fwdbtn",
            "shuffle": False,
            "skipped": x.time <= 0.9,
        }
        for x in listens(1, 120)
    ]
    half = len(history) // 2
    for number, part in enumerate((history[:half], history[half:])):
        path = folder / f"Streaming_History_Audio_2026_{number}.json"
        path.write_text(json.dumps(part, indent=2))
    return folder
