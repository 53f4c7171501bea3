"""TopPop: the most popular tracks."""

from pydantic import Field

from core.candidates import Candidates
from core.errors import SegueError
from core.listener import Listener
from strategies.base import Artifacts, ListParams, from_list
from strategies.registry import strategy


class TopPopParams(ListParams):
    """Settings of one `top_pop` strategy.

    Attributes:
        top: How many tracks of the popularity list to play from, at least 1.
    """

    top: int = Field(100, ge=1)


@strategy("top_pop", TopPopParams)
class TopPop:
    """Propose the first `top` tracks of the popularity list.

    Reads: the popularity list; what was heard, if `unheard` asks for it.
    Abstains: all of them were heard, and `unheard` leaves them out.
    Chance: as `draw` says, uniform by default.
    Cost: none without `unheard`; the candidates are made once.
    """

    def __init__(self, params: TopPopParams, artifacts: Artifacts) -> None:
        if not len(artifacts.top):
            raise SegueError("needs a popularity list: set catalog.top to a file that has tracks")
        self.params = params
        self.always_answers = params.unheard == "none"
        self._top = Candidates(artifacts.top[: params.top])

    def propose(self, listener: Listener) -> Candidates | None:
        listener.note("the {} most popular tracks", len(self._top))
        return from_list(self._top, listener, self.params)
