"""What every model of a comparison is given."""

from dataclasses import replace

import numpy as np
import pytest

from tests.training.listening import listening
from training.comparison import EvaluationSplit
from training.listen_sources import Inverse


@pytest.mark.parametrize(
    ("where", "in_fit", "in_judging"),
    [("fit", True, False), ("judge", False, True), ("both", True, True)],
)
def test_inverse_chances_count_where_they_are_asked_for(
    where: Inverse, in_fit: bool, in_judging: bool
) -> None:
    log = listening(300)
    log = replace(log, weight=np.linspace(0.5, 1.5, len(log), dtype=np.float32))
    bench = EvaluationSplit.of(log, late=0.2, liked=0.5, seed=1, threads=1, weighed=where)
    fits = [np.ptp(part.weight) > 0 for part in (bench.train, bench.valid, bench.earlier)]
    judged = [np.ptp(weights) > 0 for weights in (bench.late.weight, bench.questions.worth)]
    assert fits == [in_fit] * 3
    assert judged == [in_judging] * 2
