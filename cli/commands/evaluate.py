"""`segue evaluate`: what another strategy would have earned, from a log that it did not serve."""

import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import bars
from core.catalog import UNKNOWN
from core.errors import InputError
from core.listener import History

if TYPE_CHECKING:
    from analysis.off_policy.estimators import Evaluation, WeightedDecisions
    from analysis.off_policy.logged_rewards import LoggedRewards
    from audit.replay import ReplayResult
    from audit.target_policy import TargetPolicy
    from core.progress import Progress
    from events.event_files import EventFile


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    logs: Annotated[list[Path], typer.Argument(help="Event files or folders of ours.")],
    strategy: Annotated[list[str], typer.Option(help="A strategy of the config; repeatable.")],
    config: Annotated[Path, typer.Option(help="The config that has the strategy.")] = Path(
        "config.yaml"
    ),
    first: Annotated[
        bool,
        typer.Option(
            "--first",
            help="Only the first recommendation of each session, which no strategy prepared.",
        ),
    ] = False,
    arm: Annotated[
        str | None, typer.Option(help="Only what this arm logged: EXPERIMENT=ARM.")
    ] = None,
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of kept configs, where it is not beside the logs; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate what other strategies would have earned on the very requests of a log.

    Earned is the time that the recommended track was heard. Every listener's story is replayed, the
    strategy is asked at each decision what it would have played, and the log's own chances weigh
    what was heard: IPS, SNIPS, DR, with intervals by listener. The strategy need not have served.
    """
    from analysis.off_policy.logged_rewards import logged_rewards
    from audit.target_policy import TargetPolicy
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings
    from events.config_snapshots import snapshots_beside
    from events.event_files import find_event_files
    from events.reader import open_log

    sources = find_event_files(logs)
    for source in sources:
        if source.packing == "parquet":
            raise InputError.one(
                str(source.path),
                "is compacted, and keeps no exact lines. Name the event files it was made of",
            )
    runtime = load_runtime(load_settings(config))
    targets = [TargetPolicy(runtime, name) for name in strategy]
    kept = snapshots_beside(logs, configs or ())
    with bars() as progress:
        with open_log(logs, progress=progress) as log:
            rewards = logged_rewards(log, first, _arm(arm, log.experiments()))
        weighed, tally = _weighed(sources, kept, targets, rewards, progress)
    found = {name: _evaluated(each) for name, each in weighed.items()}
    if as_json:
        typer.echo(json.dumps(_described(found, rewards, tally), indent=2))
        return
    for name, evaluation in found.items():
        _show(name, evaluation, first)
    _show_left_out(rewards, tally)


def _arm(given: str | None, known: dict[str, list[str]]) -> tuple[str, str] | None:
    if given is None:
        return None
    experiment, _, name = given.partition("=")
    if name not in known.get(experiment, ()):
        arms = ", ".join(f"{e}={a}" for e, arms in known.items() for a in arms) or "none"
        raise InputError.one(
            "--arm", f"must be EXPERIMENT=ARM of the log, got '{given}'. Known: {arms}"
        )
    return experiment, name


class _Asking:
    """Asks the targets at each decision of the replay."""

    def __init__(self, targets: "list[TargetPolicy]", rewards: "LoggedRewards") -> None:
        import numpy as np

        from analysis.off_policy.estimators import RewardModel

        self.targets = targets
        self.rewards = rewards
        catalog = targets[0].catalog
        index = {str(track): place for place, track in enumerate(catalog.ids)}
        self.tracks = np.array([index.get(t, UNKNOWN) for t in rewards.tracks], dtype=np.int64)
        self.model = RewardModel(self.tracks, rewards.rewards, rewards.listeners, len(catalog))
        self.seen = np.zeros(len(self.tracks), dtype=np.bool_)
        self.chances = np.zeros((len(targets), len(self.tracks)))
        self.values = np.zeros((len(targets), len(self.tracks)))
        self.abstained: Counter[str] = Counter()

    def watch(self, event: Any, history: History) -> None:
        """Note what each target would have played."""
        place = self.rewards.decisions.get(event["decision"])
        if place is None:
            return
        guesses = self.model.of(int(self.rewards.listeners[place]))
        self.seen[place] = True
        for number, target in enumerate(self.targets):
            candidates = target.candidates(history, event)
            if candidates is None:
                self.abstained[target.name] += 1
                continue
            self.chances[number, place] = target.chance(candidates, event["recommendation"])
            self.values[number, place] = candidates.expected(guesses)


def _weighed(
    sources: "list[EventFile]",
    kept: dict[str, Path],
    targets: "list[TargetPolicy]",
    rewards: "LoggedRewards",
    progress: "Progress",
) -> "tuple[dict[str, WeightedDecisions], ReplayResult]":
    from analysis.off_policy.estimators import WeightedDecisions, encode
    from audit.archived_runtimes import runtimes_by_digest
    from audit.replay import Replayer
    from events.merge import merge_events

    asking = _Asking(targets, rewards)
    replayer = Replayer(runtimes_by_digest(kept, None), watch=asking.watch)
    progress.start("replaying", sum(source.size for source in sources))
    for event, where in merge_events(sources, replayer.result.skip, progress):
        replayer.take(event, where)
    tally = replayer.finish()
    unseen = int((~asking.seen).sum())
    if unseen:
        rewards.left_out["could not be replayed, or came out otherwise"] = unseen
    if not asking.seen.any():
        raise InputError.one(
            "LOG", "could not be replayed; `segue replay` on the same log says why"
        )
    keep = asking.seen
    listeners = encode([str(each) for each in rewards.listeners[keep]])
    guesses = asking.model.guesses(asking.tracks, rewards.listeners)
    return {
        target.name: WeightedDecisions(
            listeners,
            rewards.rewards[keep],
            rewards.propensities[keep],
            asking.chances[number, keep],
            guesses[keep],
            asking.values[number, keep],
        )
        for number, target in enumerate(targets)
    }, tally


def _evaluated(weighed: "WeightedDecisions") -> "Evaluation":
    from analysis.off_policy.estimators import evaluate as weigh

    return weigh(weighed)


def _described(
    found: "dict[str, Evaluation]", rewards: "LoggedRewards", tally: "ReplayResult"
) -> dict[str, Any]:
    return {
        "strategies": {name: _finite(asdict(each)) for name, each in found.items()},
        "left_out": rewards.left_out,
        "replayed": {"decisions": tally.decisions, "mismatched": tally.mismatched},
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value != value else value


def _show(name: str, found: "Evaluation", first: bool) -> None:
    out = Console(highlight=False)
    what = "the first recommendation of a session" if first else "a recommendation"
    table = Table(
        title=f"{name}: time heard of {what}, {found.decisions:,} decisions of "
        f"{found.listeners:,} listeners",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("estimate")
    for column in ("mean", "95 % interval", "to the log", "95 % interval"):
        table.add_column(column, justify="right", no_wrap=True)
    for each in found.estimates:
        cells = [each.name, f"{each.mean:.4f}", f"{each.low:.4f} to {each.high:.4f}"]
        if each.name != "logged":
            cells += [
                f"{each.difference:+.4f}",
                f"{each.difference_low:+.4f} to {each.difference_high:+.4f}",
            ]
        table.add_row(*cells)
    for warning in found.warnings:
        out.print(f"[red]Doubtful:[/red] {warning}", soft_wrap=True)
    out.print(table)
    out.print(
        f"Worth {found.effective:,.0f} decisions of its own; mean weight {found.overlap:.3f} "
        f"({found.overlap_low:.3f} to {found.overlap_high:.3f}), largest {found.largest:.1f}; "
        f"{found.never:.0%} of the logged tracks it would never have played.",
        soft_wrap=True,
    )


def _show_left_out(rewards: "LoggedRewards", tally: "ReplayResult") -> None:
    out = Console(highlight=False, soft_wrap=True)
    for reason, count in rewards.left_out.items():
        out.print(f"{count:,} decisions left out: {reason}", markup=False)
    if tally.mismatched:
        out.print(
            f"[yellow]{tally.mismatched:,} events came out otherwise when replayed; `segue replay` "
            "shows them.[/yellow]"
        )
