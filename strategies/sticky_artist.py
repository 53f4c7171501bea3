"""Sticky artist: more by the artist of the previous track."""

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.listener import Listener
from strategies.base import Artifacts, UnheardParams, unheard_of
from strategies.registry import strategy


class StickyArtistParams(UnheardParams):
    """Settings of one `sticky_artist` strategy."""


@strategy("sticky_artist", StickyArtistParams)
class StickyArtist:
    """Propose all tracks of the previous track's artist, that track included.

    Reads: the last listen of the session; the catalog's artists; what was heard, if `unheard`
        asks for it. In botify nearly a quarter of its plays repeated a track of the session,
        which `unheard: session` avoids.
    Abstains: no previous track, an unknown one, or nothing unheard by its artist.
    Chance: uniform.
    Cost: O(1) without `unheard`, else O(tracks of the artist).
    """

    def __init__(self, params: StickyArtistParams, artifacts: Artifacts) -> None:
        self.params = params
        self._catalog = artifacts.catalog

    def propose(self, listener: Listener) -> Candidates | None:
        last = listener.last
        if last is None or last.track == UNKNOWN:
            listener.note("no previous track" if last is None else "the previous track is unknown")
            return None
        listener.note("tracks of the previous track's artist")
        return unheard_of(self._catalog.by_artist_of(last.track), listener, self.params.unheard)
