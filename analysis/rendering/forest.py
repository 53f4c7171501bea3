"""The effect plot: every metric's lift with its interval."""

from analysis.effects.results import ExperimentResult
from analysis.rendering import cells
from analysis.rendering.drawing import Rows, Spec


def forest(result: ExperimentResult, wide: bool) -> Spec:
    """Every effect with its interval; the primary metric on top."""
    several = len({effect.treatment for effect in result.primary}) > 1
    parts = (result.primary, result.alternatives, result.secondary, result.guardrails)
    rows: Rows = []
    for part, effects in enumerate(parts):
        for effect in effects:
            if effect.lift is None:
                continue
            label = cells.label(effect, result) + (f" · {effect.treatment}" if several else "")
            shown = f"{cells.lift(effect)}  {cells.bounds(effect)}"
            rows.append(
                {
                    # On a phone no room is left beside the plot: the numbers stand below the name.
                    "row": label if wide else f"{label}\n{shown}",
                    "part": part,
                    "low": 100 * effect.lift.low,
                    "high": 100 * effect.lift.high,
                    "lift": 100 * effect.lift.estimate,
                    "colour": f"var(--{cells.mood(effect, result) or 'calm'})",
                    "said": shown,
                }
            )
    reach = [abs(row[side]) for row in rows if row["part"] in (0, 2) for side in ("low", "high")]
    limit = min(200.0, max(5.0, 1.08 * max(reach, default=10.0)))
    width = 520 if wide else 140
    x = {"type": "quantitative", "scale": {"domain": [-limit, limit], "nice": False}}
    if not wide:
        x["axis"] = {"tickCount": 3}
    colour = {"field": "colour", "type": "nominal", "scale": None, "legend": None}
    layers: list[Spec] = [
        {
            "mark": {"type": "rule", "color": "var(--line)", "strokeWidth": 1.5},
            "data": {"values": [{}]},
            "encoding": {"x": {"datum": 0, **x}, "y": None},
        },
        {
            "mark": {"type": "rule", "strokeWidth": 4, "strokeCap": "round", "opacity": 0.45,
                     "clip": True},
            "encoding": {
                "x": {"field": "low", "title": "lift over the control, %", **x},
                "x2": {"field": "high"},
                "color": colour,
            },
        },
        {
            "mark": {"type": "point", "filled": True, "opacity": 1, "clip": True},
            "encoding": {
                "x": {"field": "lift", **x},
                "color": colour,
                "size": {
                    "condition": {"test": "datum.part == 0", "value": 130},
                    "value": 55,
                },
            },
        },
    ]  # fmt: skip
    beyond = [
        {
            **row,
            "edge": limit if row["lift"] > 0 else -limit,
            "arrow": "▸" if row["lift"] > 0 else "◂",
        }
        for row in rows
        if abs(row["lift"]) > limit
    ]
    layers.append(
        {
            "mark": {"type": "text", "fontSize": 16},
            "data": {"values": beyond},
            "encoding": {"x": {"field": "edge", **x}, "text": {"field": "arrow"}, "color": colour},
        }
    )
    if wide:
        layers.append(
            {
                "mark": {"type": "text", "align": "left", "fontSize": 12, "baseline": "middle"},
                "encoding": {"x": {"value": width + 12}, "text": {"field": "said"},
                             "color": colour},
            }
        )  # fmt: skip
    return {
        "width": width,
        # The width of text is measured with a different font than the reader's: leave room for it.
        "padding": {"left": 20 if wide else 34, "top": 5, "bottom": 5, "right": 45 if wide else 8},
        "height": {"step": 26 if wide else 40},
        "data": {"values": rows},
        "encoding": {
            "y": {
                "field": "row",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {
                    "labelColor": "var(--ink)",
                    "labelExpr": "split(datum.label, '\\n')",
                    "labelLineHeight": 15,
                    "labelLimit": 230,
                    "domain": False,
                    "ticks": False,
                    "labelPadding": 10,
                    "labelFontWeight": {
                        "condition": {"test": f"datum.index < {_share(rows)}", "value": "bold"},
                        "value": "normal",
                    },
                },
            }
        },
        "layer": layers,
    }


def _share(rows: Rows) -> float:
    """Find the end of the primary rows on the axis: the index of a label there is in [0, 1]."""
    primary = len({row["row"] for row in rows if row["part"] == 0})
    every = len({row["row"] for row in rows})
    return (primary - 0.5) / max(1, every - 1)
