"""The command `segue`: finds its subcommands, and turns our errors into exit code 2.

Every module of this folder with a `register(app)` adds its commands there. Such a module imports
at its top only what every installation has; what an extra brings is imported inside the command,
so that serving does not need the analysis installed, nor wait for it to load.
"""

import importlib
import pkgutil
import sys
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console

import cli.commands
from core.errors import InputError, SegueError

EXTRAS = {
    "duckdb": "analysis",
    "fsspec": "analysis",
    "gymnasium": "simulator",
    "implicit": "train",
    "matplotlib": "train",
    "pyarrow": "analysis",
    "redis": "redis",
    "scipy": "analysis",
    "torch": "train",
    "vl_convert": "analysis",
    "zstandard": "analysis",
}


def build() -> typer.Typer:
    """The command line with all its subcommands."""
    app = typer.Typer(
        name="segue",
        help="Next-track recommendations, and experiments that can be trusted.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="markdown",
    )
    app.callback()(_root)
    for found in sorted(module.name for module in pkgutil.iter_modules(cli.commands.__path__)):
        if found.startswith("_"):
            continue
        register = getattr(importlib.import_module(f"cli.commands.{found}"), "register", None)
        if register is not None:
            register(app)
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        Console(highlight=False).print(f"segue {metadata.version('segue')}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    """Next-track recommendations, and experiments that can be trusted."""


def main() -> None:
    """Run the command line; faulty input ends with exit code 2 and no traceback."""
    errors = Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        build()()
    except InputError as error:
        count = len(error.faults)
        errors.print(f"[red]{count} fault{'s' if count > 1 else ''} found:[/red]")
        for fault in error.faults:
            errors.print(f"  {fault}", markup=False)
        sys.exit(2)
    except SegueError as error:
        errors.print(f"segue: {error}", markup=False)
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        errors.print(
            f"segue: this command needs '{error.name}', which is not installed. "
            f"Install it with: pip install 'segue[{extra}]'",
            markup=False,
        )
        sys.exit(2)
