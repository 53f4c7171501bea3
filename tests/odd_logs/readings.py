"""All readings of one log: report, page, checks, moments. What must hold of each is said here."""

import io
import json
import math
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from analysis.effects.results import Report
from analysis.rendering import terminal
from analysis.rendering.effects_table import to_csv, to_markdown
from analysis.rendering.json_report import to_json
from analysis.rendering.page import page
from analysis.report import LogSelection, ReportRequest
from analysis.statistics.contrast import Interval
from audit.log_report import live_report, report_log
from core.errors import InputError
from events.overview import overview
from events.reader import open_log

P_VALUES = ("p", "corrected", "watched_p")


def read(log: Path, draw: random.Random) -> str:
    """Read the log in every way; return what a command refused, or "" if none did.

    Raises:
        AssertionError: A number is impossible, or two readings of the log differ.
    """
    selection = LogSelection([log], gap_s=draw.choice([1800, 1, 86_400]))
    request = draw_request(draw)
    try:
        report = report_log(selection, request, "segue report", replay=False)
    except InputError as error:
        return str(error)
    check_numbers(report)
    render(report)
    again = report_log(selection, request, "segue report", replay=False)
    assert to_json(again) == to_json(report)
    with live_report(selection, request, "segue report") as live:
        live.update()
        assert to_json(live.report()) == to_json(report)
    with open_log([log], gap_s=selection.gap_s) as opened:
        json.dumps(overview(opened), default=str, allow_nan=False)
    return read_moments(log.with_name(f"{log.name}-moments"), selection, request)


def read_moments(folder: Path, selection: LogSelection, request: ReportRequest) -> str:
    """Keep the moments of the log, and report over them; return why not, for instance botify."""
    try:
        report = report_log(selection, request, "segue report", moments=[folder])
    except InputError as error:
        return str(error)
    check_numbers(report)
    render(report)
    return ""


def draw_request(draw: random.Random) -> ReportRequest:
    """Draw what a reader asks."""
    return ReportRequest(
        metrics=draw.choice([{}, {"mine": "1.0 / sessions"}, {"mine": "nullif(skips, 0)"}]),
        primary=draw.choice([None, None, "skips", "sessions", "time_per_session", "latency"]),
        all_pairs=draw.random() < 0.3,
        segments=draw.choice([(), ("listener", "day", "country")]),
        even_if_invalid=draw.random() < 0.9,
        planned=draw.choice([None, 2, 10, 1000]),
        guardrails=draw.choice([{}, {"latency": "1 ms", "sessions": "5 %"}]),
    )


def render(report: Report) -> None:
    """Show the report in every form."""
    for form in (page, to_csv, to_markdown, to_json):
        render_one: Callable[[Report], str] = form
        text = render_one(report)
        assert "NaN" not in text
    terminal.show(report, Console(file=io.StringIO(), width=100))


def check_numbers(result: Any) -> None:
    """Check that all numbers are finite, p-values between 0 and 1, and intervals in order."""
    for path, value in _walk(result, ""):
        if isinstance(value, Interval):
            assert value.low <= value.high, f"{path}: {value}"
        elif isinstance(value, float):
            assert math.isfinite(value), f"{path} is {value}"
            if path.rsplit(".")[-1] in P_VALUES:
                assert 0 <= value <= 1, f"{path} is {value}"


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """All values of a result, each with its path."""
    yield path, value
    if is_dataclass(value):
        inner = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, Mapping):
        inner = {str(key): each for key, each in value.items()}
    elif isinstance(value, list | tuple):
        inner = {str(place): each for place, each in enumerate(value)}
    else:
        return
    for name, each in inner.items():
        yield from _walk(each, f"{path}.{name}")
