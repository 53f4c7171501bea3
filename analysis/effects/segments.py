"""The primary effect by segment, and a test of whether segments differ."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

from analysis.effects.comparison import Question, describe_method, estimate_effects
from analysis.effects.listener_table import Column, ListenerTable, moments_of
from analysis.effects.metrics import Metric
from analysis.effects.results import Segment, Segments
from analysis.statistics.contrast import Contrast
from analysis.statistics.corrections import bonferroni, holm
from analysis.statistics.heterogeneity import interaction_p
from analysis.statistics.inference import InferenceMethod
from analysis.statistics.listener_sums import ListenerSums

MOST_SEGMENTS = 12
BUILT_IN = {
    "listener": "CASE WHEN before_sessions > 0 OR entered_turn > 1 THEN 'returning' ELSE 'new' END",
    "day": "day_of(CAST(first_ms AS BIGINT))",
}
"""Segments that every log has: new or returning listener, and the day of the first request."""


def effects_by_segment(
    listeners: ListenerTable,
    column: Column,
    metric: Metric,
    attributes: Sequence[str],
    pairs: Sequence[tuple[tuple[str, str], Callable[[float], InferenceMethod]]],
    alpha: float,
) -> tuple[Segments, ...]:
    """Estimate the effect within each segment of each attribute, for each pair of arms.

    Listeners are divided by their first request in the experiment: an arm may change later values.
    Effects are corrected over an attribute's segments (Bonferroni),
    interactions over all attributes and pairs (Holm).

    Args:
        listeners: The listener table of the experiment.
        column: The primary metric's values.
        metric: The primary metric.
        attributes: Names of `BUILT_IN`, or of request attributes.
        pairs: (control, treatment), and the inference method by share of the listeners.
        alpha: Error rate over the segments of an attribute.
    """
    found: list[Segments] = []
    for attribute in attributes:
        counts, sums = _sums_by_label(listeners, column, attribute)
        shown = sorted(counts, key=lambda value: (-counts[value], value))
        if len(shown) > MOST_SEGMENTS:
            for value in shown[MOST_SEGMENTS - 1 :]:
                counts["(other)"] += counts.pop(value)
                for arm in listeners.arms:
                    sums["(other)", arm] += sums[value, arm]
            shown = [*shown[: MOST_SEGMENTS - 1], "(other)"]
        for (control, treatment), inference_for in pairs:
            contrasts, questions = [], []
            for value in shown:
                inference = inference_for(counts[value] / listeners.count)
                contrast = Contrast(
                    *(moments_of(metric, sums[value, arm]) for arm in (control, treatment))
                )
                contrasts.append(contrast)
                questions.append(
                    Question(
                        metric,
                        control,
                        treatment,
                        contrast,
                        inference,
                        describe_method(inference, "Fieller"),
                    )
                )
            effects = estimate_effects(questions, bonferroni, alpha)
            found.append(
                Segments(
                    attribute,
                    control,
                    treatment,
                    tuple(map(Segment, shown, effects)),
                    interaction_p(contrasts),
                    None,
                )
            )
    return _correct(found)


def _sums_by_label(
    listeners: ListenerTable, column: Column, attribute: str
) -> tuple[Counter[str], dict[tuple[str, str], ListenerSums]]:
    """Listeners of each segment, and the sums of each segment and arm; without a listener, 0."""
    if attribute in BUILT_IN:
        label, source = BUILT_IN[attribute], "listener_table"
    else:
        label, source = "segment_label", listeners.name_attribute(attribute)
    counts = Counter(listeners.count_labels(label, source))
    nobody = ListenerSums(x_digits=column.digits[0], y_digits=column.digits[1])
    found = listeners.sums(column.metric, column.digits, label, source)
    return counts, defaultdict(lambda: nobody, found)


def _correct(found: Sequence[Segments]) -> tuple[Segments, ...]:
    known = [segments.p for segments in found if segments.p is not None]
    corrected = iter(holm(known))
    return tuple(
        segments
        if segments.p is None
        else Segments(
            segments.attribute,
            segments.control,
            segments.treatment,
            segments.segments,
            segments.p,
            next(corrected).p,
        )
        for segments in found
    )
