"""Scores over a session that several strategies share: the fatigue of artists that were played."""

import numpy as np
import numpy.typing as npt

from core.candidates import Weights
from core.catalog import Catalog


class ArtistFatigue:
    """The factors on the scores of tracks, by the plays of their artists in the session.

    Args:
        catalog: The catalog of the tracks.
        likings: (track, liking) of the session's listens.
        fatigue: Factor for each play of the same artist, in (0, 1].
    """

    def __init__(self, catalog: Catalog, likings: list[tuple[int, float]], fatigue: float) -> None:
        self._artist_of = catalog.artist_of
        left: dict[int, float] = {}
        for track, _ in likings:
            artist = int(self._artist_of[track])
            left[artist] = left.get(artist, 1.0) * fatigue
        self._played = np.array(sorted(left))
        self._factors = np.array([left[artist] for artist in self._played.tolist()])

    def of(self, tracks: npt.NDArray[np.integer]) -> Weights:
        """Give the factor of each track; 1 for an artist that was not played."""
        if not len(self._played):
            return np.ones(len(tracks))
        by_track = self._artist_of[tracks]
        # Not a table of all artists: a decision's cost must not grow with the catalog.
        places = np.minimum(np.searchsorted(self._played, by_track), len(self._played) - 1)
        factors: Weights = np.where(self._played[places] == by_track, self._factors[places], 1.0)
        return factors
