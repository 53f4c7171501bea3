"""Artist discount: what a second strategy proposes; artists fall back as they are played."""

from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts
from strategies.registry import strategy
from strategies.wrapping import Wrapper, WrapperDraw, WrapperParams, in_order_of, scores_of


class ArtistDiscountParams(WrapperParams):
    """Settings of one `artist_discount` strategy.

    Attributes:
        factor: Factor on the score for each play of the artist in the session, in (0, 1]. The
            default was chosen by paired play with simulated listeners, who tire of an artist.
        k: For strategies without scores, a track scores 1 / (k + rank); at least 0.
        depth: How many tracks count, from the first; at least 1.
        draw: As for every wrapper; `first` by default, since the order is what changes.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"of": "contextual"}, {"of": "contextual", "depth": 3}]}
    )

    factor: float = Field(0.6, gt=0, le=1)
    k: float = Field(30.0, ge=0)
    depth: int = Field(200, ge=1)
    draw: WrapperDraw = "first"


@strategy("artist_discount", ArtistDiscountParams)
class ArtistDiscount(Wrapper):
    """Propose what the strategy `of` does, each score falling with the plays of the track's artist.

    Reads: the session's listens; the catalog's artists; the strategy `of`.
    Abstains: `of` abstains.
    Chance: as `draw` says, the best track only by default.
    Cost: O(session + depth).
    """

    def __init__(self, params: ArtistDiscountParams, artifacts: Artifacts) -> None:
        super().__init__(params, artifacts)
        self.params = params
        self.always_answers = self._of.always_answers
        self._catalog = artifacts.catalog

    def change(self, candidates: Candidates, listener: Listener) -> Candidates | None:
        tracks, scores = scores_of(candidates, self.params.depth, self.params.k)
        plays = listener.artist_counts(self._catalog, in_session=True)
        listener.note("{} artists were played in this session", len(plays))
        if plays:
            artists = self._catalog.artist_of[tracks].tolist()
            for place, artist in enumerate(artists):
                if artist in plays:
                    scores[place] *= self.params.factor ** plays[artist]
        return in_order_of(scores, tracks, candidates.source)
