"""Contextual neural rankers: from a heard track to the tracks that fit it."""

from typing import Any, Literal

import numpy as np
from pydantic import Field

from core.progress import SILENT, Progress
from training.epochs import Schedule, learn, reproducible, sample_indices
from training.interactions import Interactions
from training.listener_pairs import listener_pairs
from training.model import FitRun, FittedModel, ModelParams, model
from training.regression import Regression
from training.session_pairs import Pairs, session_pairs
from training.top_k import Ints, Rankings, dot_products, top_k
from training.towers import Negatives, track_tower, tracks_with_vectors, vectors_of


class NeuralParams(ModelParams):
    """Settings of `neural`.

    Attributes:
        kind: `pairs`, sampled softmax over pairs of well-heard tracks of a session; `dot`, the
            model of botify: two embedding tables whose dot product is the time; `cosine`:
            embedding, dropout, ReLU and linear layer on each side; the time is their scaled cosine.
        over: `pairs`: tracks of a pair were heard in one `session`, or by one `listener`.
        dim: Length of the vectors.
        epochs: Maximum number of passes over the listens.
        patience: Epochs without a lower validation loss after which the fit stops.
        rate: Learning rate of Adam at the start; falls linearly to 0.
        batch: Pairs, or listens, of a step.
        min_time: `pairs`: share heard from which both tracks were heard well, in [0, 1].
        reach: `pairs` of a session: maximum distance of the two, in listens.
        partners: `pairs` of a listener: anchors that are drawn for each target.
        most: `pairs`: maximum number of pairs drawn in an epoch; a long log has more than needed.
        negatives: `pairs`: tracks drawn for each batch.
        temperature: `pairs`: temperature of the softmax. A lower one predicts the log better and
            earns less: `sharp` has 0.1.
        power: `pairs`: exponent of the frequency by which negatives are drawn.
        context: `dot`, `cosine`: whether the track given is the `previous` or the `first` one of
            the session.
        dropout: `cosine`: dropout rate.
    """

    kind: Literal["pairs", "dot", "cosine"] = "pairs"
    over: Literal["session", "listener"] = "session"
    dim: int = Field(64, ge=1, le=1024)
    epochs: int = Field(6, ge=1)
    patience: int = Field(2, ge=1)
    rate: float = Field(0.01, gt=0)
    batch: int = Field(4096, ge=1)
    min_time: float = Field(0.3, ge=0, le=1)
    reach: int = Field(11, ge=1)
    partners: int = Field(10, ge=1)
    most: int = Field(1_000_000, ge=1)
    negatives: int = Field(1024, ge=1)
    temperature: float = Field(0.5, gt=0)
    power: float = Field(0.75, ge=0, le=1)
    context: Literal["previous", "first"] = "previous"
    dropout: float = Field(0.2, ge=0, lt=1)


@model(
    "neural",
    NeuralParams,
    {
        "dot": {"kind": "dot", "dim": 32, "epochs": 15, "rate": 0.005},
        "cosine": {"kind": "cosine", "dim": 32, "epochs": 15, "rate": 0.005},
        "sharp": {"temperature": 0.1},
        "listener": {"over": "listener"},
        "": {},
    },
    needs="torch",
    stops_early=True,
)
class Neural:
    """Vectors of tracks, learnt from sessions with PyTorch; three kinds, two of them historical."""

    def __init__(self, params: NeuralParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Fit with early stopping on the validation split."""
        with reproducible(run) as (torch, device):
            if self.params.kind == "pairs":
                return self._pairs(torch, device, train, run)
            return self._regression(torch, device, train, run)

    def _pairs(self, torch: Any, device: Any, train: Interactions, run: FitRun) -> FittedModel:
        params = self.params
        pairs = self._pairs_of(train, train, run.seed)
        later = self._pairs_of(train, run.valid, run.seed)
        if not len(pairs):
            return FittedModel({"track": _nothing})
        tower = track_tower(torch, device, train, params.dim)
        optimizer = torch.optim.SparseAdam(list(tower.parameters()), lr=params.rate)
        negatives = Negatives(
            torch, device, pairs.target, len(train.catalog), params.power, params.negatives,
            run.seed,
        )  # fmt: skip
        draws = np.random.default_rng(run.seed)
        size = min(len(pairs), params.most)
        batches = -(-size // params.batch)

        def loss_of(anchor: Ints, target: Ints, negative: Any) -> Any:
            # One look-up for all three, so that each step updates a row once.
            wanted = torch.from_numpy(target.astype(np.int64)).to(device)
            given = torch.from_numpy(anchor.astype(np.int64)).to(device)
            vectors = tower(torch.cat([given, wanted, negative]))
            rows = len(given)
            return negatives.loss(
                vectors[:rows], vectors[rows : 2 * rows], wanted, negative, vectors[2 * rows :],
                params.temperature,
            )  # fmt: skip

        def one_epoch(epoch: int, after_batch: Any) -> float:
            chosen = sample_indices(pairs.weight, size, draws)
            total = torch.zeros((), dtype=torch.float64, device=device)
            for batch in range(batches):
                share = (epoch * batches + batch) / (params.epochs * batches)
                optimizer.param_groups[0]["lr"] = params.rate * (1 - share)
                part = chosen[batch * params.batch : (batch + 1) * params.batch]
                loss = loss_of(pairs.anchor[part], pairs.target[part], negatives.draw()).mean()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                total += loss.detach().double() * len(
                    part
                )  # read once an epoch: a GPU waits for it
                after_batch()
            return float(total) / size

        some = np.random.default_rng((run.seed, 2)).permutation(len(later))[:50_000]
        fixed = negatives.draw()

        def validate() -> float:
            if not len(some):
                return float("nan")
            with torch.no_grad():
                losses = loss_of(later.anchor[some], later.target[some], fixed).cpu().numpy()
            return float(np.average(losses, weights=later.weight[some]))

        schedule = Schedule(
            "neural", "cross entropy of the pair", params.epochs, params.patience, batches
        )
        curve, interrupted = learn(schedule, tower, one_epoch, validate, run)
        vectors = vectors_of(torch, tower, len(train.catalog))
        known = tracks_with_vectors(train, pairs.anchor)
        scores = dot_products(vectors, vectors, np.where(known, 0, -np.inf).astype(np.float32))

        def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            ranked = top_k(scores, keys, k, without=keys, progress=progress)
            ranked[~known[keys]] = -1  # neither the track nor its artist was ever heard well
            return ranked

        facts = {
            "device": device.type,
            "pairs": len(pairs),
            "epochs": len(curve.train),
            "kept_epoch": curve.best_epoch + 1,
        }
        known_tracks = np.flatnonzero(known)
        return FittedModel(
            {"track": by_track},
            curve=curve,
            facts=facts,
            interrupted=interrupted,
            vectors={"track": (known_tracks, vectors[known_tracks])},
        )

    def _pairs_of(self, train: Interactions, log: Interactions, seed: int) -> Pairs:
        params = self.params
        if params.over == "session":
            return session_pairs(log, params.min_time, params.reach)
        return listener_pairs(train, log, params.min_time, params.partners, seed)

    def _regression(self, torch: Any, device: Any, train: Interactions, run: FitRun) -> FittedModel:
        params = self.params
        regression = Regression(torch, device, params, train)
        curve, interrupted = regression.learn(train, run)
        given, offered = regression.vectors()
        scores = dot_products(given, offered)
        seen = regression.seen

        def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            ranked = top_k(scores, keys, k, without=keys, progress=progress)
            ranked[~seen[keys]] = -1
            return ranked

        def predict(user: Ints, before: Ints, track: Ints) -> np.ndarray:
            cosines = np.einsum("ij,ij->i", given[before], offered[track])
            return regression.times(cosines)

        return FittedModel(
            {"track": by_track},
            predict=predict,
            curve=curve,
            facts={
                "device": device.type,
                "epochs": len(curve.train),
                "kept_epoch": curve.best_epoch + 1,
            },
            interrupted=interrupted,
        )


def _nothing(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
    return np.full((len(keys), k), -1, dtype=np.int32)
