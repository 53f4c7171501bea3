"""Constant: always the same track; the canary of an experiment."""

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
    """Propose always the same track.

    An arm that serves it must lose, and that is its use: if it does not lose, listeners are not
    in the arms that the log states.

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
                f"track must be in the catalog, {params.track!r} is not. Name a track of it"
            )
        self._track = params.track
        self._only = Candidates([index])

    def propose(self, listener: Listener) -> Candidates:
        listener.note("always track {}", self._track)
        return self._only
