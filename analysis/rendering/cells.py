"""Cells of a report's tables as text; the terminal and the page share them."""

from collections import Counter
from typing import Literal

from analysis.checks.result import Status, ValidityReport
from analysis.effects.metrics import Metric
from analysis.effects.results import ALL_SO_FAR, ArmSummary, Effect, ExperimentResult
from analysis.formatting import confidence, short, signed_percent

Mood = Literal["good", "bad", "warn", ""]
_GUARDED: tuple[tuple[str | None, Mood, str], ...] = (
    ("beyond", "bad", "Guardrails beyond their margin"),
    ("unclear", "", "Guardrails not shown to be within their margin"),
    (None, "", "Guardrails about which this log cannot tell"),
    ("within", "good", "Guardrails within their margin"),
)


def value(metric: Metric, number: float | None) -> str:
    """A metric's value with its unit."""
    if number is None:
        return "–"
    if metric.unit == "share":
        return f"{100 * number:.2f} %" if number < 0.1 else f"{100 * number:.1f} %"
    if metric.unit == "ms":
        return f"{number:.2f} ms" if number < 100 else f"{number:,.0f} ms"
    return short(number)


def label(effect: Effect, result: ExperimentResult) -> str:
    """The name of a row; `(fixed)` marks one that holds for one look among always-valid ones."""
    fixed = " (fixed)" if effect.one_look else ""
    if effect not in result.alternatives:
        return effect.metric.label + (", CUPED" if "CUPED" in effect.method else "") + fixed
    if effect.method.startswith(ALL_SO_FAR):
        return f"… {ALL_SO_FAR}"
    return ("… bootstrap-t" if effect.method == "bootstrap-t" else "… unadjusted") + fixed


def caption(result: ExperimentResult) -> str:
    """Name the intervals of a table: `Fixed 95 % intervals over the planned listeners`."""
    kind = f"{confidence(result.plan.claim_alpha)} intervals"
    if result.inference == "fixed":
        so_far = any(effect.method.startswith(ALL_SO_FAR) for effect in result.alternatives)
        rest = f"; {ALL_SO_FAR}: always-valid, no claim" if so_far else ""
        return f"Fixed {kind} over the planned listeners{rest}"
    marked = any(effect.one_look for effect in (*result.alternatives, *result.guardrails))
    rest = "; (fixed) holds for one look only, no claim" if marked else ""
    return f"Always-valid {kind}, valid at every look{rest}"


def difference(effect: Effect) -> str:
    """The absolute difference, in the metric's unit: `+0.435`, `-4.6 pp`, `+0.02 ms`."""
    if effect.difference is None:
        return "–"
    estimate = effect.difference.estimate
    if effect.metric.unit == "share":
        return f"{100 * estimate:+.2f} pp" if abs(estimate) < 0.01 else f"{100 * estimate:+.1f} pp"
    if effect.metric.unit == "ms":
        return f"{estimate:+.2f} ms" if abs(estimate) < 100 else f"{estimate:+,.0f} ms"
    sign = "-" if estimate < 0 else "+"
    return sign + short(abs(estimate))


def mood(effect: Effect, result: ExperimentResult) -> Mood:
    """The colour of an effect; "" if the evidence supports no claim, or a check failed.

    A guardrail with a margin is good within it and bad beyond it. If no direction of the metric
    is good, beyond it is a warning.
    """
    if not result.validity.valid:
        return ""
    if effect.margin:
        beyond: Mood = "warn" if effect.metric.better == "either" else "bad"
        return "good" if effect.guard == "within" else beyond if effect.guard == "beyond" else ""
    if effect.claim is None:
        return ""
    return "warn" if effect.good is None else "good" if effect.good else "bad"


def guard(effect: Effect) -> str:
    """The judgement by a guardrail's margin, in words: `within 1 ms`; empty without a margin."""
    if not effect.margin:
        return ""
    if effect.guard is None:
        return f"margin {effect.margin}: cannot tell"
    return {
        "within": f"within {effect.margin}",
        "beyond": f"{_moved(effect)} by more than {effect.margin}",
        "unclear": f"not shown to be within {effect.margin}",
    }[effect.guard]


def _moved(effect: Effect) -> str:
    return "moved" if effect.metric.better == "either" else "worse"


def guardrails(result: ExperimentResult) -> list[tuple[Mood, str]]:
    """A sentence for each thing that margins say, with its mood; the worst first."""
    several = len({(effect.control, effect.treatment) for effect in result.guardrails}) > 1
    found = []
    for kind, tone, sentence in _GUARDED:
        named = [
            effect.metric.label
            + (f" of {effect.treatment} against {effect.control}" if several else "")
            + f" ({effect.margin})"
            for effect in result.guardrails
            if effect.margin and effect.guard == kind
        ]
        if named:
            found.append((tone, f"{sentence}: {', '.join(named)}."))
    return found


def lift(effect: Effect) -> str:
    """The estimate: `+12.4 %`; `undefined` if the control may be 0."""
    if effect.lift is not None:
        return f"{signed_percent(effect.lift.estimate)} %"
    return "–" if effect.difference is None else "undefined"


def bounds(effect: Effect) -> str:
    """The interval, in percent: `[+8.1, +16.9]`; of the difference if the lift is undefined."""
    if effect.lift is not None:
        return f"[{signed_percent(effect.lift.low)}, {signed_percent(effect.lift.high)}]"
    if effect.difference is not None:
        return f"[{effect.difference.low:+.3g}, {effect.difference.high:+.3g}] abs."
    return ""


def coverage(arm: ArmSummary) -> str:
    """Different tracks that an arm recommended: `9,437 (94 %)`."""
    share = "" if arm.catalog_share is None else f" ({100 * arm.catalog_share:.0f} %)"
    return f"{arm.coverage:,.0f}{share}"


def check_counts(validity: ValidityReport) -> str:
    """Number of checks by status: `13 passed, 2 warnings, 4 cannot tell, 1 not made`."""
    counts = Counter(check.status for check in validity.checks)
    return ", ".join(
        f"{counts[status]} {status.value}"
        + ("s" if status is Status.WARNING and counts[status] > 1 else "")
        for status in Status
        if counts[status]
    )


def interaction(p: float | None, alpha: float) -> str:
    """Describe the interaction test in words."""
    if p is None:
        return "One segment only: nothing to compare."
    if p <= alpha:
        return f"The segments differ in their effect (interaction, corrected p {p:.3f})."
    return (
        f"The segments do not differ by more than chance (interaction, corrected p {p:.3f}): "
        "do not draw conclusions from a single segment."
    )
