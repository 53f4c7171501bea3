"""Regression of the time heard: the two contextual rankers that came before `pairs`.

`dot` is botify's: two embedding tables, dot product, mean squared error. `cosine` is the improved
variant: embedding, dropout, ReLU and a linear layer on each side; a learnt factor and offset scale
the cosine of the two to a time. Both learn from every listen after the first of its session,
whether or not a recommender chose it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from training.epochs import Schedule, learn
from training.interactions import Interactions
from training.model import FitRun, LearningCurve
from training.top_k import Floats, Ints


class Regression:
    """The model `dot` or `cosine`, over the tracks of a log's catalog.

    Attributes:
        seen: bool, (tracks,): tracks that were given at least once, so that they have a vector.
    """

    def __init__(self, torch: Any, device: Any, params: Any, log: Interactions) -> None:
        self._torch, self._device = torch, device
        self._params = params
        self._module = _module(torch, params, len(log.catalog)).to(device)
        self.seen = np.zeros(len(log.catalog), dtype=bool)

    def learn(self, train: Interactions, run: FitRun) -> tuple[LearningCurve, bool]:
        """Fit with early stopping; see `training.epochs.learn`."""
        torch, params, module = self._torch, self._params, self._module
        given, offered, time, weight = _examples(train, params.context)
        valid_given, valid_offered, valid_time, _ = _examples(run.valid, params.context)
        self.seen[given] = True
        tables = [module.given.weight, module.offered.weight]
        dense = [each for each in module.parameters() if all(each is not t for t in tables)]
        optimizers = [torch.optim.SparseAdam(tables, lr=params.rate)]
        if dense:
            optimizers.append(torch.optim.Adam(dense, lr=params.rate))
        draws = np.random.default_rng(run.seed)
        batches = max(1, -(-len(given) // params.batch))

        def one_epoch(epoch: int, after_batch: Any) -> float:
            module.train()
            order = draws.permutation(len(given))
            total = torch.zeros((), dtype=torch.float64, device=self._device)
            for batch in range(batches):
                share = (epoch * batches + batch) / (params.epochs * batches)
                for optimizer in optimizers:
                    optimizer.param_groups[0]["lr"] = params.rate * (1 - share)
                    optimizer.zero_grad()
                part = order[batch * params.batch : (batch + 1) * params.batch]
                error = self._predict(given[part], offered[part]) - self._tensor(time[part])
                loss = (self._tensor(weight[part]) * error**2).mean()
                loss.backward()
                for optimizer in optimizers:
                    optimizer.step()
                total += loss.detach().double() * len(part)
                after_batch()
            return float(total) / max(1, len(given))

        def validate() -> float:
            if not len(valid_given):
                return float("nan")
            module.eval()
            with torch.no_grad():
                predicted = self._predict(valid_given, valid_offered).cpu().numpy()
            return float(np.mean((predicted - valid_time) ** 2))

        schedule = Schedule(
            f"neural ({params.kind})",
            "mean squared error of the time",
            params.epochs,
            params.patience,
            batches,
        )
        return learn(schedule, module, one_epoch, validate, run)

    def vectors(self) -> tuple[Floats, Floats]:
        """Vectors of tracks as given and as offered tracks: float32, (tracks, d) each."""
        with self._torch.no_grad():
            everything = self._torch.arange(len(self.seen), device=self._device)
            return (
                self._module.side_given(everything).cpu().numpy(),
                self._module.side_offered(everything).cpu().numpy(),
            )

    def times(self, products: Floats) -> Floats:
        """Convert products of `vectors` to times in [0, 1]."""
        with self._torch.no_grad():
            times: Floats = self._module.scaled(self._tensor(products)).cpu().numpy()
        return times.clip(0, 1)

    def _predict(self, given: Ints, offered: Ints) -> Any:
        module = self._module
        left = module.side_given(self._tensor(given.astype(np.int64)))
        right = module.side_offered(self._tensor(offered.astype(np.int64)))
        return module.scaled((left * right).sum(dim=1))

    def _tensor(self, values: npt.NDArray[Any]) -> Any:
        return self._torch.from_numpy(values).to(self._device)


def _module(torch: Any, params: Any, tracks: int) -> Any:
    nn = torch.nn
    cosine = params.kind == "cosine"

    class Module(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.given = nn.Embedding(tracks, params.dim, sparse=True)
            self.offered = nn.Embedding(tracks, params.dim, sparse=True)
            for table in (self.given, self.offered):
                nn.init.normal_(table.weight, std=1.0 if cosine else params.dim**-0.5)
            if cosine:
                self.head_given, self.head_offered = (
                    nn.Sequential(
                        nn.Dropout(params.dropout), nn.ReLU(), nn.Linear(params.dim, params.dim)
                    )
                    for _ in range(2)
                )
                self.scale = nn.Parameter(torch.tensor(0.5))
                self.offset = nn.Parameter(torch.tensor(0.5))

        def side_given(self, indices: Any) -> Any:
            return (
                self._unit(self.head_given, self.given(indices)) if cosine else self.given(indices)
            )

        def side_offered(self, indices: Any) -> Any:
            if not cosine:
                return self.offered(indices)
            return self._unit(self.head_offered, self.offered(indices))

        def _unit(self, head: Any, rows: Any) -> Any:
            return nn.functional.normalize(head(rows), dim=1)

        def scaled(self, products: Any) -> Any:
            return self.scale * products + self.offset if cosine else products

    return Module()


def _examples(log: Interactions, context: str) -> tuple[Ints, Ints, Floats, Floats]:
    """Given track, offered track, time and weight of every listen but the first of a session."""
    follows = np.flatnonzero(log.session[1:] == log.session[:-1]) + 1
    given = follows - 1 if context == "previous" else log.starts[:-1][log.session[follows]]
    return log.track[given], log.track[follows], log.time[follows], log.weight[follows]
