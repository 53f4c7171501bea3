"""Effects: metrics compared between arms, each family of questions corrected as one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from analysis.effects.metrics import Metric
from analysis.effects.results import Effect, PlannedSize
from analysis.statistics.contrast import Contrast
from analysis.statistics.corrections import Corrected
from analysis.statistics.inference import (
    ALPHA,
    ConfidenceSequence,
    FixedHorizonTest,
    InferenceMethod,
)
from analysis.statistics.sample_moments import SampleMoments

UNPLANNED = 5_000
"""Without a plan, the always-valid interval is narrowest at so many listeners of both arms."""
ENOUGH = 50
"""Below so many listeners in an arm, the asymptotic always-valid interval supports no claim."""

Correction = Callable[[Sequence[float], float], list[Corrected]]


@dataclass(frozen=True, slots=True)
class Question:
    """One metric of one pair of arms.

    Attributes:
        metric: The metric.
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        contrast: The samples of both arms.
        inference: The inference method.
        method: How the intervals are made, in words.
        doubt: Why no estimate is shown although there is one; empty if one may be.
    """

    metric: Metric
    control: str
    treatment: str
    contrast: Contrast
    inference: InferenceMethod
    method: str = ""
    doubt: str = ""

    @property
    def known(self) -> bool:
        """Say whether there is an estimate to show."""
        return self.contrast.known and not self.doubt


def estimate_effects(
    questions: Sequence[Question], correct: Correction | None, alpha: float = ALPHA
) -> list[Effect]:
    """Estimate an effect for each question, corrected over all that have an estimate.

    Args:
        questions: One family of questions.
        correct: The correction of the family; None for none.
        alpha: Error rate of the family.
    """
    known = [question for question in questions if question.known]
    p_values = [question.inference.p_value(question.contrast) for question in known]
    corrected = correct(p_values, alpha) if correct else [Corrected(p, alpha) for p in p_values]
    effects = iter(
        _effect(question, p, family)
        for question, p, family in zip(known, p_values, corrected, strict=True)
    )
    return [next(effects) if question.known else _unknown(question) for question in questions]


def choose_inference(plan: PlannedSize, pair: float, part: float = 1.0) -> InferenceMethod:
    """Choose the fixed-horizon test once the planned listeners are in, the always-valid one before.

    Args:
        plan: The planned size and the size so far.
        pair: Share of all listeners that two arms were promised.
        part: Share of their listeners that is looked at.
    """
    return FixedHorizonTest() if plan.reached else always_valid(plan, pair, part)


def always_valid(plan: PlannedSize, pair: float, part: float = 1.0) -> ConfidenceSequence:
    """Return the confidence sequence that is narrowest at two arms' part of the planned size."""
    size = UNPLANNED * part if plan.listeners is None else plan.listeners * pair * part
    return ConfidenceSequence(max(2, round(size)), plan.early_alpha)


def describe_method(inference: InferenceMethod, what: str) -> str:
    """Describe in words how an interval is made."""
    if isinstance(inference, ConfidenceSequence):
        return f"always-valid ({what})"
    return f"Welch ({what})" if isinstance(inference, FixedHorizonTest) else what


def _effect(question: Question, p: float, family: Corrected) -> Effect:
    contrast = question.contrast
    critical = question.inference.critical(contrast, family.alpha)
    difference = contrast.difference_ci(critical)
    lift = contrast.lift_ci(critical)
    effect = replace(
        _unknown(question),
        difference=difference,
        lift=lift,
        p=p,
        corrected=family.p,
        confidence=1 - family.alpha,
        claim=difference.direction,
        note="" if lift else f"no lift: {question.control} may be 0",
    )
    smallest = min(contrast.control.n, contrast.treatment.n)
    if isinstance(question.inference, ConfidenceSequence) and smallest < ENOUGH:
        return replace(
            effect, claim=None, note=f"too early: fewer than {ENOUGH} listeners in an arm"
        )
    return effect


def _unknown(question: Question) -> Effect:
    control, treatment = question.contrast.control, question.contrast.treatment
    return Effect(
        question.metric,
        question.control,
        question.treatment,
        control.n,
        treatment.n,
        _mean(control),
        _mean(treatment),
        method=question.method,
        note=question.doubt or "no estimate: too few listeners, or all values are equal",
    )


def _mean(sample: SampleMoments) -> float | None:
    return sample.mean if sample.mean == sample.mean else None
