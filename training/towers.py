"""Vectors of tracks learnt by sampled softmax: the parts that several models share.

A track's vector is its own plus its artist's, scaled to length one, so that tracks heard seldom
lean on their artist. Negatives are drawn by frequency to a power and their logits corrected by the
logarithm of how often that draws them (Bengio and Senecal 2008; Yi et al. 2019).
"""

from typing import Any

import numpy as np

from training.interactions import Interactions
from training.top_k import Floats, Ints


def track_tower(torch: Any, log: Interactions, dim: int) -> Any:
    """A torch module: catalog indices to unit vectors, float32, (..., dim)."""

    class Tower(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.own = torch.nn.Embedding(len(log.catalog), dim, sparse=True)
            self.artist = torch.nn.Embedding(len(log.catalog.artists), dim, sparse=True)
            torch.nn.init.normal_(self.own.weight, std=dim**-0.5 / 10)
            torch.nn.init.normal_(self.artist.weight, std=dim**-0.5)
            self.register_buffer(
                "artist_of", torch.from_numpy(log.catalog.artist_of.astype(np.int64)), False
            )

        def forward(self, tracks: Any) -> Any:
            both = self.own(tracks) + self.artist(self.artist_of[tracks])
            return torch.nn.functional.normalize(both, dim=-1)

    return Tower()


class Negatives:
    """Tracks drawn to be told from the right one, the same for a whole batch."""

    def __init__(
        self, torch: Any, targets: Ints, tracks: int, power: float, count: int, seed: int
    ) -> None:
        self._torch = torch
        frequency = (np.bincount(targets, minlength=tracks) + 1e-3).astype(np.float64) ** power
        chance = frequency / frequency.sum()
        self._sums = np.cumsum(chance)
        self._log_expected = torch.from_numpy(np.log(chance * count).astype(np.float32))
        self._count = count
        self._draws = np.random.default_rng((seed, 1))

    def draw(self) -> Any:
        """Catalog indices, int64, (count,)."""
        drawn = np.searchsorted(self._sums, self._draws.random(self._count), side="right")
        return self._torch.from_numpy(np.minimum(drawn, len(self._sums) - 1))

    def loss(self, given: Any, right: Any, target: Any, negative: Any, others: Any, heat: float):  # type: ignore[no-untyped-def]
        """Cross entropy of the right track among the negatives, (batch,).

        Args:
            given: Unit vectors of what is given, (batch, d).
            right: Unit vectors of the right tracks, (batch, d).
            target: Their catalog indices, (batch,).
            negative: Catalog indices of the negatives, (negatives,).
            others: Their unit vectors, (negatives, d).
            heat: Temperature of the softmax.
        """
        torch = self._torch
        positive = (given * right).sum(dim=1) / heat - self._log_expected[target]
        logits = torch.addmm(-self._log_expected[negative], given, others.T, alpha=1 / heat)
        # A negative that is the right track after all says nothing.
        row, column = torch.nonzero(target[:, None] == negative[None, :], as_tuple=True)
        logits[row, column] = -1e9
        return torch.logaddexp(torch.logsumexp(logits, dim=1), positive) - positive


def vectors_of(torch: Any, tower: Any, tracks: int) -> Floats:
    """All tracks' vectors: float32, (tracks, d)."""
    with torch.no_grad():
        vectors: Floats = tower(torch.arange(tracks)).numpy()
    return vectors


def tracks_with_vectors(log: Interactions, heard: Ints) -> np.ndarray:
    """Tracks of which something was learnt, by themselves or by their artist: bool, (tracks,)."""
    artists = np.zeros(len(log.catalog.artists), dtype=bool)
    artists[log.catalog.artist_of[heard]] = True
    known: np.ndarray = artists[log.catalog.artist_of]
    return known
