"""Drawing: Vega-Lite in, static SVG out, by vl-convert and without a server.

Colours are CSS variables of the page, so one drawing serves light, dark and print.
"""

import re
from collections.abc import Sequence
from typing import Any

Spec = dict[str, Any]
Rows = list[dict[str, Any]]

ARM_COLOURS = 8
"""Number of arms with a colour of their own; the control has `--arm-0`."""
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
        name: Unique in the page; keeps its ids apart from those of every further drawing.
        alt: Description for readers who do not see the drawing.
    """
    import vl_convert

    whole = {"$schema": "https://vega.github.io/schema/vega-lite/v6.json", "config": _CONFIG}
    svg: str = vl_convert.vegalite_to_svg({**whole, **spec})
    # Ids count up over all drawings of a process. Numbers by their order in this drawing give the
    # same bytes for the same report.
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


def arm_colour(arm: str, arms: Sequence[str]) -> str:
    """An arm's colour, the same in every chart."""
    return f"var(--arm-{list(arms).index(arm) % ARM_COLOURS})"


def by_arm(shown: Sequence[str], arms: Sequence[str], legend: bool = True) -> Spec:
    colour: Spec = {
        "field": "arm",
        "type": "nominal",
        "sort": None,
        "scale": {"domain": list(shown), "range": [arm_colour(arm, arms) for arm in shown]},
    }
    if not legend or len(shown) < 2:
        colour["legend"] = None
    return colour


def time_axis(step_ms: int) -> Spec:
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
