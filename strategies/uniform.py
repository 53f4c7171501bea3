"""Random: any track of the catalog. The file is uniform.py, so that no `import random` finds it."""

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, Params
from strategies.registry import strategy


@strategy("random")
class Uniform:
    """Propose the whole catalog.

    Reads: nothing of the listener.
    Abstains: never, so it may end a chain.
    Chance: uniform.
    Cost: none; the candidates are made once.
    """

    always_answers = True

    def __init__(self, params: Params, artifacts: Artifacts) -> None:
        self._everything = artifacts.catalog.everything

    def propose(self, listener: Listener) -> Candidates:
        listener.note("any track of the catalog")
        return self._everything
