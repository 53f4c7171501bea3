"""The command `segue`: finds its subcommands, and turns our errors into exit code 2.

Every module of `cli/commands` with a `register(app)` adds its commands. Such a module imports at
its top only what every installation has, and imports what an extra brings inside the command: so
`segue serve` needs no analysis installed, and does not wait for it to load.
"""

import importlib
import os
import pkgutil
import sys
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console

import cli.commands
from cli.own_packages import fault_of_packages
from cli.terminal import accept_every_character, terminal

EXTRAS = {
    "duckdb": "analysis",
    "fsspec": "analysis",
    "gymnasium": "simulator",
    "implicit": "train",
    "matplotlib": "train",
    "pyarrow": "analysis",
    "pyspark": "spark",
    "redis": "redis",
    "scipy": "analysis",
    "torch": "train",
    "usearch": "vectors",
    "vl_convert": "analysis",
    "zstandard": "analysis",
}


def build() -> typer.Typer:
    """Put the command line together, with all its subcommands."""
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
        from core.version import version

        terminal().print(f"segue {version()}")
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
    accept_every_character()
    if "serve" in sys.argv[1:2]:
        limit_blas_threads()
    errors = terminal(stderr=True, soft_wrap=True)
    if wrong := fault_of_packages():
        errors.print(f"segue: {wrong}")
        sys.exit(2)
    # Not at the top: there it would run before the check, and might import the user's `core`.
    from core.errors import InputError, SegueError

    try:
        build()()
    except InputError as error:
        _print_faults(errors, error.faults, error.count)
        sys.exit(2)
    except SegueError as error:
        errors.print(f"segue: {error}")
        sys.exit(2)
    except KeyboardInterrupt:  # while the commands load; typer answers a later one
        errors.print("segue: interrupted")
        sys.exit(130)
    except ModuleNotFoundError as error:
        if (extra := _extra_of(error)) is None:
            raise
        errors.print(
            f"segue: this command needs '{error.name}', which is not installed. "
            f"Install it with: pip install 'segue[{extra}]'",
        )
        sys.exit(2)


BLAS_THREADS = (
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def limit_blas_threads() -> None:
    """Let matrix products of this process run in one thread, unless its environment says more.

    BLAS reads the variables when numpy is imported. A server's products are small, and several
    threads of several workers wait for each other: 2.6 ms a decision under load, where one thread
    takes 0.26 ms.
    """
    for name in BLAS_THREADS:
        os.environ.setdefault(name, "1")


def _print_faults(errors: Console, faults: Sequence[object], count: int) -> None:
    errors.print(f"{count:,} fault{'s' if count > 1 else ''} found:", style="red")
    for fault in faults:
        errors.print(f"  {fault}")


def _extra_of(error: ModuleNotFoundError) -> str | None:
    """The extra that brings the missing module, if one does."""
    return EXTRAS.get((error.name or "").partition(".")[0])
