"""`segue demo`: serve, log, learn from the log, serve what was learnt, measure it.

Every step is a command that is printed and can be typed again; nothing is shared between them but
HTTP, event logs, list files and one config.
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

from core.errors import InputError, SegueError

MARK = "# Written by `segue demo`, which may write it again.\n"
LISTENING = "Listening on "
PATIENCE_S = 60.0

RANDOM: dict[str, Any] = {
    "strategies": {"random": {"type": "random"}},
    "default": "random",
}
"""The first day: nobody knows anything."""

LEARNT: dict[str, Any] = {
    "strategies": {
        "random": {"type": "random"},
        "popular": {"type": "top_pop", "top": 100, "fallback": "random"},
        "contextual": {"type": "contextual", "list": "near", "fallback": "random"},
        "improved": {
            "type": "contextual_and_popular",
            "list": "near",
            "popular": "popular",
            "fallback": "random",
        },
        "personal": {"type": "personal", "list": "personal", "fallback": "popular"},
        "liked": {
            "type": "contextual_liked",
            "list": "similar",
            "personal": "personal",
            "anchor": "weighted",
            "fallback": "popular",
        },
    },
    "default": "contextual",
    "experiments": [
        {
            "name": "toppop_after_skip",
            "slots": [0, 5000],
            "arms": {
                "C": {"strategy": "contextual", "weight": 50},
                "T1": {"strategy": "improved", "weight": 50},
            },
        },
        {
            "name": "liked_track_vs_personal",
            "slots": [5000, 10000],
            "arms": {
                "C": {"strategy": "personal", "weight": 50},
                "T1": {"strategy": "liked", "weight": 50},
            },
        },
    ],
}
"""The second day: the experiments of both origins, over lists learnt from the first."""

LISTS = {
    "near": "lists/neighbours_bm25_by_track.npz",
    "similar": "lists/factors_by_track.npz",
    "personal": "lists/factors_by_listener.npz",
}

_out = Console(highlight=False, soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    config: Annotated[
        Path, typer.Option(help="Its catalog is played; nothing else of it is used.")
    ] = Path("config.yaml"),
    world: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the listeners; where the catalog is if left.", show_default=False
        ),
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder for config, log, lists and report.")] = Path(
        "demo"
    ),
    episodes: Annotated[int, typer.Option(min=100, help="Sessions a day, for two days.")] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="Of the simulation and of the models.")] = 31337,
) -> None:
    """Go the whole circle on this machine: random, a day's log, learnt lists, two experiments.

    Starts a server that plays at random, simulates a day of listeners, learns lists from the log,
    reloads the server with them, runs both origins' experiments for a day, verifies the log and
    writes the report. Each step is printed as the command that it is.
    """
    from engine.settings.loading import load_settings

    began = monotonic()
    settings = load_settings(config)
    tracks = settings.resolve(settings.catalog.tracks)
    home = world or tracks.parent
    _clear(to)
    own = to / "config.yaml"
    _write(own, tracks, {}, RANDOM)
    play = ["simulate", "--world", str(home), "--episodes", str(episodes)]
    learn = ["--catalog", str(tracks), "--to", str(to / "lists"), "--seed", str(seed)]
    log = str(to / "log")
    with _served(own, to / "server.log") as (server, address):
        play += ["--recommender", address]
        _step("A day of listening to tracks drawn at random", *play, "--seed", str(seed))
        _step("Learn what is popular", "train", "popular", log, *learn)
        _step(
            "Learn which tracks go together",
            "train", "neighbours", log, *learn, "--variant", "bm25", "--top", "30",
        )  # fmt: skip
        _step(
            "Learn what suits a listener",
            "train", "factors", log, *learn, "--top", "30", "--set", "factors=32",
            "--set", "regularization=0.1",
        )  # fmt: skip
        _title("Serve what was learnt, to listeners split into the arms of two experiments")
        _write(own, tracks, LISTS, LEARNT)
        _reload(server, address, to / "server.log")
        _out.print(f"{own} names the lists now; the server was sent SIGHUP and serves them.")
        _step("A day of both experiments", *play, "--seed", str(seed + 1))
    _step("Is the log to be believed?", "verify", log)
    page = to / "report.html"
    _step("Who won?", "report", log, "--config", str(own), "--html", str(page))
    minutes = (monotonic() - began) / 60
    _title(f"Done in {minutes:.1f} minutes")
    _out.print(f"The report:       {page.resolve().as_uri()}")
    _out.print(f"The event log:    {log}")
    _out.print(f"Lists, metrics:   {to / 'lists'}")
    _out.print(f"Serve it again:   segue serve --config {own}")


def _step(title: str, *arguments: str) -> None:
    """Run a command of ours where everybody sees it."""
    _title(title)
    _out.print("$ " + shlex.join(["segue", *arguments]), style="dim")
    ended = subprocess.run([sys.executable, "-m", "cli", *arguments], check=False)  # noqa: S603
    if ended.returncode:
        raise SegueError(
            f"demo: `segue {arguments[0]}` ended with code {ended.returncode}, see above"
        )


def _title(title: str) -> None:
    _out.print(f"\n[bold]{title}[/bold]")


def _clear(to: Path) -> None:
    """Make the folder, or empty that of an earlier demo: its log would be taken for this one's."""
    own = to / "config.yaml"
    if to.exists() and not to.is_dir():
        raise InputError.one(str(to), "must be a folder. Choose another with --to")
    if to.is_dir() and any(to.iterdir()):
        if not own.is_file() or not own.read_text(encoding="utf-8").startswith(MARK):
            raise InputError.one(
                str(to), "holds what no demo wrote, and would be emptied. Choose another with --to"
            )
        for name in ("log", "lists"):
            shutil.rmtree(to / name, ignore_errors=True)
    to.mkdir(parents=True, exist_ok=True)


def _write(own: Path, tracks: Path, lists: dict[str, str], rest: dict[str, Any]) -> None:
    catalog: dict[str, Any] = {"tracks": os.path.relpath(tracks, own.parent)}
    if lists:
        catalog |= {"top": "lists/popular.json", "lists": lists}
    content = {"catalog": catalog, **rest, "events": {"dir": "log/"}}
    own.write_text(MARK + yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


@contextmanager
def _served(own: Path, said: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """A server of this config on a free port, ended with the block."""
    _title("Start a server")
    arguments = ["serve", "--config", str(own), "--port", "0"]
    _out.print("$ " + shlex.join(["segue", *arguments]), style="dim")
    with said.open("wb") as errors:
        server = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "cli", *arguments], stderr=errors, start_new_session=True
        )
    try:
        address = _address(server, said)
        _out.print(f"It listens on {address}")
        yield server, address
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            server.kill()


def _address(server: subprocess.Popen[bytes], said: Path) -> str:
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline and server.poll() is None:
        for line in said.read_text(encoding="utf-8").splitlines():
            if line.startswith(LISTENING):
                return line.removeprefix(LISTENING).split()[0]
        sleep(0.05)
    raise SegueError(f"demo: the server did not start:\n{said.read_text(encoding='utf-8')}")


def _reload(server: subprocess.Popen[bytes], address: str, said: Path) -> None:
    """Have the config read again, and wait until its experiments run."""
    import httpx

    server.send_signal(signal.SIGHUP)
    wanted = {experiment["name"] for experiment in LEARNT["experiments"]}
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline and server.poll() is None:
        running = httpx.get(f"{address}/experiments", timeout=PATIENCE_S).json()["experiments"]
        if wanted <= {experiment["name"] for experiment in running}:
            return
        if "refused" in said.read_text(encoding="utf-8"):
            break
        sleep(0.1)
    raise SegueError(f"demo: the server did not reload:\n{said.read_text(encoding='utf-8')}")
