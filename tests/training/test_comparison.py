"""The evaluation split that every model of a comparison gets."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.listening import listening
from training.evaluation_split import EvaluationSplit
from training.listen_sources import InverseIn, Selection
from training.training_options import TrainingOptions


@pytest.mark.parametrize(
    ("where", "in_fit", "in_test"),
    [("fit", True, False), ("judge", False, True), ("both", True, True)],
)
def test_inverse_propensities_count_only_in_the_chosen_part(
    where: InverseIn, in_fit: bool, in_test: bool
) -> None:
    log = listening(300)
    log = replace(log, weight=np.linspace(0.5, 1.5, len(log), dtype=np.float32))
    options = TrainingOptions(Selection(inverse_in=where), test_share=0.2, threads=1)
    split = EvaluationSplit.of(log, options)
    fits = [np.ptp(part.weight) > 0 for part in (split.train, split.valid, split.train_and_valid)]
    tested = [np.ptp(weights) > 0 for weights in (split.test.weight, split.held_out.weight)]
    assert fits == [in_fit] * 3
    assert tested == [in_test] * 2
