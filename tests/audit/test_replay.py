"""Replay: every decision of a log comes out the same, or both sides are shown."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.explanation import explain
from audit.replay import NO_TURN_BEFORE, Replayer
from audit.replay_result import ReplayResult
from audit.synthetic_traffic import SyntheticTraffic
from core.errors import InputError
from core.request import ListenReport, Request
from engine.config_snapshots import load_snapshot, save_snapshot
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.state import MemoryState
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events
from events.writer import EventWriter
from tests.engine.test_config_snapshots import EVERY_KIND
from tests.service import Clock, events_in, loaded

Change = Callable[[dict[str, Any]], object]
ARMS = ("canary", "popular", "sticky", "ranked", "personal", "gate", "mixture", "improved")
REST = {
    "remembering": {
        "type": "contextual_with_memory", "list": "contextual", "popular": "popular",
        "fallback": "random",
    },
    "liked": {
        "type": "contextual_liked", "list": "contextual", "personal": "personal",
        "anchor": "weighted", "fallback": "random",
    },
    "both": {
        "type": "intersection", "first": "contextual", "second": "popular", "fallback": "random",
    },
    "best": {"type": "best_heard", "list": "contextual", "fallback": "random"},
    "merged": {"type": "merge", "strategies": ["contextual", "popular"], "fallback": "random"},
}  # fmt: skip


def every_strategy(version: int) -> Change:
    """Make a config with an arm for every kind of strategy; each version differs."""

    def change(config: dict[str, Any]) -> None:
        config["strategies"] |= EVERY_KIND
        config["strategies"] |= REST
        arms = [*ARMS, *REST]
        config["experiments"] = [
            {
                "name": "all",
                "version": version,
                "traffic": 0.9,
                "arms": {arm: {"strategy": arm, "weight": 1 / len(arms)} for arm in arms},
                "forced": {str(tester): "gate" for tester in range(9)},
            },
            {
                "name": "label",
                "layer": "colours",
                "targeting": {"country": ["NL", "FR"]},
                "arms": {"red": {"weight": 30}, "blue": {"weight": 70}},
            },
        ]
        config["holdout"] = {"share": 0.05}
        config["state"] = {
            "history": 12 - version,
            "session_gap_s": 20,
            "reset_state_on_new_experiment": version == 3,
        }

    return change


def replayed(folder: Path, shown: int = 10) -> ReplayResult:
    kept = snapshots_beside([folder / "log"])
    replayer = Replayer(lambda digest: load_snapshot(kept[digest]), shown)
    for event, where in merge_events(find_event_files([folder / "log"]), replayer.result.skip):
        replayer.take(event, where)
    return replayer.finish()


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of every strategy type, with two reloads in the middle and several files."""
    folder = tmp_path_factory.mktemp("played")
    with SyntheticTraffic(
        loaded(folder, every_strategy(1)), folder / "log", rotate_mb=0.5
    ) as trial:
        trial.play(range(200), 150)
        trial.swap(loaded(folder, every_strategy(2)))
        trial.play(range(200), 150)
        trial.swap(loaded(folder, every_strategy(3)))
        trial.play(range(200), 150)
    return folder


def test_every_decision_comes_out_the_same_across_reloads(played: Path) -> None:
    tally = replayed(played)

    assert tally.sound, tally.mismatches
    assert tally.events == len(events_in(played)) > 2000
    assert len(tally.configs) == 3
    assert len(list((played / "log").glob("*.jsonl"))) > 1
    arms = {event["experiments"].get("all") for event in events_in(played)}
    assert arms == {*ARMS, *REST, None}
    assert {"key", "n", "exclude", "attributes", "reset"} <= {
        key for event in events_in(played) for key in event
    }
    assert any(event["forced"] for event in events_in(played))


def changed(played: Path, folder: Path, change: Callable[[list[dict[str, Any]]], object]) -> Path:
    """Copy the log with its events changed."""
    events = events_in(played)
    change(events)
    (folder / "log").mkdir(parents=True)
    (folder / "log" / "configs").symlink_to(played / "log" / "configs")
    lines = "".join(json.dumps(event, separators=(",", ":")) + "\n" for event in events)
    (folder / "log" / "events-1.jsonl").write_text(lines)
    return folder


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recommendation", 1230),
        ("propensity", 0.123),
        ("answered_by", "popular"),
        ("depth", 7),
        ("candidates", 1),
        ("strategy", "nobody"),
        ("experiments", {"all": "elsewhere"}),
        ("forced", True),
        ("session", "another"),
        ("reset", True),
    ],
)
def test_a_changed_field_is_shown(field: str, value: Any, played: Path, tmp_path: Path) -> None:
    def change(events: list[dict[str, Any]]) -> None:
        chosen = next(
            event
            for event in events
            if event["message"] == "next" and event["answered_by"] == "ranked"
            and event["turn"] > 1 and event["depth"] == 0 and "n" not in event
            and event["recommendation"] != 1230 and event["config"] == events[0]["config"]
            and event["session"] == event["decision"]
        )  # fmt: skip
        chosen[field] = value

    def later_turns_do_not_fit(events: list[dict[str, Any]]) -> None:
        change(events)

    tally = replayed(changed(played, tmp_path, later_turns_do_not_fit))

    name = "tracks" if field == "recommendation" else field
    assert not tally.sound
    if field == "session":  # no history has that session, so no turn comes before the event
        assert tally.skipped[NO_TURN_BEFORE] >= 1
        return
    assert tally.mismatched == 1
    assert [each.field for each in tally.mismatches] == [name]
    (found,) = tally.mismatches
    assert found.logged == ([value] if field == "recommendation" else value)
    assert found.replayed != found.logged
    assert found.where.startswith(f"{tmp_path}/log/events-1.jsonl:")


def test_a_changed_listen_is_noticed(played: Path, tmp_path: Path) -> None:
    """Replay depends on all earlier listens, not only on the line itself."""

    def change(events: list[dict[str, Any]]) -> None:
        for event in events:
            if event["track"] is not None and event["experiments"].get("all") == "sticky":
                event["track"] = 1000

    tally = replayed(changed(played, tmp_path, change), shown=1)

    assert tally.mismatched > 10
    assert len(tally.mismatches) == 1


def test_a_missing_turn_is_counted_and_not_guessed(played: Path, tmp_path: Path) -> None:
    dropped: list[dict[str, Any]] = []

    def change(events: list[dict[str, Any]]) -> None:
        first = next(event for event in events if event["turn"] == 2)
        dropped.append(first)
        events.remove(first)

    tally = replayed(changed(played, tmp_path, change))

    later = [
        event
        for event in events_in(played)
        if event["user"] == dropped[0]["user"]
        and event["turn"] > 2
        and event["decision"].split("-")[0] == dropped[0]["decision"].split("-")[0]
    ]
    assert not tally.sound
    assert tally.mismatches == []
    assert 0 < tally.skipped[NO_TURN_BEFORE] <= len(later)


def test_lines_of_several_processes_may_come_in_any_order(played: Path, tmp_path: Path) -> None:
    events = events_in(played)
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "configs").symlink_to(played / "log" / "configs")
    files = [events[0::3], events[1::3], events[2::3]]
    for number, part in enumerate(files):
        for event in part:
            event["timestamp_is"] = event["timestamp"]
        text = "".join(json.dumps(event) + "\n" for event in part)
        (tmp_path / "log" / f"events-{9 - number}.jsonl").write_text(text)

    tally = replayed(tmp_path)

    assert tally.sound, (tally.mismatches, tally.skipped)
    assert tally.events == len(events)


class TwoServers:
    """Two processes, each with its own memory, behind a balancer that knows no listener."""

    def __init__(self, folder: Path) -> None:
        runtime = loaded(folder)
        self.clock = Clock()
        self.logs = []
        self.dispatchers = []
        for number in range(2):
            log = EventWriter(folder / "log" / f"server-{number}", 10_000_000, self.clock)
            save_snapshot(runtime, folder / "log")
            state = MemoryState(1000, 1e9, lambda: 0.0)
            self.logs.append(log)
            self.dispatchers.append(Dispatcher(runtime, state, log, ServerMetrics(), self.clock))


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoServers]:
    servers = TwoServers(tmp_path)
    yield servers
    for log in servers.logs:
        log.close()


def test_each_process_without_shared_state_has_its_own_history(
    two: TwoServers, tmp_path: Path
) -> None:
    for turn in range(40):
        two.clock.at_ms += 10
        ask = Request(user=1 + turn % 3, track=1000 + 10 * (turn % 20), time=0.95)
        two.dispatchers[(turn * turn) % 2].recommend(ask, 0.0)
        if turn % 7 == 0:
            two.dispatchers[turn % 2].feedback(
                ListenReport(1 + turn % 3, 1010, 0.5, final=True), 0.0
            )

    tally = replayed(tmp_path)

    assert tally.sound, (tally.mismatches, tally.skipped)


def test_data_that_changed_is_refused(played: Path, tmp_path: Path) -> None:
    def change(events: list[dict[str, Any]]) -> None:
        del events[10:]

    folder = changed(played, tmp_path, change)
    (folder / "log" / "configs").unlink()
    (folder / "log" / "configs").mkdir()
    runtime = loaded(tmp_path / "other", every_strategy(1))
    path = save_snapshot(runtime, folder / "log")
    (tmp_path / "other" / "tracks.jsonl").write_text('{"track": 1, "artist": "x"}\n')

    with pytest.raises(InputError, match=r"tracks"):
        Replayer(lambda digest: load_snapshot(path)).runtime(runtime.digest)


def test_an_explanation_gives_the_reasons_for_the_decision(played: Path) -> None:
    kept = snapshots_beside([played / "log"])
    replayer = Replayer(lambda digest: load_snapshot(kept[digest]))
    for event, where in merge_events(find_event_files([played / "log"]), replayer.result.skip):
        chosen = (
            event["message"] == "next"
            and event["answered_by"] == "ranked"
            and event["turn"] > 3
            and "n" in event
        )
        if chosen:
            break
        replayer.take(event, where)
    assert chosen
    history = replayer.history_before(event)
    assert history is not None

    runtime = replayer.runtime(event["config"])
    found = explain(event, history, runtime)

    assert found.differing == []
    assert [track for track, _ in found.tracks] == event["recommendations"]
    assert found.candidates == event["candidates"]
    assert found.heard[-1][0] == event["track"]
    assert found.heard[-1][2] == event["time"]
    assert found.chain == ["ranked", "random"]
    assert any(step.startswith("all: layer slot") and "ranked" in step for step in found.arms)
    assert found.stream == event["decision"] or "key" in event
    probabilities = [probability for *_, probability in found.most_likely]
    assert probabilities == sorted(probabilities, reverse=True)
