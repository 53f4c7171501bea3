"""`segue evaluate`: estimate what a strategy would earn, from a log that it did not serve."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.engine_options import ConfOption, EngineOption, MasterOption, parse_engine
from cli.progress import bars
from cli.terminal import terminal
from core.draw import FinalDraw
from events.url_path import log_path

if TYPE_CHECKING:
    from analysis.off_policy.estimators import Evaluation
    from audit.off_policy_replay import OffPolicyResult


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evaluate")(evaluate)


def evaluate(
    logs: Annotated[
        list[Path],
        typer.Argument(parser=log_path, help="Event files or folders of ours, or their URLs."),
    ],
    strategy: Annotated[list[str], typer.Option(help="A strategy of the config; repeatable.")],
    config: Annotated[Path, typer.Option(help="The config that has the strategy.")] = Path(
        "config.yaml"
    ),
    draw: Annotated[
        FinalDraw | None,
        typer.Option(help="Draw at the end of the strategies' chains, as an arm's `draw`."),
    ] = None,
    first: Annotated[
        bool,
        typer.Option(
            "--first",
            help="Count only the first recommendation of each session, before any strategy acted.",
        ),
    ] = False,
    arm: Annotated[
        str | None, typer.Option(help="Count only the decisions of this arm: EXPERIMENT=ARM.")
    ] = None,
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of config snapshots, if it is not beside the logs; repeatable."),
    ] = None,
    even_if_doubtful: Annotated[
        bool,
        typer.Option("--even-if-doubtful", help="Show estimates that the log does not support."),
    ] = False,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Estimate what other strategies would earn on the requests of a log.

    The reward is how much of the recommended track was heard. Each listener's history is replayed.
    At each decision the strategy says what it would play, and the logged propensities weight the
    rewards: IPS, SNIPS and DR, with intervals over listeners. The strategy need not have served.
    Estimates are withheld if the overlap or the effective sample size fails.
    """
    from audit.off_policy_replay import SparkTargets, evaluate_policies
    from audit.target_policy import TargetPolicy
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings
    from events.config_snapshots import snapshots_beside

    options = parse_engine(engine, master, conf)
    spark = None if options is None else SparkTargets(options, config.resolve(), strategy, draw)
    runtime = load_runtime(load_settings(config))
    targets = [TargetPolicy(runtime, name, draw) for name in strategy]
    snapshots = snapshots_beside(logs, configs or ())
    with bars() as progress:
        found = evaluate_policies(logs, targets, snapshots, first, arm, progress, spark)
    shown = {
        name: each if even_if_doubtful or not each.withheld else each.without_estimates()
        for name, each in found.evaluations.items()
    }
    if as_json:
        typer.echo(json.dumps(_to_dict(shown, found), indent=2))
        return
    for name, evaluation in shown.items():
        _show(name, evaluation, first)
    _show_left_out(found)


def _to_dict(shown: "Mapping[str, Evaluation]", found: "OffPolicyResult") -> dict[str, Any]:
    return {
        "strategies": {name: _finite(asdict(each)) for name, each in shown.items()},
        "left_out": dict(found.left_out),
        "replayed": {"decisions": found.replay.decisions, "mismatched": found.replay.mismatched},
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and value != value else value


def _show(name: str, found: "Evaluation", first: bool) -> None:
    out = terminal()
    what = "the first recommendation of a session" if first else "a recommendation"
    table = Table(
        title=f"{name}: time heard of {what}, {found.decisions:,} decisions of "
        f"{found.listeners:,} listeners",
        title_justify="left",
        title_style="bold",
    )
    table.add_column("estimate")
    for column in ("mean", "95 % interval", "less the log's", "95 % interval"):
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
        out.print(Text.assemble(("Doubtful:", "red"), f" {warning}"), soft_wrap=True)
    out.print(table)
    if found.withheld and len(found.estimates) == 1:
        out.print(
            "Estimates are withheld: this log does not support them. --even-if-doubtful shows them."
        )
    out.print(
        f"Effective sample size {found.effective:,.0f} decisions; mean weight {found.overlap:.3f} "
        f"({found.overlap_low:.3f} to {found.overlap_high:.3f}), largest {found.largest:.1f}; "
        f"the strategy never plays {found.never:.0%} of the logged tracks.",
        soft_wrap=True,
    )


def _show_left_out(found: "OffPolicyResult") -> None:
    out = terminal(soft_wrap=True)
    for reason, count in found.left_out.items():
        out.print(f"{count:,} decisions left out: {reason}")
    if found.replay.mismatched:
        out.print(
            f"{found.replay.mismatched:,} events were replayed differently; "
            "`segue replay` shows them.",
            style="yellow",
        )
