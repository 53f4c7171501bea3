"""Session vectors: the session as one point of a trained space, and the tracks near it."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from core.candidates import Candidates, Weights, by_rank
from core.listener import Listener
from core.nearest import Floats
from strategies.base import Artifacts, TrackVectors, Unheard, UnheardParams
from strategies.registry import strategy
from strategies.session_scores import Likings, SumsByTrack

Tracks = npt.NDArray[np.int32]
Nearest = tuple[Tracks, Floats]


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
        lengths: How much the length of a track's vector counts, at least 0: the score is times
            length ** lengths. Of `segue train interests`, a long vector tells well who likes the
            track.
        depth: How many of the nearest tracks are ranked, at least 1.
        draw: `first`, the best one only; `score`, with probability proportional to the score; or
            `rank` or `uniform` over the ranking.
        unheard: `session` by default: nothing twice in a session.
    """

    vectors: TrackVectors
    fatigue: float = Field(0.6, gt=0, le=1)
    power: float = Field(2.0, gt=0)
    dislike: float = Field(0.3, ge=0)
    lengths: float = Field(0.0, ge=0, le=4)
    depth: int = Field(200, ge=1)
    draw: Literal["first", "score", "rank", "uniform"] = "first"
    unheard: Unheard = "session"


@strategy("session_vectors", SessionVectorsParams)
class SessionVectors:
    """Rank the tracks nearest to the sum of the session's vectors, the liked ones weighing most.

    A track's vector weighs liking ** power - dislike * (1 - liking). The score is the cosine to the
    sum, times the length of the track's vector to the power `lengths`. It falls by `fatigue` with
    each play of the artist in the session.

    Reads: the session's listens; the vectors.
    Abstains: no track of the session has a vector, or no unheard track has a positive score.
    Chance: as `draw` says, the best track only by default.
    Cost: O(tracks * dimensions), the one strategy whose cost grows with the catalog.
    """

    def __init__(self, params: SessionVectorsParams, artifacts: Artifacts) -> None:
        self.params = params
        self._catalog = artifacts.catalog
        self._vectors = artifacts.vectors[params.vectors]
        self._sums = SumsByTrack(artifacts.catalog)
        self._by_length: Weights | None = None
        if params.lengths > 0:
            self._by_length = np.zeros(len(artifacts.catalog))
            self._by_length[self._vectors.tracks] = self._vectors.lengths**params.lengths
        self._prepared: dict[tuple[str, int, bytes], tuple[Likings, Nearest]] = {}

    def prepare(self, listeners: Sequence[Listener]) -> None:
        """Find the nearest tracks for turns that come together, by one product.

        `propose` takes what was found for its listener, and finds the same without it.
        """
        asked = []
        for listener in listeners:
            found = self._query(listener)
            if found is not None:
                asked.append((listener, *found))
        queries = np.array([query for _, _, query in asked], dtype=np.float32)
        heard = [self._heard(listener) for listener, _, _ in asked]
        nearest = self._vectors.near_all(queries, self.params.depth, heard)
        self._prepared = {
            _key_of(listener): (likings, near)
            for (listener, likings, _), near in zip(asked, nearest, strict=True)
        }

    def propose(self, listener: Listener) -> Candidates | None:
        found = self._prepared.pop(_key_of(listener), None) if self._prepared else None
        if found is None:
            found = self._nearest(listener)
        if found is None:
            listener.note("no track of this session has a vector")
            return None
        likings, (tracks, products) = found
        listener.note("{} tracks of this session, the {} nearest tracks", len(likings), len(tracks))
        scores: Weights = products.astype(np.float64)
        if self._by_length is not None:
            scores *= self._by_length.take(tracks)
        scores *= self._sums.fatigue(tracks, likings, self.params.fatigue)
        return self._drawn(tracks, scores, listener)

    def _nearest(self, listener: Listener) -> tuple[Likings, Nearest] | None:
        """Give likings and nearest tracks, None if no track of the session has a vector."""
        found = self._query(listener)
        if found is None:
            return None
        likings, query = found
        return likings, self._vectors.near(query, self.params.depth, self._heard(listener))

    def _query(self, listener: Listener) -> tuple[Likings, Floats] | None:
        """Give the likings of the session's tracks, and the sum of their vectors."""
        params, row_of = self.params, self._vectors.row_of_track
        likings = listener.likings(self._catalog, params.fatigue)
        power, dislike = params.power, params.dislike
        rows, weights = [], []
        for track, liking in likings:
            row = row_of(track)
            if row >= 0:
                rows.append(row)
                weights.append(liking**power - dislike * (1.0 - liking))
        if not rows:
            return None
        # einsum and not a matrix product: its last bits are the same on every machine.
        units = self._vectors.units.take(rows, axis=0)
        return likings, np.einsum("i,ij->j", np.array(weights, dtype=np.float32), units)

    def _heard(self, listener: Listener) -> frozenset[int]:
        if self.params.unheard == "none":
            return frozenset()
        return listener.heard if self.params.unheard == "history" else listener.heard_in_session

    def _drawn(self, tracks: Tracks, scores: Weights, listener: Listener) -> Candidates | None:
        if not len(tracks) or scores[best := int(scores.argmax())] <= 0:
            listener.note("no unheard track has a positive score")
            return None
        if self.params.draw == "first":
            return Candidates([int(tracks[best])])
        kept = np.flatnonzero(scores > 0)
        order = kept[np.argsort(-scores[kept], kind="stable")]
        ranked = tracks[order].tolist()
        if self.params.draw == "rank":
            return by_rank(ranked)
        return Candidates(ranked, scores[order] if self.params.draw == "score" else None)


def _key_of(listener: Listener) -> tuple[str, int, bytes]:
    """Give all of a listener that a proposal depends on."""
    return listener.id, listener.session_start, bytes(listener.packed)
