"""What `segue design` wrote into config: the planned size of each experiment."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from core.errors import Faults


class ExperimentPlan(BaseModel):
    """The keys of `planned:` that a report reads.

    Attributes:
        listeners: Planned listeners of all arms; None without a plan.
        metric: Name of the metric that the plan was made for.
        alpha: Error rate that the plan was made for.
    """

    listeners: int | None = Field(None, ge=2)
    metric: str | None = None
    alpha: float = Field(0.05, gt=0, lt=1)


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
