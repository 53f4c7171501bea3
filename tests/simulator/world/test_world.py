"""Loading a world: every fault names its place, and botify's files load unchanged."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InputError
from simulator.world.world import load_world

BOTIFY = next(
    (
        folder / "shared/botify"
        for folder in Path(__file__).parents
        if (folder / "shared/botify").exists()
    ),
    Path("../shared/botify"),
)


def listener(user: Any = 0, **fields: Any) -> dict[str, Any]:
    record = {"user": user, "interests": [10, 20], "consume_bias": 5, "consume_sharpness": 0.5}
    return record | fields


def write(
    folder: Path, users: list[dict[str, Any]], vectors: Any = None, suffix: str = "jsonl"
) -> Path:
    tracks = [{"track": 10 * n, "artist": f"A{n // 2}", "title": "T"} for n in range(1, 4)]
    (folder / f"tracks.{suffix}").write_text("\n".join(map(json.dumps, tracks)))
    (folder / f"users.{suffix}").write_text("\n".join(map(json.dumps, users)))
    values = np.arange(6, dtype=np.float16).reshape(3, 2) if vectors is None else vectors
    np.save(folder / "embeddings.npy", values)
    return folder


@pytest.mark.parametrize("suffix", ["jsonl", "json"])
def test_files_load_under_our_names_and_under_botifys(tmp_path: Path, suffix: str) -> None:
    world = load_world(
        write(tmp_path, [listener(7), listener("b", interests=[30, 10])], suffix=suffix)
    )
    assert world.users == [7, "b"]
    assert world.interests.tolist() == [[0, 1], [2, 0]]
    assert world.embeddings.dtype == np.float32
    assert world.embeddings.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert world.consume_bias.tolist() == [5, 5]
    assert world.consume_sharpness.tolist() == [0.5, 0.5]
    assert len(world) == 2


def test_a_listener_may_have_an_interest_twice(tmp_path: Path) -> None:
    world = load_world(write(tmp_path, [listener(interests=[20, 20])]))
    assert world.interests.tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("users", "message"),
    [
        ([listener(True)], r"users.jsonl:1: user must be an int"),
        ([listener(1), listener("1")], r":2: user '1' is already in line 1"),
        ([listener(interests=[])], r"interests must be an array of track ids"),
        ([listener(interests=[[1]])], r"interests must be an array of track ids"),
        ([listener(interests=[10, 11])], r"1 of 2 tracks are not in the catalog: 11"),
        ([listener(consume_bias="5")], r"consume_bias must be a finite number, got '5'"),
        ([listener(consume_sharpness=True)], r"consume_sharpness must be a finite number"),
        ([listener(1), listener(2, interests=[10])], r":2: must have as many interests"),
        ([], r"must have at least one listener"),
    ],
    ids=[
        "user-of-a-wrong-type",
        "user-twice",
        "no-interests",
        "interest-that-is-no-id",
        "unknown-interest",
        "bias-as-text",
        "sharpness-as-boolean",
        "fewer-interests",
        "no-listeners",
    ],
)
def test_a_fault_names_the_line_of_the_listener(
    tmp_path: Path, users: list[dict[str, Any]], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        load_world(write(tmp_path, users))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((2, 2)), r"a row for each of the 3 tracks of the catalog, has 2"),
        (np.zeros(3), r"must be a matrix of floats"),
        (np.zeros((3, 2), dtype=np.int8), r"must be a matrix of floats"),
        (np.array([[0, 0], [0, np.nan], [0, 0]]), r"must be finite, row 1 is not"),
        (np.array(["a"]), r"must be a matrix of floats"),
    ],
    ids=["too-few-rows", "one-dimension", "integers", "not-finite", "text"],
)
def test_a_fault_names_the_embeddings(tmp_path: Path, vectors: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_world(write(tmp_path, [listener()], vectors))


def test_one_error_lists_the_faults_of_all_files(tmp_path: Path) -> None:
    write(tmp_path, [listener(interests=[99])])
    (tmp_path / "embeddings.npy").write_bytes(b"nothing")
    with pytest.raises(InputError) as caught:
        load_world(tmp_path)
    assert [Path(fault.where.partition(":")[0]).name for fault in caught.value.faults] == [
        "embeddings.npy",
        "users.jsonl",
    ]


def test_an_error_names_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    write(tmp_path, [listener()])
    (tmp_path / "embeddings.npy").unlink()
    (tmp_path / "embeddings.npy").mkdir()
    with pytest.raises(InputError, match=r"embeddings.npy: cannot be read: Is a directory"):
        load_world(tmp_path)


def test_an_empty_folder_raises_an_error_that_names_world_create(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must have embeddings.npy .*segue world create") as error:
        load_world(tmp_path)
    assert len(error.value.faults) == 3


@pytest.mark.skipif(not BOTIFY.exists(), reason=f"{BOTIFY} is absent")
def test_botifys_world_loads_unchanged() -> None:
    world = load_world(BOTIFY)
    assert world.embeddings.shape == (50_000, 64)
    assert world.interests.shape == (10_000, 3)
    assert world.interests[0].tolist() == [44973, 6615, 4773]
