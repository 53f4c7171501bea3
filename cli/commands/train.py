"""`segue train`: learn lists from a log, and judge models beside each other."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cli.progress import bars
from cli.time_window import Since, Until, window
from core.errors import InputError
from training.listen_sources import Inverse

if TYPE_CHECKING:
    from audit.list_value import ListEstimator
    from training.interactions import Interactions
    from training.listen_sources import Selection
    from training.progress import Progress

Logs = Annotated[
    list[Path],
    typer.Argument(
        help="Event logs, folders of them, or one training table of `segue data import`.",
        show_default=False,
    ),
]
CatalogOption = Annotated[Path, typer.Option("--catalog", help="The catalog, JSON lines.")]
To = Annotated[Path, typer.Option("--to", help="Folder to write to; made if missing.")]
Arms = Annotated[str | None, typer.Option(help="Only turns of these arms: `fallback=T1,random=C`.")]
MinTime = Annotated[
    float, typer.Option(min=0, max=1, help="Leave out listens that heard a smaller share.")
]
Late = Annotated[
    float,
    typer.Option(min=0.01, max=0.9, help="Share of sessions, the latest, kept for judging."),
]
Liked = Annotated[
    float, typer.Option(min=0, max=1, help="Share heard from which a listen was liked, in judging.")
]
InverseIn = Annotated[
    Inverse | None,
    typer.Option(
        "--inverse-propensity", help="Where each listen counts for the inverse of its chance."
    ),
]
Most = Annotated[
    float, typer.Option(min=1, help="Cut inverse chances at this multiple of the smallest.")
]
Seed = Annotated[int, typer.Option(min=0, help="Of every random number.")]
Threads = Annotated[int, typer.Option(min=1, help="How many to use; another number, other digits.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the model, as `kind=bm25`; repeatable."),
]
Top = Annotated[int, typer.Option(min=1, help="Length of the lists.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add one command for each model, and `compare`."""
    import training.models  # noqa: F401  (importing it registers the models)
    from training.model import known

    group = typer.Typer(
        help="Learn lists from a log: one command for each model, and `compare`.",
        no_args_is_help=True,
    )
    for name, found in known().items():
        settings = ", ".join(f"`{setting}`" for setting in found.params.model_fields)
        variants = ", ".join(f"`{name}:{variant}`" for variant in found.variants if variant)
        help_ = found.about
        if settings:
            help_ += f"\n\nSettings for --set: {settings}."
        if variants:
            help_ += f" Variants in comparisons: {variants}."
        group.command(name, help=help_)(_command(name))
    group.command("compare")(_compare)
    app.add_typer(group, name="train")


def _command(name: str) -> Callable[..., None]:
    def train(
        logs: Logs,
        catalog: CatalogOption,
        to: To,
        settings: Settings = None,
        variant: Annotated[str, typer.Option(help="Settings under a name, as `bm25`.")] = "",
        top: Top = 100,
        since: Since = None,
        until: Until = None,
        arms: Arms = None,
        min_time: MinTime = 0.0,
        late: Late = 0.1,
        liked: Liked = 0.5,
        inverse_propensity: InverseIn = None,
        most: Most = 100.0,
        seed: Seed = 1,
        threads: Threads = 2,
        json_: Json = False,
    ) -> None:
        from training import model
        from training.comparison import FLOORS, EvaluationSplit, report, table_of

        spec = f"{name}:{variant}" if variant else name
        chosen, params = model.build(spec, _settings(settings))
        with bars() as progress:
            options = _selection(since, until, arms, min_time, inverse_propensity, most)
            log = _load(logs, catalog, options, progress)
            bench = EvaluationSplit.of(
                log, late=late, liked=liked, seed=seed, threads=threads,
                weighed=options.inverse or "both", estimator=_estimator(options, top),
            )  # fmt: skip
            trial = bench.try_(spec, chosen, params, progress)
            stated_options = {**options.as_json(), "late": late}
            files = trial.write(to, log, seed, stated_options, top, progress)
            floors = () if name in FLOORS else FLOORS
            trials = [
                *(bench.try_(floor, *model.build(floor), progress) for floor in floors),
                trial,
            ]
        out = _out()
        if json_:
            out.print_json(json.dumps(report(bench, trials) | {"files": [str(f) for f in files]}))
            return
        out.print(table_of(bench, trials, out.width))
        if trial.fitted.interrupted:
            out.print("Interrupted: the lists are of the best there was so far.")
        for file in files:
            out.print(f"Wrote {file}", soft_wrap=True)

    return train


def _out() -> Console:
    """Standard output; a file or a pipe is as wide as the table."""
    out = Console(highlight=False, markup=False)
    return out if out.is_terminal else Console(highlight=False, markup=False, width=200)


def _settings(pairs: list[str] | None) -> dict[str, Any]:
    settings = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError.one("--set", f"must be NAME=VALUE, got {pair!r}")
        settings[name.strip()] = value.strip()
    return settings


def _compare(
    logs: Logs,
    catalog: CatalogOption,
    to: To,
    models: Annotated[
        str | None,
        typer.Option(help="Which, as `neighbours,neural:pairs`; default: all, with variants."),
    ] = None,
    since: Since = None,
    until: Until = None,
    arms: Arms = None,
    min_time: MinTime = 0.0,
    late: Late = 0.1,
    liked: Liked = 0.5,
    inverse_propensity: InverseIn = None,
    most: Most = 100.0,
    seed: Seed = 1,
    threads: Threads = 2,
    top: Top = 100,
    lists: Annotated[
        bool, typer.Option(help="Write the lists of every model, or the table alone.")
    ] = True,
    json_: Json = False,
) -> None:
    """Judge models beside each other, `random` and `popular` always among them.

    Prints a table, and writes it to the folder as comparison.json and comparison.md, beside the
    lists of every model.
    """
    from training.comparison import (
        FLOORS,
        EvaluationSplit,
        compare,
        everything,
        markdown_of,
        report,
        table_of,
    )
    from training.model import build

    needed = everything()
    missing = {package for package in needed.values() if package and find_spec(package) is None}
    if models is None:
        names = [name for name, package in needed.items() if package not in missing]
    else:
        names, missing = [name.strip() for name in models.split(",")], set()
    names = [*(floor for floor in FLOORS if floor not in names), *names]
    built = [(name, *build(name)) for name in names]
    options = _selection(since, until, arms, min_time, inverse_propensity, most)
    with bars() as progress:
        log = _load(logs, catalog, options, progress)
        bench = EvaluationSplit.of(
            log, late=late, liked=liked, seed=seed, threads=threads,
            weighed=options.inverse or "both", estimator=_estimator(options, top),
        )  # fmt: skip
        stated_options = {**options.as_json(), "late": late}
        trials = []
        for trial in compare(bench, built, progress):
            trials.append(trial)
            if lists and trial.name != "random":
                trial.write(to, log, seed, stated_options, top, progress)
    stated = report(bench, trials) | {"options": stated_options}
    to.mkdir(parents=True, exist_ok=True)
    (to / "comparison.json").write_text(json.dumps(stated, indent=2) + "\n")
    (to / "comparison.md").write_text(markdown_of(bench, trials))
    out = _out()
    if json_:
        out.print_json(json.dumps(stated))
        return
    out.print(table_of(bench, trials, out.width))
    for package in sorted(missing):
        left_out = ", ".join(name for name, needs in needed.items() if needs == package)
        out.print(f"Not tried: {left_out}. They need {package} (pip install 'segue[train]').")
    out.print(f"Wrote {to}/comparison.json and comparison.md", soft_wrap=True)


def _estimator(
    options: "Selection", top: int
) -> "Callable[[Interactions], ListEstimator | None] | None":
    """What estimates from logged chances; none where short listens, the failures, are left out."""
    from audit.list_value import estimator

    return None if options.min_time > 0 else partial(estimator, top=top)


def _load(
    logs: Sequence[Path], catalog: Path, options: "Selection", progress: "Progress"
) -> "Interactions":
    from core.catalog import load_catalog
    from training.listen_sources import load

    return load(logs, load_catalog(catalog), options, progress)


def _selection(
    since: str | None,
    until: str | None,
    arms: str | None,
    min_time: float,
    inverse: Inverse | None,
    most: float,
) -> "Selection":
    from training.listen_sources import Selection

    chosen: dict[str, list[str]] = {}
    for pair in arms.split(",") if arms else ():
        experiment, equals, arm = pair.strip().partition("=")
        if not equals or not arm:
            raise InputError.one("--arms", f"must be EXPERIMENT=ARM,..., got {pair!r}")
        chosen.setdefault(experiment, []).append(arm)
    since_ms, until_ms = window(since, until)
    return Selection(since_ms, until_ms, chosen, min_time, inverse, most)
