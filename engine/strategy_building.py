"""Building the strategies of a config: each once as the config has it, and once without its draw.

An arm with a `draw` of its own draws at the end of the chain. It must then see all that a strategy
proposes, in order, and not what the strategy's own draw leaves of it. The same holds for a strategy
that wraps a second one.
"""

import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

from core.errors import Faults, SegueError, unknown_name
from core.listener_tables import ListenerTable
from core.lists import Lists
from core.vectors import Vectors
from engine.settings.model import Settings, StrategySettings
from strategies.base import FILE_KINDS, Artifacts, Named, Params, Strategy, named_in


class Built(NamedTuple):
    """A strategy of the config.

    Attributes:
        strategy: The strategy as the config has it.
        ranked: The same without its own draw, and so are the strategies that it uses; the same
            object where this changes nothing.
        draw: Its own draw, None if its type has none.
    """

    strategy: Strategy
    ranked: Strategy
    draw: str | None


def build_strategies(settings: Settings, artifacts: Artifacts, faults: Faults) -> dict[str, Built]:
    """Build every strategy after the strategies that it uses.

    Args:
        settings: The config; its strategies are in this order.
        artifacts: The data; the strategies that a strategy uses are added for it.
        faults: Gets a fault for each strategy that cannot be built.
    """
    built: dict[str, Built] = {}
    for name, wanted in settings.strategies.items():
        where = f"{settings.path}: strategies.{name}"
        fits = _files_fit(wanted, artifacts, where, faults)
        if not (_fields_exist(wanted, artifacts, where, faults) and fits):
            continue
        if any(used not in built for used in wanted.uses):
            continue  # its fault is noted already
        try:
            built[name] = _build(wanted, artifacts, {used: built[used] for used in wanted.uses})
        except SegueError as error:
            faults.add(where, str(error))
        except (Exception, SystemExit) as error:  # of a plugin; SystemExit would end the server
            faults.add(where, _raised(wanted.type.name, error))
    return built


def _raised(type_name: str, error: BaseException) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"must be made from its params, but '{type_name}' raised {type(error).__name__}: {error} "
        f"({last.filename}:{last.lineno}). Correct the strategy, or its params"
    )


def _files_fit(wanted: StrategySettings, artifacts: Artifacts, where: str, faults: Faults) -> bool:
    """Check that lists and vectors which the params name are keyed as the type needs them."""
    fit = True
    for kind in FILE_KINDS:
        key, what = kind.split()
        files: Mapping[str, Lists | Vectors | ListenerTable] = getattr(artifacts, what)
        for param, name in named_in(wanted.params, kind):
            if files[name].key != key:
                fit = False
                faults.add(
                    f"{where}.{param}",
                    f"must name {what} keyed by {key}; '{name}' is keyed by {files[name].key}",
                )
    return fit


def _fields_exist(
    wanted: StrategySettings, artifacts: Artifacts, where: str, faults: Faults
) -> bool:
    """Check that the catalog has the fields that the params name."""
    known = artifacts.catalog.fields
    missing = [each for each in named_in(wanted.params, "field") if each[1] not in known]
    for param, name in missing:
        faults.add(f"{where}.{param}", unknown_name("field of the catalog", name, known))
    return not missing


def _build(wanted: StrategySettings, artifacts: Artifacts, uses: dict[str, Built]) -> Built:
    ranked_uses = {
        name: Named(name, each.ranked, each.ranked, each.draw) for name, each in uses.items()
    }
    as_it_is = {
        name: Named(name, each.strategy, each.ranked, each.draw) for name, each in uses.items()
    }

    def make(params: Params, strategies: dict[str, Named]) -> Strategy:
        made = wanted.type.make(params, replace(artifacts, strategies=strategies))
        if not callable(getattr(made, "propose", None)):
            raise SegueError(f"'{wanted.type.name}' must have a method `propose`, has none. Add it")
        return made

    strategy = make(wanted.params, as_it_is)
    params = undrawn(wanted.params)
    if params == wanted.params and all(each.ranked is each.strategy for each in uses.values()):
        return Built(strategy, strategy, own_draw(wanted.params))
    return Built(strategy, make(params, ranked_uses), own_draw(wanted.params))


def own_draw(params: Params) -> str | None:
    """Return the draw that the params state, None if the type has none."""
    draw: str | None = getattr(params, "draw", None)
    return draw


def undrawn(params: Params) -> Params:
    """Give the params under which a strategy proposes all that it has, in order.

    That is the draw by `score` where the type has one, else `uniform`, which keeps a list's order.
    """
    info = type(params).model_fields.get("draw")
    if info is None:
        return params
    allowed = get_args(info.annotation)
    draw: Literal["score", "uniform"] = "score" if "score" in allowed else "uniform"
    if draw not in allowed:
        return params  # the type means something of its own by `draw`
    return params.model_copy(update={"draw": draw})
