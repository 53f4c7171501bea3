"""Charts of the page, as Vega-Lite: effects over time, session times, sample ratio, answers."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.effects.results import ChartData, EffectOverTime, ExperimentResult
from analysis.rendering.drawing import WIDTH, Rows, Spec, by_arm, time_axis
from analysis.statistics.contrast import Interval


def course(
    courses: Sequence[EffectOverTime], arms: Sequence[str], step_ms: int, so_far: bool
) -> Spec:
    """The effect over time: of each stretch alone, or of all stretches so far."""
    rows: Rows = []
    for place, each in enumerate(courses):
        # Arms stand side by side within a stretch, so that none hides the rest.
        aside = 0.5 + 0.12 * (place - (len(courses) - 1) / 2)
        for stretch in each.stretches:
            interval: Interval | None = stretch.so_far if so_far else stretch.alone
            if interval is not None:
                rows.append(
                    {
                        "at": stretch.from_ms + round(step_ms * (1 if so_far else aside)),
                        "arm": each.treatment,
                        "lift": 100 * interval.estimate,
                        "low": 100 * interval.low,
                        "high": 100 * interval.high,
                    }
                )
    # Early stretches with few sessions have huge intervals. They are cut off: at their scale every
    # later interval is a dot.
    reach = sorted(max(abs(row["low"]), abs(row["high"])) for row in rows)
    limit = min(300.0, 1.6 * reach[len(reach) // 2] if reach else 10.0)
    y = {"type": "quantitative", "scale": {"domain": [-limit, limit], "nice": True}}
    x = {"field": "at", **time_axis(step_ms)}
    colour = by_arm([each.treatment for each in courses], arms)
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


def session_times(data: ChartData, arms: Sequence[str]) -> Spec:
    """Distribution of session times, by arm."""
    width = data.edges[1] - data.edges[0] if len(data.edges) > 1 else 1.0
    rows: Rows = []
    for arm, shares in data.sessions.items():
        rows += [
            {"arm": arm, "time": edge, "share": 100 * share}
            for edge, share in zip(data.edges, shares, strict=True)
        ]
        rows.append({"arm": arm, "time": data.edges[-1] + width, "share": 100 * shares[-1]})
    last = data.edges[-1]
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
            "color": by_arm(list(data.sessions), arms),
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


def sample_ratio(result: ExperimentResult, data: ChartData) -> Spec:
    """Share of the listeners that each arm has so far, with the range of fair splits."""
    arms = [arm.name for arm in result.arms]
    promised = {
        arm.name: 1 / len(arms) if arm.weight is None else arm.weight for arm in result.arms
    }
    seen = dict.fromkeys(arms, 0)
    rows: Rows = []
    for from_ms, counts in data.arrivals:
        for arm in arms:
            seen[arm] += counts.get(arm, 0)
        total = sum(seen.values())
        for arm in arms:
            share = promised[arm]
            reach = 3.29 * (share * (1 - share) / total) ** 0.5  # 99.9 % of a normal
            rows.append(
                {
                    "at": from_ms + data.step_ms,
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
            "x": {"field": "at", **time_axis(data.step_ms)},
            "color": by_arm(arms, arms),
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


def fallbacks(result: ExperimentResult) -> Spec:
    """Share of answers that a fallback gave, by arm."""
    arms = [arm.name for arm in result.arms]
    rows: Rows = [
        {"arm": arm.name, "share": 100 * (arm.fallbacks or 0.0),
         "said": f"{100 * (arm.fallbacks or 0.0):.2f} %"}
        for arm in result.arms
    ]  # fmt: skip
    most = max([0.1, *(row["share"] for row in rows)])
    x = {"field": "share", "type": "quantitative", "title": "answers by a fallback, %",
         "scale": {"domain": [0, 1.25 * most], "nice": True}}  # fmt: skip
    return _bars(rows, x, arms)


def latencies(result: ExperimentResult) -> Spec:
    """Median, 90th and 99th percentile of latency by arm."""
    arms = [arm.name for arm in result.arms]
    rows = [
        {"arm": arm.name, "name": name, "ms": ms}
        for arm in result.arms
        for name, ms in arm.latency_ms.items()
    ]
    y = {"field": "arm", "type": "nominal", "sort": None, "title": None,
         "axis": {"labelColor": "var(--ink)", "domain": False, "ticks": False}}  # fmt: skip
    x = {"field": "ms", "type": "quantitative", "title": "latency, ms: p50 · p90 · p99"}
    colour = by_arm(arms, arms, legend=False)
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
                "encoding": {"color": by_arm(arms, arms, legend=False)},
            },
            {
                "mark": {"type": "text", "align": "left", "dx": 6, "fontSize": 12},
                "encoding": {"text": {"field": "said"}, "color": {"value": "var(--muted)"}},
            },
        ],
    }
