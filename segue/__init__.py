"""The public face of Segue: the names that strategies and notebooks import, and nothing else.

Each name is documented in docs/api.md and stays until a major version removes it. The packages
behind it (`core`, `strategies`, `engine` ...) may change in any version. `segue.testing` has the
contract tests for a strategy, `segue.client` a client of the HTTP API; both are imported by name.
"""

from core.candidates import Candidates, by_rank
from core.catalog import UNKNOWN, Catalog
from core.errors import SegueError
from core.listener import Listen, Listener
from core.lists import Lists
from core.version import version
from segue.notebook import LogReport, report
from strategies.base import (
    Artifacts,
    CatalogTrack,
    Draw,
    ListParams,
    Params,
    Strategy,
    StrategyName,
    TrackLists,
    Unheard,
    UnheardParams,
    UserLists,
    from_list,
    unheard_of,
)
from strategies.registry import strategy

__version__ = version()

__all__ = [
    "UNKNOWN",
    "Artifacts",
    "Candidates",
    "Catalog",
    "CatalogTrack",
    "Draw",
    "ListParams",
    "Listen",
    "Listener",
    "Lists",
    "LogReport",
    "Params",
    "SegueError",
    "Strategy",
    "StrategyName",
    "TrackLists",
    "Unheard",
    "UnheardParams",
    "UserLists",
    "__version__",
    "by_rank",
    "from_list",
    "report",
    "strategy",
    "unheard_of",
]
