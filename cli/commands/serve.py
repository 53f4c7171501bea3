"""`segue serve` and `segue check`: load a config, then serve it or report that it is sound."""

import errno
import gc
import logging
import os
import signal
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from app.application import create_app
from app.server import Server, raise_file_limit
from cli.terminal import terminal
from core.errors import SegueError
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.settings.renames import renames_in

ConfigOption = Annotated[Path, typer.Option("--config", help="The config file.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("serve")(serve)
    app.command("check")(check)


def serve(
    config: ConfigOption = Path("config.yaml"),
    host: Annotated[
        str | None, typer.Option(help="Address to listen on.", show_default="server.host")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on.", min=0, max=65535, show_default="server.port"),
    ] = None,
) -> None:
    """Serve recommendations over HTTP until Ctrl-C."""
    # A hangup that comes before the server is up asks for the config that is being loaded anyway.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    runtime = _loaded(config)
    settings = runtime.settings.server
    listening = _listen(
        settings.host if host is None else host, settings.port if port is None else port
    )
    console = terminal(stderr=True, soft_wrap=True)
    if (warning := raise_file_limit(settings.connections)) is not None:
        console.print(warning, style="yellow")
    _say(runtime, console)
    address, taken_port = listening.getsockname()[:2]
    console.print(f"Listening on http://{address}:{taken_port} (docs at /docs, Ctrl-C stops)")
    server = Server(create_app(runtime), settings)
    # The catalog and lists live as long as the process: the collector need not walk them again.
    gc.collect()
    gc.freeze()
    server.run(sockets=[listening])
    console.print("Stopped")


def check(config: ConfigOption = Path("config.yaml")) -> None:
    """Check a config and all the data that it names, without serving it."""
    console = terminal(soft_wrap=True)
    runtime = _loaded(config)
    _say(runtime, console)
    for warning in ExperimentLedger(runtime.settings.started_folder).changed_plans(runtime):
        console.print(Text.assemble(("changed", "yellow"), f": {warning}"))
    for rename in renames_in(runtime.settings):
        console.print(Text.assemble(("renamed", "yellow"), f": {rename}"))


def _loaded(config: Path) -> Runtime:
    """Load the config, and check it against the experiments that were started before."""
    runtime = load_runtime(load_settings(config))
    ExperimentLedger(runtime.settings.started_folder).check(runtime)
    return runtime


def _say(runtime: Runtime, console: Console) -> None:
    settings = runtime.settings
    console.print(
        f"{settings.path} is sound: {len(runtime.catalog):,} tracks, "
        f"{len(settings.catalog.lists)} lists, {len(runtime.chains)} strategies, "
        f"config {runtime.digest}"
    )
    started = ExperimentLedger(settings.started_folder).started(settings.experiments)
    for experiment in settings.experiments:
        arms = ", ".join(
            f"{arm.name} {arm.weight:g}" + (f" {arm.strategy}" if arm.strategy else "")
            for arm in experiment.arms
        )
        begun = started.get(experiment.name)
        age = "new"
        if begun is not None:
            age = f"since {datetime.fromtimestamp(begun.at_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
        console.print(
            f"  experiment {experiment.name}: {arms}; traffic {experiment.traffic:g}; {age}"
        )
    console.print(f"  everyone else: {runtime.default}")
    console.print(f"  events: {settings.resolve(settings.events.dir)}")
    token = settings.admin.token_env
    admin = "with the token in" if os.environ.get(token) else "off, since no token is in"
    watched = " or when the file changes" if settings.watch else ""
    console.print(f"  reload: on SIGHUP{watched}; over HTTP: {admin} {token}")


def _listen(host: str, port: int) -> socket.socket:
    """Take the port before the server says that it listens."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    except socket.gaierror as error:
        raise SegueError(
            f"--host {host}: must be the name or address of this machine: {error.strerror}. "
            "Use 127.0.0.1, or 0.0.0.0 to listen to other machines"
        ) from error
    listening = socket.socket(family)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        # The backlog that uvicorn uses: a client that comes before it is ready waits for it.
        listening.listen(2048)
    except OSError as error:
        listening.close()
        if error.errno == errno.EADDRINUSE:
            raise SegueError(
                f"{host}:{port} is taken by another process. Choose a port with --port "
                "(make run PORT=8001), or stop that process"
            ) from error
        raise SegueError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Choose a host of this machine "
            "with --host, and a port that you may use with --port"
        ) from error
    return listening
