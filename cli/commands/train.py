"""`segue train`: learn lists from a log, and compare models."""

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cli.engine_options import ConfOption, EngineOption, MasterOption, parse_engine
from cli.progress import bars
from cli.terminal import terminal
from cli.time_window import Since, Until, window
from core.errors import InputError
from events.url_path import log_path
from training.heard import Heard
from training.listen_sources import InverseIn
from training.model import Device

if TYPE_CHECKING:
    from core.progress import Progress
    from events.spark_session import SparkOptions
    from training.comparison import Comparison
    from training.evaluation_split import EstimatorFactory
    from training.interactions import Interactions
    from training.listen_sources import Selection
    from training.played_time import Play
    from training.training_options import TrainingOptions

Logs = Annotated[
    list[Path],
    typer.Argument(
        parser=log_path,
        help="Event logs, folders of them, URLs of either, or one training table of `segue data "
        "import`.",
        show_default=False,
    ),
]
CatalogOption = Annotated[Path, typer.Option("--catalog", help="The catalog, JSON lines.")]
To = Annotated[Path, typer.Option("--to", help="Folder to write to; made if missing.")]
Arms = Annotated[str | None, typer.Option(help="Only turns of these arms: `fallback=T1,random=C`.")]
MinTime = Annotated[
    float, typer.Option(min=0, max=1, help="Leave out listens that heard a smaller share.")
]
Sample = Annotated[
    float,
    typer.Option(
        min=0.0001,
        max=1,
        help="Share of the listeners to learn from, each with all listens; their ids decide who.",
    ),
]
TestShare = Annotated[
    float,
    typer.Option(
        "--late", min=0.01, max=0.9, help="Share of sessions, the latest, in the test split."
    ),
]
Liked = Annotated[
    float,
    typer.Option(min=0, max=1, help="Share heard from which a listen of the test split was liked."),
]
InverseOption = Annotated[
    InverseIn | None,
    typer.Option(
        "--inverse-propensity",
        help="Where each listen counts for the inverse of its propensity: in the `fit`, in the "
        "evaluation (`judge`), or in `both`.",
    ),
]
Cap = Annotated[
    float,
    typer.Option(
        "--most", min=1, help="Cap on inverse propensities, in multiples of the smallest."
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed for all random numbers.")]
Threads = Annotated[
    int,
    typer.Option(min=1, help="Threads to use. Results are reproducible only for the same number."),
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", help="A setting of the model, as `kind=bm25`; repeatable."),
]
DeviceOption = Annotated[
    Device,
    typer.Option(
        "--device",
        help="Where models of PyTorch are fitted: `cuda` is a GPU; `auto` takes one if there is "
        "one. All other models are fitted on the CPU.",
    ),
]
HeardOption = Annotated[
    Heard,
    typer.Option(
        "--heard",
        help="`out` leaves out what the listener heard before: of lists by listener, and of all "
        "rankings that are evaluated.",
    ),
]
PlayOption = Annotated[
    Path | None,
    typer.Option(
        "--play",
        help="Folder of a world: its simulated listeners play the lists and the vectors of every "
        "model by the recommended recipe, and the table shows what each earns.",
    ),
]
PlaySessions = Annotated[int, typer.Option(min=2, help="Sessions to play against each file.")]
PlaySeed = Annotated[int, typer.Option(min=0, help="Seed of the sessions of --play.")]
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
            help_ += f" Variants: {variants}."
        group.command(name, help=help_)(_command(name))
        for variant in filter(None, found.variants):
            # As comparisons name it: `segue train neural:cosine` is `neural --variant cosine`.
            group.command(f"{name}:{variant}", help=help_, hidden=True)(_command(name, variant))
    group.command("compare")(_compare)
    app.add_typer(group, name="train")


def _command(name: str, own_variant: str = "") -> Callable[..., None]:
    def train(
        logs: Logs,
        catalog: CatalogOption,
        to: To,
        settings: Settings = None,
        variant: Annotated[
            str, typer.Option(help="Settings under a name, as `bm25`.")
        ] = own_variant,
        top: Top = 100,
        since: Since = None,
        until: Until = None,
        arms: Arms = None,
        min_time: MinTime = 0.0,
        sample: Sample = 1.0,
        test_share: TestShare = 0.1,
        liked: Liked = 0.5,
        inverse_propensity: InverseOption = None,
        cap: Cap = 100.0,
        seed: Seed = 1,
        threads: Threads = 2,
        device: DeviceOption = "auto",
        heard: HeardOption = "in",
        engine: EngineOption = "duckdb",
        master: MasterOption = None,
        conf: ConfOption = None,
        json_: Json = False,
    ) -> None:
        from training.comparison import train_one
        from training.model import build
        from training.training_options import TrainingOptions

        spec = f"{name}:{variant}" if variant else name
        spark = parse_engine(engine, master, conf)
        model = (spec, *build(spec, _parse_settings(settings)))
        if spark is not None:
            from training.spark.models import model_on_spark

            model = (spec, model_on_spark(spec, model[2], spark), model[2])
        selection = _selection(since, until, arms, min_time, inverse_propensity, cap, sample)
        options = TrainingOptions(selection, test_share, liked, seed, threads, top, device, heard)
        with bars() as progress:
            log = _load(logs, catalog, selection, progress, spark)
            done = train_one(log, model, to, options, _estimator(options), progress)
        if json_:
            files = {"files": [str(file) for file in done.files]}
            _out().print_json(json.dumps(done.report() | files))
            return
        _print_table(done)
        if done.trials[-1].fitted.interrupted:
            _out().print("Interrupted: the lists are of the best epoch or iteration so far.")
        for file in done.files:
            _out().print(f"Wrote {file}", soft_wrap=True)

    return train


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
    sample: Sample = 1.0,
    test_share: TestShare = 0.1,
    liked: Liked = 0.5,
    inverse_propensity: InverseOption = None,
    cap: Cap = 100.0,
    seed: Seed = 1,
    threads: Threads = 2,
    device: DeviceOption = "auto",
    heard: HeardOption = "in",
    top: Top = 100,
    lists: Annotated[
        bool, typer.Option(help="Write the lists of every model, or the table alone.")
    ] = True,
    play: PlayOption = None,
    play_sessions: PlaySessions = 2000,
    play_seed: PlaySeed = 1,
    json_: Json = False,
) -> None:
    """Compare models on the same sessions; `random` and `popular` are always among them.

    Prints a table, and writes it to the folder as comparison.json and comparison.md, together
    with the lists of every model.
    """
    from training.comparison import build_models, compare, missing_packages
    from training.training_options import TrainingOptions

    missing = missing_packages() if models is None else {}
    names = None if models is None else [name.strip() for name in models.split(",")]
    built = build_models(names, missing)
    selection = _selection(since, until, arms, min_time, inverse_propensity, cap, sample)
    options = TrainingOptions(selection, test_share, liked, seed, threads, top, device, heard)
    with bars() as progress:
        played = _plan_play(play, catalog, play_sessions, play_seed, progress)
        log = _load(logs, catalog, selection, progress)
        estimator = _estimator(options)
        done = compare(log, built, to if lists else None, options, estimator, progress, played)
    content = done.save(to, options)
    if json_:
        _out().print_json(json.dumps(content))
        return
    _print_table(done)
    for package, left_out in missing.items():
        _out().print(
            f"Not tried: {', '.join(left_out)}. They need {package} (pip install 'segue[train]')."
        )
    _out().print(f"Wrote {to}/comparison.json and comparison.md", soft_wrap=True)


def _plan_play(
    folder: Path | None, catalog: Path, sessions: int, seed: int, progress: "Progress"
) -> "Play | None":
    """Read the world of --play before the fits, so that a fault in it costs no fit."""
    if folder is None:
        return None
    from cli.list_play import plan_play
    from core.catalog import load_catalog

    return plan_play(folder, load_catalog(catalog), sessions, seed, progress)


def _out() -> Console:
    """Standard output; a file or a pipe is as wide as the table."""
    out = terminal()
    return out if out.is_terminal else terminal(width=250)


def _print_table(comparison: "Comparison") -> None:
    from training.comparison_table import table_of

    out = _out()
    about = comparison.play_about
    out.print(table_of(comparison.split, comparison.trials, out.width, about))


def _parse_settings(pairs: list[str] | None) -> dict[str, Any]:
    settings = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InputError.one("--set", f"must be NAME=VALUE, got {pair!r}")
        settings[name.strip()] = value.strip()
    return settings


def _estimator(options: "TrainingOptions") -> "EstimatorFactory | None":
    """Estimates from logged propensities; None where short listens, the failures, are left out."""
    from audit.list_value import make_estimator

    return None if options.selection.min_time > 0 else partial(make_estimator, top=options.top)


def _load(
    logs: Sequence[Path],
    catalog: Path,
    selection: "Selection",
    progress: "Progress",
    spark: "SparkOptions | None" = None,
) -> "Interactions":
    from core.catalog import load_catalog
    from training.listen_sources import load

    return load(logs, load_catalog(catalog), selection, progress, spark)


def _selection(
    since: str | None,
    until: str | None,
    arms: str | None,
    min_time: float,
    inverse_in: InverseIn | None,
    cap: float,
    sample: float,
) -> "Selection":
    from training.listen_sources import Selection

    chosen: dict[str, list[str]] = {}
    for pair in arms.split(",") if arms else ():
        experiment, equals, arm = pair.strip().partition("=")
        if not equals or not arm:
            raise InputError.one("--arms", f"must be EXPERIMENT=ARM,..., got {pair!r}")
        chosen.setdefault(experiment, []).append(arm)
    since_ms, until_ms = window(since, until)
    return Selection(since_ms, until_ms, chosen, min_time, inverse_in, cap, sample)
