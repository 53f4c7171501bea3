"""Track towers: the parts that models with sampled softmax share.

A track's vector is the sum of its own and its artist's vector, scaled to length one, so that a
rarely heard track is close to its artist. Negatives are drawn by a power of their frequency; the
logarithm of their expected count corrects their logits (Bengio and Senecal 2008; Yi et al. 2019).
"""

from typing import Any

import numpy as np

from training.interactions import Interactions
from training.top_k import Floats, Ints


def track_tower(torch: Any, device: Any, log: Interactions, dim: int) -> Any:
    """A torch module on `device`: catalog indices to unit vectors, float32, (..., dim)."""

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

    return Tower().to(device)  # its first numbers are drawn on the CPU, the same for every device


class Negatives:
    """Negative samples, the same for a whole batch."""

    def __init__(
        self,
        torch: Any,
        device: Any,
        targets: Ints,
        tracks: int,
        power: float,
        count: int,
        seed: int,
    ) -> None:
        self._torch, self._device = torch, device
        frequency = (np.bincount(targets, minlength=tracks) + 1e-3).astype(np.float64) ** power
        probability = frequency / frequency.sum()
        self._sums = np.cumsum(probability)
        log_expected = np.log(probability * count).astype(np.float32)
        self._log_expected = torch.from_numpy(log_expected).to(device)
        self._count = count
        self._draws = np.random.default_rng((seed, 1))

    def draw(self) -> Any:
        """Draw catalog indices, int64, (count,)."""
        drawn = np.searchsorted(self._sums, self._draws.random(self._count), side="right")
        return self._torch.from_numpy(np.minimum(drawn, len(self._sums) - 1)).to(self._device)

    def loss(self, given: Any, right: Any, target: Any, negative: Any, others: Any, heat: float):  # type: ignore[no-untyped-def]
        """Cross entropy of the right track among the negatives, (batch,).

        Args:
            given: Unit vectors of the given tracks or listeners, (batch, d).
            right: Unit vectors of the right tracks, (batch, d).
            target: Their catalog indices, (batch,).
            negative: Catalog indices of the negatives, (negatives,).
            others: Their unit vectors, (negatives, d).
            heat: Temperature of the softmax.
        """
        torch = self._torch
        positive = (given * right).sum(dim=1) / heat - self._log_expected[target]
        logits = torch.addmm(-self._log_expected[negative], given, others.T, alpha=1 / heat)
        # A negative may be the right track by accident; it must not count against it.
        logits = logits.masked_fill(target[:, None] == negative[None, :], -1e9)
        return torch.logaddexp(torch.logsumexp(logits, dim=1), positive) - positive


def vectors_of(torch: Any, tower: Any, tracks: int) -> Floats:
    """All tracks' vectors: float32, (tracks, d)."""
    with torch.no_grad():
        every_track = torch.arange(tracks, device=tower.own.weight.device)
        vectors: Floats = tower(every_track).cpu().numpy()
    return vectors


def tracks_with_vectors(log: Interactions, heard: Ints) -> np.ndarray:
    """Tracks with a learnt vector, their own or their artist's: bool, (tracks,)."""
    artists = np.zeros(len(log.catalog.artists), dtype=bool)
    artists[log.catalog.artist_of[heard]] = True
    known: np.ndarray = artists[log.catalog.artist_of]
    return known
