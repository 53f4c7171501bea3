"""The files of the board's page, each with its type and a strong tag."""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

PAGE = "index.html"
GUIDE = "guide.html"
FOLDER = "static"
TYPES = {
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "ico": "image/x-icon",
    "js": "text/javascript; charset=utf-8",
    "json": "application/json",
    "mjs": "text/javascript; charset=utf-8",
    "png": "image/png",
    "svg": "image/svg+xml",
    "txt": "text/plain; charset=utf-8",
    "woff2": "font/woff2",
}
"""Ending of a file -> its type; no other file is served."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The page's Content-Security-Policy: files and requests of this server, and nothing inline."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A file.

    Attributes:
        content: Its bytes.
        media_type: Its type.
        tag: Its strong entity tag.
    """

    content: bytes
    media_type: str
    tag: str


@cache
def assets() -> dict[str, Asset]:
    """Read all files of the page, by their path inside the folder."""
    return dict(_below(files("app.board") / FOLDER, ""))


def _below(folder: Traversable, prefix: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for each in folder.iterdir():
        if each.is_dir():
            found += _below(each, f"{prefix}{each.name}/")
            continue
        kind = TYPES.get(each.name.rpartition(".")[2].lower())
        if kind is not None:
            content = each.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()[:18]).decode()
            found.append((f"{prefix}{each.name}", Asset(content, kind, f'"{digest}"')))
    return found


def is_known(tag: str, if_none_match: str | None) -> bool:
    """Test whether a browser has the file of this tag already."""
    given = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    return tag in given or "*" in given
