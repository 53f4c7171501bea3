"""Session vectors: the session as one point of a trained space, and the tracks near it."""

from typing import Literal

import numpy as np
from pydantic import Field

from core.candidates import Candidates, Weights, by_rank
from core.listener import Listener
from strategies.base import Artifacts, TrackVectors, Unheard, UnheardParams
from strategies.registry import strategy
from strategies.session_scores import ArtistFatigue


class SessionVectorsParams(UnheardParams):
    """Settings of one `session_vectors` strategy.

    The defaults of `fatigue`, `power` and `dislike` were chosen by paired play with simulated
    listeners, who tire of an artist. They are where to start, and no truth about people.

    Attributes:
        vectors: Name of the vectors, keyed by track.
        fatigue: Factor on the liking at each further play of the same artist in a session, in
            (0, 1]. It is taken out of what was heard, and put on what may come.
        power: Exponent of the liking, above 0: the greater it is, the more the best tracks count.
        dislike: How much a track that was not liked at all pushes away, at least 0.
        depth: How many of the nearest tracks are ranked, at least 1.
        draw: `first`, the best one only; `score`, with probability proportional to the score; or
            `rank` or `uniform` over the ranking.
        unheard: `session` by default: nothing twice in a session.
    """

    vectors: TrackVectors
    fatigue: float = Field(0.6, gt=0, le=1)
    power: float = Field(2.0, gt=0)
    dislike: float = Field(0.3, ge=0)
    depth: int = Field(200, ge=1)
    draw: Literal["first", "score", "rank", "uniform"] = "first"
    unheard: Unheard = "session"


@strategy("session_vectors", SessionVectorsParams)
class SessionVectors:
    """Rank the tracks nearest to the sum of the session's vectors, the liked ones weighing most.

    A track's vector weighs liking ** power - dislike * (1 - liking). The score is the cosine to the
    sum, and falls by `fatigue` with each play of the artist in the session.

    Reads: the session's listens; the vectors.
    Abstains: no track of the session has a vector, or no unheard track has a positive score.
    Chance: as `draw` says, the best track only by default.
    Cost: O(tracks * dimensions), the one strategy whose cost grows with the catalog.
    """

    def __init__(self, params: SessionVectorsParams, artifacts: Artifacts) -> None:
        self.params = params
        self._catalog = artifacts.catalog
        self._vectors = artifacts.vectors[params.vectors]

    def propose(self, listener: Listener) -> Candidates | None:
        params, vectors = self.params, self._vectors
        likings = listener.likings(self._catalog, params.fatigue)
        rows = [(vectors.row_of_track(track), liking) for track, liking in likings]
        rows = [each for each in rows if each[0] >= 0]
        if not rows:
            listener.note("no track of this session has a vector")
            return None
        weights = [like**params.power - params.dislike * (1.0 - like) for _, like in rows]
        query = np.array(weights, dtype=np.float32) @ vectors.units[[row for row, _ in rows]]
        heard = self._heard(listener)
        tracks, products = vectors.near(query, params.depth + len(heard))
        listener.note("{} tracks of this session, the {} nearest tracks", len(rows), len(tracks))
        scores: Weights = products.astype(np.float64)
        scores *= ArtistFatigue(self._catalog, likings, params.fatigue).of(tracks)
        kept = [
            place
            for place, (track, score) in enumerate(
                zip(tracks.tolist(), scores.tolist(), strict=True)
            )
            if score > 0 and track not in heard
        ]
        if not kept:
            listener.note("no unheard track has a positive score")
            return None
        return self._drawn(tracks[kept], scores[kept])

    def _heard(self, listener: Listener) -> frozenset[int]:
        if self.params.unheard == "none":
            return frozenset()
        return listener.heard if self.params.unheard == "history" else listener.heard_in_session

    def _drawn(self, tracks: np.ndarray, scores: Weights) -> Candidates:
        if self.params.draw == "first":
            return Candidates([int(tracks[scores.argmax()])])
        order = np.argsort(-scores, kind="stable")[: self.params.depth]
        ranked = tracks[order].tolist()
        if self.params.draw == "rank":
            return by_rank(ranked)
        return Candidates(ranked, scores[order] if self.params.draw == "score" else None)
