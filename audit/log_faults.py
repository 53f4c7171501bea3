"""Log faults: copies of a clean log, each with one known fault, and the checks that must find it.

A check that has never failed proves nothing. `segue doctor` and the tests inject each of these
faults. All of them happened in real experiments.
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
    """The log that faults are injected into: its listeners play what is recommended.

    Attributes:
        events: Events of one process, in the order in which they were written.
        archived: The config that decided all of them.
        experiment: The experiment of the faults; its arms name strategies.
    """

    events: Sequence[Mapping[str, Any]]
    archived: ArchivedConfig
    experiment: Experiment

    def copy(self) -> LogLines:
        """Copy the log for changes."""
        return [("events-1.jsonl", {**event}) for event in self.events]


@dataclass(frozen=True, slots=True)
class LogFault:
    """A known fault.

    Attributes:
        name: Name of the fault, for a table.
        what: What goes wrong, as a sentence.
        found_by: Names of the checks that must fail.
        inject: Makes the faulty log; raises `FaultNotApplicable` if the config excludes the fault.
        before: Makes the log without the fault. A check that already fails on that log has not
            found the fault.
    """

    name: str
    what: str
    found_by: tuple[str, ...]
    inject: Callable[[CleanLog], LogLines]
    before: Callable[[CleanLog], LogLines] = CleanLog.copy


class FaultNotApplicable(Exception):
    """This fault cannot be injected with this config; the message says why."""


def write(log: LogLines, folder: Path) -> None:
    """Write a log's files into a folder; existing files stay."""
    folder.mkdir(parents=True, exist_ok=True)
    files: dict[str, list[bytes]] = {}
    for name, line in log:
        content = line if isinstance(line, bytes) else orjson.dumps(line) + b"\n"
        files.setdefault(name, []).append(content)
    for name, lines in files.items():
        (folder / name).write_bytes(b"".join(lines))


def _assign_by_other_salt(clean: CleanLog) -> Callable[[str], str | None]:
    """Assign arms as a second program does: with a salt of its own, and by our hash.

    The hash of botify ignores the salt, so a different salt alone would change nothing there.
    """
    definition = {**clean.experiment.to_dict(), "salt": "computed elsewhere", "hash": "segue"}
    other = Experiment.from_dict(definition)
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
    """Log arms of a different hash, although the right arms were served."""
    arm = _assign_by_other_salt(clean)
    return _relabel(clean, lambda event: arm(str(event["user"])))


def serve_other_arm(clean: CleanLog) -> LogLines:
    """Serve the strategies of a different hash's arms, although the right arms are logged."""
    if len({arm.strategy for arm in clean.experiment.arms}) < 2:
        raise FaultNotApplicable("all arms name the same strategy")
    arm = _assign_by_other_salt(clean)
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
    """Swap the names of two arms in the log."""
    one, other = (arm.name for arm in clean.experiment.arms[:2])
    swap = {one: other, other: one}
    name = clean.experiment.name
    return _relabel(clean, lambda e: swap.get(e["experiments"][name]))


def reshuffle(clean: CleanLog) -> LogLines:
    """Assign arms by a different salt from the middle of the run on."""
    arm = _assign_by_other_salt(clean)
    middle = clean.events[len(clean.events) // 2]["timestamp"]
    return _relabel(clean, lambda event: arm(str(event["user"])), middle)


def fall_back_silently(clean: CleanLog) -> LogLines:
    """Empty the list of the last arm with a fallback, so that the end of its chain answers all."""
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
    """Play the tracks of a different arm, without a trace in any field of the line.

    Only a replay of the decision finds it.
    """
    one, other = clean.experiment.arms[0], clean.experiment.arms[-1]
    name = clean.experiment.name
    tracks = [
        event["recommendation"]
        for event in clean.events
        if event["message"] == "next" and event["experiments"].get(name) == one.name
    ]
    stream = Stream("hidden fallback")
    played: dict[Any, tuple[Any, Any]] = {}
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        before, now = played.pop(event["user"], (None, None))
        if before is not None and event["track"] == before:
            event["track"] = now
        if event["message"] == "next" and event["experiments"].get(name) == other.name:
            track = tracks[stream.below(len(tracks))]
            played[event["user"]] = event["recommendation"], track
            event["recommendation"] = track
    return lines


def fail_in_one_arm(clean: CleanLog) -> LogLines:
    """Let the strategy of an arm raise in every fifth turn; the chain goes on."""
    arm = clean.experiment.arms[-1]
    chain = clean.archived.chains[str(arm.strategy)]
    lines = clean.copy()
    turns = 0
    for _, event in lines:
        assert isinstance(event, dict)
        if event.get("strategy") != arm.strategy or event["message"] != "next":
            continue
        turns += 1
        if turns % 5 == 0:
            event["failed"] = [{"strategy": arm.strategy, "error": "KeyError"}]
            if len(chain) > 1:
                event |= {"answered_by": chain[1], "depth": 1}
    return lines


def answer_undeclared(clean: CleanLog) -> LogLines:
    """Answer by a recommender that the arm does not declare, as a missing branch does."""
    arm = clean.experiment.arms[-1]
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        if event.get("strategy") == arm.strategy:
            event |= {"answered_by": "the last else", "depth": 0}
    return lines


def forget_between_requests(clean: CleanLog) -> LogLines:
    """Start every request with an empty history."""
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        event |= {"turn": 1, "session": event["decision"]}
    return lines


def split_state(clean: CleanLog) -> LogLines:
    """Serve from two processes behind a balancer, each with a memory of its own."""
    lines: LogLines = []
    turns: dict[tuple[int, str], int] = {}
    sessions: dict[tuple[int, str], str] = {}
    stream = Stream("split state")
    for event in clean.events:
        process, user = stream.below(2), str(event["user"])
        process_and_user = process, user
        turns[process_and_user] = turns.get(process_and_user, 0) + 1
        session = sessions.setdefault(process_and_user, event["decision"])
        if event["message"] == "last":
            del sessions[process_and_user]
        copy = {**event, "turn": turns[process_and_user], "session": session}
        lines.append((f"events-{process}.jsonl", copy))
    return lines


def drop_lines(clean: CleanLog) -> LogLines:
    """Drop one line in fifty."""
    stream = Stream("dropped lines")
    return [line for line in clean.copy() if stream.below(50)]


def lose_last(clean: CleanLog) -> LogLines:
    """Lose a third of the ends of sessions, in one arm only."""
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
    """Lose half the listeners of one arm: their client crashed on its tracks."""
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


def leave_out_attribute(clean: CleanLog) -> LogLines:
    """The client of one arm leaves out the attribute of `targeting` after one skip in five."""
    arm, name = clean.experiment.arms[-1].name, clean.experiment.name
    stream = Stream("attribute left out")
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        skipped = event["time"] is not None and event["time"] < 0.1
        if skipped and event["experiments"].get(name) == arm and stream.below(5) == 0:
            event["experiments"] = {
                other: own for other, own in event["experiments"].items() if other != name
            }
    return lines


def end_sessions_twice(clean: CleanLog) -> LogLines:
    """The client of one arm sends a third of the ends of its sessions a second time."""
    arm, name = clean.experiment.arms[-1].name, clean.experiment.name
    stream = Stream("ended twice")
    lines: LogLines = []
    added: dict[Any, int] = {}
    for file, event in clean.copy():
        assert isinstance(event, dict)
        user = event["user"]
        event["turn"] += added.get(user, 0)
        lines.append((file, event))
        ends = event["message"] == "last" and event["experiments"].get(name) == arm
        if ends and stream.below(3) == 0:
            added[user] = added.get(user, 0) + 1
            own = f"again-{sum(added.values()):x}"
            again = {**event, "turn": event["turn"] + 1, "decision": own, "session": own}
            lines.append((file, again))
    return lines


def force_one_arm(clean: CleanLog) -> LogLines:
    """A tester's header stayed in the client of one arm, for every fourth listener.

    With a fifth of 800 listeners in the arm, one in ten is not enough to be found surely.
    """
    arm, name = clean.experiment.arms[-1].name, clean.experiment.name
    lines = clean.copy()
    for _, event in lines:
        assert isinstance(event, dict)
        theirs = Stream(f"forced {event['user']}").below(4) == 0
        if theirs and event["turn"] > 1 and event["experiments"].get(name) == arm:
            event |= {"forced": True, "asked": {name: arm}}
    return lines


def duplicate_lines(clean: CleanLog) -> LogLines:
    """Write one line in a hundred twice."""
    stream = Stream("duplicated lines")
    return [line for line in clean.copy() for _ in range(1 if stream.below(100) else 2)]


def tear_line(clean: CleanLog) -> LogLines:
    """Cut off one line in the middle."""
    lines = clean.copy()
    file, event = lines[len(lines) // 2]
    content = orjson.dumps(event)
    lines[len(lines) // 2] = file, content[: len(content) // 2] + b"\n"
    return lines


def as_botify(clean: CleanLog) -> LogLines:
    """Log the same listening as botify's servers do, without any fault."""
    arms = [arm.name for arm in clean.experiment.arms]
    name = clean.experiment.name
    allocation = Allocation([botify_experiment(name, arms)])
    fields = ("message", "timestamp", "user", "track", "time", "latency", "recommendation")
    lines: LogLines = []
    for event in clean.events:
        if event["track"] is None:
            continue  # botify's client always reports the first track
        copy = {field: event[field] for field in fields if field in event}
        copy["experiments"] = allocation.assign(str(event["user"])).arms
        lines.append(("b.json", copy))
    return lines


def tie_milliseconds(clean: CleanLog) -> LogLines:
    """Log requests of one listener in the same millisecond on two servers, so the order is lost."""
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
        "the logger computes the arm again, with a different salt",
        ("assignment", "served"),
        recompute_assignment,
    ),
    LogFault(
        "served elsewhere",
        "the server branches on a different experiment than the one in the log",
        ("served",),
        serve_other_arm,
    ),
    LogFault("swapped arms", "two arms are logged under each other's name",
           ("assignment", "served"), swap_arms),
    LogFault("reshuffle in mid-run", "the salt changes while the experiment runs",
           ("assignment", "one-arm"), reshuffle),
    LogFault("silent fallback", "an arm's list is empty and its fallback answers everything",
           ("fallback",), fall_back_silently),
    LogFault("failing strategy", "the strategy of an arm raises in one turn of five",
             ("failures",), fail_in_one_arm),
    LogFault("undeclared answer", "a recommender answers that the arm does not declare",
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
    LogFault("attribute left out",
             "the client of one arm leaves out the targeted attribute after one skip in five",
             ("staying",), leave_out_attribute),
    LogFault("ends sent twice", "the client of one arm sends the end of a session again",
             ("empty-sessions",), end_sessions_twice),
    LogFault("forced in one arm", "a tester's header stays in the client of one arm",
             ("left-out",), force_one_arm),
    LogFault("duplicated lines", "one line in a hundred is written twice",
           ("duplicates",), duplicate_lines),
    LogFault("torn line", "one line is cut off in the middle", ("lines",), tear_line),
    LogFault("millisecond ties", "two servers log in the same millisecond, without turns",
           ("clock",), tie_milliseconds, as_botify),
)  # fmt: skip
"""Every fault that a check finds in the log alone."""

REPLAY_FAULTS: tuple[LogFault, ...] = (
    LogFault("hidden fallback", "an arm plays the tracks of a different arm, and the log denies it",
           ("replay",), hide_fallback),
)  # fmt: skip
"""Faults that only a replay of the decisions finds."""


def new_failures(failed: Iterable[str], before: Iterable[str]) -> list[str]:
    """Name the checks that found a fault: they fail with the fault, and pass without it."""
    return sorted(set(failed) - set(before))
