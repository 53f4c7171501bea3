"""What a model is: fitted on listens, it ranks tracks for a track, for a listener, or for all.

A model is a class in its own file of `training/models/`, with its own params and a decorator; no
list elsewhere names it. Models of PyTorch import it inside their functions, so that the others
work without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from core.errors import Fault, InputError, SegueError, unknown_name
from core.lists import Key
from core.progress import SILENT, Progress
from core.registry import Registry
from training.interactions import Interactions
from training.top_k import Ints, Rankings


class ModelParams(BaseModel):
    """Base of every model's settings: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class FitRun:
    """What a fit is given besides the listens.

    Attributes:
        valid: Later listens, on which early stopping looks; may be empty.
        seed: Of every random number; the same seed and threads give the same model.
        threads: How many a library may use.
        progress: Shown the work.
    """

    valid: Interactions
    seed: int = 1
    threads: int = 2
    progress: Progress = SILENT


class Ranker(Protocol):
    """Gives each key its list."""

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        """The `k` best tracks of each key (track or listener index); a track never of itself."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """How learning went.

    Attributes:
        of: What was measured, for the axis: `mean squared error of time`.
        train: Value after each epoch on what was learnt from.
        valid: Value after each epoch on the later listens.
        best_epoch: Index of the epoch that was kept.
    """

    of: str
    train: Sequence[float]
    valid: Sequence[float]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model after its fit.

    Attributes:
        rankers: What it can rank by: a track, a listener, or both.
        order: All tracks, best first, where the list is the same for everybody; else None.
        predict: Time that it expects of (user, track heard before, track); None if it has none.
        curve: How learning went, of models that learn in epochs.
        facts: More for the manifest: epochs, losses.
        interrupted: Whether Ctrl-C ended the fit before its time.
    """

    rankers: Mapping[Key, Ranker]
    order: npt.NDArray[np.int32] | None = None
    predict: Callable[[Ints, Ints, Ints], npt.NDArray[np.float32]] | None = None
    curve: LearningCurve | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False


class Model(Protocol):
    """Learns from listens."""

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Learn; on Ctrl-C give what is best so far, if there is anything yet."""


P_contra = TypeVar("P_contra", bound=ModelParams, contravariant=True)


class ModelType(Protocol[P_contra]):
    """A class that builds a model from its params."""

    def __call__(self, params: P_contra) -> Model:
        """Build the model; nothing is learnt yet."""


M = TypeVar("M", bound=Callable[..., Model])


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A kind of model.

    Attributes:
        name: What the command line calls it.
        params: The model of its settings.
        make: Builds one from params.
        about: First line of its docstring.
        variants: Settings that deserve a line of their own in a comparison, by name.
        needs: Package of an extra that it imports when it is fitted, or empty.
        stops_early: Whether its fit looks at later listens to know when to stop.
    """

    name: str
    params: type[ModelParams]
    make: Callable[..., Model]
    about: str
    variants: Mapping[str, Mapping[str, Any]]
    needs: str
    stops_early: bool


MODELS: Registry[RegisteredModel] = Registry("model")
"""All models. A test that registers one works on a copy (`MODELS.copy()`)."""


def model(
    name: str,
    params: type[ModelParams] = ModelParams,
    variants: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    needs: str = "",
    stops_early: bool = False,
) -> Callable[[M], M]:
    """Register the decorated class as model `name`; `RegisteredModel` describes the arguments.

    Raises:
        SegueError: The name is taken by another class.
    """

    def entry_for(made: M) -> RegisteredModel:
        about = (made.__doc__ or "").strip().partition("\n")[0]
        return RegisteredModel(name, params, made, about, variants or {"": {}}, needs, stops_early)

    return MODELS.register(name, entry_for)


def known() -> Mapping[str, RegisteredModel]:
    """All models by name, read-only."""
    return MODELS.known()


def build(spec: str, settings: Mapping[str, Any] | None = None) -> tuple[Model, ModelParams]:
    """Build a model from `name` or `name:variant`, with settings on top.

    Raises:
        InputError: No such model, variant or setting, or a value that it cannot have.
    """
    name, _, variant = spec.partition(":")
    try:
        found = MODELS.find(name)
    except SegueError as error:
        raise InputError.one(spec, str(error)) from error
    if variant and variant not in found.variants:
        raise InputError.one(spec, unknown_name("variant", variant, filter(None, found.variants)))
    merged = {**found.variants.get(variant, {}), **(settings or {})}
    try:
        params = found.params.model_validate(merged)
    except ValidationError as error:
        raise InputError(
            Fault(f"{name}.{'.'.join(map(str, fault['loc']))}", _problem(fault, found.params))
            for fault in error.errors()
        ) from error
    return found.make(params), params


def _problem(fault: Any, params: type[ModelParams]) -> str:
    if fault["type"] == "extra_forbidden":
        return unknown_name("setting", fault["loc"][-1], params.model_fields)
    return f"{fault['msg']}, got {fault['input']!r}"
