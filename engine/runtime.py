"""Runtime: config and artifacts that decide, loaded and checked; they never change.

A reload builds a second runtime and then swaps the two. One runtime decides a request as a whole.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.allocation import Allocation, digest_of
from core.candidates import Candidates
from core.catalog import Catalog, load_catalog, load_top
from core.draw import FinalDraw
from core.errors import Faults, InputError
from core.experiment_changes import assignment_fingerprint
from core.listener import Listener
from core.listener_tables import ListenerTable, load_table
from core.lists import Lists, load_lists
from core.vector_archive import load_vectors
from core.vectors import Vectors
from engine.settings.defaults import DECIDING, describe_strategy, non_defaults
from engine.settings.model import Settings
from engine.strategy_building import Built, build_strategies
from events.config_snapshots import FORMAT
from strategies.base import Artifacts, named_in

Propose = Callable[[Listener], Candidates | None]
Prepare = Callable[[Sequence[Listener]], None]


@dataclass(frozen=True, slots=True)
class Chain:
    """A strategy and its fallbacks.

    Attributes:
        members: (name, propose), in the order in which they may propose.
        ranked: The same strategies without their own draw, for an arm that has one; empty if
            none has a draw.
        declared: Every name that may stand in `answered_by`: the members and those they use.
        prepare: Prepares the first member's proposals for listeners whose turns come together;
            None if the member gains nothing by that.
        prepare_ranked: The same for the first of `ranked`.
    """

    members: tuple[tuple[str, Propose], ...]
    declared: frozenset[str]
    ranked: tuple[tuple[str, Propose], ...] = ()
    prepare: Prepare | None = None
    prepare_ranked: Prepare | None = None

    def asked(self, draw: FinalDraw | None) -> tuple[tuple[str, Propose], ...]:
        """Return the members to ask under this draw at the chain's end."""
        return self.members if draw is None else self.ranked or self.members


@dataclass(frozen=True, slots=True)
class Runtime:
    """Everything that decides.

    Attributes:
        chains: By name of the first strategy.
        default: Name of the chain for listeners in no experiment.
        default_draw: Draw at the end of that chain; None for the strategies' own.
        fingerprints: Experiment -> its assignment fingerprint.
        digest: Fingerprint of all that decides, data included; on every event.
        described: The content that the digest covers, as plain JSON values.
        history: Number of listens kept of a listener. It is copied from the settings, where a
            read costs ten times as much.
        session_gap_ms: Silence after which a new session begins, ms. Copied for the same reason.
        takes_filters: Whether a strategy reads the `filter` of a request.
        prepares: Whether a strategy that answers first prepares turns that come together.
    """

    settings: Settings
    catalog: Catalog
    artifacts: Artifacts
    chains: dict[str, Chain]
    default: str
    allocation: Allocation
    fingerprints: dict[str, str]
    digest: str
    described: dict[str, Any]
    default_draw: FinalDraw | None = None
    history: int = field(init=False)
    session_gap_ms: float = field(init=False)
    takes_filters: bool = field(init=False)
    prepares: bool = field(init=False)

    def __post_init__(self) -> None:
        state = self.settings.state
        object.__setattr__(self, "history", state.history)
        object.__setattr__(self, "session_gap_ms", state.session_gap_s * 1000)
        object.__setattr__(self, "takes_filters", takes_filters(self.settings))
        # A strategy that no arm names costs the turns of the rest nothing.
        answering = [self.chains[name] for name in _answering(self.settings)]
        object.__setattr__(self, "prepares", any(each.prepare_ranked for each in answering))


def load_runtime(settings: Settings, known: Artifacts | None = None) -> Runtime:
    """Load the data, build the strategies, check that every arm can answer.

    Args:
        settings: What to load.
        known: Data in memory; a part of it is used if the file has the same content.

    Raises:
        InputError: The data or a strategy is faulty; the error names every fault.
    """
    faults = Faults()
    artifacts = _load_artifacts(settings, known, faults)
    faults.raise_if_any()
    built = build_strategies(settings, artifacts, faults)
    faults.raise_if_any()
    chains = {name: _make_chain(name, settings, built) for name in settings.strategies}
    _check_ends(settings, chains, built, faults)
    faults.raise_if_any()
    described = _describe(settings, artifacts, chains)
    return Runtime(
        settings=settings,
        catalog=artifacts.catalog,
        artifacts=artifacts,
        chains=chains,
        default=settings.default,
        allocation=Allocation(settings.experiments, settings.holdout.share, settings.holdout.salt),
        fingerprints={each.name: assignment_fingerprint(each) for each in settings.experiments},
        digest=digest_of(described),
        described=described,
        default_draw=settings.default_draw,
    )


def _load_artifacts(settings: Settings, known: Artifacts | None, faults: Faults) -> Artifacts:
    section = settings.catalog
    try:
        catalog = load_catalog(settings.resolve(section.tracks))
    except InputError as error:
        faults.extend(error)
        faults.raise_if_any()
        raise
    in_memory = Artifacts(catalog)
    if known is not None and known.catalog.has_content_of(catalog):
        catalog, in_memory = known.catalog, known
    top = np.empty(0, dtype=np.int32)
    if section.top is not None:
        try:
            top = load_top(settings.resolve(section.top), catalog)
        except InputError as error:
            faults.extend(error)
    lists: dict[str, Lists] = {}
    for name, path in section.lists.items():
        try:
            lists[name] = load_lists(settings.resolve(path), catalog, in_memory.lists.values())
        except InputError as error:
            faults.extend(error)
    vectors: dict[str, Vectors] = {}
    for name, path in section.vectors.items():
        try:
            file = settings.resolve(path)
            vectors[name] = load_vectors(file, catalog, in_memory.vectors.values())
        except InputError as error:
            faults.extend(error)
    tables: dict[str, ListenerTable] = {}
    for name, path in section.tables.items():
        try:
            tables[name] = load_table(settings.resolve(path), catalog, in_memory.tables.values())
        except InputError as error:
            faults.extend(error)
    return Artifacts(catalog, top, lists, vectors=vectors, tables=tables)


def _make_chain(name: str, settings: Settings, built: dict[str, Built]) -> Chain:
    names = [name]
    while (fallback := settings.strategies[names[-1]].fallback) is not None:
        names.append(fallback)
    return Chain(
        tuple((member, built[member].strategy.propose) for member in names),
        frozenset(_used_by(names, settings)),
        tuple((member, built[member].ranked.propose) for member in names),
        getattr(built[name].strategy, "prepare", None),
        getattr(built[name].ranked, "prepare", None),
    )


def _check_ends(
    settings: Settings, chains: dict[str, Chain], built: dict[str, Built], faults: Faults
) -> None:
    """Check that every chain which answers requests ends in a strategy that never abstains."""
    for name in _answering(settings):
        last = chains[name].members[-1][0]
        if not getattr(built[last].strategy, "always_answers", False):
            faults.add(
                f"{settings.path}: strategies.{last}",
                f"must never abstain, since it ends the chain of '{name}'. Add `fallback:` with "
                "one that always answers, for instance {type: random}",
            )


def _answering(settings: Settings) -> list[str]:
    """List the strategies that a request may be answered by first."""
    arms = [arm.strategy for experiment in settings.experiments for arm in experiment.arms]
    return list(dict.fromkeys([settings.default, *filter(None, arms)]))


def _used_by(names: list[str], settings: Settings) -> set[str]:
    found: set[str] = set()
    for name in names:
        found |= {name} | _used_by(list(settings.strategies[name].uses), settings)
    return found


def _described_fields(settings: Settings, catalog: Catalog) -> dict[str, Any]:
    """Describe the fields that decide, by their checksums: a request may name any field."""
    params = [each.params for each in settings.strategies.values()]
    used = {name for each in params for _, name in named_in(each, "field")}
    if takes_filters(settings):
        used = set(catalog.fields)
    return (
        {"fields": {name: catalog.fields[name].checksum for name in sorted(used)}} if used else {}
    )


def takes_filters(settings: Settings) -> bool:
    """Test whether a strategy of the config reads the `filter` of a request."""
    return any(getattr(each.params, "request", False) for each in settings.strategies.values())


def _describe(settings: Settings, artifacts: Artifacts, chains: dict[str, Chain]) -> dict[str, Any]:
    """Describe all that decides as plain JSON values, data by its checksums.

    Keys at their default are left out; `format` says which defaults these are.
    """
    vectors = {name: each.checksum for name, each in artifacts.vectors.items()}
    tables = {name: each.checksum for name, each in artifacts.tables.items()}
    return {
        "format": FORMAT,
        "default": settings.default,
        **({} if settings.default_draw is None else {"default_draw": settings.default_draw}),
        "strategies": {name: describe_strategy(each) for name, each in settings.strategies.items()},
        "chains": {name: [member for member, _ in chain.members] for name, chain in chains.items()},
        "declared": {name: sorted(chain.declared) for name, chain in chains.items()},
        "experiments": [experiment.without_defaults() for experiment in settings.experiments],
        "holdout": non_defaults(settings.holdout),
        "catalog": {
            "tracks": artifacts.catalog.checksum,
            "top": digest_of(artifacts.top.tolist()),
            "lists": {name: lists.checksum for name, lists in artifacts.lists.items()},
            **({"vectors": vectors} if vectors else {}),
            **({"tables": tables} if tables else {}),
            **_described_fields(settings, artifacts.catalog),
        },
        **non_defaults(settings.state, DECIDING),
    }
