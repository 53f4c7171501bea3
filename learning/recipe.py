"""The recipe: which files of a config the loop learns, each by which model.

A list, vector file, table by listener or popularity list says in its manifest which model made it.
So a config needs no entry to have its files learnt again.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import training.models  # noqa: F401  (importing it registers the models)
from core.archive import Key
from core.errors import Faults, InputError, unknown_name
from engine.runtime import Runtime
from training.model import ModelParams, build, known

Section = Literal["lists", "vectors", "tables", "top"]
TOP = "top"
"""Name of the popularity list, which has no name in the config."""
LENGTH = 100
"""Length of a list whose manifest does not say how long the lists were."""


@dataclass(frozen=True, slots=True)
class LearntFile:
    """A file to learn.

    Attributes:
        name: Its name in the config.
        section: The section of `catalog` that has it.
        key: Whether it is keyed by track or by listener; None for the popularity list.
        model: The model, with its variant.
        settings: Settings of the model.
        length: Length of the lists, a count.
    """

    name: str
    section: Section
    key: Key | None
    model: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    length: int = LENGTH

    @property
    def fit(self) -> tuple[str, ModelParams]:
        """The fit that gives it: files of equal fits are of one model."""
        return self.model.partition(":")[0], build(self.model, self.settings)[1]


@dataclass(frozen=True, slots=True)
class Recipe:
    """The files that the loop learns, and those that it leaves alone.

    Attributes:
        files: The files.
        left_alone: Name of a file that stays as it is -> reason.
    """

    files: Sequence[LearntFile]
    left_alone: Mapping[str, str]


def recipe_of(runtime: Runtime, given: Mapping[str, str]) -> Recipe:
    """Make the recipe of a config.

    Args:
        runtime: The config with its files.
        given: Name of a file -> model, where the manifest's own does not count.

    Raises:
        InputError: A name or a model is unknown, or no file can be learnt.
    """
    files: list[LearntFile] = []
    left_alone: dict[str, str] = {}
    found = list(_present(runtime))
    faults = Faults()
    for name in given:
        if name not in {each[0] for each in found}:
            names = [each[0] for each in found]
            faults.add("--model", unknown_name("list, vectors or table", name, names))
    faults.raise_if_any()
    for name, section, key, manifest in found:
        model = given.get(name) or str(manifest.get("model", ""))
        settings = {} if name in given else dict(manifest.get("params") or {})
        if name not in given and model.partition(":")[0] not in known():
            left_alone[name] = (
                f"its manifest names '{model}', which is no model"
                if model
                else "it has no manifest that names a model"
            )
            continue
        build(model, settings)  # a faulty model or setting is found before the log is read
        length = int((manifest.get("sizes") or {}).get("longest", LENGTH))
        files.append(LearntFile(name, section, key, model, settings, length))
    if not files:
        reasons = "; ".join(f"'{name}': {reason}" for name, reason in left_alone.items())
        raise InputError.one(
            str(runtime.settings.path),
            "must have a list, vectors or a table that a model can learn, has none "
            f"({reasons or 'no file'}). Name a model, for instance --model "
            "similar=neighbours:listener",
        )
    return Recipe(files, left_alone)


def _present(
    runtime: Runtime,
) -> Iterable[tuple[str, Section, Key | None, Mapping[str, Any]]]:
    """Name the files of a config with their manifests."""
    artifacts, top = runtime.artifacts, runtime.settings.catalog.top
    for name, lists in artifacts.lists.items():
        yield name, "lists", lists.key, lists.manifest
    for name, vectors in artifacts.vectors.items():
        yield name, "vectors", vectors.key, vectors.manifest
    for name, table in artifacts.tables.items():
        yield name, "tables", "user", table.manifest
    if top is not None:
        path = runtime.settings.resolve(top).with_suffix(".manifest.json")
        yield TOP, "top", None, json.loads(path.read_bytes()) if path.is_file() else {}
