"""The terminal that commands print to: data prints as it is, in square brackets or not."""

from rich.console import Console


def terminal(*, stderr: bool = False, soft_wrap: bool = False) -> Console:
    """A console without Rich's markup.

    A track may be called `[untitled]`, and a segment `[/b]`: as markup the one is nothing and the
    other an error. So what a command colours is a `Text` or a `style`.

    Args:
        stderr: Print to stderr.
        soft_wrap: Leave long lines to the terminal, so that they can be copied whole.
    """
    return Console(stderr=stderr, soft_wrap=soft_wrap, highlight=False, markup=False)
