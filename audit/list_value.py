"""What learnt lists would have earned in a log's latest sessions, had an arm played from them.

Training knows the lists and analysis the estimators; they may not know each other, and meet here.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.lists import Key

if TYPE_CHECKING:
    from training.evaluation import OffPolicyEstimate
    from training.interactions import Interactions
    from training.model import FittedModel
    from training.top_k import Rankings

_AT_ONCE = 1 << 14


class ListEstimator:
    """Estimates arms of `contextual` or `personal` over lists, with `random` as their fallback.

    What `segue evaluate` says of such an arm on a log of these sessions, without a replay: what the
    arm would play depends on nothing but the previous track, or the listener.

    Args:
        late: The sessions. A listen counts whose chance is known and that another one precedes.
        top: How many tracks of a list are played from, each as likely.
    """

    def __init__(self, late: "Interactions", top: int) -> None:
        from analysis.off_policy.estimators import RewardModel, encode

        rows = _decided(late)
        self._top = top
        self._user = late.user[rows]
        self._before = late.track[rows - 1]
        self._track = late.track[rows].astype(np.int64)
        self._rewards = late.time[rows].astype(np.float64)
        self._logged = late.propensity[rows].astype(np.float64)
        # Numbered as `segue evaluate` does, so that both put a listener into the same fold.
        self._listeners = encode([late.users[user] for user in self._user.tolist()])
        tracks = len(late.catalog)
        self._model = RewardModel(self._track, self._rewards, self._listeners, tracks)
        self._guesses = self._model.guesses(self._track, self._listeners)
        self._random = 1 / tracks

    @property
    def about(self) -> str:
        """A sentence for below a table."""
        return (
            "off-policy: share heard of a recommendation in the latest sessions, had their lists' "
            f"first {self._top} been played, each as likely (doubly robust, 95 % interval, from "
            f"{len(self._track):,} logged chances); the log's own: {self._rewards.mean():.3f}. "
            "?: doubtful, comparison.json and manifests say why"
        )

    def __call__(self, fitted: "FittedModel", key: Key) -> "OffPolicyEstimate":
        """Estimate one kind of list of a model, doubly robust."""
        from analysis.off_policy.estimators import WeightedDecisions, evaluate
        from training.evaluation import Interval, OffPolicyEstimate

        asked = self._before if key == "track" else self._user
        keys, row = np.unique(asked, return_inverse=True)
        ranked = fitted.rankers[key](keys, self._top)
        target, values = self._played(ranked, row)
        found = evaluate(
            WeightedDecisions(
                self._listeners, self._rewards, self._logged, target, self._guesses, values
            )
        )
        best = next(each for each in found.estimates if each.name == "DR")
        return OffPolicyEstimate(
            Interval(best.mean, best.low, best.high), found.effective, found.warnings
        )

    def _played(
        self, ranked: "Rankings", row: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Chance that the arm gives the logged track, and the guessed reward of what it plays."""
        from analysis.off_policy.estimators import FOLDS
        from training.top_k import NONE

        target, values = np.empty(len(row)), np.empty(len(row))
        for fold in range(FOLDS):
            guesses = self._model.of(fold)  # the same for all listeners of a fold
            rows = np.flatnonzero(self._listeners % FOLDS == fold)
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                lists = ranked[row[part]]
                there = lists != NONE
                length = there.sum(axis=1)
                some = np.maximum(length, 1)
                hit = (lists == self._track[part, None]).any(axis=1)
                listed = np.where(there, guesses[lists], 0).sum(axis=1)
                target[part] = np.where(length > 0, hit / some, self._random)
                values[part] = np.where(length > 0, listed / some, guesses.mean())
        return target, values


def estimator(late: "Interactions", top: int) -> ListEstimator | None:
    """An estimator over these sessions; None unless chances of two listeners or more are known."""
    if len(np.unique(late.user[_decided(late)])) < 2:
        return None
    return ListEstimator(late, top)


def _decided(late: "Interactions") -> npt.NDArray[np.int64]:
    """Rows of listens whose chance is known and that another one of the session precedes."""
    follows = np.zeros(len(late), dtype=bool)
    follows[1:] = late.session[1:] == late.session[:-1]
    return np.flatnonzero(follows & (late.propensity > 0))
