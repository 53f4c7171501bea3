"""`segue design`: how many listeners an effect needs, how long they take, which salt is even."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import bars
from core.allocation import Arm, Experiment
from core.errors import Faults, InputError, unknown_name

if TYPE_CHECKING:
    from analysis.planning.pilot_data import PilotData
    from analysis.planning.salts import SaltSplit
    from engine.settings.model import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("design")(design)


def design(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(help="A past log, to take mean, spread and arrivals from; none with --sd."),
    ] = None,
    mde: Annotated[
        float | None,
        typer.Option(
            help="Smallest effect to be found, as a share of the control mean: 0.05 is 5 %."
        ),
    ] = None,
    listeners: Annotated[
        int | None,
        typer.Option(min=4, help="Instead of --mde: which effect do so many listeners show?"),
    ] = None,
    power: Annotated[float, typer.Option(help="Chance to find the effect if it is there.")] = 0.8,
    alpha: Annotated[
        float, typer.Option(help="Chance to find one that is not there, two-sided, all arms.")
    ] = 0.05,
    metric: Annotated[str, typer.Option(help="Name of a metric of the report.")] = "session_time",
    config: Annotated[
        Path | None, typer.Option(help="Takes arms, weights and traffic from its experiment.")
    ] = None,
    experiment: Annotated[
        str | None, typer.Option(help="Which experiment; may be left out where there is one.")
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
        int, typer.Option(min=0, help="Salts to try on the past log; 0 tries none.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Plan an experiment before it starts, and print what goes into config.yaml.

    From a past log, or from --mean and --sd. The salt is chosen on past data only: run this before
    the experiment, never on its own log.
    """
    from analysis.planning.power import PowerDesign, effect_for, listeners_for

    settings = _settings(config)
    planned = _experiment(settings, experiment, arm)
    _check(logs, mde, listeners, mean, sd)
    past = _past(logs, metric, settings) if logs else None
    if past is not None:
        sample = past.samples[metric]
        mean = sample.mean if mean is None else mean
        sd = sample.variance**0.5 if sd is None else sd
    assert mean is not None
    assert sd is not None
    weights = {each.name: each.weight for each in planned.arms if each.weight}
    wanted = PowerDesign(mean, sd, weights, power, alpha)
    if listeners is None:
        assert mde is not None
        each = listeners_for(mde * mean, wanted)
    else:
        each = {name: int(share * listeners) for name, share in wanted.shares.items()}
        mde = effect_for(listeners, wanted) / abs(mean)
    total = sum(each.values())
    found: dict[str, Any] = {
        "experiment": planned.name,
        "metric": metric,
        "mean": mean,
        "sd": sd,
        "mde": mde,
        "power": power,
        "alpha": alpha,
        "alpha of each comparison": wanted.level,
        "listeners": total,
        "by arm": each,
        **_duration(total, planned, settings, past, per_day),
    }
    # The predecessor's hash knows no salt, so there is none to choose.
    choose = past is not None and salts and planned.hash == "segue"
    tried = _salts(planned, past, salts) if past is not None and choose else []
    if as_json:
        _print_json(found, tried)
    else:
        _show(found, tried)


def _check(
    logs: list[Path] | None,
    mde: float | None,
    listeners: int | None,
    mean: float | None,
    sd: float | None,
) -> None:
    faults = Faults()
    if (mde is None) == (listeners is None):
        faults.add("--mde", "give either --mde, the effect, or --listeners, how many there will be")
    if not logs and (mean is None or sd is None):
        faults.add("LOG", "name a past log, or give both --mean and --sd")
    if mean is not None and not mean:
        faults.add("--mean", "must not be 0: the effect is a share of it")
    faults.raise_if_any()


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
        raise InputError.one("--arm", "the config has the arms; leave out --arm or --config")
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


def _past(logs: list[Path], metric: str, settings: "Settings | None") -> "PilotData":
    from analysis.effects.metrics import SESSION_TIME, SESSIONS, choose_metrics
    from analysis.planning.pilot_data import pilot_data_of
    from events.reader import open_log

    faults = Faults()
    extra = settings.report.metrics if settings is not None else {}
    first, others = choose_metrics(extra, metric, faults, "--metric")
    faults.raise_if_any()
    known = {each.name: each for each in (first, *others)}
    # What is known of listeners beforehand, and must be even: the metric, and how active they are.
    names = dict.fromkeys([metric, SESSION_TIME.name, SESSIONS.name])
    with bars() as progress, open_log(logs, progress=progress) as log:
        return pilot_data_of(log, [known[name] for name in names], metric)


def _duration(
    total: int,
    experiment: Experiment,
    settings: "Settings | None",
    past: "PilotData | None",
    per_day: float | None,
) -> dict[str, Any]:
    from analysis.planning.salts import entering_share

    share = entering_share(experiment, settings.holdout.share if settings is not None else 0.0)
    if not share:
        return {"days": None, "days from": "the experiment has no traffic"}
    if per_day:
        return {"days": total / share / per_day, "days from": "--per-day"}
    if past is None:
        return {"days": None, "days from": "give --per-day or a past log"}
    days, beyond = past.days_until(total, share)
    if days == float("inf"):
        return {"days": None, "days from": "nobody new came in the log's second half"}
    source = "the log, and beyond its end the rate of its second half" if beyond else "the log"
    return {"days": days, "days from": source}


def _salts(experiment: Experiment, past: "PilotData", count: int) -> "list[SaltSplit]":
    from analysis.planning.salts import compare_salts

    with bars() as progress:
        progress.start("salts", count)
        names = [f"{experiment.name}-{number:04}" for number in range(1, count + 1)]
        return compare_salts(experiment, past, names, progress)


def _show(found: Mapping[str, Any], tried: "list[SaltSplit]") -> None:
    out = Console(highlight=False, soft_wrap=True)
    metric, mean, sd = found["metric"], found["mean"], found["sd"]
    out.print(
        f"To find an effect of {found['mde']:.2%} ({found['mde'] * abs(mean):.4g}) on {metric} "
        f"(mean {mean:.4g}, sd {sd:.4g} between listeners) with a chance of {found['power']:.0%}, "
        f"at a two-sided error of {found['alpha']:.0%}, takes [bold]{found['listeners']:,}[/bold] "
        "listeners: " + ", ".join(f"{arm} {count:,}" for arm, count in found["by arm"].items())
    )
    if found["days"] is not None:
        days = found["days"]
        span = f"{days:,.1f} days" if days >= 1 else f"{24 * days:,.2f} hours"
        out.print(f"They come within {span} (from {found['days from']}).")
    else:
        out.print(f"How long that takes is not known: {found['days from']}.")
    if tried:
        _show_salts(found, tried)
    out.print("\nFor config.yaml:")
    out.print(_yaml(found, tried[0].salt if tried else None), markup=False)


def _show_salts(found: Mapping[str, Any], tried: "list[SaltSplit]") -> None:
    middle = tried[len(tried) // 2]
    table = Table(
        title=f"{len(tried)} salts on the past listeners: differences to the control",
        title_justify="left",
    )
    for name in ("", "salt", "listeners", *tried[0].differences):
        table.add_column(name, overflow="fold")
    table.add_column("largest, in standard errors", justify="right")
    rows = [("best", tried[0]), ("middling", middle), ("worst", tried[-1])]
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
    out = Console(highlight=False)
    out.print()
    out.print(table)


def _yaml(found: Mapping[str, Any], salt: str | None) -> str:
    keys = ("listeners", "metric", "mde", "power", "alpha")
    rounded = {key: round(found[key], 6) if key == "mde" else found[key] for key in keys}
    inside = ", ".join(f"{key}: {value}" for key, value in rounded.items())
    lines = [f"  - name: {found['experiment']}"]
    if salt is not None:
        lines.append(f'    salt: "{salt}"')
    return "\n".join([*lines, f"    planned: {{{inside}}}"])


def _print_json(found: Mapping[str, Any], tried: "list[SaltSplit]") -> None:
    import json
    from dataclasses import asdict

    keys = ("listeners", "metric", "mde", "power", "alpha")
    plan = {key.replace(" ", "_"): value for key, value in found.items()}
    content = {
        **plan,
        "planned": {key: found[key] for key in keys},
        "salts": [asdict(split) for split in tried],
    }
    typer.echo(json.dumps(content, indent=2))
