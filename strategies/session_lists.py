"""Session lists: the lists of all tracks of the session as one ranking."""

from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import ConfigDict, Field, field_validator

from core.candidates import Candidates, Weights, by_rank
from core.errors import SegueError
from core.listener import Listener
from strategies.base import Artifacts, TrackLists, Unheard, UnheardParams, UserLists
from strategies.registry import strategy
from strategies.session_scores import SumsByTrack

Tracks = npt.NDArray[np.integer]
Shares = npt.NDArray[np.float32]


def _or_one_name(schema: dict[str, Any]) -> None:
    """Let the JSON Schema take the name of one list too, as `_by_name` does."""
    weights = dict(schema)
    schema.clear()
    schema["anyOf"] = [{"type": "string"}, weights]


class SessionListsParams(UnheardParams):
    """Settings of one `session_lists` strategy.

    The defaults of `fatigue`, `power`, `dislike` and `k` were chosen by paired play with simulated
    listeners, who tire of an artist. They are where to start, and no truth about people.

    Attributes:
        lists: Name of the lists, keyed by track; or the weight of several by their names, above 0.
        fatigue: Factor on the liking at each further play of the same artist in a session, in
            (0, 1]. It is taken out of what was heard, and put on what may come.
        power: Exponent of the liking, above 0: the greater it is, the more the best tracks count.
        dislike: How much a track that was not liked at all counts against its list, at least 0.
        by: What a place in a list is worth: by its `rank`, 1 / (k + rank), or by its `score`, as a
            share of the list's first score. Scores must be in the file.
        k: Added to every rank, at least 0: the greater it is, the less the first ranks stand out.
        depth: How many tracks of each list count, from its first; at least 1.
        personal: Name of lists, keyed by user: the listener's own list counts as one list more.
        personal_weight: Its weight; a track heard to its end has the weight 1.
        draw: `first`, the best one only; `score`, with probability proportional to the score; or
            `rank` or `uniform` over the ranking.
        unheard: `session` by default: nothing twice in a session.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"lists": {"contextual": 1}},
                {"lists": {"contextual": 0.5}, "personal": "personal", "depth": 3, "draw": "score"},
            ]
        }
    )

    lists: dict[TrackLists, Annotated[float, Field(gt=0)]] = Field(
        min_length=1, json_schema_extra=_or_one_name
    )
    fatigue: float = Field(0.6, gt=0, le=1)
    power: float = Field(2.0, gt=0)
    dislike: float = Field(0.3, ge=0)
    by: Literal["rank", "score"] = "rank"
    k: float = Field(30.0, ge=0)
    depth: int = Field(100, ge=1)
    personal: UserLists | None = None
    personal_weight: float = Field(0.3, gt=0)
    draw: Literal["first", "score", "rank", "uniform"] = "first"
    unheard: Unheard = "session"

    @field_validator("lists", mode="before")
    @classmethod
    def _by_name(cls, lists: Any) -> Any:
        """Give a name without a weight the weight 1."""
        return {lists: 1.0} if isinstance(lists, str) else lists


@strategy("session_lists", SessionListsParams)
class SessionLists:
    """Rank the tracks of all lists of the session's tracks, the liked ones weighing most.

    A track scores the sum, over the lists that have it, of weight / (k + rank) (reciprocal rank
    fusion; Cormack, Clarke, Buettcher 2009), or of weight * score / first score of the list. The
    weight of a list is that of the session's track it belongs to: liking ** power - dislike * (1 -
    liking), so that the list of a skipped track counts against its tracks. The score falls by
    `fatigue` with each play of the artist in the session.

    Reads: the session's listens; the lists; the listener's own list with `personal`.
    Abstains: no track of the session has a list and the listener has none, or no score is positive.
    Chance: as `draw` says, the best track only by default.
    Cost: O(session * depth).
    """

    def __init__(self, params: SessionListsParams, artifacts: Artifacts) -> None:
        self.params = params
        self._catalog = artifacts.catalog
        self._lists = [
            (artifacts.lists[name], each, self._worths(name, artifacts))
            for name, each in params.lists.items()
        ]
        self._personal = None if params.personal is None else artifacts.lists[params.personal]
        self._personal_worths = (
            None if params.personal is None else self._worths(params.personal, artifacts)
        )
        self._by_place = 1.0 / (params.k + np.arange(1, params.depth + 1))
        self._sums = SumsByTrack(artifacts.catalog)

    def _worths(self, name: str, artifacts: Artifacts) -> Shares | None:
        """Give what each place of a list file is worth by its score; None where ranks count.

        Raises:
            SegueError: Scores count, and the file has none.
        """
        if self.params.by == "rank":
            return None
        shares = artifacts.lists[name].relative_scores()
        if shares is None:
            raise SegueError(
                f"lists '{name}' must have scores for `by: score`, have none. Make them again with "
                "a model that gives scores (docs/training.md), or set `by: rank`"
            )
        return shares

    def propose(self, listener: Listener) -> Candidates | None:
        likings = listener.likings(self._catalog, self.params.fatigue)
        heads, weights, worths = self._heads(listener, likings)
        if not heads:
            listener.note("no track of this session has a list")
            return None
        tracks = np.concatenate(heads).astype(np.intp)
        scores = self._sums.of(tracks, self._added(heads, weights, worths), self._heard(listener))
        scores *= self._sums.fatigue(tracks, likings, self.params.fatigue)
        listener.note(
            "{} tracks of this session, {} places in their lists", len(likings), len(tracks)
        )
        return self._ranked(tracks, scores, listener)

    def _heads(
        self, listener: Listener, likings: list[tuple[int, float]]
    ) -> tuple[list[Tracks], list[float], list[Shares]]:
        """The first tracks of all lists that count, the weight of each list, worths if by score."""
        params, depth = self.params, self.params.depth
        power, dislike = params.power, params.dislike
        heads, weights, worths = [], [], []
        for lists, share, worth in self._lists:
            for track, liking in likings:
                row = lists.row_of_track(track)
                if row >= 0:
                    heads.append(lists.head(row, depth))
                    weights.append((liking**power - dislike * (1.0 - liking)) * share)
                    if worth is not None:
                        worths.append(worth[lists.bounds(row, depth)])
        if self._personal is not None:
            row = self._personal.row_of_user(listener.id)
            if row >= 0:
                heads.append(self._personal.head(row, depth))
                weights.append(params.personal_weight)
                if self._personal_worths is not None:
                    worths.append(self._personal_worths[self._personal.bounds(row, depth)])
        return heads, weights, worths

    def _added(self, heads: list[Tracks], weights: list[float], worths: list[Shares]) -> Weights:
        """Give what each place of each list adds to the score of its track."""
        if worths:
            by_score = zip(weights, worths, strict=True)
            return np.concatenate([weight * each.astype(np.float64) for weight, each in by_score])
        by_place = self._by_place
        lengths = [len(head) for head in heads]
        if min(lengths) == max(lengths):  # the usual case, at half the cost
            added: Weights = np.multiply.outer(weights, by_place[: lengths[0]]).ravel()
            return added
        return np.concatenate(
            [weight * by_place[:length] for weight, length in zip(weights, lengths, strict=True)]
        )

    def _heard(self, listener: Listener) -> list[int]:
        if self.params.unheard == "none":
            return []
        is_all = self.params.unheard == "history"
        return list(listener.heard if is_all else listener.heard_in_session)

    def _ranked(self, tracks: Tracks, scores: Weights, listener: Listener) -> Candidates | None:
        """Order the tracks by their scores, equal ones by their index, and draw as params say."""
        best = scores.max()
        if best <= 0:
            listener.note("no track has a positive score")
            return None
        if self.params.draw == "first":
            return Candidates([int(tracks[scores == best].min())])
        ascending, places = np.unique(tracks, return_index=True)
        scores = scores[places]
        kept = np.flatnonzero(scores > 0)
        order = kept[np.argsort(-scores[kept], kind="stable")]
        ranked = ascending[order].tolist()
        if self.params.draw == "rank":
            return by_rank(ranked)
        return Candidates(ranked, scores[order] if self.params.draw == "score" else None)
