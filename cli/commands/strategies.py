"""`segue strategies`: lists the strategy types with their params, or shows one in full."""

import inspect
import json
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic.fields import FieldInfo
from rich.table import Table

import strategies  # noqa: F401  (importing it registers the built-in types)
from cli.terminal import terminal
from engine.settings.json_schema import meaning
from strategies import registry
from strategies.base import Params, marks_of
from strategies.registry import Registered

NAMED = {
    "track lists": "name of lists by track",
    "user lists": "name of lists by user",
    "track vectors": "name of vectors of tracks",
    "user tables": "name of a table by listener",
    "strategy": "name of a strategy",
    "track": "id of a track",
    "field": "name of a field of the catalog",
}
ENDS = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("strategies")(show)


def show(
    type_name: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="Show this type in full.")
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="Module that registers more types; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the strategy types with their params, or show one of them in full."""
    registry.load(tuple(module or ()), Path.cwd())
    if type_name is not None:
        found = registry.find(type_name)
        return _print_json(_described(found)) if as_json else _print_one(found)
    if as_json:
        return _print_json([_described(found) for found in registry.known().values()])
    table = Table("type", "what it proposes", "params", show_lines=True)
    for name, found in registry.known().items():
        params = [
            param["name"] + (" (required)" if param["required"] else f": {_yaml(param['default'])}")
            for param in _params(found.params)
        ]
        table.add_row(name, found.about, "\n".join(params) or "none")
    out = terminal()
    out.print(table)
    return out.print("`segue strategies TYPE` shows one of them in full.")


def _print_one(found: Registered) -> None:
    out = terminal()
    out.print(f"{found.name}, of {found.module}\n", style="bold")
    out.print(inspect.cleandoc(found.make.__doc__ or ""))
    params = _params(found.params)
    if params:
        table = Table("param", "default", "value", "meaning", show_lines=True)
        for param in params:
            default = "(required)" if param["required"] else _yaml(param["default"])
            table.add_row(param["name"], default, param["value"], param["meaning"])
        out.print()
        out.print(table)
    for example in _examples(found):
        out.print(f"\n{_yaml({'my_name': example})}", soft_wrap=True)


def _print_json(what: Any) -> None:
    typer.echo(json.dumps(what, indent=2))


def _described(found: Registered) -> dict[str, Any]:
    return {
        "type": found.name,
        "about": found.about,
        "module": found.module,
        "params": _params(found.params),
    }


def _params(params: type[Params]) -> list[dict[str, Any]]:
    """Describe each param in plain values: the required ones first, then in the model's order."""
    schema = params.model_json_schema()
    described = []
    for key, info in params.model_fields.items():
        described.append(
            {
                "name": key,
                "required": info.is_required(),
                "default": None if info.is_required() else info.default,
                "value": _value(info, schema["properties"][key]),
                "meaning": meaning(params, key),
            }
        )
    return sorted(described, key=lambda param: not param["required"])


def _value(info: FieldInfo, schema: dict[str, Any]) -> str:
    """Say in words which values a param takes."""
    named = dict.fromkeys(NAMED[mark.kind] for mark in marks_of(info))
    kind = {"array": "list", "object": "mapping"}.get(
        schema.get("type", ""), schema.get("type", "")
    )
    if named:
        names = " or ".join(named)
        return {"mapping": f"{names}: weight", "list": f"list with {names}"}.get(kind, names)
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    ends = [f"{sign} {schema[end]:g}" for end, sign in ENDS if end in schema]
    return " ".join([kind or "see the meaning", *ends])


def _examples(found: Registered) -> list[dict[str, Any]]:
    extra = found.params.model_config.get("json_schema_extra")
    examples: Any = extra.get("examples", []) if isinstance(extra, dict) else []
    required = {param["name"]: "..." for param in _params(found.params) if param["required"]}
    return [{"type": found.name, **example} for example in examples or [required]]


def _yaml(value: Any) -> str:
    written = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=1000)
    return written.removesuffix("...\n").strip()
