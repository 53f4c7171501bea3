"""`segue strategies`: which strategy types there are, with their params."""

import inspect
import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

import strategies  # noqa: F401  (importing it registers the built-in types)
from strategies import registry
from strategies.base import Params, marks_of
from strategies.registry import Registered

NAMED = {
    "track lists": "name of lists by track",
    "user lists": "name of lists by user",
    "strategy": "name of a strategy",
    "track": "id of a track",
}
ENDS = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("strategies")(show)


def show(
    type_name: Annotated[
        str | None, typer.Argument(metavar="[TYPE]", help="Tell all about this one.")
    ] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="A module that registers more types; repeatable.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the strategy types and their params, or tell all about one of them."""
    registry.load(tuple(module or ()), Path.cwd())
    if type_name is not None:
        found = registry.find(type_name)
        return _print_json(_described(found)) if as_json else _print_one(found)
    if as_json:
        return _print_json([_described(found) for found in registry.known().values()])
    table = Table("type", "what it proposes", "params", show_lines=True)
    for name, found in registry.known().items():
        said = [
            param["name"] + (" (required)" if param["required"] else f": {_yaml(param['default'])}")
            for param in _params(found.params)
        ]
        table.add_row(name, found.about, "\n".join(said) or "none")
    out = Console(highlight=False)
    out.print(table)
    return out.print("`segue strategies TYPE` tells all about one of them.", markup=False)


def _print_one(found: Registered) -> None:
    out = Console(highlight=False)
    out.print(f"{found.name}, of {found.module}\n", style="bold", markup=False)
    out.print(inspect.cleandoc(found.make.__doc__ or ""), markup=False)
    params = _params(found.params)
    if params:
        table = Table("param", "default", "value", "meaning", show_lines=True)
        for param in params:
            default = "(required)" if param["required"] else _yaml(param["default"])
            table.add_row(param["name"], default, param["value"], param["meaning"])
        out.print()
        out.print(table)
    for example in _examples(found):
        out.print(f"\n{_yaml({'my_name': example})}", markup=False, soft_wrap=True)


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
    """Each param as plain values: what is required first, then in the order of the model."""
    schema = params.model_json_schema()
    described = []
    for key, info in params.model_fields.items():
        described.append(
            {
                "name": key,
                "required": info.is_required(),
                "default": None if info.is_required() else info.default,
                "value": _value(info, schema["properties"][key]),
                "meaning": _meaning(params, key),
            }
        )
    return sorted(described, key=lambda param: not param["required"])


def _value(info: FieldInfo, said: dict[str, Any]) -> str:
    """What may stand there, in words."""
    named = dict.fromkeys(NAMED[mark.kind] for mark in marks_of(info))
    kind = {"array": "list", "object": "mapping"}.get(said.get("type", ""), said.get("type", ""))
    if named:
        names = " or ".join(named)
        return {"mapping": f"{names}: weight", "list": f"list with {names}"}.get(kind, names)
    if "enum" in said or "const" in said:
        return " | ".join(map(str, said.get("enum", [said.get("const")])))
    ends = [f"{sign} {said[end]:g}" for end, sign in ENDS if end in said]
    return " ".join([kind or "see the meaning", *ends])


def _meaning(params: type[Params], key: str) -> str:
    """What the docstring of the model, or of the one that it is based on, says of a param."""
    for model in params.__mro__:
        told = re.search(
            rf"^ +{key}: (.*(?:\n {{8,}}\S.*)*)",
            inspect.cleandoc(model.__doc__ or ""),
            re.MULTILINE,
        )
        if told and issubclass(model, Params):
            return " ".join(told[1].split())
    return ""


def _examples(found: Registered) -> list[dict[str, Any]]:
    extra = found.params.model_config.get("json_schema_extra")
    examples: Any = extra.get("examples", []) if isinstance(extra, dict) else []
    required = {param["name"]: "..." for param in _params(found.params) if param["required"]}
    return [{"type": found.name, **example} for example in examples or [required]]


def _yaml(value: Any) -> str:
    written = yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=1000)
    return written.removesuffix("...\n").strip()
