"""Sensitivity: the smallest effect and the smallest loss of listeners that a size could show."""

from collections.abc import Sequence

from analysis.effects.comparison import Question
from analysis.effects.results import ArmSummary
from analysis.statistics.inference import ALPHA

POWER = 0.8416
"""Standard errors beyond the critical value at which 8 of 10 experiments show an effect."""
RATIO = 3.2905
"""Standard errors at which the sample ratio fails, p < 0.001."""


def smallest_effect(question: Question) -> float | None:
    """The smallest lift that 8 of 10 experiments of this size show; None if it is undefined."""
    contrast = question.contrast
    if not contrast.known or not contrast.control.mean:
        return None
    reach = question.inference.critical(contrast, ALPHA) + POWER
    return reach * contrast.standard_error / abs(contrast.control.mean)


def smallest_loss(arms: Sequence[ArmSummary]) -> float | None:
    """The smallest share of an arm's listeners whose loss the sample ratio shows in 8 of 10 cases.

    An arm of promised share w that loses a share l of its n w listeners falls short by about
    l w (1 - w); its standard error is sqrt(w (1 - w) / n). None if no size shows any loss.
    """
    n = sum(arm.listeners for arm in arms)
    shares = [arm.weight or 1 / len(arms) for arm in arms]
    variances = [n * share * (1 - share) for share in shares]
    if not variances or min(variances) <= 0:
        return None
    loss: float = (RATIO + POWER) / min(variances) ** 0.5
    return loss if loss < 1 else None


def describe(question: Question, arms: Sequence[ArmSummary]) -> list[str]:
    """One sentence on what this size can show, for the notes of a report."""
    effect, loss = smallest_effect(question), smallest_loss(arms)
    if effect is None:
        return []
    shown = f"This size shows an effect of {effect:.1%} or more in 8 of 10 experiments"
    if loss is None:
        return [f"{shown}, and the sample ratio shows no loss of listeners: there are too few."]
    return [f"{shown}, and the sample ratio shows a loss of {loss:.1%} or more of an arm."]
