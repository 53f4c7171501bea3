"""Gate: a strategy chosen by how long the previous track was heard."""

import itertools
from typing import Self

from pydantic import ConfigDict, Field, model_validator

from core.candidates import Candidates
from core.listener import Listener
from strategies.base import Artifacts, Params, StrategyName
from strategies.registry import strategy


class Case(Params):
    """A case of the gate.

    Attributes:
        below: Share heard below which this case holds, in (0, 1]; without it, it always holds.
        use: Name of the strategy that proposes in this case.
    """

    below: float | None = Field(None, gt=0, le=1)
    use: StrategyName


class GateParams(Params):
    """Settings of one `gate` strategy.

    Attributes:
        cases: At least one; the first that holds is used. `below` rises from case to case; only
            the last case may have none, and it is the case of a first visit.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "cases": [
                        {"below": 0.1, "use": "random"},
                        {"below": 0.3, "use": "popular"},
                        {"use": "contextual"},
                    ]
                },
                {"cases": [{"below": 0.5, "use": "popular"}]},
            ]
        }
    )

    cases: tuple[Case, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        thresholds = [case.below for case in self.cases]
        for number, (one, after) in enumerate(itertools.pairwise(thresholds)):
            if one is None:
                raise ValueError(
                    f"only the last case may have no below, and case {number} has none"
                )
            if after is not None and after <= one:
                raise ValueError(f"below must rise from case to case, got {one} and then {after}")
        return self


@strategy("gate", GateParams)
class Gate:
    """Propose what the strategy of the first case that holds does.

    Only the time counts, so the gate also works after an unknown track.

    Reads: the last listen of the session, and what the case's strategy reads.
    Abstains: no case holds (the last one has a `below`, and there is no previous track or its
        time is not below it), or the case's strategy abstains; its own `fallback` is not asked.
        So never, if the last case has no `below` and all strategies always answer.
    Chance: as the case's strategy has it.
    Cost: that of the case's strategy.
    """

    def __init__(self, params: GateParams, artifacts: Artifacts) -> None:
        self._cases = [(case.below, artifacts.strategies[case.use]) for case in params.cases]
        self.always_answers = params.cases[-1].below is None and all(
            use.always_answers for _, use in self._cases
        )

    def propose(self, listener: Listener) -> Candidates | None:
        last = listener.last
        passed = None
        for below, use in self._cases:
            if below is None:
                if last is None:
                    listener.note("no previous track: '{}'", use.name)
                elif passed is None:
                    listener.note("always '{}'", use.name)
                else:
                    listener.note("previous time {} >= {}: '{}'", last.time, passed, use.name)
                return use.propose(listener)
            if last is not None and last.time < below:
                listener.note("previous time {} < {}: '{}'", last.time, below, use.name)
                return use.propose(listener)
            passed = below
        listener.note("no case fits")
        return None
