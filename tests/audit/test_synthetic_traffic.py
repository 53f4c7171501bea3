"""Synthetic traffic: a seed gives the same log, and different seeds share no decision."""

import json
from pathlib import Path
from typing import Any

from audit.synthetic_traffic import SyntheticTraffic
from tests.service import loaded


def events_of(folder: Path, seed: int) -> list[dict[str, Any]]:
    with SyntheticTraffic(loaded(folder), folder / "log", seed) as traffic:
        traffic.play(range(20), 40)
    [path] = (folder / "log").glob("*.jsonl")
    events = [json.loads(line) for line in path.read_bytes().splitlines()]
    for event in events:
        for measured in ("latency", "took_us"):
            event.pop(measured, None)
    return events


def test_a_seed_gives_the_same_log(tmp_path: Path) -> None:
    assert events_of(tmp_path / "one", 3) == events_of(tmp_path / "two", 3)


def test_two_seeds_share_no_decision(tmp_path: Path) -> None:
    three, four = (events_of(tmp_path / str(seed), seed) for seed in (3, 4))
    assert not {e["decision"] for e in three} & {e["decision"] for e in four}
