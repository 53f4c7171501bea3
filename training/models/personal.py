"""Two towers: listeners, as their liked tracks, and tracks, in one space."""

from typing import Any

import numpy as np
from pydantic import Field

from core.progress import SILENT, Progress
from training.epochs import Schedule, learn, reproducible
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import Ints, Rankings, dot_products, top_k
from training.towers import Negatives, track_tower, tracks_with_vectors, vectors_of


class PersonalParams(ModelParams):
    """Settings of `personal`.

    Attributes:
        dim: Length of the vectors.
        history: Liked listens that represent a listener in a step; drawn again for each step.
        epochs: Maximum number of passes over the liked listens.
        patience: Epochs without a lower validation loss after which the fit stops.
        rate: Learning rate of Adam at the start; falls linearly to 0.
        batch: Listens of a step.
        min_time: Share heard from which a listen was liked, in [0, 1].
        negatives: Tracks drawn for each batch.
        temperature: Temperature of the softmax.
        power: Exponent of the frequency by which negatives are drawn.
    """

    dim: int = Field(64, ge=1, le=1024)
    history: int = Field(20, ge=1)
    epochs: int = Field(8, ge=1)
    patience: int = Field(2, ge=1)
    rate: float = Field(0.02, gt=0)
    batch: int = Field(4096, ge=1)
    min_time: float = Field(0.3, ge=0, le=1)
    negatives: int = Field(1024, ge=1)
    temperature: float = Field(0.1, gt=0)
    power: float = Field(0.75, ge=0, le=1)


class _Liked:
    """Liked listens, listener after listener."""

    def __init__(self, log: Interactions, min_time: float) -> None:
        rows = np.flatnonzero(log.time >= np.float32(min_time))
        rows = rows[np.argsort(log.user[rows], kind="stable")]
        self.user = log.user[rows]
        self.track = log.track[rows].astype(np.int64)
        self.time = log.time[rows]
        self.chosen = log.position[rows] > 0
        self.weight = log.weight[rows]
        self.starts = np.searchsorted(self.user, np.arange(len(log.users) + 1))

    def histories(
        self, users: Ints, size: int, draws: np.random.Generator, without: Ints | None
    ) -> tuple[Ints, np.ndarray]:
        """Draw `size` liked listens of each user: tracks and weights, (users, size) each.

        Weights are times heard; 0 for the track in `without`, and for users who liked nothing.
        """
        count = (self.starts[1:] - self.starts[:-1])[users]
        if count.max(initial=0) <= size and without is None:
            place = np.tile(np.arange(size), (len(users), 1))
        else:
            place = (draws.random((len(users), size)) * count[:, None]).astype(np.int64)
        there = place < count[:, None]
        rows = np.where(there, self.starts[:-1][users][:, None] + place, 0)
        tracks = self.track[rows]
        weight = np.where(there, self.time[rows], 0)
        if without is not None:
            weight = np.where(tracks == without[:, None], 0, weight)
        return tracks, weight.astype(np.float32)


@model("personal", PersonalParams, needs="torch", stops_early=True)
class Personal:
    """Two towers: a listener's vector, learnt from liked tracks, and a list for each listener."""

    def __init__(self, params: PersonalParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Fit with early stopping on the validation split."""
        with reproducible(run) as (torch, device):
            return self._fit(torch, device, train, run)

    def _fit(self, torch: Any, device: Any, train: Interactions, run: FitRun) -> FittedModel:
        params = self.params
        liked = _Liked(train, params.min_time)
        later = _Liked(run.valid, params.min_time)
        examples = np.flatnonzero(liked.chosen)
        if not len(examples):
            examples = np.arange(len(liked.track))
        if not len(examples):
            return FittedModel({})
        towers = _towers(torch, device, train, params.dim)
        sparse = torch.optim.SparseAdam(list(towers.tracks.parameters()), lr=params.rate)
        dense = torch.optim.Adam(list(towers.listener.parameters()), lr=params.rate / 10)
        negatives = Negatives(
            torch, device, liked.track[examples], len(train.catalog), params.power,
            params.negatives, run.seed,
        )  # fmt: skip
        draws = np.random.default_rng(run.seed)
        batches = -(-len(examples) // params.batch)

        def loss_of(user: Ints, target: Ints, negative: Any, generator: np.random.Generator) -> Any:
            tracks, weight = liked.histories(user, params.history, generator, target)
            given = towers(torch.from_numpy(tracks).to(device), torch.from_numpy(weight).to(device))
            wanted = torch.from_numpy(target).to(device)
            return negatives.loss(
                given, towers.tracks(wanted), wanted, negative, towers.tracks(negative),
                params.temperature,
            )  # fmt: skip

        def one_epoch(epoch: int, after_batch: Any) -> float:
            order = draws.permutation(examples)
            total = torch.zeros((), dtype=torch.float64, device=device)
            for batch in range(batches):
                share = (epoch * batches + batch) / (params.epochs * batches)
                sparse.param_groups[0]["lr"] = params.rate * (1 - share)
                dense.param_groups[0]["lr"] = params.rate / 10 * (1 - share)
                part = order[batch * params.batch : (batch + 1) * params.batch]
                weight = torch.from_numpy(liked.time[part] * liked.weight[part]).to(device)
                losses = loss_of(liked.user[part], liked.track[part], negatives.draw(), draws)
                loss = (losses * weight).sum() / weight.sum()
                sparse.zero_grad()
                dense.zero_grad()
                loss.backward()
                sparse.step()
                dense.step()
                total += loss.detach().double() * len(part)
                after_batch()
            return float(total) / len(examples)

        some = np.random.default_rng((run.seed, 2)).permutation(len(later.track))[:50_000]
        fixed = negatives.draw()

        def validate() -> float:
            if not len(some):
                return float("nan")
            generator = np.random.default_rng((run.seed, 3))
            with torch.no_grad():
                losses = loss_of(later.user[some], later.track[some], fixed, generator)
            return float(np.average(losses.cpu().numpy(), weights=later.time[some]))

        schedule = Schedule(
            "personal", "cross entropy of the liked track", params.epochs, params.patience, batches
        )
        curve, interrupted = learn(schedule, towers, one_epoch, validate, run)
        ranker = _ranker(torch, device, towers, train, liked, run.seed)
        facts = {
            "device": device.type, "listens": len(examples), "epochs": len(curve.train),
            "kept_epoch": curve.best_epoch + 1,
        }  # fmt: skip
        return FittedModel({"user": ranker}, curve=curve, facts=facts, interrupted=interrupted)


def _towers(torch: Any, device: Any, log: Interactions, dim: int) -> Any:
    class Towers(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.tracks = track_tower(torch, device, log, dim)
            self.listener = torch.nn.Linear(dim, dim)
            torch.nn.init.eye_(self.listener.weight)
            torch.nn.init.zeros_(self.listener.bias)

        def forward(self, tracks: Any, weight: Any) -> Any:
            heard = (self.tracks(tracks) * weight[:, :, None]).sum(dim=1)
            return torch.nn.functional.normalize(self.listener(heard), dim=1)

    return Towers().to(device)


def _ranker(
    torch: Any, device: Any, towers: Any, train: Interactions, liked: _Liked, seed: int
) -> Any:
    """Rank by the listener's whole history, up to 200 of its listens."""
    vectors = vectors_of(torch, towers.tracks, len(train.catalog))
    known = tracks_with_vectors(train, liked.track)
    counts = liked.starts[1:] - liked.starts[:-1]
    size = int(min(200, max(1, counts.max(initial=0))))
    everyone = np.empty((len(counts), vectors.shape[1]), dtype=np.float32)
    generator = np.random.default_rng((seed, 4))
    with torch.no_grad():
        for start in range(0, len(counts), 1024):
            users = np.arange(start, min(start + 1024, len(counts)))
            tracks, weight = liked.histories(users, size, generator, None)
            given = torch.from_numpy(tracks).to(device), torch.from_numpy(weight).to(device)
            everyone[users] = towers(*given).cpu().numpy()
    scores = dot_products(everyone, vectors, np.where(known, 0, -np.inf).astype(np.float32))

    def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = top_k(scores, keys, k, progress=progress)
        ranked[counts[keys] == 0] = -1  # a listener without a liked track has no vector
        return ranked

    return by_user
