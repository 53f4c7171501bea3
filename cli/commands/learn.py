"""`segue learn`: learn from the log, judge what was learnt, and serve it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import time_ns
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.terminal import terminal
from core.errors import InputError
from events.url_path import disk_path

if TYPE_CHECKING:
    from simulator.simulation.options import SimulationOptions

_out = terminal(soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("learn")(learn)


def learn(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=disk_path,
            help="Event logs, or folders of them.",
            show_default="the log of the config",
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
        int | None,
        typer.Option(min=1, help="Process of the running server, to reload it by SIGHUP."),
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
    from cli.learning_rounds import run_every_period, run_rounds, take_round
    from cli.reload_target import server_reload
    from learning.learn_options import LearnOptions
    from learning.learner import Learner
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
    # Simulated days are played in this process: no server has a part in them.
    reload_ = server_reload(config, server, pid, pid_file) if rounds is None else None
    learner = Learner(options, reload_, lambda: time_ns() // 1_000_000, _out.print)
    with learner.store.locked():
        if roll_back:
            learner.roll_back()
        elif rounds is not None:
            files = {"tracks": tracks, "embeddings": embeddings, "users": users}
            simulated = _simulation(config, world, episodes, seed, listener, files)
            run_rounds(learner, simulated, rounds)
        elif every is not None:
            run_every_period(learner, every)
        else:
            take_round(learner)


def _simulation(
    config: Path,
    world: Path | None,
    episodes: int,
    seed: int,
    listener: str,
    files: Mapping[str, Path | None],
) -> "SimulationOptions":
    """Make the options of the simulated days."""
    from cli.simulated_day import world_folder
    from simulator.simulation.options import SimulationOptions

    return SimulationOptions(
        ("local",),
        world=world or world_folder(config),
        config=config,
        episodes=episodes,
        seed=seed,
        listener=listener,
        tracks=files["tracks"],
        embeddings=files["embeddings"],
        users=files["users"],
    )


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
