"""Mixture: several strategies by weight; with a little `random`, epsilon exploration."""

from typing import Annotated

from pydantic import ConfigDict, Field

from core.candidates import Candidates
from core.listener import Listener
from core.mixture import Mixture
from strategies.base import Artifacts, Params, StrategyName
from strategies.registry import strategy


class MixtureParams(Params):
    """Settings of one `mixture` strategy.

    Attributes:
        strategies: Weight of each strategy by its name, at least one; each above 0, with any sum.
    """

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"strategies": {"contextual": 0.9, "random": 0.1}}]}
    )

    strategies: dict[StrategyName, Annotated[float, Field(gt=0)]] = Field(min_length=1)


@strategy("mixture", MixtureParams)
class Mixed:
    """Propose what all its strategies do, each as likely as its weight says.

    Reads: what its strategies read.
    Abstains: all of them abstain, so never if one always answers. When some abstain, the rest
        share their weight; if only one is left, it is the strategy that answered.
    Chance: exact: the sum over the strategies of weight times the track's chance there.
    Cost: that of all its strategies; mixing in the whole catalog adds nothing to it.
    """

    def __init__(self, params: MixtureParams, artifacts: Artifacts) -> None:
        self._strategies = [
            (artifacts.strategies[name], weight) for name, weight in params.strategies.items()
        ]
        self.always_answers = any(member.always_answers for member, _ in self._strategies)

    def propose(self, listener: Listener) -> Candidates | None:
        parts = []
        for member, weight in self._strategies:
            candidates = member.propose(listener)
            if candidates is None:
                listener.note("'{}' abstains, the others share its weight {}", member.name, weight)
            else:
                listener.note("'{}' with weight {}", member.name, weight)
                parts.append((candidates, weight))
        if not parts:
            return None
        return parts[0][0] if len(parts) == 1 else Mixture(parts)
