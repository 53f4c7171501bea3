"""Models: a model is fitted on listens, and ranks tracks for a track, for a listener, or for all.

A model is a class in its own file of `training/models/`, with its own params and a decorator; no
list elsewhere names it. Models of PyTorch import it inside their functions, so that all other
models work without it.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, ValidationError

from core.archive import Key
from core.errors import Fault, InputError, SegueError, unknown_name
from core.listener_tables import ListenerRows
from core.progress import SILENT, Progress
from core.registry import Registry
from training.interactions import Interactions
from training.top_k import Ints, Rankings
from training.warm_start import WarmStart

Device = Literal["auto", "cpu", "cuda"]


class ModelParams(BaseModel):
    """Base of every model's settings: unknown keys are errors, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True, slots=True)
class FitRun:
    """The circumstances of one fit, besides its listens.

    Attributes:
        valid: The validation split, for early stopping; may be empty.
        seed: Seed of all random numbers; the same seed and threads give the same model.
        threads: Threads that a library may use.
        progress: Shows the work.
        device: Where PyTorch computes: `cpu`, `cuda`, or `auto`, which is `cuda` if there is one.
        start: What an earlier fit left, for models that can go on from it; None to begin.
    """

    valid: Interactions
    seed: int = 1
    threads: int = 2
    progress: Progress = SILENT
    device: Device = "cpu"
    start: WarmStart | None = None


class Ranker(Protocol):
    """A ranking of the tracks for each key."""

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        """Rank the `k` best tracks of each key, a track or listener index; no track for itself."""


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """The losses of a fit.

    Attributes:
        measure: Name of the loss, for the axis: `mean squared error of time`.
        train: Loss of each epoch on the training split.
        valid: Loss of each epoch on the validation split.
        best_epoch: Index of the epoch that was kept.
    """

    measure: str
    train: Sequence[float]
    valid: Sequence[float]
    best_epoch: int


@dataclass(frozen=True, slots=True)
class FittedModel:
    """A model after its fit.

    Attributes:
        rankers: A ranker for each kind of key that the model ranks by.
        order: All tracks, best first, if every listener gets the same list; else None.
        predict: Predicts the time from (user, track heard before, track); None if it cannot.
        curve: The learning curve of a model that learns in epochs.
        facts: More entries for the manifest: epochs, pairs.
        vectors: Keys and their vectors for each kind of key that the model has vectors of: indices
            int (rows,), of tracks or listeners, and float32 (rows, d).
        scores: For each kind of key, the scores of ranked tracks, for models whose scores mean
            something: float32 in the shape of the rankings.
        table: Listeners' indices, int (rows,), and their rows of a table by listener; None if the
            model has none.
        interrupted: Whether Ctrl-C ended the fit early.
        state: What the next fit may begin with; None for a model that gains nothing by it.
    """

    rankers: Mapping[Key, Ranker]
    order: npt.NDArray[np.int32] | None = None
    predict: Callable[[Ints, Ints, Ints], npt.NDArray[np.float32]] | None = None
    curve: LearningCurve | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    vectors: Mapping[Key, tuple[Ints, npt.NDArray[np.float32]]] = field(default_factory=dict)
    table: tuple[Ints, ListenerRows] | None = None
    scores: Mapping[Key, Callable[[Ints, Rankings], npt.NDArray[np.float32]]] = field(
        default_factory=dict
    )
    state: WarmStart | None = None

    def only_lists(self, key: Key) -> "FittedModel":
        """Give the model that writes one file, its lists by this key."""
        return replace(self, rankers={key: self.rankers[key]}, vectors={}, table=None, curve=None)

    def only_vectors(self, key: Key) -> "FittedModel":
        """Give the model that writes one file, its vectors by this key."""
        facts = {**self.facts, **self.space}
        kept = {key: self.vectors[key]}
        return replace(self, rankers={}, vectors=kept, table=None, curve=None, facts=facts)

    def only_table(self) -> "FittedModel":
        """Give the model that writes one file, its table by listener."""
        facts = {**self.facts, **self.space}
        return replace(self, rankers={}, vectors={}, curve=None, facts=facts)

    @property
    def space(self) -> dict[str, str]:
        """Name of the space of the vectors, for manifests: a table must be of the same."""
        if "track" not in self.vectors:
            return {}
        vectors = np.ascontiguousarray(self.vectors["track"][1])
        return {"space": hashlib.sha256(vectors.tobytes()).hexdigest()[:16]}


class Model(Protocol):
    """A model before its fit."""

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Fit; on Ctrl-C return the best state so far, if there is one."""


P_contra = TypeVar("P_contra", bound=ModelParams, contravariant=True)


class ModelType(Protocol[P_contra]):
    """A class that builds a model from its params."""

    def __call__(self, params: P_contra) -> Model:
        """Build the model; it is not fitted yet."""


M = TypeVar("M", bound=Callable[..., Model])


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A registered model.

    Attributes:
        name: Name on the command line.
        params: The pydantic model of its settings.
        make: Builds the model from params.
        about: First line of its docstring.
        variants: Name -> settings that a comparison tries as a model of its own.
        needs: Package of an extra that the fit imports, or empty.
        stops_early: Whether the fit stops by the loss on the validation split.
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
