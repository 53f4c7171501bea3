"""The checks on the page: each opens to its question, what it found, and its examples."""

from html import escape

from analysis.checks.result import CheckResult, Status
from analysis.effects.results import ExperimentResult
from analysis.rendering import cells

MARKS = {
    Status.PASSED: ("passed", "✓"),
    Status.WARNING: ("warning", "!"),
    Status.FAILED: ("failed", "✗"),
    Status.UNKNOWN: ("unknown", "?"),
    Status.NOT_MADE: ("not-made", "–"),
}
ORDER = {Status.FAILED: 0, Status.WARNING: 1, Status.NOT_MADE: 3}
"""Place of a check on the page: bad news first, checks that were not made last."""


def checks_card(result: ExperimentResult) -> str:
    """The validity of an experiment; what failed or warns is open already."""
    validity = result.validity
    shown = sorted(validity.checks, key=lambda check: ORDER.get(check.status, 2))
    state = "Valid" if validity.valid else "Invalid"
    counts = cells.check_counts(validity) or "no check was made"
    return (
        f'<div class="card"><h2>{state}: {escape(counts)}</h2>'
        '<p class="hint">Checked before any effect was computed. A failed check means that no '
        "difference between the arms can be believed. Open a check to read what it asks and "
        "what it found.</p>"
        f'<ul class="checks">{"".join(map(_check, shown))}</ul></div>'
    )


def _check(check: CheckResult) -> str:
    name, mark = MARKS[check.status]
    opened = " open" if check.status in (Status.FAILED, Status.WARNING) else ""
    explanation = f"<p>{escape(check.explanation)}</p>" if check.explanation else ""
    examples = "".join(
        f"<li><code>{escape(each.where)}</code> {escape(each.what)}</li>" for each in check.examples
    )
    return (
        f'<li class="{name}"><details{opened}><summary><span class="mark">{mark}</span>'
        f'<span><b>{escape(check.name)}</b> <span class="figure">{escape(check.figure)}</span>'
        f"</span></summary><p>{escape(check.question)} <i>{check.status.value}</i></p>"
        f"{explanation}{f'<ul>{examples}</ul>' if examples else ''}</details></li>"
    )
