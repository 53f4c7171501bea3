"""The protocol of a strategy, what a strategy may read, and the params that many share."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Annotated, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import AfterValidator, BaseModel, ConfigDict, StrictInt, StrictStr
from pydantic.fields import FieldInfo

from core.candidates import Candidates, by_rank
from core.catalog import Catalog
from core.listener import Listener
from core.listener_tables import ListenerTable
from core.lists import Lists
from core.track_fields import fault_of
from core.vectors import Vectors

Draw = Literal["uniform", "first", "rank"]
Unheard = Literal["none", "session", "history"]


class Strategy(Protocol):
    """A proposer of the next tracks, which draws nothing and remembers nothing.

    A strategy that never abstains has an attribute `always_answers = True`, on its class or on
    itself. Only such a strategy may end a chain.

    A strategy that saves time where turns come together has a method `prepare(listeners)`. The
    server calls it with the listeners of one batch before it asks for each. It changes no proposal.
    """

    def propose(self, listener: Listener) -> Candidates | None:
        """Give candidates, or None to abstain. Equal listeners get equal candidates."""


class Params(BaseModel):
    """Base of every strategy's settings: unknown keys are errors, values never change."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True
    )


@dataclass(frozen=True, slots=True)
class Names:
    """The mark of a param that names something in the config, so that the start checks the name.

    Attributes:
        kind: What the param names: lists or vectors keyed by track or by user, a table by user, a
            strategy, a track of the catalog by its id, or a field of the catalog.
    """

    kind: Literal[
        "track lists", "user lists", "track vectors", "user tables", "strategy", "track", "field"
    ]


TrackLists = Annotated[str, Names("track lists")]
UserLists = Annotated[str, Names("user lists")]
TrackVectors = Annotated[str, Names("track vectors")]
ListenerTables = Annotated[str, Names("user tables")]
StrategyName = Annotated[str, Names("strategy")]
FieldName = Annotated[str, Names("field")]


def _sound(condition: Any) -> Any:
    fault = fault_of(condition)
    if fault is not None:
        raise ValueError(fault)
    return condition


TrackConditions = dict[FieldName, Annotated[Any, AfterValidator(_sound)]]
"""Conditions on the fields of tracks, as `core.track_fields` has them."""

CatalogTrack = Annotated[StrictInt | StrictStr, Names("track")]


FILE_KINDS = ("track lists", "user lists", "track vectors", "user tables")
"""Kinds of names that stand for a file under `catalog`: the key, and the section."""


class UnheardParams(Params):
    """The choice to leave out tracks that the listener has heard.

    Attributes:
        unheard: Tracks to leave out: `none`, those heard in this `session`, or those of all known
            `history`.
    """

    unheard: Unheard = "none"


class ListParams(UnheardParams):
    """The choice of a track from an ordered list.

    Attributes:
        draw: `uniform` over the list; `first`, the best one only; `rank`, with probability
            proportional to 1 / rank, rank from 1.
    """

    draw: Draw = "uniform"

    @cached_property
    def as_it_is(self) -> bool:
        """True if the whole list may play, all tracks alike; kept, since every request reads it."""
        return self.draw == "uniform" and self.unheard == "none"


class Named:
    """A strategy under its name in config, as a strategy that names it gets it.

    Attributes:
        name: Its name in config.
        always_answers: Whether it never abstains.
        propose_unmarked: Asks the strategy and marks nothing, for callers who only use the tracks.
        draw: Its own draw, for a strategy that wraps it; None if its type has none.
        prepare_rank: Prepares `rank` for several listeners; None if that gains nothing.
    """

    __slots__ = (
        "_rank",
        "_strategy",
        "always_answers",
        "draw",
        "name",
        "prepare_rank",
        "propose_unmarked",
    )

    def __init__(
        self,
        name: str,
        strategy: Strategy,
        ranked: Strategy | None = None,
        draw: str | None = None,
    ) -> None:
        self.name = name
        self.draw = draw
        self._rank = (ranked or strategy).propose
        self.prepare_rank: Callable[[Sequence[Listener]], None] | None = getattr(
            ranked or strategy, "prepare", None
        )
        self.always_answers: bool = getattr(strategy, "always_answers", False)
        self._strategy = strategy
        self.propose_unmarked = strategy.propose

    def propose(self, listener: Listener) -> Candidates | None:
        """Ask the strategy, and mark its candidates with its name."""
        candidates = self._strategy.propose(listener)
        return None if candidates is None else candidates.with_source(self.name)

    def rank(self, listener: Listener) -> Candidates | None:
        """Ask it for all that it has, in order and scored, before its own draw."""
        candidates = self._rank(listener)
        return None if candidates is None else candidates.with_source(self.name)


@dataclass(frozen=True, slots=True)
class Artifacts:
    """The data that strategies may read, loaded and checked before the first request.

    Attributes:
        catalog: All tracks.
        top: int32, (popular,), catalog indices, most popular first; empty when config has none.
        lists: Lists by their name in config.
        strategies: The strategies that this one names in its params.
        vectors: Vectors by their name in config.
        tables: Tables by listener by their name in config.
    """

    catalog: Catalog
    top: npt.NDArray[np.int32] = field(default_factory=lambda: np.empty(0, dtype=np.int32))
    lists: dict[str, Lists] = field(default_factory=dict)
    strategies: dict[str, Named] = field(default_factory=dict)
    vectors: dict[str, Vectors] = field(default_factory=dict)
    tables: dict[str, ListenerTable] = field(default_factory=dict)


def unheard_of(candidates: Candidates, listener: Listener, unheard: Unheard) -> Candidates | None:
    """Leave out what was heard, as `unheard` says; None if nothing is left."""
    if unheard == "none":
        return candidates
    left = candidates.without(_heard(listener, unheard))
    if left is None:
        listener.note(_ALL_HEARD)
    return left


_ALL_HEARD = "everything that might play was heard"


def _heard(listener: Listener, unheard: Unheard) -> frozenset[int]:
    return listener.heard if unheard == "history" else listener.heard_in_session


def from_list(
    candidates: Candidates | None, listener: Listener, params: ListParams
) -> Candidates | None:
    """Apply `params` to an ordered list: `unheard` first, then `draw`; None if nothing is left."""
    if candidates is None or params.as_it_is:
        return candidates
    if params.draw == "first":
        return _first(candidates, listener, params.unheard)
    left = unheard_of(candidates, listener, params.unheard)
    return left if left is None or params.draw == "uniform" else by_rank(left.tracks, left.source)


def _first(candidates: Candidates, listener: Listener, unheard: Unheard) -> Candidates | None:
    """Give the first unheard track; a request must not walk the rest of a long list."""
    if unheard == "none":
        return Candidates(candidates.first(1), None, candidates.source)
    heard = _heard(listener, unheard)
    for track in candidates.listed():
        if track not in heard:
            return Candidates([track], None, candidates.source)
    listener.note(_ALL_HEARD)
    return None


def named_in(params: BaseModel, kind: str) -> list[tuple[str, str]]:
    """List every (path, name) in `params` that names something of this kind, nested ones too."""
    found: list[tuple[str, str]] = []
    for key, info in type(params).model_fields.items():
        _names_in(getattr(params, key), key, kind, marks_of(info), found)
    return found


def with_names(
    params: BaseModel, dumped: dict[str, Any], kind: str, renames: Mapping[str, str]
) -> dict[str, Any]:
    """Give what `params` name of this kind new names, nested ones too.

    Args:
        params: The params.
        dumped: The same as plain values.
        kind: The kind, as `Names` has it.
        renames: Old name -> new name.
    """
    return {
        key: _renamed(
            getattr(params, key),
            dumped[key],
            kind,
            marks_of(type(params).model_fields[key]),
            renames,
        )
        for key in dumped
    }


def _renamed(
    value: Any, dumped: Any, kind: str, marks: list[Names], renames: Mapping[str, str]
) -> Any:
    is_marked = any(m.kind == kind for m in marks)
    if isinstance(value, BaseModel):
        return with_names(value, dumped, kind, renames)
    if isinstance(value, dict):
        return {
            renames.get(key, key) if is_marked else key: item
            if is_marked
            else _renamed(item, dumped[key], kind, marks, renames)
            for key, item in dumped.items()
        }
    if isinstance(value, list | tuple):
        pairs = zip(value, dumped, strict=True)
        return [_renamed(item, plain, kind, marks, renames) for item, plain in pairs]
    return renames.get(dumped, dumped) if is_marked and isinstance(value, str) else dumped


def marks_of(info: FieldInfo) -> list[Names]:
    """List the marks of a param, which say what it names."""
    return [m for m in info.metadata if isinstance(m, Names)] or _marks_inside(info.annotation)


def _names_in(value: Any, path: str, kind: str, marks: list[Names], found: list[Any]) -> None:
    if isinstance(value, BaseModel):
        found.extend((f"{path}.{inner}", name) for inner, name in named_in(value, kind))
    elif isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, item in items:
            # A mapping is marked on its keys: {strategy: weight}. A list is marked on its items.
            if isinstance(value, dict) and any(m.kind == kind for m in marks):
                found.append((f"{path}.{key}", key))
            else:
                _names_in(item, f"{path}.{key}", kind, marks, found)
    elif isinstance(value, str | int) and any(m.kind == kind for m in marks):
        found.append((path, str(value)))


def _marks_inside(annotation: Any) -> list[Names]:
    """Find marks inside an optional type, on the items of a list, or on the keys of a mapping."""
    found = [m for m in getattr(annotation, "__metadata__", ()) if isinstance(m, Names)]
    for inner in getattr(annotation, "__args__", ()):
        found.extend(_marks_inside(inner))
    return found
