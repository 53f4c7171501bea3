"""Corrected p-values against R's p.adjust, and intervals that never contradict them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.statistics.contrast import Contrast
from analysis.statistics.corrections import benjamini_hochberg, bonferroni, holm
from analysis.statistics.heterogeneity import interaction_p
from analysis.statistics.inference import FixedHorizonTest
from analysis.statistics.sample_moments import SampleMoments

# Example of Benjamini and Hochberg (1995), section 3.2, thrombolysis: 15 hypotheses.
THROMBOLYSIS = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240,
                0.4262, 0.5719, 0.6528, 0.7590, 1.0000]  # fmt: skip


def test_the_first_papers_example_has_four_discoveries_by_bh_and_three_by_holm() -> None:
    """They state: Bonferroni and Hochberg's procedures reject three, theirs rejects four."""
    assert sum(c.p <= 0.05 for c in benjamini_hochberg(THROMBOLYSIS)) == 4
    assert sum(c.p <= 0.05 for c in holm(THROMBOLYSIS)) == 3
    assert sum(c.p <= 0.05 for c in bonferroni(THROMBOLYSIS)) == 3


def test_holm_is_step_down_by_hand() -> None:
    """0.01, 0.04, 0.03 -> 3 x 0.01, then 2 x 0.03, then at least that."""
    assert [c.p for c in holm([0.01, 0.04, 0.03])] == pytest.approx([0.03, 0.06, 0.06])
    assert [c.alpha for c in holm([0.01, 0.04, 0.03])] == pytest.approx([0.05 / 3, 0.025, 0.025])


families = st.lists(st.floats(-4.5, 4.5).map(lambda x: round(x, 1)), min_size=1, max_size=9)


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg, bonferroni])
@given(differences=families)
def test_an_interval_excludes_zero_exactly_when_its_claim_holds(
    correct: object, differences: list[float]
) -> None:
    assert callable(correct)
    contrasts = [
        Contrast(SampleMoments(60, 9.0, 60.0), SampleMoments(60, 9.0 + d, 60.0))
        for d in differences
    ]
    corrected = correct([FixedHorizonTest().p_value(contrast) for contrast in contrasts])
    for contrast, found in zip(contrasts, corrected, strict=True):
        lift = contrast.lift_ci(FixedHorizonTest().critical(contrast, found.alpha))
        assert lift is not None
        assert lift.excludes_zero == (found.p <= 0.05)


def test_no_questions_need_no_correction() -> None:
    assert holm([]) == benjamini_hochberg([]) == bonferroni([]) == []


def test_equal_effects_are_no_interaction_and_opposite_ones_are() -> None:
    def segment(effect: float) -> Contrast:
        return Contrast(SampleMoments(400, 5.0, 4.0), SampleMoments(400, 5.0 + effect, 4.0))

    assert interaction_p([segment(0.3), segment(0.3), segment(0.3)]) == pytest.approx(1.0)
    # Two segments: Q = (d1 - d2)^2 / (2 error^2), error^2 = 0.02: 0.5^2 / 0.04 = 6.25.
    assert interaction_p([segment(0.5), segment(0.0)]) == pytest.approx(0.012419, abs=5e-7)
    assert interaction_p([segment(0.5)]) is None
