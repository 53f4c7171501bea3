"""Fresh: a stated share of turns for tracks that few have heard, so that they can be learnt."""

from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.errors import SegueError
from core.listener import Listener
from core.mixture import Mixture
from strategies.base import Artifacts, Params, StrategyName
from strategies.registry import strategy


class FreshParams(Params):
    """Settings of one `fresh` strategy.

    Attributes:
        of: Name of the strategy that proposes in all other turns.
        share: Share of the turns that play a fresh track, in (0, 1).
        known: A track is fresh if it is not among the first `known` of the popularity list; at
            least 1. `segue train popular` writes that list, with every track that was heard.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"of": "popular"}, {"of": "contextual", "known": 3}]}
    )

    of: StrategyName
    share: float = Field(0.05, gt=0, lt=1)
    known: int = Field(1_000_000, ge=1)


@strategy("fresh", FreshParams)
class Fresh:
    """Propose fresh tracks in a share of the turns, and else what the strategy `of` does.

    What the listener heard does not count, so a fresh track may come twice.

    Reads: the popularity list; the strategy `of`.
    Abstains: `of` abstains.
    Chance: exact: share / fresh tracks for a fresh track, plus 1 - share times its chance in `of`.
    Cost: that of `of`; the fresh tracks are found once.
    """

    def __init__(self, params: FreshParams, artifacts: Artifacts) -> None:
        self.params = params
        self._of = artifacts.strategies[params.of]
        self.always_answers = self._of.always_answers
        fresh = artifacts.catalog.everything.without(artifacts.top[: params.known].tolist())
        if fresh is None:
            raise SegueError(
                f"known: the first {params.known} tracks of the popularity list are the whole "
                "catalog, so no track is fresh. Lower it"
            )
        self._fresh = fresh

    def propose(self, listener: Listener) -> Candidates | None:
        candidates = self._of.propose(listener)
        if candidates is None:
            listener.note("'{}' abstains", self._of.name)
            return None
        share = self.params.share
        listener.note("a share of {} for the {} fresh tracks", share, len(self._fresh))
        return Mixture([(candidates, 1.0 - share), (self._fresh, share)])
