"""`segue board`: the board over a folder of logs, without a server that takes turns."""

import signal
from pathlib import Path
from typing import Annotated

import typer

from app.admin import Admin, read_token
from app.hosts import hosts_at
from app.listening import listen, url_of
from app.server import Server
from app.server_log import set_up
from app.standalone_board import create_board
from audit.board.sources import BoardSources
from cli.board_process import command_for
from cli.terminal import terminal
from core.errors import Faults, SegueError
from engine.settings.model import AdminSettings, ServerSettings
from events.url_path import disk_path

PORT = 8010


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("board")(board)


def board(
    log: Annotated[
        list[Path],
        typer.Argument(parser=disk_path, help="Event files, or folders with files below."),
    ],
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = PORT,
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of config snapshots that is not beside the logs; repeatable."),
    ] = None,
) -> None:
    """Show logs on a board in the browser, until Ctrl-C: several workers' or hosts' together.

    `segue serve` shows its own log at /board. This one follows logs that grow, too. It has no seat
    and reloads no config. Where other machines can reach it, it asks for the admin token.
    """
    set_up("text")
    _check_paths(log)
    token_env = AdminSettings().token_env
    token = read_token(token_env)
    sources = BoardSources(
        tuple(path.absolute() for path in log),
        folders=tuple(path.absolute() for path in configs or ()),
    )
    listening = listen(host, port)
    settings = ServerSettings(door="plain")
    hosts = hosts_at(listening, (*settings.hosts, host))
    if hosts is None and not token:
        listening.close()
        raise SegueError(
            f"--host {host}: other machines can reach it, and a board shows listeners' histories. "
            f"Set {token_env} to a token that viewers must know, or use 127.0.0.1"
        )
    app = create_board(command_for(sources), hosts, Admin(token, token_env))
    asks = "" if hosts is not None else f"the password is the token in {token_env}; "
    terminal(stderr=True, soft_wrap=True).print(
        f"Board on {url_of(listening)}/board ({asks}Ctrl-C stops)"
    )
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    Server(app, settings).run(sockets=[listening])


def _check_paths(logs: list[Path]) -> None:
    """Refuse a path that is not there; a folder may get its first event file later."""
    faults = Faults()
    for path in logs:
        if not path.exists():
            faults.add(str(path), "is not there: name an event file or a folder for event files")
    faults.raise_if_any()
