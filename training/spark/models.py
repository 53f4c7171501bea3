"""Models that Spark fits: co-occurrence and counts as queries, factors by MLlib's own ALS."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from pydantic import BaseModel

from core.errors import InputError
from events.queries import read_query
from events.spark_session import SparkOptions, start_session
from training.interactions import Interactions
from training.model import FitRun, FittedModel, Model
from training.models.factors import FactorsParams, confidences, rank_by_factors
from training.models.neighbours import NeighboursParams, liked_tracks, rank_by_near
from training.models.popular import PopularParams, rank_by_counts
from training.spark.blocks import rank_on_executors
from training.spark.listens import share_listens
from training.top_k import Floats

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

ENGINE = {"engine": "spark"}
"""Entry of the manifests."""


def model_on_spark(spec: str, params: BaseModel, options: SparkOptions) -> Model:
    """Build the model that fits on Spark with these settings.

    Raises:
        InputError: Spark does not fit this model.
    """
    if isinstance(params, PopularParams):
        return SparkPopular(params, options)
    if isinstance(params, NeighboursParams):
        return SparkNeighbours(params, options)
    if isinstance(params, FactorsParams) and params.method == "als":
        return SparkFactors(params, options)
    raise InputError.one(
        "--engine",
        f"must be duckdb for {spec}, got spark. Spark fits popular, neighbours and factors (als)",
    )


class SparkPopular:
    """The counts of `popular`, by a query."""

    def __init__(self, params: PopularParams, options: SparkOptions) -> None:
        self._params = params
        self._options = options

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Count on the executors; the driver gets three numbers a track."""
        run.progress.start("counts on Spark")
        session = start_session(self._options)
        share_listens(session, train)
        found = session.sql(read_query("training", "spark_popular").rstrip("; \n")).toArrow()
        counts = np.zeros((3, len(train.catalog)))
        for row, name in zip(counts, ("plays", "heard", "listeners"), strict=True):
            row[found.column("track").to_numpy()] = found.column(name).to_numpy()
        return _noted(rank_by_counts(self._params, *counts))


class SparkNeighbours:
    """The co-occurrence of `neighbours`, by a query."""

    def __init__(self, params: NeighboursParams, options: SparkOptions) -> None:
        self._params = params
        self._options = options

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Join listens with listens; the driver gets the nearest tracks of each track."""
        from scipy import sparse

        run.progress.start("neighbours on Spark")
        session = start_session(self._options)
        share_listens(session, train)
        self._weighted(train).createOrReplaceTempView("weighted")
        query = read_query("training", "spark_neighbours").rstrip("; \n").replace("$most", ":most")
        near = session.sql(query, args={"most": self._params.neighbours}).toArrow()
        columns = [near.column(name).to_numpy() for name in ("score", "track", "near")]
        tracks = len(train.catalog)
        matrix = sparse.csr_matrix((columns[0], (columns[1], columns[2])), (tracks, tracks))
        liked = liked_tracks(train, self._params.min_time)
        return _noted(rank_on_executors(session, rank_by_near(matrix, liked)))

    def _weighted(self, train: Interactions) -> "DataFrame":
        """The matrix whose product with itself is the similarity: (part, track, value)."""
        from pyspark.sql import functions as f

        params, session = self._params, start_session(self._options)
        value = f.sqrt(f.col("weight").cast("double"))
        if params.kind == "time":
            value = value * f.col("time")
        if params.kind == "bm25":
            value = value * f.col("plays")
        part = f.col("session" if params.over == "session" else "user").alias("part")
        kept = session.table("listens").where(f.col("time") >= f.lit(np.float32(params.min_time)))
        total = f.sum(value)
        if params.kind == "cosine":
            # A track heard twice counts once: cap at the weight of one listen.
            total = f.least(total, f.lit(float(np.sqrt(train.weight.max(initial=1.0)))))
        heard = kept.groupBy(part, "track").agg(total.alias("value"))
        return self._damped(heard, train) if params.kind == "bm25" else self._normed(heard)

    def _normed(self, heard: "DataFrame") -> "DataFrame":
        from pyspark.sql import functions as f

        squares = f.sum(f.col("value") * f.col("value")) + f.lit(self._params.shrink)
        norms = heard.groupBy("track").agg(f.greatest(f.sqrt(squares), f.lit(1e-9)).alias("norm"))
        value = (f.col("value") / f.col("norm")).alias("value")
        return heard.join(norms, "track").select("part", "track", value)

    def _damped(self, heard: "DataFrame", train: Interactions) -> "DataFrame":
        """BM25: damp long sessions and rare tracks."""
        from pyspark.sql import functions as f

        params = self._params
        parts = train.sessions if params.over == "session" else len(train.users)
        lengths = heard.groupBy("part").agg(f.sum("value").alias("length"))
        seen = heard.groupBy("track").agg(f.count("*").alias("seen"))
        whole = heard.agg(f.sum("value")).first()
        mean = max(cast(float, whole[0] if whole and whole[0] else 0.0) / max(parts, 1), 1e-9)
        rarity = f.log(1 + (f.lit(parts) - f.col("seen") + 0.5) / (f.col("seen") + 0.5))
        damp = params.k1 * (1 - params.b + params.b * f.col("length") / mean)
        value = f.col("value") * (params.k1 + 1) / (f.col("value") + damp) * rarity
        joined = heard.join(lengths, "part").join(seen, "track")
        return joined.select("part", "track", value.alias("value"))


class SparkFactors:
    """Alternating least squares of Spark MLlib, for the settings of `factors`."""

    def __init__(self, params: FactorsParams, options: SparkOptions) -> None:
        self._params = params
        self._options = options

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Factorise on the executors; the driver gets the vectors.

        MLlib's penalty grows with the listens of a listener or a track, and its start is another
        one, so the vectors are not those of one machine.
        """
        import pyarrow as pa
        from pyspark.ml.recommendation import ALS

        params = self._params
        run.progress.start("factors on Spark")
        session = start_session(self._options)
        heard = confidences(train, params).tocoo()
        ratings = pa.table({"user": heard.row, "track": heard.col, "rating": heard.data})
        # `confidences` has multiplied by alpha already; MLlib adds the 1 itself. It multiplies the
        # penalty by the listens of each listener and track, so the mean listener gets ours.
        penalty = params.regularization * len(np.unique(heard.row)) / max(1, heard.nnz)
        als = ALS(
            rank=params.factors, maxIter=params.iterations, regParam=penalty,
            implicitPrefs=True, alpha=1.0, seed=run.seed, userCol="user", itemCol="track",
            ratingCol="rating",
        )  # fmt: skip
        model = als.fit(session.createDataFrame(ratings))
        users = _vectors(model.userFactors.toArrow(), len(train.users), params.factors)
        tracks = _vectors(model.itemFactors.toArrow(), len(train.catalog), params.factors)
        seen = np.bincount(heard.col, minlength=len(train.catalog)) > 0
        facts = {"iterations": params.iterations}
        fitted = rank_by_factors(users, tracks, seen, params.factors, facts)
        return _noted(rank_on_executors(session, fitted))


def _vectors(found: "pa.Table", rows: int, size: int) -> Floats:
    """Vectors by index; 0 for whoever has no listen that counts."""
    vectors = np.zeros((rows, size), dtype=np.float32)
    flat = found.column("features").combine_chunks().flatten().to_numpy()
    vectors[found.column("id").to_numpy()] = flat.reshape(-1, size)
    return vectors


def _noted(fitted: FittedModel) -> FittedModel:
    facts: dict[str, Any] = {**fitted.facts, **ENGINE}
    return replace(fitted, facts=facts)
