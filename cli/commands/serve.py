"""`segue serve` and `segue check`: load a config, then serve it or report that it is sound."""

import gc
import json
import logging
import signal
import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from app.admin import read_token
from app.application import create_app
from app.hosts import hosts_at
from app.listening import listen, listen_for_operations, url_of
from app.server import Server, raise_file_limit
from app.server_log import log_lines, set_up
from app.start import load_to_serve
from app.worker_sockets import WorkerSockets
from app.workers import check_workers, serve_with_workers
from cli.board_process import command_beside
from cli.terminal import terminal
from engine.experiment_ledger import ExperimentLedger
from engine.runtime import Runtime
from engine.settings.json_schema import config_schema
from engine.settings.loading import load_settings
from engine.settings.renames import renames_in
from strategies import registry

LOG = logging.getLogger("segue")
Say = Callable[[str], object]
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
    admin_address: Annotated[
        str | None,
        typer.Option(
            help="HOST:PORT for /metrics, /experiments, /docs and /admin alone.",
            show_default="admin.address",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that serve.", min=1, show_default="server.workers"),
    ] = None,
) -> None:
    """Serve recommendations over HTTP until Ctrl-C."""
    # A hangup that comes before the server is up asks for the config that is being loaded anyway.
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    set_up("text")
    runtime = load_to_serve(config)
    settings = runtime.settings.server
    set_up(settings.log)
    count = settings.workers if workers is None else workers
    check_workers(count, runtime.settings.state.backend)
    where = (settings.host if host is None else host, settings.port if port is None else port)
    address = runtime.settings.admin.address if admin_address is None else admin_address
    names = (*settings.hosts, where[0])
    say: Say = terminal(stderr=True, soft_wrap=True).print
    if settings.log == "json":
        say = log_lines
    if count > 1:
        sockets = WorkerSockets(*where, count)
        operations = None if address is None else listen_for_operations(address)
        _announce(runtime, say)
        serve_with_workers(
            runtime,
            count,
            sockets,
            operations,
            hosts_at(sockets.any, names),
            when_up=lambda: _say_listening(say, runtime, sockets.any, operations, count),
            board=command_beside(runtime),
        )
    else:
        listening = listen(*where)
        operations = None if address is None else listen_for_operations(address)
        _announce(runtime, say)
        _say_listening(say, runtime, listening, operations)
        hosts = hosts_at(listening, names)
        app = create_app(runtime, operations=operations, hosts=hosts, board=command_beside(runtime))
        server = Server(app, settings)
        # The catalog and lists live as long as the process: the collector need not walk them again.
        gc.collect()
        gc.freeze()
        server.run(sockets=[listening])
    say("Stopped")


def check(
    config: ConfigOption = Path("config.yaml"),
    schema: Annotated[
        bool,
        typer.Option(
            "--schema",
            help="Print the JSON Schema of config files, for editors, and check nothing.",
        ),
    ] = False,
) -> None:
    """Check a config and all the data that it names, without serving it.

    The schema has the strategy types of Segue, of installed plugins, and of the config's `modules`
    if there is a config.
    """
    if schema:
        registry.load()
        if config.exists():
            load_settings(config)
        typer.echo(json.dumps(config_schema(registry.known()), indent=2))
        return
    console = terminal(soft_wrap=True)
    runtime = load_to_serve(config)
    check_workers(runtime.settings.server.workers, runtime.settings.state.backend)
    _say(runtime, console.print)
    if runtime.settings.state.backend == "redis":
        _say_state(runtime, console)
    for warning in ExperimentLedger(runtime.settings.started_folder).changed_plans(runtime):
        console.print(Text.assemble(("changed", "yellow"), f": {warning}"))
    for rename in renames_in(runtime.settings):
        console.print(Text.assemble(("renamed", "yellow"), f": {rename}"))


def _announce(runtime: Runtime, say: Say) -> None:
    if (warning := raise_file_limit(runtime.settings.server.connections)) is not None:
        LOG.warning("%s", warning)
    _say(runtime, say)


def _say_listening(
    say: Say,
    runtime: Runtime,
    listening: socket.socket,
    operations: socket.socket | None,
    count: int = 1,
) -> None:
    docs = "docs at /docs, " if operations is None else ""
    many = f"{count} workers, " if count > 1 else ""
    say(f"Listening on {url_of(listening)} ({many}{docs}Ctrl-C stops)")
    if operations is not None:
        say(f"Operations on {url_of(operations)} (docs at /docs, metrics, experiments)")
    _say_board(say, runtime, operations or listening, operations is not None)


def _say_board(say: Say, runtime: Runtime, listening: socket.socket, own_address: bool) -> None:
    """Say where the board is, and whether it needs the token."""
    admin = runtime.settings.admin
    if not admin.board:
        return
    if own_address or hosts_at(listening, ()) is not None:
        say(f"Board on {url_of(listening)}/board")
    elif read_token(admin.token_env):
        say(f"Board on {url_of(listening)}/board (the password is the token in {admin.token_env})")
    else:
        say(
            "No board: it shows listeners' histories, and other machines can reach this address. "
            f"Set {admin.token_env} or admin.address"
        )


def _say(runtime: Runtime, say: Say) -> None:
    settings = runtime.settings
    say(
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
        say(f"  experiment {experiment.name}: {arms}; traffic {experiment.traffic:g}; {age}")
    say(f"  everyone else: {runtime.default}")
    say(f"  events: {settings.resolve(settings.events.dir)}")
    token = settings.admin.token_env
    admin = "with the token in" if read_token(token) else "off, since no token is in"
    watched = " or when the file changes" if settings.watch else ""
    hangup = "on SIGHUP" if hasattr(signal, "SIGHUP") else "never on a signal (Windows has none)"
    say(f"  reload: {hangup}{watched}; over HTTP: {admin} {token}")
    if clients := ", ".join(settings.server.keys_env):
        say(f"  clients with a key: {clients}")


def _say_state(runtime: Runtime, console: Console) -> None:
    """Reach the Redis of the config, and say what it is and whether it has room."""
    from engine.shared_state.inspection import inspect_state

    for report in inspect_state(runtime.settings):
        console.print(Text(f"  state: {report}"))
        if (warning := report.warning) is not None:
            console.print(Text.assemble(("full", "yellow"), f": {warning}"))
