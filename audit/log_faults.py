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
        deciding: The config that decided them all.
        experiment: The experiment that the faults are about; it names strategies.
    """

    events: Sequence[Mapping[str, Any]]
    deciding: ArchivedConfig
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
        plant: Makes the faulty log; raises `FaultNotApplicable` where the config excludes it.
        before: The same without the fault, where that is not the sound log itself: a gate that
            fails there already has not found the fault.
    """

    name: str
    what: str
    found_by: tuple[str, ...]
    plant: Callable[[CleanLog], LogLines]
    before: Callable[[CleanLog], LogLines] = CleanLog.copy


class FaultNotApplicable(Exception):
    """The config has not what the fault would need; the message says what."""


def write(written: LogLines, folder: Path) -> None:
    """Write a log's files into a folder; what stood there stays."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[bytes]] = {}
    for name, line in written:
        content = line if isinstance(line, bytes) else orjson.dumps(line) + b"\n"
        files.setdefault(name, []).append(content)
    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(lines))


def _elsewhere(sound: CleanLog) -> Callable[[str], str | None]:
    """Arms as another place computes them: with a salt of its own."""
    other = Experiment.from_dict({**sound.experiment.to_dict(), "salt": "computed elsewhere"})
    allocation = Allocation([other])
    return lambda user: allocation.assign(user).arms.get(other.name)


def _relabel(sound: CleanLog, arm_of: Callable[[Event], str | None], since_ms: int = 0) -> LogLines:
    written = sound.copy()
    name = sound.experiment.name
    for _, event in written:
        assert isinstance(event, dict)
        if name in event["experiments"] and event["timestamp"] >= since_ms:
            arm = arm_of(event)
            if arm is not None:
                event["experiments"] = {**event["experiments"], name: arm}
    return written


def recomputed_elsewhere(sound: CleanLog) -> LogLines:
    """The log names arms that another hash gave; served was the right one."""
    arm = _elsewhere(sound)
    return _relabel(sound, lambda event: arm(str(event["user"])))


def served_elsewhere(sound: CleanLog) -> LogLines:
    """The log names the right arm; served was the strategy of another hash's arm."""
    if len({arm.strategy for arm in sound.experiment.arms}) < 2:
        raise FaultNotApplicable("all arms name the same strategy")
    arm = _elsewhere(sound)
    strategies = {each.name: each.strategy for each in sound.experiment.arms}
    written = sound.copy()
    for _, event in written:
        assert isinstance(event, dict)
        if event["message"] == "next" and sound.experiment.name in event["experiments"]:
            served = strategies[arm(str(event["user"])) or sound.experiment.arms[0].name]
            if served != event["strategy"]:
                event |= {"strategy": served, "answered_by": served, "depth": 0}
    return written


def swapped_arms(sound: CleanLog) -> LogLines:
    """Two arms have each other's name in the log."""
    one, other = (arm.name for arm in sound.experiment.arms[:2])
    swap = {one: other, other: one}
    name = sound.experiment.name
    return _relabel(sound, lambda e: swap.get(e["experiments"][name]))


def reshuffled(sound: CleanLog) -> LogLines:
    """From the middle of the run on, arms are given by another salt."""
    arm = _elsewhere(sound)
    middle = sound.events[len(sound.events) // 2]["timestamp"]
    return _relabel(sound, lambda event: arm(str(event["user"])), middle)


def silent_fallback(sound: CleanLog) -> LogLines:
    """The last arm with a fallback has an empty list, so the end of its chain answers all."""
    chains = [sound.deciding.chains[str(arm.strategy)] for arm in sound.experiment.arms]
    long = [chain for chain in chains if len(chain) > 1]
    if not long:
        raise FaultNotApplicable("no arm has a fallback")
    chain = long[-1]
    written = sound.copy()
    for _, event in written:
        assert isinstance(event, dict)
        if event.get("strategy") == chain[0]:
            event |= {"answered_by": chain[-1], "depth": len(chain) - 1}
    return written


def hidden_fallback(sound: CleanLog) -> LogLines:
    """An arm plays another one's tracks, and every field of the line says that all is well.

    Only making the decision again can tell.
    """
    one, other = sound.experiment.arms[0], sound.experiment.arms[-1]
    name = sound.experiment.name
    tracks = [
        event["recommendation"]
        for event in sound.events
        if event["message"] == "next" and event["experiments"].get(name) == one.name
    ]
    stream = Stream("hidden fallback")
    written = sound.copy()
    for _, event in written:
        assert isinstance(event, dict)
        if event["message"] == "next" and event["experiments"].get(name) == other.name:
            event["recommendation"] = tracks[stream.below(len(tracks))]
    return written


def undeclared_answer(sound: CleanLog) -> LogLines:
    """An arm without a branch of its own falls through to a recommender that nobody declared."""
    arm = sound.experiment.arms[-1]
    written = sound.copy()
    for _, event in written:
        assert isinstance(event, dict)
        if event.get("strategy") == arm.strategy:
            event |= {"answered_by": "the last else", "depth": 0}
    return written


def state_per_request(sound: CleanLog) -> LogLines:
    """Every request starts with an empty history."""
    written = sound.copy()
    for _, event in written:
        assert isinstance(event, dict)
        event |= {"turn": 1, "session": event["decision"]}
    return written


def split_state(sound: CleanLog) -> LogLines:
    """Two processes behind a balancer, each with a memory of its own."""
    written: LogLines = []
    turns: dict[tuple[int, str], int] = {}
    sessions: dict[tuple[int, str], str] = {}
    stream = Stream("split state")
    for event in sound.events:
        process, user = stream.below(2), str(event["user"])
        story = process, user
        turns[story] = turns.get(story, 0) + 1
        session = sessions.setdefault(story, event["decision"])
        if event["message"] == "last":
            del sessions[story]
        copy = {**event, "turn": turns[story], "session": session}
        written.append((f"events-{process}.jsonl", copy))
    return written


def dropped_lines(sound: CleanLog) -> LogLines:
    """One line in fifty never arrives."""
    stream = Stream("dropped lines")
    return [line for line in sound.copy() if stream.below(50)]


def lost_last(sound: CleanLog) -> LogLines:
    """A third of the ends of sessions are lost, in one arm only."""
    arm, name = sound.experiment.arms[-1].name, sound.experiment.name
    stream = Stream("lost last")
    return [
        (file, event)
        for file, event in sound.copy()
        if not (
            isinstance(event, dict)
            and event["message"] == "last"
            and event["experiments"].get(name) == arm
            and stream.below(3) == 0
        )
    ]


def lost_listeners(sound: CleanLog) -> LogLines:
    """Half the listeners of one arm are not logged at all: their client crashed on its tracks."""
    arm, name = sound.experiment.arms[-1].name, sound.experiment.name
    return [
        (file, event)
        for file, event in sound.copy()
        if not (
            isinstance(event, dict)
            and event["experiments"].get(name) == arm
            and Stream(f"lost {event['user']}").below(2)
        )
    ]


def duplicated_lines(sound: CleanLog) -> LogLines:
    """One line in a hundred is written twice."""
    stream = Stream("duplicated lines")
    return [line for line in sound.copy() for _ in range(1 if stream.below(100) else 2)]


def torn_line(sound: CleanLog) -> LogLines:
    """One line is cut off in the middle."""
    written = sound.copy()
    file, event = written[len(written) // 2]
    content = orjson.dumps(event)
    written[len(written) // 2] = file, content[: len(content) // 2] + b"\n"
    return written


def as_predecessor(sound: CleanLog) -> LogLines:
    """The same listening as the predecessor's servers would have logged it, without any fault."""
    arms = [arm.name for arm in sound.experiment.arms]
    name = sound.experiment.name
    allocation = Allocation([botify_experiment(name, arms)])
    fields = ("message", "timestamp", "user", "track", "time", "latency", "recommendation")
    written: LogLines = []
    for event in sound.events:
        if event["track"] is None:
            continue  # its client always says what it played first
        copy = {field: event[field] for field in fields if field in event}
        copy["experiments"] = allocation.assign(str(event["user"])).arms
        written.append(("b.json", copy))
    return written


def millisecond_ties(sound: CleanLog) -> LogLines:
    """Two servers log requests of one listener in the same millisecond, so the order is lost."""
    written = as_predecessor(sound)
    latest: dict[Any, Event] = {}
    stream = Stream("ties")
    for position, (_, event) in enumerate(written):
        assert isinstance(event, dict)
        before = latest.get(event["user"])
        latest[event["user"]] = event
        if before is not None and before["message"] == "next" and not stream.below(5):
            event["timestamp"] = before["timestamp"]
            written[position] = "a.json", event
    return written


LOG_FAULTS: tuple[LogFault, ...] = (
    LogFault(
        "assignment recomputed elsewhere",
        "the logger computes the arm again, with another salt",
        ("assignment", "served"),
        recomputed_elsewhere,
    ),
    LogFault(
        "served elsewhere",
        "the server branches on another experiment than the one in the log",
        ("served",),
        served_elsewhere,
    ),
    LogFault("swapped arms", "two arms are logged under each other's name",
           ("assignment", "served"), swapped_arms),
    LogFault("reshuffle in mid-run", "the salt changes while the experiment runs",
           ("assignment", "one-arm"), reshuffled),
    LogFault("silent fallback", "an arm's list is empty and its fallback answers everything",
           ("fallback",), silent_fallback),
    LogFault("undeclared answer", "somebody answers that the arm does not declare",
           ("served",), undeclared_answer),
    LogFault("per-request state", "every request starts with an empty history",
           ("state",), state_per_request),
    LogFault("split state", "two processes share the listeners but not their state",
           ("state",), split_state),
    LogFault("dropped lines", "one line in fifty never arrives", ("turns",), dropped_lines),
    LogFault("lost `last`", "a third of the ends of sessions are lost in one arm",
           ("unfinished", "turns"), lost_last),
    LogFault("lost listeners", "half the listeners of one arm are not logged",
           ("sample-ratio",), lost_listeners),
    LogFault("duplicated lines", "one line in a hundred is written twice",
           ("duplicates",), duplicated_lines),
    LogFault("torn line", "one line is cut off in the middle", ("lines",), torn_line),
    LogFault("millisecond ties", "two servers log in the same millisecond, without turns",
           ("clock",), millisecond_ties, as_predecessor),
)  # fmt: skip
"""Every fault that some gate finds in the log alone."""

REPLAYED: tuple[LogFault, ...] = (
    LogFault("hidden fallback", "an arm plays another one's tracks, and the log denies it",
           ("replay",), hidden_fallback),
)  # fmt: skip
"""Faults that leave no trace in the log but that the decisions do not come out again."""


def found_by(failed: Iterable[str], before: Iterable[str]) -> list[str]:
    """The gates that found a fault: they fail now, and did not without it."""
    return sorted(set(failed) - set(before))
