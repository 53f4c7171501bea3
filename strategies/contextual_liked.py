"""Contextual liked: near a track that was just liked, else the listener's own list."""

from typing import Literal

from pydantic import Field

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.listener import Listen, Listener
from core.mixture import Mixture
from strategies.base import Artifacts, ListParams, TrackLists, UserLists, from_list
from strategies.registry import strategy


class ContextualLikedParams(ListParams):
    """Settings of one `contextual_liked` strategy.

    Attributes:
        list: Name of the lists, keyed by track: what is near a liked track.
        personal: Name of the lists, keyed by user: what to play when nothing was liked.
        liked: Share heard from which a track is liked, in [0, 1].
        anchor: Whose list follows a liked track: that of the track just liked (`last`), or of any
            track liked in the `memory`, the longer it was heard the likelier (`weighted`).
        memory: The listens among which `weighted` finds liked tracks: those of this `session`, or
            all of the known `history` (by default a day of it: `state.ttl_s`).
    """

    list: TrackLists
    personal: UserLists
    liked: float = Field(0.65, ge=0, le=1)
    anchor: Literal["last", "weighted"] = "last"
    memory: Literal["session", "history"] = "session"


@strategy("contextual_liked", ContextualLikedParams)
class ContextualLiked:
    """Propose the list of a liked track if the previous one was liked, else the personal list.

    A first visit gets the personal list, which needs no previous track. An unknown track that was
    liked has no list; with `weighted`, the remaining liked tracks may have one.

    Reads: the session's listens, with `memory: history` those before it too; both lists.
    Abstains: the previous track was liked and no anchor has a list (let `fallback` name a
        `personal` strategy); or it was not liked and the listener has no list; or, with
        `unheard`, all of the list was heard.
    Chance: as `draw` says. With `weighted`, the exact mixture over the anchors: the chance of an
        anchor, which grows with the time it was heard, times the track's chance on its list.
    Cost: O(1) for `last`, O(memory + liked tracks * list) for `weighted`.
    """

    def __init__(self, params: ContextualLikedParams, artifacts: Artifacts) -> None:
        self.params = params
        self._lists = artifacts.lists[params.list]
        self._personal = artifacts.lists[params.personal]

    def propose(self, listener: Listener) -> Candidates | None:
        last, liked = listener.last, self.params.liked
        if last is not None and last.time >= liked:
            listener.note("previous track liked (time {} >= {})", last.time, liked)
            if self.params.anchor == "weighted":
                return self._near_any(listener)
            return self._near(last, listener)
        if last is None:
            listener.note("no previous track: the listener's own list")
        else:
            listener.note(
                "previous track not liked (time {} < {}): the listener's own list",
                last.time,
                liked,
            )
        own = self._personal.of_user(listener.id)
        if own is None:
            listener.note("the listener has no list")
        return from_list(own, listener, self.params)

    def _near(self, anchor: Listen, listener: Listener) -> Candidates | None:
        near = self._lists.of_track(anchor.track)
        if near is None:
            listener.note("the liked track has no list")
        return from_list(near, listener, self.params)

    def _near_any(self, listener: Listener) -> Candidates | None:
        heard: dict[int, float] = {}
        in_session = self.params.memory == "session"
        for track, time in listener.session if in_session else listener.listens:
            # liked: 0 lets a track that was heard for no time count; its weight would be 0.
            if track != UNKNOWN and time >= self.params.liked and time > 0:
                heard[track] = heard.get(track, 0.0) + time
        parts = []
        for track, time in heard.items():
            near = from_list(self._lists.of_track(track), listener, self.params)
            if near is not None:
                parts.append((near, time))
        where = "in this session" if in_session else "so far"
        listener.note("{} of {} tracks liked {} have a list", len(parts), len(heard), where)
        if not parts:
            return None
        return parts[0][0] if len(parts) == 1 else Mixture(parts)
