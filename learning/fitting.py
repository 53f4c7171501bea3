"""Fitting: a version's files from all listens, with offline figures of them and of what serves."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.archive import Key
from core.errors import InputError
from core.progress import SILENT, Progress
from engine.settings.learnt_artifacts import VersionFiles
from learning.offline_figures import OfflineFigures, figures_by_chance, figures_of
from learning.recipe import TOP, LearntFile, Section
from learning.warm_starts import WarmStarts
from strategies.base import Artifacts
from training.evaluation_split import EvaluationSplit, ModelTrial
from training.interactions import Interactions
from training.model import FittedModel, build
from training.training_options import TrainingOptions
from training.warm_start import WarmStart


@dataclass(frozen=True, slots=True)
class FittedVersion:
    """The files of a version, written into a folder.

    Attributes:
        files: The files.
        figures: Offline figures of each file.
        models: Name of a file -> the model that it is from, with its settings.
        test_since_ms: Start of the first session that no model learnt from, Unix time in ms.
    """

    files: VersionFiles
    figures: Sequence[OfflineFigures]
    models: Mapping[str, Any]
    test_since_ms: int


def fit_version(
    folder: Path,
    version: int,
    strategy: str | None,
    wanted: Sequence[LearntFile],
    listens: Interactions,
    serving: Artifacts,
    options: TrainingOptions,
    starts: WarmStarts,
    progress: Progress = SILENT,
) -> FittedVersion:
    """Fit each model once, from where its last fit ended, and write the files of the recipe.

    Args:
        folder: Folder to write to.
        version: Number of the version.
        strategy: The strategy that shall play it; None for the config's default.
        wanted: The files of the recipe.
        listens: All listens.
        serving: What serves, to be judged on the same sessions.
        options: Of the fits and the split.
        starts: What the last fits left; gets what these leave.
        progress: Shows the work.

    Raises:
        InputError: There are too few sessions.
        KeyboardInterrupt: Ctrl-C ended a fit early.
    """
    split = EvaluationSplit.of(listens, options)
    by_chance = figures_by_chance(split, progress)
    written: dict[Section, dict[str, str]] = defaultdict(dict)
    figures: list[OfflineFigures] = []
    taken: set[str] = set()
    for group in _by_fit(wanted):
        trial = _fit(group[0], split, starts.of(group[0], listens), progress)
        if trial.fitted.state is not None:
            starts.keep(group[0], listens, trial.fitted.state)
        for file in group:
            stem = file.name if file.name not in taken else f"{file.name}.{file.section}"
            taken.add(stem)
            written[file.section][file.name] = _write(
                folder, file, stem, trial, listens, options, progress
            )
            lists = serving.lists.get(file.name) if file.section == "lists" else None
            if (found := figures_of(file, trial, split, lists, by_chance)) is not None:
                figures.append(found)
    files = VersionFiles(
        version, written["lists"], written["vectors"], written["tables"],
        written["top"].get(TOP), strategy,
    )  # fmt: skip
    models = {each.name: {"model": each.model, "settings": each.settings} for each in wanted}
    began = split.test.at_ms[split.test.starts[:-1]]
    return FittedVersion(files, figures, models, int(began.min()))


def _fit(
    file: LearntFile, split: EvaluationSplit, start: WarmStart | None, progress: Progress
) -> ModelTrial:
    trial = split.evaluate_model(file.model, *build(file.model, file.settings), progress, start)
    if trial.fitted.interrupted:
        raise KeyboardInterrupt
    return trial


def _by_fit(wanted: Sequence[LearntFile]) -> Iterable[list[LearntFile]]:
    """Group the files that one fit gives: vectors and a table of one space are of one fit."""
    groups: list[list[LearntFile]] = []
    for file in wanted:
        for group in groups:
            if group[0].fit == file.fit:
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def _write(
    folder: Path,
    file: LearntFile,
    stem: str,
    trial: ModelTrial,
    listens: Interactions,
    options: TrainingOptions,
    progress: Progress,
) -> str:
    """Write one file of a fitted model under the name `stem`; return its file name."""
    kept = replace(trial, fitted=_part(file, trial.fitted))
    made, *beside = kept.write(folder, listens, replace(options, top=file.length), progress)
    for each in (made, *beside):
        kind = "".join(each.suffixes[-2:]) if each is not made else made.suffix
        each.rename(folder / f"{stem}{kind}")
    return f"{stem}{made.suffix}"


def _part(file: LearntFile, fitted: FittedModel) -> FittedModel:
    """Give the model that writes one file alone.

    Raises:
        InputError: The model makes no such file.
    """
    if file.section == "top" and fitted.order is not None:
        return fitted
    key = file.key
    if file.section == "lists" and key is not None and key in fitted.rankers:
        return fitted.only_lists(key)
    if file.section == "vectors" and key is not None and key in fitted.vectors:
        return fitted.only_vectors(key)
    if file.section == "tables" and fitted.table is not None:
        return fitted.only_table()
    raise InputError.one(
        f"--model {file.name}={file.model}",
        f"must be a model that makes {_KINDS[file.section].format(key=_KEYS.get(key))}, and "
        f"'{file.model}' makes none. `segue train` lists what each model makes",
    )


_KINDS: Mapping[Section, str] = {
    "lists": "lists by {key}",
    "vectors": "vectors by {key}",
    "tables": "a table by listener",
    "top": "a popularity list",
}
_KEYS: Mapping[Key | None, str] = {"track": "track", "user": "listener"}
