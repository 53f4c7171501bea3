"""Interest: the session as one point of a trained space, and the known interest that it matches."""

import numpy as np
from pydantic import Field

from core.errors import SegueError
from core.listener import Listener
from core.nearest import Floats
from strategies.base import Artifacts, ListenerTables
from strategies.registry import strategy
from strategies.session_scores import Likings
from strategies.session_vectors import SessionVectors, SessionVectorsParams


class InterestParams(SessionVectorsParams):
    """Settings of one `interest` strategy.

    Attributes:
        vectors: Name of the vectors, keyed by track.
        table: Name of the table by listener, of the same training as the vectors.
        interest: Weight of the matched interest, at least 0; a track heard to its end weighs 1.
        sharpness: How fast the weight of an interest falls with its distance from the session, at
            least 0: at 10, an interest whose cosine is less by 0.1 weighs a third.
        fatigue: As in `session_vectors`, and so are the params below.
        power: Exponent of the liking.
        dislike: How much a track that was not liked at all pushes away.
        lengths: How much the length of a track's vector counts.
        depth: How many of the nearest tracks are ranked.
        draw: `first`, `score`, `rank` or `uniform`.
        unheard: `session` by default: nothing twice in a session.
    """

    table: ListenerTables
    interest: float = Field(2.0, ge=0)
    sharpness: float = Field(10.0, ge=0)


@strategy("interest", InterestParams)
class Interest(SessionVectors):
    """Rank the tracks nearest to the session and to the listener's interest that it is about.

    Adds to the sum of `session_vectors` the directions of the listener's known interests, each by
    its share of their sessions and by its nearness to this session. A first visit of a known
    listener gets the tracks near the most common interest.

    Reads: the session's listens; the vectors; the table by listener.
    Abstains: no track of the session has a vector and the listener is not in the table, or no
        unheard track has a positive score.
    Chance: as `draw` says, the best track only by default.
    Cost: O(tracks * dimensions), as `session_vectors`.
    """

    params: InterestParams

    def __init__(self, params: InterestParams, artifacts: Artifacts) -> None:
        super().__init__(params, artifacts)
        self._table = artifacts.tables[params.table]
        self._check_space()

    def _check_space(self) -> None:
        """Refuse a table of a different space: its interests would point anywhere.

        Raises:
            SegueError: Dimensions or spaces differ.
        """
        spaces = [
            (each.dimensions, each.manifest.get("space")) for each in (self._vectors, self._table)
        ]
        if spaces[0] != spaces[1]:
            raise SegueError(
                f"table '{self.params.table}' must be of the same training as the vectors "
                f"'{self.params.vectors}', but they have different spaces. Take both files of one "
                "`segue train`"
            )

    def _query(self, listener: Listener) -> tuple[Likings, Floats] | None:
        found = super()._query(listener)
        row = self._table.row_of_user(listener.id)
        if row < 0:
            return found
        interests, shares = self._table.units[row], self._table.rows.shares[row]
        if found is None:
            likings = listener.likings(self._catalog, self.params.fatigue)
            listener.note("the most common interest of this listener")
            direction = interests[int(shares.argmax())]
            return (likings, direction) if direction.any() else None
        likings, query = found
        length = np.sqrt(np.einsum("i,i", query, query))
        near = np.einsum("ij,j->i", interests, query) / max(length, _LEAST)
        weights = shares * np.exp(self.params.sharpness * (near - near.max()))
        total = weights.sum()
        if total <= 0:
            return found
        weights *= self.params.interest / total
        listener.note("interests of this listener, with the weights {}", weights.round(2).tolist())
        return likings, query + np.einsum("i,ij->j", weights.astype(np.float32), interests)


_LEAST = np.float32(1e-12)
