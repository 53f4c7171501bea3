"""The terminal that commands print to: data prints as it is, whatever is in it."""

import codecs
import re
import sys
from collections.abc import Iterable
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line feed, and those that reorder the text around them."""

_PLAIN = {
    "·": "-", "–": "-", "—": "-", "…": "...", "×": "x", "±": "+/-", "✓": "v", "✗": "x",
    "▸": ">", "◂": "<", "’": "'",
}  # fmt: skip
"""Our own typography, for terminals that have ASCII only; a letter of data prints as its code."""

_PLAIN_ERRORS = "segue-plain"


class _Terminal(Console):
    """A console that shows a control character as its code.

    A title with an escape sequence would otherwise colour the terminal, or overwrite lines.
    """

    def render_str(self, text: str, **options: Any) -> Text:
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        # Text that a command styled itself does not pass through `render_str`.
        for segment in super().render(renderable, options):
            if segment.control or not _UNSEEN.search(segment.text):
                yield segment
            else:
                yield Segment(visible(segment.text), segment.style)


def terminal(*, stderr: bool = False, soft_wrap: bool = False, width: int | None = None) -> Console:
    """A console without Rich's markup and emoji codes.

    A track may be called `[untitled]`, and a segment `[/b]`: as markup the one is nothing and the
    other an error. So what a command colours is a `Text` or a `style`.

    Args:
        stderr: Print to stderr.
        soft_wrap: Leave long lines to the terminal, so that they can be copied whole.
        width: Width in columns; by default that of the terminal.
    """
    return _Terminal(
        stderr=stderr, soft_wrap=soft_wrap, width=width, highlight=False, markup=False, emoji=False
    )


def visible(text: str) -> str:
    """Replace each control character by its code, as JSON and Python write it."""
    return _UNSEEN.sub(lambda found: _code(found.group()), text)


def accept_every_character() -> None:
    """Let stdout and stderr write what their encoding lacks: in ASCII, or by its code.

    Without it a command ends in a UnicodeEncodeError as soon as a title has an accent.
    """
    codecs.register_error(_PLAIN_ERRORS, _plain)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors=_PLAIN_ERRORS)


def _plain(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    return "".join(_PLAIN.get(each) or _code(each) for each in lacking), error.end


def _code(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
