"""A line that cannot be used, with its place and a reason that can be counted."""


class BadLine(Exception):
    """A line, row or entry that cannot be used.

    Attributes:
        column: Place of the fault in the line, from 1.
        reason: The fault, in the same words for the same fault, so that it can be counted.
        got: The value that was found; `...` where the reason already says it.
    """

    def __init__(self, column: int, reason: str, got: object = ...) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason
        self.got = got


def shorten(value: object, most: int = 60) -> str:
    """A value for a message: one line, and never the whole file."""
    text = repr(value[:500] if isinstance(value, str | bytes) else value)
    return text if len(text) <= most else text[: most - 3] + "..."
