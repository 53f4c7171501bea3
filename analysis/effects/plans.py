"""The plan that a report holds an experiment to: what was planned, and who says so.

`segue design` prints a plan for config.yaml. The server seals it when the experiment starts. A plan
that is named later may have been fitted to the result, so the report says where a plan comes from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from core.errors import Faults


class ExperimentPlan(BaseModel):
    """The keys of `planned:` that a report reads.

    Attributes:
        listeners: Planned listeners of all arms; None without a plan.
        metric: Name of the metric that the plan was made for.
        alpha: Error rate that the plan was made for.
        power: Probability to find the planned effect.
    """

    listeners: int | None = Field(None, ge=2)
    metric: str | None = None
    alpha: float = Field(0.05, gt=0, lt=1)
    power: float = Field(0.8, gt=0, lt=1)


PlanSource = Literal["sealed", "--planned", "config", ""]
"""Source of the planned size: sealed when the experiment started, named on the command line, in
config.yaml but not sealed, or nowhere."""


@dataclass(frozen=True, slots=True)
class ChosenPlan:
    """The plan that counts for one experiment.

    Attributes:
        plan: Its keys.
        source: Where the planned size comes from.
        sealed_listeners: The size that was sealed; None where no size was.
        remarks: How config.yaml and the sealed plan differ, one sentence each.
    """

    plan: ExperimentPlan
    source: PlanSource = ""
    sealed_listeners: int | None = None
    remarks: tuple[str, ...] = ()


NO_PLAN = ChosenPlan(ExperimentPlan())


def choose_plan(
    given: int | None, sealed: Mapping[str, Any] | None, configured: ExperimentPlan | None
) -> ChosenPlan:
    """Choose the plan of an experiment: `--planned`, else the sealed one, else that of config.yaml.

    Args:
        given: Planned listeners that the reader names now.
        sealed: The plan that the experiment started with; {} if it had none, None if unknown.
        configured: The plan in the config.yaml of now.
    """
    remarks: list[str] = []
    started = _usable(sealed, remarks) if sealed else None
    plan = started or configured or ExperimentPlan()
    sealed_listeners = started.listeners if started else None
    if started and configured and configured != started:
        remarks.append(
            "config.yaml has a different plan now. The plan that was sealed when the experiment "
            "started counts."
        )
    source: PlanSource = ""
    if given is not None and given != sealed_listeners:
        plan, source = plan.model_copy(update={"listeners": given}), "--planned"
    elif plan.listeners is not None:
        source = "sealed" if started else "config"
    return ChosenPlan(plan, source, sealed_listeners, tuple(remarks))


def _usable(sealed: Mapping[str, Any], remarks: list[str]) -> ExperimentPlan | None:
    """The sealed plan; None, with a remark, where a value is impossible: nobody can mend it now."""
    try:
        return ExperimentPlan.model_validate(sealed)
    except ValidationError as error:
        keys = ", ".join(
            f"{'.'.join(map(str, problem['loc']))} is {problem['input']!r}"
            for problem in error.errors()
        )
        remarks.append(f"The plan that was sealed cannot be used: {keys}.")
        return None


def read_plans(planned: Mapping[str, Any], where: str) -> dict[str, ExperimentPlan]:
    """Check the plans of a config.

    Args:
        planned: Experiment -> what stands under its `planned:`.
        where: The config file, for messages.

    Raises:
        InputError: A plan has a key with an impossible value; names all of them.
    """
    faults, found = Faults(), {}
    for name, plan in planned.items():
        try:
            found[name] = ExperimentPlan.model_validate(plan)
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(map(str, problem["loc"]))
                faults.add(
                    f"{where}: experiments.{name}.planned.{key}",
                    f"{problem['msg'].lower()}, got {problem['input']!r}",
                )
    faults.raise_if_any()
    return found
