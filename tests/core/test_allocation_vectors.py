"""Allocation against vectors: our own, which never move, those of murmur3, and those of botify."""

import json
from pathlib import Path
from typing import Any

import mmh3
import pytest

from core.allocation import Allocation, Arm, Experiment, slot

GOLDEN = json.loads((Path(__file__).parents[1] / "golden/allocation.json").read_text("utf-8"))
SHARED = Path(__file__).parents[3] / "shared" / "vectors"

MURMUR3 = [  # Ian Boyd's vectors, by way of the tests of hajimes/mmh3 (MIT): key, seed, hash
    (b"", 0, 0),
    (b"", 1, 1364076727),
    (b"", 0xFFFFFFFF, 2180083513),
    (b"foo", 0, 4138058784),
    (bytes.fromhex("21436587"), 0, 4116402539),
    (bytes.fromhex("21436587"), 1350757870, 593689054),
]

LOGGED = [  # printed in saved outputs of the course notebooks of botify: experiment, user, n, arm
    ("AA", 443, 2, "C"),
    ("AA", 1661, 2, "T1"),
    ("HSTU", 6661, 2, "C"),
    ("I2I", 1570, 3, "C"),
    ("PERSONALIZED", 3551, 2, "T1"),
    ("STICKY_ARTIST", 3255, 2, "C"),
    ("STICKY_ARTIST", 5650, 4, "T2"),
    ("STICKY_ARTIST", 771, 4, "T3"),
    ("STICKY_ARTIST", 3873, 9, "T8"),
    ("STICKY_ARTIST", 9207, 9, "T7"),
    ("STICKY_ARTIST_WITH_FALLBACK", 7229, 2, "C"),
]


def test_our_slots_have_not_moved() -> None:
    for listener, salt, expected in GOLDEN["slots"]:
        assert slot(listener, salt) == expected


def test_our_assignments_have_not_moved() -> None:
    experiments = [Experiment.from_dict(known) for known in GOLDEN["experiments"]]
    holdout = GOLDEN["holdout"]
    allocation = Allocation(experiments, holdout["share"], holdout["salt"])
    for listener, arms, strategy in GOLDEN["assignments"]:
        found = allocation.assign(listener)
        assert (found.arms, found.strategy) == (arms, strategy)


@pytest.mark.parametrize(("key", "seed", "expected"), MURMUR3)
def test_murmur3_is_murmur3(key: bytes, seed: int, expected: int) -> None:
    assert mmh3.hash(key, seed, signed=False) == expected


@pytest.mark.parametrize(("name", "user", "ways", "arm"), LOGGED)
def test_botify_logged_this_arm(name: str, user: int, ways: int, arm: str) -> None:
    assert botify_arm(name, user, ways) == arm


def test_a_name_with_a_negative_signed_hash_is_hashed() -> None:
    """mmh3 5 refuses negative seeds: STICKY_ARTIST hashes to -920525308 signed."""
    assert mmh3.hash("STICKY_ARTIST") == -920525308
    with pytest.raises(ValueError, match="seed is out of range"):
        mmh3.hash("5020", mmh3.hash("STICKY_ARTIST"))
    assert botify_arm("STICKY_ARTIST", 5020, 2) == "T1"


def test_all_of_murmur3s_vectors() -> None:
    cases = shared("murmur3_x86_32.json")["cases"]
    assert len(cases) > 10
    for case in cases:
        found = mmh3.hash(bytes.fromhex(case["key_hex"]), case["seed"], signed=False)
        assert found == case["uint32"]


def test_all_assignments_that_botify_printed() -> None:
    cases = shared("botify_logged_assignments.json")["cases"]
    assert len(cases) == 45
    for case in cases:
        found = botify_arm(case["experiment"], case["user"], case["n_ways"])
        assert found == case["arm"]


def botify_arm(name: str, user: int, ways: int) -> str:
    arms = tuple(Arm(f"T{i}" if i else "C", 1.0) for i in range(ways))
    experiment = Experiment(name, arms, layer="label", hash="botify")
    return Allocation([experiment]).assign(str(user)).arms[name]


def shared(name: str) -> Any:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"../shared/vectors/{name} is not here")
    return json.loads(path.read_text("utf-8"))
