"""Models that Spark fits: the lists of one machine, and for factors the same quality."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from core.errors import InputError
from core.lists import load_lists
from core.progress import SILENT
from events.spark_session import SparkOptions
from tests import needs
from tests.training.listening import TRACKS, USERS, listening
from training.comparison import train_one
from training.evaluation_split import EvaluationSplit
from training.model import FitRun, build
from training.spark import blocks
from training.spark.models import model_on_spark
from training.training_options import TrainingOptions

pytestmark = [needs.package("pyspark")]
OPTIONS = SparkOptions(conf={"spark.sql.shuffle.partitions": "2"})
QUERIES = ["popular", "popular:plays", "neighbours", "neighbours:time", "neighbours:bm25",
           "neighbours:listener"]  # fmt: skip
FACTORS_ERROR = 0.05
"""By how much a metric of MLlib's factors may differ from that of implicit's, of at most 1."""


@pytest.mark.parametrize("spec", QUERIES)
@needs.program("java")
def test_a_query_on_spark_gives_the_lists_of_one_machine(
    spec: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blocks, "FEW", 20)  # so that executors rank too
    monkeypatch.setattr(blocks, "BLOCKS_AT_ONCE", 1)
    train = listening(sessions=300).weight_by_inverse_propensity(100)
    train.weight[::7] *= np.float32(1.5)
    here, params = build(spec)
    run = FitRun(train)

    on_spark = model_on_spark(spec, params, OPTIONS).fit(train, run)

    on_one = here.fit(train, run)
    for key, ranker in on_one.rankers.items():
        keys = np.arange(TRACKS if key == "track" else USERS)
        assert np.array_equal(on_spark.rankers[key](keys, 25), ranker(keys, 25)), key
    assert on_spark.facts == {**on_one.facts, "engine": "spark"}


def accuracy_of(spec: str, spark: bool) -> Mapping[str, Mapping[str, float]]:
    # MLlib's penalty has a different form than implicit's; a small one shows less of that.
    model, params = build(spec, {"factors": 8, "regularization": 1.0})
    if spark:
        model = model_on_spark(spec, params, OPTIONS)
    split = EvaluationSplit.of(listening(), TrainingOptions(top=20), None)
    trial = split.evaluate_model(spec, model, params, SILENT)
    return {
        each.key: {name: interval.value for name, interval in each.accuracy.items()}
        for each in trial.metrics
    }


@needs.package("implicit")
@needs.program("java")
def test_factors_of_spark_are_as_good_as_those_of_one_machine() -> None:
    on_spark, on_one = accuracy_of("factors", spark=True), accuracy_of("factors", spark=False)

    assert on_spark.keys() == on_one.keys() == {"track", "user"}
    for key, accuracy in on_one.items():
        assert on_spark[key] == pytest.approx(accuracy, abs=FACTORS_ERROR), key
        assert max(accuracy.values()) > 0.2


@needs.program("java")
def test_the_files_are_those_of_one_machine(tmp_path: Path) -> None:
    log, options = listening(sessions=300), TrainingOptions(top=20)
    model, params = build("neighbours")
    on_spark = model_on_spark("neighbours", params, OPTIONS)
    written = {
        name: train_one(log, ("neighbours", each, params), tmp_path / name, options, None, SILENT)
        for name, each in (("one", model), ("spark", on_spark))
    }

    names = [[path.name for path in each.files] for each in written.values()]
    assert names[0] == names[1]
    for one, spark in zip(*(each.files for each in written.values()), strict=True):
        here, there = load_lists(one, log.catalog), load_lists(spark, log.catalog)
        assert np.array_equal(here.tracks, there.tracks)
        assert np.array_equal(here.offsets, there.offsets)
        assert there.manifest == {**here.manifest, "engine": "spark"}


@pytest.mark.parametrize("spec", ["factors:bpr", "personal"])
def test_a_model_that_spark_does_not_fit_is_refused(spec: str) -> None:
    with pytest.raises(InputError, match=f"must be duckdb for {spec}, got spark"):
        model_on_spark(spec, build(spec)[1], OPTIONS)
