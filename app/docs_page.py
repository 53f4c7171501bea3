"""The page /docs: the OpenAPI description as HTML, with a form that tries each route.

It needs nothing but this server: no file of a different host, and one script, which its own
Content-Security-Policy names by its hash.
"""

import base64
import json
import re
from collections import defaultdict
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template
from typing import Any

Described = dict[str, Any]


def docs_page(document: Described) -> str:
    """Return the page of an OpenAPI document."""
    groups: defaultdict[str, list[str]] = defaultdict(list)
    for path, methods in document["paths"].items():
        for method, route in methods.items():
            group = route.get("tags", ["listeners"])[0]
            groups[group].append(_route(path, method, route, document))
    info = document["info"]
    return Template(_file("docs_page.html")).substitute(
        title=escape(info["title"]),
        description=escape(info["description"]),
        style=_file("docs_page.css"),
        script=_file("docs_page.js"),
        routes="\n".join(
            f"<h2>{escape(group)}</h2>\n" + "\n".join(routes) for group, routes in groups.items()
        ),
    )


@cache
def content_policy() -> str:
    """Return the page's Content-Security-Policy: our style and script, requests to us alone."""
    style, script = (
        base64.b64encode(sha256(_file(name).encode()).digest()).decode()
        for name in ("docs_page.css", "docs_page.js")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'"
    )


@cache
def _file(name: str) -> str:
    return (files("app") / name).read_text(encoding="utf-8")


def _route(path: str, method: str, route: Described, document: Described) -> str:
    summary, _, more = route["description"].partition("\n")
    parts = [
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"{_text(summary)}</summary>",
        f"<p>{_text(more)}</p>" if more.strip() else "",
    ]
    content = route.get("requestBody", {}).get("content", {}).get("application/json")
    if content is not None:
        parts.append(f"<pre>{escape(content['schema'].get('description', ''))}</pre>")
    parts.append(_answers(route["responses"], document))
    parts.append(_form(path, method, route, content))
    return "\n".join([*parts, "</details>"])


def _text(text: str) -> str:
    """Return text as HTML, its names in back-ticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _answers(responses: Described, document: Described) -> str:
    """Return the table of a route's answers, each with its fields."""
    rows = []
    for status, response in responses.items():
        rows.append(f"<tr><th>{status}<td colspan=2>{_text(response.get('description', ''))}")
        for content in response.get("content", {}).values():
            for name, field in _fields_of(content.get("schema", {}), document):
                text = _text(field.get("description", ""))
                rows.append(f"<tr><td><td><code>{escape(name)}</code><td>{text}")
    return f"<table>{''.join(rows)}</table>"


def _fields_of(schema: Described, document: Described) -> list[tuple[str, Described]]:
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", {}).items())


def _form(path: str, method: str, route: Described, content: Described | None) -> str:
    """Return the form that tries a route."""
    inputs = [
        f"<label><code>{escape(each['name'])}</code> {_text(each.get('description', ''))}"
        f'<input name="{escape(each["name"])}" data-in="{each["in"]}"'
        f"{' required' if each['required'] else ''}></label>"
        for each in route.get("parameters", ())
    ]
    if content is not None:
        example = json.dumps(content.get("example", {}))
        inputs.append(f"<label>Body<textarea rows=3>{escape(example)}</textarea></label>")
    if "`Authorization: Bearer`" in route["description"]:
        inputs.append(
            "<label><code>Authorization</code> <code>Bearer</code> and the token"
            '<input name="Authorization" data-in="header"></label>'
        )
    return (
        f'<form data-path="{escape(path)}" data-method="{method.upper()}">{"".join(inputs)}'
        "<button>Send</button><pre hidden></pre></form>"
    )
