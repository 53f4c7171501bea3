"""`segue design`: the listeners that an effect needs, the days they take, and an even salt."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.progress import bars
from cli.terminal import terminal
from core.allocation import Arm, Experiment
from core.errors import Faults, InputError, unknown_name
from events.url_path import log_path

if TYPE_CHECKING:
    from analysis.planning.design import ExperimentDesign
    from analysis.planning.pilot_data import PilotData
    from analysis.planning.salts import SaltSplit
    from engine.settings.model import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("design")(design)


def design(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=log_path,
            help="A past log, or its URL, for mean, standard deviation and arrivals; not needed "
            "with --sd.",
        ),
    ] = None,
    mde: Annotated[
        float | None,
        typer.Option(help="Smallest effect to find, as a share of the control mean: 0.05 is 5 %."),
    ] = None,
    listeners: Annotated[
        int | None,
        typer.Option(min=4, help="Instead of --mde: find the effect that so many listeners show."),
    ] = None,
    power: Annotated[
        float, typer.Option(help="Probability to find the effect if it exists.")
    ] = 0.8,
    alpha: Annotated[
        float,
        typer.Option(
            help="Probability to find an effect that does not exist, two-sided, all arms."
        ),
    ] = 0.05,
    metric: Annotated[str, typer.Option(help="Name of a metric of the report.")] = "session_time",
    config: Annotated[
        Path | None, typer.Option(help="Config whose experiment gives arms, weights and traffic.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Name of the experiment; not needed if the config has one.")
    ] = None,
    arm: Annotated[
        list[str] | None,
        typer.Option(help="Without a config: an arm and its weight, `C=50`; the control first."),
    ] = None,
    mean: Annotated[float | None, typer.Option(help="Mean of a listener's value.")] = None,
    sd: Annotated[float | None, typer.Option(help="Standard deviation between listeners.")] = None,
    per_day: Annotated[
        float | None, typer.Option(min=0, help="New listeners a day, for the duration.")
    ] = None,
    salts: Annotated[
        int, typer.Option(min=0, help="Number of salts to try on the past log.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan an experiment before it starts, and print its keys for config.yaml.

    The plan comes from a past log, or from --mean and --sd. The salt is chosen on past data: run
    this before the experiment, and never on its own log.
    """
    from analysis.planning.design import DesignOptions, design_experiment

    settings = _settings(config)
    planned = _experiment(settings, experiment, arm)
    holdout = settings.holdout.share if settings is not None else 0.0
    options = DesignOptions(mde, listeners, metric, mean, sd, power, alpha, per_day, holdout, salts)
    options.raise_if_faulty(bool(logs))
    pilot = _read_pilot(logs, metric, settings) if logs else None
    with bars() as progress:
        found = design_experiment(options, planned, pilot, progress)
    if as_json:
        _print_json(found)
    else:
        _show(found)


def _settings(config: Path | None) -> "Settings | None":
    if config is None:
        return None
    from engine.settings.loading import load_settings

    return load_settings(config)


def _experiment(
    settings: "Settings | None", name: str | None, arms: list[str] | None
) -> Experiment:
    if settings is None:
        return Experiment(name or "experiment", tuple(_arms(arms or ["C=50", "T1=50"])))
    if arms:
        raise InputError.one(
            "--arm", "must not be given with --config, which has the arms. Leave out one of them"
        )
    known = {each.name: each for each in settings.experiments}
    if name is None and len(known) == 1:
        (name,) = known
    if name not in known:
        what = unknown_name("experiment", name, known) if name else "name one with --experiment"
        raise InputError.one(f"{settings.path}: experiments", what)
    return known[name]


def _arms(given: list[str]) -> list[Arm]:
    faults, found = Faults(), []
    for each in given:
        name, _, weight = each.partition("=")
        try:
            found.append(Arm(name, float(weight)))
        except ValueError:
            faults.add("--arm", f"must be NAME=WEIGHT, for instance T1=50, got {each!r}")
    if len({each.name for each in found}) < len(found):
        faults.add("--arm", "names an arm twice")
    faults.raise_if_any()
    return found


def _read_pilot(logs: list[Path], metric: str, settings: "Settings | None") -> "PilotData":
    from analysis.planning.design import pilot_metrics
    from analysis.planning.pilot_data import read_pilot_data
    from events.reader import open_log

    metrics = pilot_metrics(settings.report.metrics if settings is not None else {}, metric)
    with bars() as progress, open_log(logs, progress=progress) as log:
        return read_pilot_data(log, metrics, metric)


def _show(found: "ExperimentDesign") -> None:
    out = terminal(soft_wrap=True)
    by_arm = ", ".join(f"{arm} {count:,}" for arm, count in found.by_arm.items())
    out.print(
        Text.assemble(
            f"An effect of {found.mde:.2%} ({found.mde * abs(found.mean):.4g}) on {found.metric} "
            f"(mean {found.mean:.4g}, sd {found.sd:.4g} between listeners) needs ",
            (f"{found.listeners:,}", "bold"),
            f" listeners at a power of {found.power:.0%} and a two-sided alpha of "
            f"{found.alpha:.0%}: {by_arm}",
        )
    )
    if found.days is not None:
        days = found.days
        span = f"{days:,.1f} days" if days >= 1 else f"{24 * days:,.2f} hours"
        out.print(f"They come within {span} (from {found.days_from}).")
    else:
        out.print(f"The duration is unknown: {found.days_from}.")
    if found.salts:
        _show_salts(found.salts)
    out.print("\nFor config.yaml:")
    out.print(_yaml(found))


def _show_salts(splits: "Sequence[SaltSplit]") -> None:
    table = Table(
        title=f"{len(splits)} salts on the past listeners: differences to the control",
        title_justify="left",
    )
    for name in ("", "salt", "listeners", *splits[0].differences):
        table.add_column(name, overflow="fold")
    table.add_column("largest, in standard errors", justify="right")
    rows = [("best", splits[0]), ("median", splits[len(splits) // 2]), ("worst", splits[-1])]
    for name, split in rows:
        table.add_row(
            name,
            split.salt,
            "\n".join(f"{arm} {count:,}" for arm, count in split.listeners.items()),
            *(
                "\n".join(f"{arm} {apart:+.2%}" for arm, apart in arms.items())
                for arms in split.differences.values()
            ),
            f"{split.unevenness:.2f}",
        )
    out = terminal()
    out.print()
    out.print(table)


def _planned(found: "ExperimentDesign") -> dict[str, Any]:
    keys = ("listeners", "metric", "mde", "power", "alpha")
    return {key: getattr(found, key) for key in keys}


def _yaml(found: "ExperimentDesign") -> str:
    planned = _planned(found) | {"mde": round(found.mde, 6)}
    inside = ", ".join(f"{key}: {value}" for key, value in planned.items())
    lines = [f"  - name: {found.experiment}"]
    if found.salts:
        lines.append(f'    salt: "{found.salts[0].salt}"')
    return "\n".join([*lines, f"    planned: {{{inside}}}"])


def _print_json(found: "ExperimentDesign") -> None:
    content = asdict(found) | {"listeners": found.listeners, "planned": _planned(found)}
    content["alpha_of_each_comparison"] = content.pop("level")
    typer.echo(json.dumps(content, indent=2))
