"""Boost: a second strategy's ranking, with the tracks moved that meet conditions."""

from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.listener import Listener
from core.track_fields import tracks_where
from strategies.base import Artifacts, TrackConditions
from strategies.registry import strategy
from strategies.wrapping import Wrapper, WrapperDraw, WrapperParams, in_order_of, scores_of


class BoostParams(WrapperParams):
    """Settings of one `boost` strategy.

    Attributes:
        where: Condition by field of the catalog, as in `filter`; at least one.
        by: Factor on the score of the tracks that meet all of them, above 0; below 1 moves down.
        k: For strategies without scores, a track scores 1 / (k + rank); at least 0.
        depth: How many tracks count, from the first; at least 1.
        draw: As for every wrapper; `first` by default, since the order is what changes.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"of": "popular", "where": {"genre": "rock"}},
                {"of": "contextual", "where": {"year": {"min": 2000}}, "by": 0.5, "depth": 3},
            ]
        }
    )

    where: TrackConditions = Field(min_length=1)
    by: float = Field(2.0, gt=0)
    k: float = Field(30.0, ge=0)
    depth: int = Field(200, ge=1)
    draw: WrapperDraw = "first"


@strategy("boost", BoostParams)
class Boost(Wrapper):
    """Propose what the strategy `of` does, with the scores of some tracks multiplied.

    Reads: the catalog's fields; the strategy `of`.
    Abstains: `of` abstains.
    Chance: as `draw` says, the best track only by default.
    Cost: O(depth); the tracks that meet the conditions are found once.
    """

    def __init__(self, params: BoostParams, artifacts: Artifacts) -> None:
        super().__init__(params, artifacts)
        self.params = params
        self.always_answers = self._of.always_answers
        self._is_boosted = tracks_where(artifacts.catalog.fields, params.where)

    def change(self, candidates: Candidates, listener: Listener) -> Candidates | None:
        tracks, scores = scores_of(candidates, self.params.depth, self.params.k)
        boosted = self._is_boosted[tracks]
        scores[boosted] *= self.params.by
        listener.note(
            "{} of {} tracks score {} times as much",
            int(boosted.sum()),
            len(tracks),
            self.params.by,
        )
        return in_order_of(scores, tracks, candidates.source)
