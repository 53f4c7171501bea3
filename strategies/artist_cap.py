"""Artist cap: what a second strategy proposes, without artists that were played often."""

from pydantic import Field

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.listener import Listener
from strategies.base import Artifacts
from strategies.registry import strategy
from strategies.wrapping import Wrapper, WrapperParams


class ArtistCapParams(WrapperParams):
    """Settings of one `artist_cap` strategy.

    Attributes:
        most: How often an artist may be played in a session, a count, at least 1.
    """

    most: int = Field(2, ge=1)


@strategy("artist_cap", ArtistCapParams)
class ArtistCap(Wrapper):
    """Propose what the strategy `of` does, without artists that the session played `most` times.

    Reads: the session's listens; the catalog's artists; the strategy `of`.
    Abstains: `of` abstains, or all its artists were played often enough.
    Chance: as `draw` says, among the tracks left.
    Cost: O(session + tracks proposed + tracks of the artists left out).
    """

    def __init__(self, params: ArtistCapParams, artifacts: Artifacts) -> None:
        super().__init__(params, artifacts)
        self.params = params
        self._catalog = artifacts.catalog

    def change(self, candidates: Candidates, listener: Listener) -> Candidates | None:
        plays: dict[int, int] = {}
        capped: set[int] = set()
        artist_of = self._catalog.artist_of
        for track, _ in listener.session:
            if track != UNKNOWN:
                artist = int(artist_of[track])
                plays[artist] = plays.get(artist, 0) + 1
                if plays[artist] == self.params.most:
                    capped.update(self._catalog.by_artist_of(track).listed())
        listener.note(
            "{} tracks are by artists that were played {} times", len(capped), self.params.most
        )
        left = candidates.without(capped)
        if left is None:
            listener.note("which leaves nothing to propose")
        return left
