"""Fitting: a version's files from all listens, with offline figures of them and of what serves."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.archive import Key
from core.lists import Lists
from core.progress import SILENT, Progress
from engine.settings.learnt_artifacts import VersionFiles
from learning.recipe import LearntFile
from strategies.base import Artifacts
from training.evaluation import OfflineMetrics, evaluate
from training.evaluation_split import EvaluationSplit, ModelTrial
from training.interactions import Interactions
from training.model import FittedModel, build
from training.top_k import NONE, Ints, Rankings
from training.training_options import TrainingOptions

FIGURE = "ndcg10"
"""The offline figure that is compared."""


@dataclass(frozen=True, slots=True)
class OfflineFigures:
    """The figures of lists that predict the latest sessions.

    Attributes:
        name: Name of the lists in the config.
        learnt: NDCG@10 of the new lists.
        serving: NDCG@10 of the lists that serve; None if there are none of this name.
        chance: NDCG@10 that random lists may reach, the upper end of its interval.
        answered: Share of the questions for which the new lists have a list.
        answered_serving: The same of those that serve.
    """

    name: str
    learnt: float
    serving: float | None
    chance: float
    answered: float
    answered_serving: float | None


@dataclass(frozen=True, slots=True)
class FittedVersion:
    """The files of a version, written into a folder.

    Attributes:
        files: The files.
        figures: Offline figures of each list.
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
    progress: Progress = SILENT,
) -> FittedVersion:
    """Fit each model once, and write the files of the recipe.

    Args:
        folder: Folder to write to.
        version: Number of the version.
        strategy: The strategy that shall play it; None for the config's default.
        wanted: The files of the recipe.
        listens: All listens.
        serving: What serves, to be judged on the same sessions.
        options: Of the fits and the split.
        progress: Shows the work.

    Raises:
        InputError: There are too few sessions.
        KeyboardInterrupt: Ctrl-C ended a fit early.
    """
    split = EvaluationSplit.of(listens, options)
    by_chance = {
        each.key: each.accuracy[FIGURE].high
        for each in split.evaluate_model("random", *build("random"), progress).metrics
    }
    lists, vectors, figures = {}, {}, []
    top: str | None = None
    for group in _by_model(wanted):
        first = group[0]
        trial = split.evaluate_model(first.model, *build(first.model, first.settings), progress)
        if trial.fitted.interrupted:
            raise KeyboardInterrupt
        for file in group:
            written = _write(folder, file, trial, listens, options, progress)
            if file.section == "lists":
                lists[file.name] = written
                assert file.key is not None
                chance = by_chance[file.key]
                figures.append(_figures(file, trial, split, serving.lists.get(file.name), chance))
            elif file.section == "vectors":
                vectors[file.name] = written
            else:
                top = written
    models = {each.name: {"model": each.model, "settings": each.settings} for each in wanted}
    began = split.test.at_ms[split.test.starts[:-1]]
    files = VersionFiles(version, lists, vectors, top, strategy)
    return FittedVersion(files, figures, models, int(began.min()))


def _by_model(wanted: Sequence[LearntFile]) -> Iterable[list[LearntFile]]:
    """Group the files that one fit gives."""
    groups: list[list[LearntFile]] = []
    for file in wanted:
        for group in groups:
            if (group[0].model, group[0].settings) == (file.model, file.settings):
                group.append(file)
                break
        else:
            groups.append([file])
    return groups


def _write(
    folder: Path,
    file: LearntFile,
    trial: ModelTrial,
    listens: Interactions,
    options: TrainingOptions,
    progress: Progress,
) -> str:
    """Write one file of a fitted model under the name of the config; return its file name."""
    fitted = trial.fitted
    kept: FittedModel
    if file.section == "top":
        kept = fitted
    elif file.section == "lists":
        assert file.key is not None
        kept = fitted.only_lists(file.key)
    else:
        assert file.key is not None
        kept = fitted.only_vectors(file.key)
    of_length = replace(options, top=file.length)
    made, *beside = replace(trial, fitted=kept).write(folder, listens, of_length, progress)
    for each in (made, *beside):
        kind = "".join(each.suffixes[-2:]) if each is not made else made.suffix
        each.rename(folder / f"{file.name}{kind}")
    return f"{file.name}{made.suffix}"


def _figures(
    file: LearntFile,
    trial: ModelTrial,
    split: EvaluationSplit,
    serving: Lists | None,
    chance: float,
) -> OfflineFigures:
    assert file.key is not None
    [learnt] = [each for each in trial.metrics if each.key == file.key]
    if serving is None:
        return OfflineFigures(file.name, _ndcg(learnt), None, chance, _answered(learnt), None)
    ranker = _ListsRanker(serving, file.key, split.test.users)
    other = FittedModel({file.key: ranker})
    found = evaluate(other, file.key, split.train_and_valid, split.test, split.held_out)
    return OfflineFigures(
        file.name, _ndcg(learnt), _ndcg(found), chance, _answered(learnt), _answered(found)
    )


def _ndcg(metrics: OfflineMetrics) -> float:
    return metrics.accuracy[FIGURE].value


def _answered(metrics: OfflineMetrics) -> float:
    return metrics.beyond_accuracy["answered"]


class _ListsRanker:
    """The ranker that lists of a file are, so that they are judged as those of a model."""

    def __init__(self, lists: Lists, key: Key, users: Sequence[str]) -> None:
        self._lists = lists
        self._key = key
        self._users = users

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        """Give the first `k` tracks of each list."""
        ranked = np.full((len(keys), k), NONE, dtype=np.int32)
        for place, key in enumerate(keys.tolist()):
            row = (
                self._lists.row_of_track(key)
                if self._key == "track"
                else self._lists.row_of_user(self._users[key])
            )
            if row >= 0:
                tracks = self._lists.heads([row], k)[0]
                ranked[place, : len(tracks)] = tracks
        return ranked
