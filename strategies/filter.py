"""Filter: what a second strategy proposes, of the tracks that meet conditions on their fields."""

from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import Annotated, Self

import numpy as np
import orjson
from pydantic import ConfigDict, Field, model_validator

from core.candidates import Candidates
from core.errors import SegueError
from core.listener import Listener
from core.track_fields import Where, tracks_where
from strategies.base import Artifacts, TrackConditions
from strategies.registry import strategy
from strategies.wrapping import Wrapper, WrapperParams

KEPT = 256
"""Number of filters of requests whose tracks are kept; finding them reads the whole catalog."""


class FilterParams(WrapperParams):
    """Settings of one `filter` strategy.

    Attributes:
        where: Condition by field of the catalog; a track must meet all of them. A condition is a
            value, a list of values, or `min`, `max` or `not`.
        request: Whether the `filter` of a request counts too.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"of": "popular", "where": {"genre": "rock"}},
                {"of": "popular", "request": True},
            ]
        }
    )

    where: Annotated[TrackConditions, Field(min_length=1)] | None = None
    request: bool = False

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.where and not self.request:
            raise ValueError("needs `where`, or `request: true`; without both it filters nothing")
        return self


@strategy("filter", FilterParams)
class Filter(Wrapper):
    """Propose what the strategy `of` does, without tracks that fail a condition.

    A `fallback` is not filtered: name one that is a `filter` too.

    Reads: the catalog's fields; with `request`, the filter of the request; the strategy `of`.
    Abstains: `of` abstains, or none of its tracks is left.
    Chance: as `draw` says, among the tracks left.
    Cost: O(tracks proposed); the tracks that meet a condition are found once, for the whole catalog
        at the start, and for a request's filter when it comes first.
    """

    def __init__(self, params: FilterParams, artifacts: Artifacts) -> None:
        super().__init__(params, artifacts)
        self.params = params
        self._fields = artifacts.catalog.fields
        self._allowed = self._find(params.where) if params.where else None
        if self._allowed is not None and not len(self._allowed):
            raise SegueError("where: no track of the catalog meets these conditions. Change them")
        # Part of the catalog is left of the whole of it, whatever the listener is like.
        whole = self._of.propose(Listener.of("")) if self._of.always_answers else None
        self.always_answers = (
            whole is not None and len(whole) == len(artifacts.catalog) and not params.request
        )
        # A cache of a pure function, so it is no state of a listener.
        self._requested = lru_cache(maxsize=KEPT)(lambda key: self._find(orjson.loads(key)))

    def change(self, candidates: Candidates, listener: Listener) -> Candidates | None:
        left: Candidates | None = candidates
        if self._allowed is not None:
            left = candidates.intersection(self._allowed)
        if self.params.request and listener.filter and left is not None:
            key = orjson.dumps(listener.filter, option=orjson.OPT_SORT_KEYS)
            left = left.intersection(self._requested(key))
            listener.note("filtered as the request says: {}", key.decode())
        listener.note("{} tracks meet the conditions", 0 if left is None else len(left))
        return left

    def _find(self, where: Where) -> "_Allowed":
        return _Allowed(np.flatnonzero(tracks_where(self._fields, where)).tolist())


class _Allowed(Candidates):
    """The tracks that meet conditions; the set of them is made once."""

    __slots__ = ("_set",)

    def __init__(self, tracks: list[int]) -> None:
        super().__init__(tracks)
        self._set = frozenset(tracks)

    def as_set(self) -> AbstractSet[int]:
        return self._set

    def __contains__(self, track: int) -> bool:
        return track in self._set
