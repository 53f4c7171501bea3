"""Newest lines that break a check withhold the effects before the whole log is judged."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.board.live_log import LiveLog
from audit.board.sources import BoardSources
from audit.synthetic_traffic import START_MS, SyntheticTraffic
from engine.runtime import Runtime
from tests.service import loaded, write_config

EXPERIMENT = "fallback"


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    return loaded(tmp_path)


@pytest.fixture
def log(runtime: Runtime, tmp_path: Path) -> Path:
    play(runtime, tmp_path / "log", range(40), 80)
    return tmp_path / "log"


def play(runtime: Runtime, folder: Path, listeners: range, sessions: int) -> None:
    first = listeners.start  # each traffic has ids and file names of its own
    with SyntheticTraffic(runtime, folder, first, START_MS + first, plain=True) as traffic:
        traffic.play(listeners, sessions)


@pytest.fixture
def live(log: Path) -> Iterator[LiveLog]:
    """A log that was judged and is sound; no judgement is quick enough."""
    with closing(LiveLog(BoardSources((log,), None, ()), quick_s=0)) as live:
        live.judge()
        assert failed(shown(live.content())) == set()
        yield live


def shown(content: dict[str, Any] | None) -> dict[str, Any]:
    assert content is not None
    return next(each for each in content["experiments"] if each["name"] == EXPERIMENT)


def failed(experiment: dict[str, Any]) -> set[str]:
    lights = experiment["validity"]["lights"]
    return {each["name"] for each in lights if each["status"] == "failed"}


def append(log: Path, *lines: bytes) -> None:
    with (log / "events-broken.jsonl").open("ab") as file:
        file.write(b"".join(line + b"\n" for line in lines))


def changed(log: Path, **change: Any) -> bytes:
    """Write a decision of the experiment with a new id and these fields."""
    lines = max(log.glob("events-*-0000.jsonl")).read_bytes().splitlines()
    events = (orjson.loads(line) for line in lines)
    event = next(
        each for each in events if each["message"] == "next" and EXPERIMENT in each["experiments"]
    )
    if change.pop("other_arm", False):
        other = {"C": "T1", "T1": "C"}[event["experiments"][EXPERIMENT]]
        change["experiments"] = {**event["experiments"], EXPERIMENT: other}
    return orjson.dumps({**event, "decision": "broken-1", **change})


def first_line(log: Path) -> bytes:
    return max(log.glob("events-*-0000.jsonl")).read_bytes().splitlines()[0]


BROKEN: dict[str, tuple[str, Callable[[Path], list[bytes]]]] = {
    "a torn line": ("lines", lambda log: [b'{"message": "next", "ti']),
    "an arm that the hash does not give": (
        "assignment",
        lambda log: [changed(log, other_arm=True)],
    ),
    "an impossible propensity": ("propensity", lambda log: [changed(log, propensity=1.5)]),
    "a config that is not there": ("config", lambda log: [changed(log, config="0123456789ab")]),
    "a line that is there twice": ("duplicates", lambda log: [changed(log), changed(log)]),
    "a line that was there before": ("duplicates", lambda log: [first_line(log)]),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_line_withholds_the_effects_before_the_log_is_judged(
    what: str, log: Path, live: LiveLog
) -> None:
    check, broken = BROKEN[what]
    assert live.alarm() is None

    append(log, *broken(log))

    at_once = shown(live.alarm())
    assert check in failed(at_once)
    assert at_once["withheld"]
    assert at_once["status"] == "unhealthy"
    assert [at_once[part] for part in ("effects", "over_time", "by_day")] == [[], [], []]
    assert all(arm["mean_time"] is None for arm in at_once["arms"])
    assert live.alarm() is None, "what is shown is no news"
    live.judge()
    of_all_lines = shown(live.content())
    assert failed(at_once) <= failed(of_all_lines)
    assert of_all_lines["withheld"]


def test_sound_lines_alarm_nobody(log: Path, runtime: Runtime, live: LiveLog) -> None:
    play(runtime, log, range(100, 120), 10)
    assert live.alarm() is None
    assert not shown(live.content())["withheld"]


def test_a_line_that_broke_while_the_log_was_judged_stays_shown(log: Path, live: LiveLog) -> None:
    append(log, b"torn")
    assert live.alarm() is not None
    append(log, changed(log, propensity=1.5))
    live.judge()
    append(log, changed(log, decision="broken-2", other_arm=True))
    assert failed(shown(live.content())) >= {"lines", "propensity", "assignment"}


def test_a_fault_of_one_experiment_withholds_no_other(log: Path, live: LiveLog) -> None:
    append(log, changed(log, propensity=1.5))
    content = live.alarm()
    assert content is not None
    withheld = {each["name"] for each in content["experiments"] if each["withheld"]}
    assert withheld == {EXPERIMENT}


def shorten(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def replace(path: Path) -> None:
    (path.parent / "new").write_bytes(path.read_bytes() + b"\n")
    (path.parent / "new").rename(path)


@pytest.mark.parametrize("lose", [Path.unlink, shorten, replace])
def test_a_file_that_lost_its_lines_withholds_the_effects(
    lose: Callable[[Path], None], log: Path, live: LiveLog
) -> None:
    (path,) = log.glob("events-*.jsonl")
    lose(path)
    at_once = shown(live.alarm())
    assert failed(at_once) == {"lines"}
    (light,) = [each for each in at_once["validity"]["lights"] if each["name"] == "lines"]
    assert light["examples"][0]["where"] == str(path)


def test_lines_that_cannot_be_read_withhold_the_effects(log: Path, live: LiveLog) -> None:
    (log / "events-wide.jsonl").write_bytes("{}\n".encode("utf-16"))
    assert failed(shown(live.alarm())) == {"lines"}


def test_an_experiment_that_the_config_file_does_not_have_says_so(
    log: Path, tmp_path: Path
) -> None:
    def reason(**sections: Any) -> str:
        sources = BoardSources((log,), write_config(tmp_path, **sections), ())
        with closing(LiveLog(sources)) as live:
            live.judge()
            return str(shown(live.content())["reason"])

    assert reason(experiments=[]) == f"{reason()} The config file does not have it any more."


def test_a_log_that_is_judged_quickly_needs_no_alarm(log: Path) -> None:
    with closing(LiveLog(BoardSources((log,), None, ()), quick_s=600)) as live:
        live.judge()
        live.content()
        append(log, b"torn")
        assert live.alarm() is None
