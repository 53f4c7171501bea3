"""Random lists: the baseline that every model has to beat."""

import numpy as np

from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import Ints, Rankings


@model("random")
class RandomLists:
    """Draws every list at random; a baseline of every comparison."""

    def __init__(self, params: ModelParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Learn nothing."""
        tracks = len(train.catalog)

        def draw_lists(keys: Ints, k: int, own: bool) -> Rankings:
            ranked = np.empty((len(keys), min(k, tracks - 1)), dtype=np.int32)
            for row, key in enumerate(np.asarray(keys).tolist()):
                generator = np.random.default_rng((run.seed, int(own), key))
                # Draw from one track fewer and step over the key: no track is in its own list.
                row_tracks = generator.choice(
                    tracks - 1, ranked.shape[1], replace=False, shuffle=True
                )
                ranked[row] = row_tracks + (row_tracks >= key) if own else row_tracks
            return ranked

        def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            return draw_lists(keys, k, own=True)

        def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
            return draw_lists(keys, k, own=False)

        return FittedModel({"track": by_track, "user": by_user})
