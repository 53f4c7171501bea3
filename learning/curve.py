"""The curve of all rounds as SVG: what served, and what its pilots earned beside it."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.rendering.drawing import WIDTH, draw
from events.durable_files import write_file
from learning.round_figures import RoundRow

CURVE_FILE = "rounds.svg"
_COLOURS = {"serving": "#1f5fa8", "pilot": "#c2571a"}
_PLAIN = {"--ink": "#222222", "--muted": "#666666", "--grid": "#dddddd", "--line": "#999999"}
"""Colours for a file of its own, which has no page around it."""


def write_curve(path: Path, rows: Sequence[RoundRow]) -> None:
    """Write the curve of what served and of the pilots; the same rounds give the same bytes."""
    shown = [row for row in rows if row.role in _COLOURS]
    last = shown[-1].round if shown else 0
    spec: dict[str, Any] = {
        "width": WIDTH,
        "height": 200,
        "data": {
            "values": [
                {
                    "round": row.round,
                    "role": row.role,
                    "time": row.time,
                    "low": row.time - 1.96 * row.error,
                    "high": row.time + 1.96 * row.error,
                }
                for row in shown
            ]
        },
        "encoding": {
            "x": {
                "field": "round",
                "type": "quantitative",
                "title": "round",
                "axis": {"values": list(range(1, last + 1)), "format": "d", "grid": False},
                "scale": {"domain": [0.75, last + 0.25], "nice": False},
            },
            "color": {
                "field": "role",
                "type": "nominal",
                "scale": {"domain": list(_COLOURS), "range": list(_COLOURS.values())},
            },
        },
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 2.5},
                "encoding": {"y": {**_Y, "field": "time"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 50, "opacity": 1},
                "encoding": {"y": {**_Y, "field": "time"}},
            },
            {
                "mark": {"type": "rule", "strokeWidth": 1.5},
                "encoding": {"y": {**_Y, "field": "low"}, "y2": {"field": "high"}},
            },
        ],
    }
    svg = draw(spec, "rounds", "Recommended time of a session by round, of what served and pilots")
    write_file(path, re.sub(r"var\((--\w+)\)", lambda found: _PLAIN[found[1]], svg).encode())


_Y = {"type": "quantitative", "title": "recommended time of a session, tracks"}
