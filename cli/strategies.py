"""`segue strategies`: which strategy types there are, with their params."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

import strategies  # noqa: F401  (importing it registers the built-in types)
from strategies import registry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("strategies")(show)


def show(
    module: Annotated[
        list[str] | None, typer.Option(help="A module that registers more types; repeatable.")
    ] = None,
) -> None:
    """List the strategy types and their params."""
    registry.load(tuple(module or ()), Path.cwd())
    table = Table("type", "what it proposes", "params", show_lines=True)
    for name, found in registry.known().items():
        rows = []
        for key, info in found.params.model_fields.items():
            kind = getattr(info.annotation, "__name__", str(info.annotation))
            rows.append(f"{key}" + ("" if info.is_required() else f" = {info.default!r}"))
            if info.is_required():
                rows[-1] += f" ({kind}, required)"
        table.add_row(name, found.about, "\n".join(rows) or "none")
    Console().print(table)
