"""Scores of a session that several strategies share: sums by track, fatigue of artists."""

import numpy as np
import numpy.typing as npt

from core.candidates import Weights
from core.catalog import Catalog

Indices = npt.NDArray[np.intp]
Likings = list[tuple[int, float]]
"""(track, liking) of the session's listens, as `Listener.likings` gives them."""


class SumsByTrack:
    """Sums and factors by track, over a few tracks of a large catalog.

    It has one number for each track and each artist, which is at rest between two calls: so a sum
    takes no sorting, and its cost does not grow with the catalog.

    Args:
        catalog: The catalog of the tracks.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._artist_of = catalog.artist_of
        self._totals: Weights = np.zeros(len(catalog))
        self._factors: Weights = np.ones(len(catalog.artists))

    def of(self, tracks: Indices, added: Weights, without: list[int]) -> Weights:
        """Add up the numbers of each track, in their order.

        Args:
            tracks: Catalog indices; a track may come several times.
            added: A number for each of them.
            without: Tracks whose sum is 0, whatever is added.

        Returns:
            For each of `tracks` the sum of its track.
        """
        totals = self._totals
        np.add.at(totals, tracks, added)
        if without:
            totals[without] = 0.0
        sums = totals[tracks]
        totals[tracks] = 0.0
        return sums

    def fatigue(self, tracks: npt.NDArray[np.integer], likings: Likings, fatigue: float) -> Weights:
        """Give the factor of each track by the plays of its artist in the session.

        Args:
            tracks: Catalog indices.
            likings: (track, liking) of the session's listens.
            fatigue: Factor for each play of the same artist, in (0, 1].
        """
        artist_of, factors = self._artist_of, self._factors
        played = artist_of[[track for track, _ in likings]]
        np.multiply.at(factors, played, fatigue)
        found: Weights = factors.take(artist_of.take(tracks))  # two thirds of what brackets cost
        factors[played] = 1.0
        return found
