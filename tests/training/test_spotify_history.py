"""Spotify's streaming history, short and extended, as a person gets it."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.training.import_samples import BEGIN, extended_stream, short_stream
from tests.training.imports import imported, places, refused, written


def export(folder: Path, name: str, *streams: Any) -> Path:
    return written(folder, name, json.dumps(streams, indent=2))


def test_the_time_is_the_share_of_the_longest_stream_and_begins_before_its_end(
    tmp_path: Path,
) -> None:
    path = export(
        tmp_path, "Max/StreamingHistory_music_0.json",
        short_stream(1, BEGIN, 60_000),
        short_stream(1, BEGIN + timedelta(minutes=5), 240_000),
        short_stream(2, BEGIN + timedelta(minutes=6), 3_000),  # a skip, though the longest one
        short_stream(2, BEGIN + timedelta(minutes=7), 0),
    )  # fmt: skip
    table, summary = imported("spotify_history", path)
    assert table.users == ["Max"]
    titles = [table.catalog.titles[track] for track in table.track]
    assert titles == ["Track 1", "Track 1", "Track 2", "Track 2"]
    assert table.time.tolist() == pytest.approx([0.25, 1.0, 0.1, 0.0])
    begin_ms = BEGIN.timestamp() * 1000
    assert table.at_ms.tolist()[:2] == [begin_ms - 60_000, begin_ms + 60_000]
    assert (summary.lines, summary.used, table.sessions) == (4, 4, 1)


def test_the_extended_export_has_ids_and_podcasts_are_left_out(tmp_path: Path) -> None:
    podcast = {
        **extended_stream(3, BEGIN), "master_metadata_track_name": None,
        "master_metadata_album_artist_name": None, "spotify_track_uri": None,
        "episode_name": "An episode", "spotify_episode_uri": "spotify:episode:1",
    }  # fmt: skip
    path = export(
        tmp_path, "Streaming_History_Audio_2019-2020_0.json",
        extended_stream(1, BEGIN), podcast, {**extended_stream(2, BEGIN), "username": "kim"},
    )  # fmt: skip
    table, summary = imported("spotify_history", path)
    assert sorted(table.catalog.ids) == ["spotify:track:1", "spotify:track:2"]
    assert sorted(table.users) == sorted([tmp_path.name, "kim"])
    assert summary.left_out == {"podcast or audiobook, no track": 1}


def test_both_exports_and_two_people_come_together(tmp_path: Path) -> None:
    export(tmp_path, "ann/StreamingHistory0.json", short_stream(1, BEGIN))
    export(tmp_path, "ben/MyData/StreamingHistory0.json", short_stream(2, BEGIN))
    export(tmp_path, "ben/MyData/endsong_0.json", extended_stream(2, BEGIN + timedelta(hours=2)))
    export(tmp_path, "ben/MyData/Playlist1.json", {"playlists": []})
    table, summary = imported("spotify_history", tmp_path)
    assert sorted(table.users) == ["ann", "ben/MyData"]
    assert len(table.catalog) == 2, "the same names are the same track, with an id or without"
    assert summary.ignored == ["ben/MyData/Playlist1.json"]


@pytest.mark.parametrize(
    ("stream", "fault"),
    [
        (7, "a stream must be a JSON object, got 7"),
        ({}, "a stream must have endTime or ts"),
        ({"trackName": ""}, "a stream must have the names of artist and track, got ''"),
        ({"artistName": 7}, "a stream must have the names of artist and track, got 'Track 1'"),
        ({"msPlayed": -1}, "msPlayed must be milliseconds, at most a day, got -1"),
        ({"msPlayed": None}, "msPlayed must be milliseconds, at most a day, got None"),
        ({"endTime": "20240105"}, "time of the listen looks like a date; write 20240105 as"),
    ],
    ids=str,
)  # fmt: skip
def test_a_faulty_stream_is_named_by_its_place(tmp_path: Path, stream: Any, fault: str) -> None:
    faulty = {**short_stream(1, BEGIN), **stream} if isinstance(stream, dict) and stream else stream
    path = export(tmp_path, "StreamingHistory0.json", short_stream(1, BEGIN), faulty)
    _, summary = imported("spotify_history", path)
    assert (summary.lines, summary.used) == (2, 1)
    assert str(summary.examples[0]).startswith(f"{path}[2]:1:1: {fault}") or places(summary)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('{"playlists": []}', ":1:1: must be a JSON array of streams, as Spotify's"),
        ('[{"endTime": "2020', ":1:19: must be JSON: "),
        ("[]", ": has no listen, is empty"),
    ],
    ids=["object", "torn", "empty"],
)
def test_a_file_that_is_no_history_is_said(tmp_path: Path, content: str, sentence: str) -> None:
    path = written(tmp_path, "StreamingHistory0.json", content)
    assert refused("spotify_history", path).startswith(f"StreamingHistory0.json{sentence}")
