"""Mutants: copies of a sound log, each with one known fault, and the gates that must find it.

A gate that was never seen to fail proves nothing. `segue doctor` plants each of these, and so do
the tests; the list is of faults that were seen in real experiments.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from analysis.checks.archived_configs import ArchivedConfig, botify_experiment
from core.allocation import Allocation, Experiment
from core.rng import Stream

Event = dict[str, Any]
LogLines = list[tuple[str, Event | bytes]]
"""(file, event or raw line) in the order of writing."""


@dataclass(frozen=True, slots=True)
class CleanLog:
    """The log that faults are planted into: played by listeners who play what they are told.

    Attributes:
        events: Of one process, in the order written.
        archived: The config that decided them all.
        experiment: The experiment that the faults are about; it names strategies.
    """

    events: Sequence[Mapping[str, Any]]
    archived: ArchivedConfig
    experiment: Experiment

    def copy(self) -> LogLines:
        """A copy that may be changed."""
        return [("events-1.jsonl", {**event}) for event in self.events]


@dataclass(frozen=True, slots=True)
class LogFault:
    """One fault.

    Attributes:
        name: In a table.
        what: What went wrong, as a sentence.
        found_by: Gates that must fail.
        inject: Makes the faulty log; raises `FaultNotApplicable` where the config excludes it.
        before: The same without the fault, where that is not the sound log itself: a gate that
            fails there already has not found the fault.
    """

    name: str
    what: str
    found_by: tuple[str, ...]
    inject: Callable[[CleanLog], LogLines]
    before: Callable[[CleanLog], LogLines] = CleanLog.copy


class FaultNotApplicable(Exception):
    """The config has not what the fault would need; the message says what."""


def write(log: LogLines, folder: Path) -> None:
    """Write a log's files into a folder; what stood there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[bytes]] = {}
    for name, line in log:
        content = line if isinstance(line, bytes) else orjson.dumps(line) + b"\n"
        files.setdefault(name, []).append(content)
    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(lines))


def _elsewhere(clean: CleanLog) -> Callable[[str], str | None]:
    """Arms as another place computes them: with a salt of its own."""
    other = Experiment.from_dict({**clean.experiment.to_dict(), "salt": "computed elsewhere"})
    allocation = Allocation([other])
    return lambda user: allocation.assign(user).arms.get(other.name)


def _relabel(clean: CleanLog, arm_of: Callable[[Event], str | None], since_ms: int = 0) -> LogLines:
    lines = clean.copy()
    name = clean.experiment.name
    for _, event in lines:
        assert isinstance(event, dict)
        if name in event["experiments"] and event["timestamp"] >= since_ms:
            arm = arm_of(event)
            if arm is not None:
                event["experiments"] = {**event["experiments"], name: arm}
    return lines


def recompute_assignment(clean: CleanLog) -> LogLines:
    """The log names arms that another hash gave; served was the right one."""
    arm = _elsewhere(clean)
    return _relabel(clean, lambda event: arm(str(event["user"])))


def serve_other_arm(clean: CleanLog) -> LogLines:
    """The log names the right arm; served was the strategy of another hash's arm."""
    if len({arm.strategy for arm in clean.experiment.arms}) < 2:
        raise FaultNotApplicable("all arms name the same strategy")
    arm = _elsewhere(clean)
    strategies = {each.name: each.strategy for each in clean.experiment.arms}
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event["message"] == "next" and clean.experiment.name in event["experiments"]:
            served = strategies[arm(str(event["user"])) or clean.experiment.arms[0].name]
            if served != event["strategy"]:
                event |= {"strategy": served, "answered_by": served, "depth": 0}
    return lines


def swap_arms(clean: CleanLog) -> LogLines:
    """Two arms have each other's name in the log."""
    one, other = (arm.name for arm in clean.experiment.arms[:2])
    swap = {one: other, other: one}
    name = clean.experiment.name
    return _relabel(clean, lambda e: swap.get(e["experiments"][name]))


def reshuffle(clean: CleanLog) -> LogLines:
    """From the middle of the run on, arms are given by another salt."""
    arm = _elsewhere(clean)
    middle = clean.events[len(clean.events) // 2]["timestamp"]
    return _relabel(clean, lambda event: arm(str(event["user"])), middle)


def fall_back_silently(clean: CleanLog) -> LogLines:
    """The last arm with a fallback has an empty list, so the end of its chain answers all."""
    chains = [clean.archived.chains[str(arm.strategy)] for arm in clean.experiment.arms]
    long = [chain for chain in chains if len(chain) > 1]
    if not long:
        raise FaultNotApplicable("no arm has a fallback")
    chain = long[-1]
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event.get("strategy") == chain[0]:
            event |= {"answered_by": chain[-1], "depth": len(chain) - 1}
    return lines


def hide_fallback(clean: CleanLog) -> LogLines:
    """An arm plays another one's tracks, and every field of the line says that all is well.

    Only making the decision again can tell.
    """
    one, other = clean.experiment.arms[0], clean.experiment.arms[-1]
    name = clean.experiment.name
    tracks = [
        event["recommendation"]
        for event in clean.events
        if event["message"] == "next" and event["experiments"].get(name) == one.name
    ]
    stream = Stream("hidden fallback")
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event["message"] == "next" and event["experiments"].get(name) == other.name:
            event["recommendation"] = tracks[stream.below(len(tracks))]
    return lines


def answer_undeclared(clean: CleanLog) -> LogLines:
    """An arm without a branch of its own falls through to a recommender that nobody declared."""
    arm = clean.experiment.arms[-1]
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event.get("strategy") == arm.strategy:
            event |= {"answered_by": "the last else", "depth": 0}
    return lines


def forget_between_requests(clean: CleanLog) -> LogLines:
    """Every request starts with an empty history."""
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        event |= {"turn": 1, "session": event["decision"]}
    return lines


def split_state(clean: CleanLog) -> LogLines:
    """Two processes behind a balancer, each with a memory of its own."""
    lines: LogLines = []
    turns: dict[tuple[int, str], int] = {}
    sessions: dict[tuple[int, str], str] = {}
    stream = Stream("split state")
    for event in clean.events:
        process, user = stream.below(2), str(event["user"])
        story = process, user
        turns[story] = turns.get(story, 0) + 1
        session = sessions.setdefault(story, event["decision"])
        if event["message"] == "last":
            del sessions[story]
        copy = {**event, "turn": turns[story], "session": session}
        lines.append((f"events-{process}.jsonl", copy))
    return lines


def drop_lines(clean: CleanLog) -> LogLines:
    """One line in fifty never arrives."""
    stream = Stream("dropped lines")
    return [line for line in clean.copy() if stream.below(50)]


def lose_last(clean: CleanLog) -> LogLines:
    """A third of the ends of sessions are lost, in one arm only."""
    arm, name = clean.experiment.arms[-1].name, clean.experiment.name
    stream = Stream("lost last")
    return [
        (file, event)
        for file, event in clean.copy()
        if not (
            isinstance(event, dict)
            and event["message"] == "last"
            and event["experiments"].get(name) == arm
            and stream.below(3) == 0
        )
    ]


def lose_listeners(clean: CleanLog) -> LogLines:
    """Half the listeners of one arm are not logged at all: their client crashed on its tracks."""
    arm, name = clean.experiment.arms[-1].name, clean.experiment.name
    return [
        (file, event)
        for file, event in clean.copy()
        if not (
            isinstance(event, dict)
            and event["experiments"].get(name) == arm
            and Stream(f"lost {event['user']}").below(2)
        )
    ]


def duplicate_lines(clean: CleanLog) -> LogLines:
    """One line in a hundred is written twice."""
    stream = Stream("duplicated lines")
    return [line for line in clean.copy() for _ in range(1 if stream.below(100) else 2)]


def tear_line(clean: CleanLog) -> LogLines:
    """One line is cut off in the middle."""
    lines = clean.copy()
    file, event = lines[len(lines) // 2]
    content = orjson.dumps(event)
    lines[len(lines) // 2] = file, content[: len(content) // 2] + b"\n"
    return lines


def as_botify(clean: CleanLog) -> LogLines:
    """The same listening as the predecessor's servers would have logged it, without any fault."""
    arms = [arm.name for arm in clean.experiment.arms]
    name = clean.experiment.name
    allocation = Allocation([botify_experiment(name, arms)])
    fields = ("message", "timestamp", "user", "track", "time", "latency", "recommendation")
    lines: LogLines = []
    for event in clean.events:
        if event["track"] is None:
            continue  # its client always says what it played first
        copy = {field: event[field] for field in fields if field in event}
        copy["experiments"] = allocation.assign(str(event["user"])).arms
        lines.append(("b.json", copy))
    return lines


def tie_milliseconds(clean: CleanLog) -> LogLines:
    """Two servers log requests of one listener in the same millisecond, so the order is lost."""
    lines = as_botify(clean)
    latest: dict[Any, Event] = {}
    stream = Stream("ties")
    for position, (_, event) in enumerate(lines):
        assert isinstance(event, dict)
        before = latest.get(event["user"])
        latest[event["user"]] = event
        if before is not None and before["message"] == "next" and not stream.below(5):
            event["timestamp"] = before["timestamp"]
            lines[position] = "a.json", event
    return lines


LOG_FAULTS: tuple[LogFault, ...] = (
    LogFault(
        "assignment recomputed elsewhere",
        "the logger computes the arm again, with another salt",
        ("assignment", "served"),
        recompute_assignment,
    ),
    LogFault(
        "served elsewhere",
        "the server branches on another experiment than the one in the log",
        ("served",),
        serve_other_arm,
    ),
    LogFault("swapped arms", "two arms are logged under each other's name",
           ("assignment", "served"), swap_arms),
    LogFault("reshuffle in mid-run", "the salt changes while the experiment runs",
           ("assignment", "one-arm"), reshuffle),
    LogFault("silent fallback", "an arm's list is empty and its fallback answers everything",
           ("fallback",), fall_back_silently),
    LogFault("undeclared answer", "somebody answers that the arm does not declare",
           ("served",), answer_undeclared),
    LogFault("per-request state", "every request starts with an empty history",
           ("state",), forget_between_requests),
    LogFault("split state", "two processes share the listeners but not their state",
           ("state",), split_state),
    LogFault("dropped lines", "one line in fifty never arrives", ("turns",), drop_lines),
    LogFault("lost `last`", "a third of the ends of sessions are lost in one arm",
           ("unfinished", "turns"), lose_last),
    LogFault("lost listeners", "half the listeners of one arm are not logged",
           ("sample-ratio",), lose_listeners),
    LogFault("duplicated lines", "one line in a hundred is written twice",
           ("duplicates",), duplicate_lines),
    LogFault("torn line", "one line is cut off in the middle", ("lines",), tear_line),
    LogFault("millisecond ties", "two servers log in the same millisecond, without turns",
           ("clock",), tie_milliseconds, as_botify),
)  # fmt: skip
"""Every fault that some gate finds in the log alone."""

REPLAY_FAULTS: tuple[LogFault, ...] = (
    LogFault("hidden fallback", "an arm plays another one's tracks, and the log denies it",
           ("replay",), hide_fallback),
)  # fmt: skip
"""Faults that leave no trace in the log but that the decisions do not come out again."""


def new_failures(failed: Iterable[str], before: Iterable[str]) -> list[str]:
    """The gates that found a fault: they fail now, and did not without it."""
    return sorted(set(failed) - set(before))
