"""Sensitivity: the smallest effect and the smallest loss of listeners that a size could show."""

from collections.abc import Sequence

from scipy import special

from analysis.effects.comparison import Question
from analysis.effects.results import ArmSummary, Effect
from analysis.statistics.sample_ratio import detectable_loss


def smallest_effect(question: Question, alpha: float, power: float) -> float | None:
    """Return the smallest lift that experiments of this size show with this power.

    Args:
        question: The contrast, and how it is tested.
        alpha: Error rate of the test.
        power: Probability to show the lift.

    Returns:
        None where nothing can be said, or the control's mean is 0.
    """
    contrast = question.contrast
    if not contrast.known or not contrast.control.mean:
        return None
    reach = question.inference.critical(contrast, alpha) + float(special.ndtri(power))
    return float(reach * contrast.standard_error / abs(contrast.control.mean))


def smallest_loss(arms: Sequence[ArmSummary]) -> float | None:
    """Return the smallest share of an arm's listeners whose loss the sample ratio shows in 80 %.

    Returns:
        None if the loss of a whole arm could stay unseen.
    """
    weights = [arm.share if arm.weight is None else arm.weight for arm in arms]
    return detectable_loss(sum(arm.listeners for arm in arms), weights)


def describe(effects: Sequence[Effect], power: float, arms: Sequence[ArmSummary]) -> list[str]:
    """Describe for the notes of a report what this size can show."""
    known = [effect.detectable for effect in effects if effect.detectable is not None]
    if not known:
        return []
    loss = smallest_loss(arms)
    shown = f"This size shows an effect of {max(known):.1%} or more in {power:.0%} of experiments"
    if loss is None:
        return [f"{shown}, and the sample ratio shows no loss of listeners: there are too few."]
    return [f"{shown}, and the sample ratio shows a loss of {loss:.0%} or more of an arm."]
