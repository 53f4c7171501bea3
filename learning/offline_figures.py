"""Offline figures: how well a version, and what serves, predict the latest sessions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from core.archive import Key
from core.lists import Lists
from core.progress import SILENT, Progress
from learning.recipe import LearntFile
from training.evaluation import OfflineMetrics, evaluate
from training.evaluation_split import EvaluationSplit, ModelTrial
from training.model import FittedModel, build
from training.top_k import NONE, Ints, Rankings

FIGURE = "ndcg10"
"""The offline figure that is compared."""


@dataclass(frozen=True, slots=True)
class OfflineFigures:
    """The figures of a file that predicts the latest sessions.

    Lists are judged as they are, vectors and a table by the lists that their model would make.

    Attributes:
        name: Name of the lists in the config, or `vectors.NAME`, `tables.NAME`.
        learnt: NDCG@10 of the new file.
        serving: NDCG@10 of the lists that serve; None if there are none of this name.
        chance: NDCG@10 that random lists may reach, the upper end of its interval; None for vectors
            and tables, which a strategy reads in a different way than the lists are made.
        answered: Share of the questions for which the new file has a list.
        answered_serving: The same of those that serve.
    """

    name: str
    learnt: float
    serving: float | None
    chance: float | None
    answered: float
    answered_serving: float | None


def figures_of(
    file: LearntFile,
    trial: ModelTrial,
    split: EvaluationSplit,
    serving: Lists | None,
    by_chance: Mapping[Key, float],
) -> OfflineFigures | None:
    """Compare a file with random lists, and lists with those of the same name that serve too.

    Args:
        file: The file.
        trial: Its model, evaluated on the split.
        split: The sessions.
        serving: The lists of the same name that serve; None if there are none.
        by_chance: Key of lists -> NDCG@10 that random lists may reach.

    Returns:
        The figures; None for a popularity list, and for vectors whose model ranks nothing by them.
    """
    if file.key is None or file.section == "top":
        return None
    found = [each for each in trial.metrics if each.key == file.key]
    if not found:
        return None
    learnt = found[0]
    if file.section != "lists":
        name = f"{file.section}.{file.name}"
        return OfflineFigures(name, _ndcg(learnt), None, None, _answered(learnt), None)
    chance = by_chance[file.key]
    if serving is None:
        return OfflineFigures(file.name, _ndcg(learnt), None, chance, _answered(learnt), None)
    ranker = _ListsRanker(serving, file.key, split.test.users)
    other = FittedModel({file.key: ranker})
    now = evaluate(other, file.key, split.train_and_valid, split.test, split.held_out)
    return OfflineFigures(
        file.name, _ndcg(learnt), _ndcg(now), chance, _answered(learnt), _answered(now)
    )


def figures_by_chance(split: EvaluationSplit, progress: Progress) -> Mapping[Key, float]:
    """Give the NDCG@10 that random lists may reach, the upper end of its interval, by key."""
    random = split.evaluate_model("random", *build("random"), progress)
    return {each.key: each.accuracy[FIGURE].high for each in random.metrics}


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
