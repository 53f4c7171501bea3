"""Cards of the page: each has a chart, its meaning, and its content in words."""

from html import escape

from analysis import formatting
from analysis.effects.results import ExperimentResult
from analysis.rendering import charts
from analysis.rendering.drawing import Spec, draw


def chart_cards(result: ExperimentResult, key: str) -> str:
    """Draw a card for each chart that has data.

    Each condition below leaves out a chart that would be empty: an experiment that is too short has
    no stretches, botify's log has no fallbacks, and one arm has no sample ratio.
    """
    data = result.charts
    if data is None:
        return ""
    arms = [arm.name for arm in result.arms]
    found = [course for course in result.over_time if course.control == result.control]
    stretch = _stretch(data.step_ms)
    cards = []
    if any(stretch.alone for course in found for stretch in course.stretches):
        cards.append(
            _card(
                f"Effect of each {stretch}",
                "Sessions by their start; each stretch alone, fixed "
                f"{formatting.confidence(result.plan.alpha)} intervals. These are many looks: a "
                "single interval without 0 proves nothing.",
                charts.course(found, arms, data.step_ms, so_far=False),
                f"{key}-alone",
                f"Lift of mean session time for each {stretch} alone, by arm.",
            )
        )
    if any(stretch.so_far for course in found for stretch in course.stretches):
        last = "; ".join(
            f"{course.treatment} {formatting.percent(course.stretches[-1].so_far)}"
            for course in found
            if course.stretches[-1].so_far
        )
        cards.append(
            _card(
                "Effect so far",
                "All sessions up to that time. The always-valid "
                f"{formatting.confidence(result.plan.early_alpha)} band holds at every look.",
                charts.course(found, arms, data.step_ms, so_far=True),
                f"{key}-so-far",
                f"Lift of mean session time over all sessions so far. At the end: {last}.",
            )
        )
    if result.arms and any(any(shares) for shares in data.sessions.values()):
        cards.append(
            _card(
                "Session time",
                "Time heard in a session, in tracks: 2.5 is two and a half tracks.",
                charts.session_times(data, arms),
                f"{key}-sessions",
                "Distribution of session time by arm.",
            )
        )
    if len(arms) > 1:
        shares = "; ".join(f"{arm.name} {arm.share:.1%}" for arm in result.arms)
        cards.append(
            _card(
                "Sample ratio over time",
                "Share of the listeners by arm. Dashed: the planned share. Shaded: the range of "
                "999 of 1,000 fair splits.",
                charts.sample_ratio(result, data),
                f"{key}-ratio",
                f"Cumulative share of listeners by arm. At the end: {shares}.",
            )
        )
    if all(arm.fallbacks is not None for arm in result.arms):
        shares = "; ".join(f"{arm.name} {arm.fallbacks or 0:.2%}" for arm in result.arms)
        cards.append(
            _card(
                "Answers by a fallback",
                "How often the arm's own strategy had no answer.",
                charts.fallbacks(result),
                f"{key}-fallbacks",
                f"Share of answers that a fallback gave, by arm: {shares}.",
            )
        )
    if any(arm.latency_ms for arm in result.arms):
        slowest = "; ".join(
            f"{arm.name} {arm.latency_ms['p99']:.2f} ms" for arm in result.arms if arm.latency_ms
        )
        cards.append(
            _card(
                "Latency of answers",
                "As the server measured it, from the request's arrival to the event in the log.",
                charts.latencies(result),
                f"{key}-latency",
                f"Median, 90th and 99th percentile of latency by arm. 99th: {slowest}.",
            )
        )
    return f'<div class="charts">{"".join(cards)}</div>'


def _card(title: str, hint: str, spec: Spec, name: str, alt: str) -> str:
    drawing = draw(spec, name, alt)
    return (
        f'<div class="card"><h2>{escape(title)}</h2><p class="hint">{escape(hint)}</p>'
        f"{drawing}</div>"
    )


def _stretch(step_ms: int) -> str:
    for size, word in (
        (7 * 86_400_000, "week"),
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (600_000, "ten minutes"),
        (60_000, "minute"),
        (10_000, "ten seconds"),
    ):
        if step_ms >= size:
            return word  # fmt: skip
    return "second"
