"""Charts on the page, each in a card with what it means and what it says in words."""

from html import escape

from analysis import formatting
from analysis.effects.results import ExperimentResult
from analysis.rendering import charts
from analysis.rendering.drawing import Spec, draw


def chart_cards(findings: ExperimentResult, key: str) -> str:
    pictures = findings.pictures
    if pictures is None:
        return ""
    arms = [arm.name for arm in findings.arms]
    found = [course for course in findings.courses if course.control == findings.control]
    stretch = _stretch(pictures.step_ms)
    cards = []
    if any(moment.alone for course in found for moment in course.moments):
        cards.append(
            _card(
                f"Effect of each {stretch}",
                "Sessions by when they began; each stretch alone, fixed 95 % intervals. Many "
                "looks: single ones outside of 0 prove nothing.",
                charts.course(found, arms, pictures.step_ms, so_far=False),
                f"{key}-alone",
                f"Lift of mean session time for each {stretch} alone, by arm.",
            )
        )
    if any(moment.so_far for course in found for moment in course.moments):
        last = "; ".join(
            f"{course.treatment} {formatting.percent(course.moments[-1].so_far)}"
            for course in found
            if course.moments[-1].so_far
        )
        cards.append(
            _card(
                "Effect so far",
                "All sessions up to then, always-valid 95 % band: where it leaves 0 and stays, the "
                "claim holds.",
                charts.course(found, arms, pictures.step_ms, so_far=True),
                f"{key}-so-far",
                f"Lift of mean session time over all sessions so far. At the end: {last}.",
            )
        )
    if findings.arms and any(any(shares) for shares in pictures.sessions.values()):
        cards.append(
            _card(
                "How long sessions were",
                "Time heard in a session, in tracks: 2.5 is two and a half tracks.",
                charts.session_times(pictures, arms),
                f"{key}-sessions",
                "Distribution of session time by arm.",
            )
        )
    if len(arms) > 1:
        shares = "; ".join(f"{arm.name} {arm.share:.1%}" for arm in findings.arms)
        cards.append(
            _card(
                "Sample ratio over time",
                "Share of the listeners by arm; dashed what was promised, shaded what chance "
                "allows in 999 of 1,000 cases.",
                charts.sample_ratio(findings, pictures),
                f"{key}-ratio",
                f"Cumulative share of listeners by arm. At the end: {shares}.",
            )
        )
    if all(arm.fallbacks is not None for arm in findings.arms):
        shares = "; ".join(f"{arm.name} {arm.fallbacks or 0:.2%}" for arm in findings.arms)
        cards.append(
            _card(
                "Answers by a fallback",
                "How often the arm's own strategy had no answer.",
                charts.fallbacks(findings),
                f"{key}-fallbacks",
                f"Share of answers that a fallback gave, by arm: {shares}.",
            )
        )
    if any(arm.latency_ms for arm in findings.arms):
        slowest = "; ".join(
            f"{arm.name} {arm.latency_ms['p99']:.2f} ms" for arm in findings.arms if arm.latency_ms
        )
        cards.append(
            _card(
                "Latency of answers",
                "As the server measured it, from the request's arrival to the event in the log.",
                charts.latencies(findings),
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
