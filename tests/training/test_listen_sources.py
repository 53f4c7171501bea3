"""Listens from event logs of Segue and of botify."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from tests.training.listening import catalog
from training.interactions import Interactions
from training.listen_sources import Selection, load

TRACKS = catalog()


def event(
    user: str, session: str, turn: int, track: Any, time: float, **more: Any
) -> dict[str, Any]:
    """A line of ours; the track is given by its index."""
    line = {
        "message": "next",
        "timestamp": 1_000_000 + 1000 * turn + (500_000 if session != "s1" else 0),
        "user": user,
        "track": TRACKS.ids[track] if isinstance(track, int) else track,
        "time": time,
        "experiments": {"x": "C"},
        "schema": 1,
        "decision": f"{user}{session}{turn}",
        "session": session,
        "turn": turn,
        "recommendation": TRACKS.ids[0],
        "propensity": 0.25,
        "depth": 0,
        "candidates": 4,
        "latency": 0.001,
        "config": "c",
        "answered_by": "a",
        "strategy": "a",
    }
    line.update(more)
    if line["message"] != "next":
        for field in ("recommendation", "propensity", "depth", "candidates"):
            del line[field]
    return line


LINES = [
    event("u1", "s1", 1, 5, 1.0, recommendation=TRACKS.ids[7], propensity=0.5),
    event("u2", "s1", 1, 9, 0.2, experiments={"x": "T"}, recommendation=TRACKS.ids[8]),
    event("u1", "s1", 2, 7, 0.4, recommendation=TRACKS.ids[3]),
    event("u2", "s1", 2, 8, 0.0, experiments={"x": "T"}, message="last"),
    event("u1", "s1", 3, 6, 0.1, recommendation=TRACKS.ids[1]),
    event("u1", "s1", 4, 1, 0.9, message="last"),
    event("u1", "s2", 5, 2, 0.6, recommendation=TRACKS.ids[4]),
    event("u1", "s2", 6, "gone", 0.6),
]


def loaded(folder: Path, lines: list[dict[str, Any]] = LINES, **selection: Any) -> Interactions:
    path = folder / "events.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return load([path], TRACKS, Selection(**selection))


def test_listens_are_in_sessions_with_the_propensity_of_the_decision_before(
    tmp_path: Path,
) -> None:
    table = loaded(tmp_path)
    assert table.users == ["u1", "u2"]
    assert table.session.tolist() == [0, 0, 0, 0, 1, 2, 2]
    assert table.position.tolist() == [0, 1, 2, 3, 0, 0, 1]
    assert table.track.tolist() == [5, 7, 6, 1, 2, 9, 8]
    assert table.time.tolist() == pytest.approx([1.0, 0.4, 0.1, 0.9, 0.6, 0.2, 0.0])
    # Track 6 was not what had been recommended, and first tracks were not chosen at all.
    nan = float("nan")
    assert np.array_equal(table.propensity, [nan, 0.5, nan, 0.25, nan, nan, 0.25], equal_nan=True)
    assert list(table.sources) == ["events.jsonl"]


def test_only_listens_of_the_chosen_arms_and_times_count(tmp_path: Path) -> None:
    assert loaded(tmp_path, arms={"x": ["T"]}).track.tolist() == [9, 8]
    assert loaded(tmp_path, min_time=0.5).track.tolist() == [5, 1, 2]
    assert loaded(tmp_path, since_ms=1_400_000).track.tolist() == [2]
    assert loaded(tmp_path, until_ms=1_400_000, arms={"x": ["C"]}).track.tolist() == [5, 7, 6, 1]


def test_inverse_propensities_become_weights_of_mean_one(tmp_path: Path) -> None:
    table = loaded(tmp_path, inverse_in="both")
    # Propensities 0.5, 0.25, 0.25: inverse 2, 4, 4; their mean is 10/3.
    assert table.weight.tolist() == pytest.approx([1, 0.6, 1, 1.2, 1, 1, 1.2])
    cut = loaded(tmp_path, inverse_in="both", cap=1.5)
    assert cut.weight.tolist() == pytest.approx([1, 0.75, 1, 1.125, 1, 1, 1.125])


def test_a_botify_log_is_cut_into_sessions(tmp_path: Path) -> None:
    lines = [
        {"message": message, "timestamp": at, "user": 7, "track": TRACKS.ids[track], "time": time,
         "latency": 0.1, "recommendation": TRACKS.ids[track + 1], "experiments": {"x": "C"}}
        for message, at, track, time in (
            ("next", 1, 1, 1.0), ("next", 2, 2, 0.5), ("last", 3, 3, 0.1), ("next", 4, 9, 1.0),
        )
    ]  # fmt: skip
    table = loaded(tmp_path, lines)
    assert table.session.tolist() == [0, 0, 0, 1]
    assert table.track.tolist() == [1, 2, 3, 9]
    assert np.isnan(table.propensity).all()


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        ({"arms": {"y": ["C"]}}, r"--arms: unknown experiment 'y'\..* Known: x"),
        ({"arms": {"x": ["D"]}}, r"--arms: unknown arm of x 'D'\..* Known: C, T"),
        ({"min_time": 0.95, "since_ms": 1_400_000}, r"has no listen that counts"),
    ],
    ids=["experiment", "arm", "nothing-left"],
)
def test_an_impossible_selection_is_named(
    tmp_path: Path, selection: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        loaded(tmp_path, **selection)


def test_a_log_of_another_catalog_is_refused(tmp_path: Path) -> None:
    strange = [line | {"track": f"x{line['track']}"} for line in LINES[:5]] + LINES[5:6]
    with pytest.raises(InputError, match=r"5 of 6 listens .* for instance 'x\d+'\. Give the catal"):
        loaded(tmp_path, strange)


def test_files_of_one_name_are_named_with_their_folders(tmp_path: Path) -> None:
    for folder, lines in (("a", LINES[:4]), ("b", LINES[4:])):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "events.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    table = load([tmp_path], TRACKS, Selection())
    assert list(table.sources) == ["a/events.jsonl", "b/events.jsonl"]
    assert len(table) == 7


def test_as_many_folders_are_named_as_tell_two_files_apart(tmp_path: Path) -> None:
    for folder, lines in (("one/log", LINES[:2]), ("two/log", LINES[2:4]), ("log", LINES[4:])):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "events.jsonl").write_text(
            "".join(json.dumps(line) + "\n" for line in lines)
        )
    table = load([tmp_path], TRACKS, Selection())
    assert list(table.sources) == [
        f"{tmp_path.name}/log/events.jsonl", "one/log/events.jsonl", "two/log/events.jsonl"
    ]  # fmt: skip
    assert len(set(table.sources.values())) == 3
