"""Constant: always one track, the canary of an experiment."""

from core.candidates import Candidates
from core.catalog import UNKNOWN
from core.errors import SegueError
from core.listener import Listener
from strategies.base import Artifacts, CatalogTrack, Params
from strategies.registry import strategy


class ConstantParams(Params):
    """Settings of one `constant` strategy.

    Attributes:
        track: Id of the track, as in the catalog.
    """

    track: CatalogTrack


@strategy("constant", ConstantParams)
class Constant:
    """Propose one and the same track.

    Nobody likes it, and that is its use: an arm that serves it must lose. When it does not, the
    listeners are not in the arms that the log says.

    Reads: nothing of the listener.
    Abstains: never, so it may end a chain.
    Chance: 1.
    Cost: none; the candidates are made once.
    """

    always_answers = True

    def __init__(self, params: ConstantParams, artifacts: Artifacts) -> None:
        index = artifacts.catalog.index_of(params.track)
        if index == UNKNOWN:
            raise SegueError(
                f"track must be in the catalog, {params.track!r} is not. Name one that is"
            )
        self._track = params.track
        self._only = Candidates([index])

    def propose(self, listener: Listener) -> Candidates:
        listener.note("always track {}", self._track)
        return self._only
