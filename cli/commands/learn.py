"""`segue learn`: learn from the log, judge what was learnt, and serve it."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import time_ns
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError, SegueError

if TYPE_CHECKING:
    from learning.learner import Learner
    from learning.server_reload import ServerReload

_out = terminal(soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("learn")(learn)


def learn(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Event logs, or folders of them.", show_default="the log of the config"
        ),
    ] = None,
    config: Annotated[Path, typer.Option(help="The config that serves.")] = Path("config.yaml"),
    strategy: Annotated[
        str | None,
        typer.Option(
            help="The strategy that plays what is learnt.", show_default="the config's default"
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="How to learn a list or vectors of the config: NAME=MODEL, as "
            "`similar=neighbours:listener`; repeatable.",
            show_default="the model of its manifest",
        ),
    ] = None,
    pilot: Annotated[
        float,
        typer.Option(
            min=0, max=0.5, help="Share of the listeners who get a version first; 0 for no pilot."
        ),
    ] = 0.2,
    worse: Annotated[
        float,
        typer.Option(min=0, max=0.99, help="How much worse a version may be, as a share."),
    ] = 0.05,
    least: Annotated[
        int, typer.Option(min=1, help="New sessions that a round needs to learn from.")
    ] = 1000,
    patience: Annotated[
        int, typer.Option(min=1, help="Rounds after which an unclear pilot is given up.")
    ] = 7,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Play so many simulated days, each with a round after it."),
    ] = None,
    every: Annotated[
        str | None,
        typer.Option(help="Take a round every so often beside a running server: 1d, 12h, 30m."),
    ] = None,
    roll_back: Annotated[
        bool, typer.Option("--roll-back", help="Serve the version before, and end a pilot.")
    ] = False,
    server: Annotated[
        str | None,
        typer.Option(
            help="Address of the running server, to reload it; POST /admin/reload, or with --pid "
            "to see what it serves."
        ),
    ] = None,
    pid: Annotated[
        int | None, typer.Option(help="Process of the running server, to reload it by SIGHUP.")
    ] = None,
    pid_file: Annotated[Path | None, typer.Option(help="A file with that process id.")] = None,
    episodes: Annotated[int, typer.Option(min=1, help="Sessions of a simulated day.")] = 20_000,
    world: Annotated[
        Path | None,
        typer.Option(help="Folder of the simulated world.", show_default="that of the catalog"),
    ] = None,
    tracks: Annotated[
        Path | None, typer.Option(help="Catalog of the world, in place of --world.")
    ] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Its taste vectors, .npy.")] = None,
    users: Annotated[Path | None, typer.Option(help="Its listeners, JSON lines.")] = None,
    listener: Annotated[
        str, typer.Option(help="Listener model: `botify`, `lifelong`, or a YAML file.")
    ] = "botify",
    seed: Annotated[int, typer.Option(min=0, help="Seed of simulation and training.")] = 31337,
) -> None:
    """Learn the config's lists and vectors again from its log, and serve them if they pass.

    A round reads the new events, learns a version by the models that the manifests name, and
    checks it against what serves: offline figures, an off-policy estimate, then a pilot share of
    the listeners. A version that may be worse by more than --worse does not serve. Each decision
    stands with its reason in decisions.jsonl, in the folder of the versions (`catalog.learnt`).
    """
    from learning.learner import Learner, LearnOptions
    from training.training_options import TrainingOptions

    _check(rounds, every, roll_back, server, pid, pid_file)
    options = LearnOptions(
        config,
        tuple(logs or ()),
        _parse_models(model),
        strategy,
        pilot,
        worse,
        least,
        patience,
        TrainingOptions(seed=seed),
    )
    reload_ = _server_reload(config, server, pid, pid_file)
    learner = Learner(options, reload_, lambda: time_ns() // 1_000_000, _out.print)
    with learner.store.locked():
        if roll_back:
            learner.roll_back()
        elif rounds is not None:
            files = {"tracks": tracks, "embeddings": embeddings, "users": users}
            played: dict[str, Any] = {**files, "listener": listener}
            _run_rounds(learner, options, rounds, world, episodes, seed, played)
        elif every is not None:
            _run_every(learner, every)
        else:
            _take_round(learner)


def _check(rounds: Any, every: Any, roll_back: bool, server: Any, pid: Any, pid_file: Any) -> None:
    wanted = [
        name
        for name, given in (("--rounds", rounds), ("--every", every), ("--roll-back", roll_back))
        if given
    ]
    if len(wanted) > 1:
        raise InputError.one(" and ".join(wanted), "do different things. Give one of them")
    if rounds and (server or pid or pid_file):
        raise InputError.one(
            "--rounds",
            "plays simulated listeners in this process, and no server has a part in it. Leave out "
            "--server, --pid and --pid-file, or give --every",
        )
    if pid is not None and pid_file is not None:
        raise InputError.one("--pid-file", "must not stand beside --pid. Give one of them")


def _parse_models(pairs: Sequence[str] | None) -> dict[str, str]:
    models = {}
    for pair in pairs or ():
        name, equals, model = pair.partition("=")
        if not equals or not name or not model:
            raise InputError.one("--model", f"must be NAME=MODEL, got {pair!r}")
        models[name.strip()] = model.strip()
    return models


def _server_reload(
    config: Path, address: str | None, pid: int | None, pid_file: Path | None
) -> "ServerReload | None":
    """Choose how the running server reloads; None if the user named none."""
    from engine.settings.learnt_artifacts import ServingState
    from engine.settings.loading import load_settings
    from learning.server_reload import HttpReload, SignalReload, pid_in

    if address is None and pid is None and pid_file is None:
        return None
    settings = load_settings(config, ServingState())
    timeout_s = settings.server.reload_timeout_s + 10
    if pid_file is not None:
        pid = pid_in(pid_file)
    if pid is not None:
        return SignalReload(pid, address, timeout_s)
    assert address is not None
    env = settings.admin.token_env
    token = os.environ.get(env, "").strip()
    if not token:
        raise SegueError(
            f"--server {address}: a reload over HTTP needs the admin token, and {env} is not set. "
            "Set it as the server has it, or reload by SIGHUP with --pid or --pid-file"
        )
    return HttpReload(address, token, timeout_s)


def _take_round(learner: "Learner", is_over: bool = False) -> None:
    """Take a round; Ctrl-C leaves everything as it was."""
    with bars() as progress:
        learner.progress = progress
        try:
            learner.take_round(is_over)
        except KeyboardInterrupt:
            _out.print(f"Stopped in the middle of a round: {learner.what_serves}.")
            raise typer.Exit(130) from None


def _run_rounds(
    learner: "Learner",
    options: Any,
    rounds: int,
    world: Path | None,
    episodes: int,
    seed: int,
    played: dict[str, Any],
) -> None:
    """Play a day and take a round, so many times; then show all rounds."""
    from cli.simulated_day import SimulatedDays, world_folder
    from learning.round_figures import count_rounds
    from simulator.simulation.options import SimulationOptions

    simulated = SimulationOptions(
        ("local",),
        world=world or world_folder(options.config),
        config=options.config,
        episodes=episodes,
        seed=seed,
        **played,
    )
    with bars() as progress:
        days = SimulatedDays(simulated, progress)
    before = count_rounds(learner.ledger.read())
    for number in range(before, before + rounds):
        _out.print(f"Round {number + 1}", style="bold")
        with bars() as progress:
            days.play(number, progress)
        _take_round(learner, is_over=True)
    show_rounds(learner)


def _run_every(learner: "Learner", every: str) -> None:
    """Take a round every so often, until Ctrl-C or SIGTERM."""
    from learning.schedule import parse_period, run_every

    period_s = parse_period(every)
    with _stoppable() as (wait, in_round):

        def take_round() -> None:
            with in_round():
                _take_round(learner)

        run_every(
            period_s,
            take_round,
            learner.ledger.read,
            lambda: time_ns() // 1_000_000,
            wait,
            _out.print,
        )
    _out.print(f"Stopped: {learner.what_serves}.")


@contextmanager
def _stoppable() -> Iterator[tuple[Callable[[float], bool], Callable[[], Any]]]:
    """Give a wait that SIGINT and SIGTERM end, and a block for a round, which they interrupt."""
    asked = threading.Event()
    is_in_round = False

    def stop(number: int, frame: FrameType | None) -> None:
        asked.set()
        if is_in_round:
            raise KeyboardInterrupt

    @contextmanager
    def in_round() -> Iterator[None]:
        nonlocal is_in_round
        is_in_round = True
        try:
            yield
        finally:
            is_in_round = False

    before = {each: signal.signal(each, stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.wait, in_round
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def show_rounds(learner: "Learner") -> None:
    """Print the table of all rounds, and write their curve."""
    from learning.curve import CURVE_FILE, write_curve
    from learning.round_figures import decided_in, rows_of

    decisions = learner.ledger.read()
    rows = rows_of(decisions)
    table = Table("round", "strategy", "", "sessions", "time", "then", title="Rounds")
    seen = 0
    for row in rows:
        is_first, seen = row.round != seen, row.round
        then = [
            " ".join(filter(None, (each["outcome"], each["version"] and f"v{each['version']}")))
            for each in (decided_in(decisions, row.round) if is_first else [])
        ]
        table.add_row(
            str(row.round) if is_first else "",
            row.strategy,
            row.role,
            f"{row.sessions:,}",
            f"{row.time:.2f} ± {row.error:.2f}",
            ", ".join(then),
        )
    _out.print(table)
    path = learner.store.folder / CURVE_FILE
    write_curve(path, rows)
    _out.print(f"Wrote {path} and {learner.ledger.path}")
