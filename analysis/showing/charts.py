"""Charts of the page, as static SVG: Vega-Lite, drawn by vl-convert without a server.

Colours are CSS variables of the page, so one drawing serves light, dark and print.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.findings import Course, Effect, Findings, Pictures
from analysis.showing import numbers
from analysis.statistics.contrast import Interval

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

ARM_COLOURS = 8
"""How many arms have a colour of their own, `--arm-0` being the control's."""
WIDTH = 400

_TIME_FORMATS = ((60_000, "%H:%M:%S"), (86_400_000, "%H:%M"), (1 << 62, "%b %d"))
_CONFIG: Spec = {
    "background": None,
    "font": "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif",
    "mark": {"aria": False},
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "labelColor": "var(--muted)",
        "titleColor": "var(--muted)",
        "gridColor": "var(--grid)",
        "domainColor": "var(--line)",
        "tickColor": "var(--line)",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
        "titlePadding": 8,
        "labelPadding": 5,
    },
    "legend": {
        "aria": False,
        "labelColor": "var(--ink)",
        "labelFontSize": 12,
        "orient": "top",
        "title": None,
        "symbolType": "stroke",
        "symbolStrokeWidth": 4,
        "symbolOpacity": 1,
        "symbolSize": 160,
        "offset": 4,
    },
}


def draw(spec: Spec, name: str, alt: str) -> str:
    """A specification as SVG for the inside of a page.

    Args:
        spec: Vega-Lite, without `config`.
        name: Unique in the page; keeps the drawing's ids apart from those of others.
        alt: What a reader who does not see it is told.
    """
    import vl_convert

    whole = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "config": _CONFIG}
    svg: str = vl_convert.vegalite_to_svg({**whole, **spec})
    # Ids count up over all drawings of a process: number them anew, by their order in this one.
    order: dict[str, str] = {}
    svg = re.sub(
        r"(?<=[\"#])(clip|gradient_)\d+(?=[\")])",
        lambda found: order.setdefault(found.group(), f"{name}-{len(order)}"),
        svg,
    )
    width, height = re.findall(r'(?:width|height)="([\d.]+)"', svg)[:2]
    head = f'<svg role="img" aria-label="{_escape(alt)}" style="max-width:{width}px" '
    return re.sub(
        r"<svg [^>]*>",
        f'{head}viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">',
        svg,
        count=1,
    )


def forest(findings: Findings, wide: bool) -> Spec:
    """Every effect with its interval; the primary metric on top."""
    several = len({effect.treatment for effect in findings.primary}) > 1
    parts = (findings.primary, findings.beside, findings.secondary, findings.guardrails)
    rows: Rows = []
    for part, effects in enumerate(parts):
        for effect in effects:
            if effect.lift is None:
                continue
            label = label_of(effect, findings) + (f" · {effect.treatment}" if several else "")
            rows.append(
                {
                    "row": label,
                    "part": part,
                    "low": 100 * effect.lift.low,
                    "high": 100 * effect.lift.high,
                    "lift": 100 * effect.lift.estimate,
                    "colour": colour_of(effect, findings),
                    "said": f"{numbers.lift(effect)}  {numbers.bounds(effect)}",
                }
            )
    reach = [abs(row[side]) for row in rows if row["part"] in (0, 2) for side in ("low", "high")]
    limit = min(200.0, max(5.0, 1.08 * max(reach, default=10.0)))
    width = 520 if wide else 150
    x = {"type": "quantitative", "scale": {"domain": [-limit, limit], "nice": False}}
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
        # Text is measured with another font than the reader's: leave it some room.
        "padding": {"left": 20 if wide else 8, "top": 5, "bottom": 5, "right": 45 if wide else 8},
        "height": {"step": 26},
        "data": {"values": rows},
        "encoding": {
            "y": {
                "field": "row",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {
                    "labelColor": "var(--ink)",
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
    """Where the primary rows end on the axis, whose index of a label is in [0, 1]."""
    primary = len({row["row"] for row in rows if row["part"] == 0})
    every = len({row["row"] for row in rows})
    return (primary - 0.5) / max(1, every - 1)


def label_of(effect: Effect, findings: Findings) -> str:
    """What a row is called."""
    if effect in findings.beside:
        return "… bootstrap-t" if effect.method == "bootstrap-t" else "… unadjusted"
    return effect.metric.label + (", CUPED" if "CUPED" in effect.method else "")


def colour_of(effect: Effect, findings: Findings) -> str:
    """Green and red only where the claim holds."""
    if effect.claim is None or not findings.certificate.valid:
        return "var(--calm)"
    return {True: "var(--good)", False: "var(--bad)", None: "var(--warn)"}[effect.good]


def course(courses: Sequence[Course], arms: Sequence[str], step_ms: int, so_far: bool) -> Spec:
    """The effect over time: of each stretch alone, or of all so far."""
    rows: Rows = []
    for place, each in enumerate(courses):
        # Arms stand side by side within a stretch, so that one does not hide the other.
        aside = 0.5 + 0.12 * (place - (len(courses) - 1) / 2)
        for moment in each.moments:
            interval: Interval | None = moment.so_far if so_far else moment.alone
            if interval is not None:
                rows.append(
                    {
                        "at": moment.from_ms + round(step_ms * (1 if so_far else aside)),
                        "arm": each.treatment,
                        "lift": 100 * interval.estimate,
                        "low": 100 * interval.low,
                        "high": 100 * interval.high,
                    }
                )
    # Early and thin stretches have huge intervals: they are cut off rather than dwarf all others.
    reach = sorted(max(abs(row["low"]), abs(row["high"])) for row in rows)
    limit = min(300.0, 1.6 * reach[len(reach) // 2] if reach else 10.0)
    y = {"type": "quantitative", "scale": {"domain": [-limit, limit], "nice": True}}
    x = {"field": "at", **_time_axis(step_ms)}
    colour = _arm_colour([each.treatment for each in courses], arms)
    zero: Spec = {
        "mark": {"type": "rule", "color": "var(--line)", "strokeWidth": 1.5},
        "data": {"values": [{}]},
        "encoding": {"y": {"datum": 0, **y}},
    }
    title = {"title": "lift, %"}
    bounds = {"y": {"field": "low", **title, **y}, "y2": {"field": "high"}}
    point = {"y": {"field": "lift", **title, **y}}
    marks: list[Spec]
    if so_far:
        marks = [
            {"mark": {"type": "area", "opacity": 0.18, "clip": True}, "encoding": bounds},
            {"mark": {"type": "line", "strokeWidth": 2.5, "clip": True}, "encoding": point},
        ]
    else:
        x["scale"] = {"type": "utc", "padding": 14}
        marks = [
            {"mark": {"type": "rule", "strokeWidth": 2.5, "opacity": 0.45, "clip": True},
             "encoding": bounds},
            {"mark": {"type": "point", "filled": True, "opacity": 1, "size": 40, "clip": True},
             "encoding": point},
        ]  # fmt: skip
    for mark in marks:
        mark["encoding"] = {"x": x, "color": colour, **mark["encoding"]}
    return {"width": WIDTH, "height": 200, "data": {"values": rows}, "layer": [zero, *marks]}


def session_times(pictures: Pictures, arms: Sequence[str]) -> Spec:
    """How long sessions were, by arm."""
    width = pictures.edges[1] - pictures.edges[0] if len(pictures.edges) > 1 else 1.0
    rows: Rows = []
    for arm, shares in pictures.sessions.items():
        rows += [
            {"arm": arm, "time": edge, "share": 100 * share}
            for edge, share in zip(pictures.edges, shares, strict=True)
        ]
        rows.append({"arm": arm, "time": pictures.edges[-1] + width, "share": 100 * shares[-1]})
    last = pictures.edges[-1]
    return {
        "width": WIDTH,
        "height": 200,
        "data": {"values": rows},
        "encoding": {
            "x": {
                "field": "time",
                "type": "quantitative",
                "title": f"session time, tracks (last class: {last:g} and more)",
                "scale": {"nice": False},
            },
            "color": _arm_colour(list(pictures.sessions), arms),
        },
        "layer": [
            {
                "mark": {"type": "area", "interpolate": "step-after", "opacity": 0.1},
                "encoding": {"y": {"field": "share", "type": "quantitative", "stack": None,
                                   "title": "share of sessions, %"}},
            },
            {
                "mark": {"type": "line", "interpolate": "step-after", "strokeWidth": 2},
                "encoding": {"y": {"field": "share", "type": "quantitative"}},
            },
        ],
    }  # fmt: skip


def sample_ratio(findings: Findings, pictures: Pictures) -> Spec:
    """Share of the listeners that each arm has got so far, with what chance allows."""
    arms = [arm.name for arm in findings.arms]
    promised = {
        arm.name: 1 / len(arms) if arm.weight is None else arm.weight for arm in findings.arms
    }
    seen = dict.fromkeys(arms, 0)
    rows: Rows = []
    for from_ms, counts in pictures.arrivals:
        for arm in arms:
            seen[arm] += counts.get(arm, 0)
        total = sum(seen.values())
        for arm in arms:
            share = promised[arm]
            reach = 3.29 * (share * (1 - share) / total) ** 0.5  # 99.9 % of a normal
            rows.append(
                {
                    "at": from_ms + pictures.step_ms,
                    "arm": arm,
                    "share": 100 * seen[arm] / total,
                    "low": 100 * (share - reach),
                    "high": 100 * (share + reach),
                    "promised": 100 * share,
                }
            )
    late = rows[len(rows) // 4 :]
    low = min((min(row["low"], row["share"]) for row in late), default=0.0)
    high = max((max(row["high"], row["share"]) for row in late), default=100.0)
    y = {"type": "quantitative", "scale": {"domain": [low, high], "zero": False}}
    return {
        "width": WIDTH,
        "height": 200,
        "data": {"values": rows},
        "encoding": {
            "x": {"field": "at", **_time_axis(pictures.step_ms)},
            "color": _arm_colour(arms, arms),
        },
        "layer": [
            {
                "mark": {"type": "area", "opacity": 0.12, "clip": True},
                "encoding": {"y": {"field": "low", "title": "share of listeners, %", **y},
                             "y2": {"field": "high"}},
            },
            {
                "mark": {"type": "line", "strokeDash": [4, 4], "opacity": 0.7, "clip": True},
                "encoding": {"y": {"field": "promised", **y}},
            },
            {
                "mark": {"type": "line", "strokeWidth": 2.5, "clip": True},
                "encoding": {"y": {"field": "share", **y}},
            },
        ],
    }  # fmt: skip


def fallbacks(findings: Findings) -> Spec:
    """Share of answers that a fallback gave, by arm."""
    arms = [arm.name for arm in findings.arms]
    rows: Rows = [
        {"arm": arm.name, "share": 100 * (arm.fallbacks or 0.0),
         "said": f"{100 * (arm.fallbacks or 0.0):.2f} %"}
        for arm in findings.arms
    ]  # fmt: skip
    most = max([0.1, *(row["share"] for row in rows)])
    x = {"field": "share", "type": "quantitative", "title": "answers by a fallback, %",
         "scale": {"domain": [0, 1.25 * most], "nice": True}}  # fmt: skip
    return _bars(rows, x, arms)


def latencies(findings: Findings) -> Spec:
    """Median, 90th and 99th percentile of latency by arm."""
    arms = [arm.name for arm in findings.arms]
    rows = [
        {"arm": arm.name, "name": name, "ms": ms}
        for arm in findings.arms
        for name, ms in arm.latency_ms.items()
    ]
    y = {"field": "arm", "type": "nominal", "sort": None, "title": None,
         "axis": {"labelColor": "var(--ink)", "domain": False, "ticks": False}}  # fmt: skip
    x = {"field": "ms", "type": "quantitative", "title": "latency, ms: p50 · p90 · p99"}
    colour = _arm_colour(arms, arms, legend=False)
    return {
        "width": WIDTH - 60,
        "height": {"step": 44},
        "data": {"values": rows},
        "encoding": {"y": y, "color": colour},
        "layer": [
            {
                "mark": {"type": "line", "strokeWidth": 3, "opacity": 0.4},
                "encoding": {"x": x, "detail": {"field": "arm"}},
            },
            {
                "mark": {"type": "point", "filled": True, "size": 70, "opacity": 1},
                "encoding": {"x": x},
            },
            {
                "mark": {"type": "text", "dy": -13, "fontSize": 11},
                "encoding": {
                    "x": x,
                    "text": {"field": "ms", "type": "quantitative", "format": ".2~f"},
                    "color": {"value": "var(--muted)"},
                },
            },
        ],
    }


def _bars(rows: Rows, x: Mapping[str, Any], arms: Sequence[str]) -> Spec:
    return {
        "width": WIDTH - 60,
        "height": {"step": 34},
        "data": {"values": rows},
        "encoding": {
            "y": {
                "field": "arm",
                "type": "nominal",
                "sort": None,
                "title": None,
                "axis": {"labelColor": "var(--ink)", "domain": False, "ticks": False},
            },
            "x": x,
        },
        "layer": [
            {
                "mark": {"type": "bar", "height": 16, "cornerRadiusEnd": 3},
                "encoding": {"color": _arm_colour(arms, arms, legend=False)},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12},
                "encoding": {"text": {"field": "said"}, "color": {"value": "var(--muted)"}},
            },
        ],
    }


def arm_colour(arm: str, arms: Sequence[str]) -> str:
    """An arm's colour, the same in every chart."""
    return f"var(--arm-{list(arms).index(arm) % ARM_COLOURS})"


def _arm_colour(shown: Sequence[str], arms: Sequence[str], legend: bool = True) -> Spec:
    colour: Spec = {
        "field": "arm",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": list(shown), "range": [arm_colour(arm, arms) for arm in shown]},
    }
    if not legend or len(shown) < 2:
        colour["legend"] = None
    return colour


def _time_axis(step_ms: int) -> Spec:
    form = next(form for most, form in _TIME_FORMATS if step_ms < most)
    return {
        "type": "temporal",
        "title": "UTC",
        "scale": {"type": "utc"},
        "axis": {
            "format": form,
            "grid": False,
            "tickCount": 5,
            "labelOverlap": "greedy",
            "labelSeparation": 10,
            "labelFlush": False,
        },
    }


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
