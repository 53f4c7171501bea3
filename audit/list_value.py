"""Off-policy estimates for trained lists: the reward of an arm that plays them, in a test split.

The package training has the lists and the package analysis has the estimators. Neither imports the
other; they meet here.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.archive import Key

if TYPE_CHECKING:
    from training.evaluation import OffPolicyEstimate
    from training.interactions import Interactions
    from training.model import FittedModel
    from training.top_k import Rankings

_AT_ONCE = 1 << 14


class ListEstimator:
    """An estimator of arms of `contextual` or `personal` over lists, with the fallback `random`.

    The estimate equals that of `segue evaluate` for such an arm on these sessions. It needs no
    replay: the arm's track depends only on the previous track, or on the listener.

    Args:
        test: The sessions. A listen counts if its propensity is known and a listen precedes it.
        top: The arm plays one of the first `top` tracks of a list, each with the same propensity.
    """

    def __init__(self, test: "Interactions", top: int) -> None:
        from analysis.off_policy.estimators import RewardModel, encode

        rows = _usable_rows(test)
        self._top = top
        self._user = test.user[rows]
        self._before = test.track[rows - 1]
        self._track = test.track[rows].astype(np.int64)
        self._rewards = test.time[rows].astype(np.float64)
        self._logged_propensity = test.propensity[rows].astype(np.float64)
        # The numbers of `segue evaluate`, so that both put a listener into the same fold.
        self._listeners = encode([test.users[user] for user in self._user.tolist()])
        tracks = len(test.catalog)
        self._model = RewardModel(self._track, self._rewards, self._listeners, tracks)
        self._q_hat = self._model.predict(self._track, self._listeners)
        self._random = 1 / tracks

    @property
    def about(self) -> str:
        """The sentence below a table."""
        return (
            "off-policy: mean share heard of a recommendation in the test split, if an arm plays "
            f"the first {self._top} of each list, each as likely (doubly robust, 95 % interval, "
            f"from {len(self._track):,} logged propensities). The log's mean: "
            f"{self._rewards.mean():.3f}. ?: doubtful, comparison.json and manifests say why"
        )

    def __call__(self, fitted: "FittedModel", key: Key) -> "OffPolicyEstimate":
        """Estimate one kind of list of a model, doubly robust."""
        from analysis.off_policy.estimators import WeightedDecisions, evaluate
        from training.evaluation import Interval, OffPolicyEstimate

        asked = self._before if key == "track" else self._user
        keys, row = np.unique(asked, return_inverse=True)
        ranked = fitted.rankers[key](keys, self._top)
        target, v_hat = self._weigh(ranked, row)
        found = evaluate(
            WeightedDecisions(
                self._listeners, self._rewards, self._logged_propensity, target, self._q_hat, v_hat
            )
        )
        best = next(each for each in found.estimates if each.name == "DR")
        return OffPolicyEstimate(
            Interval(best.mean, best.low, best.high), found.effective, found.warnings
        )

    def _weigh(
        self, ranked: "Rankings", row: npt.NDArray[np.integer]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """The arm's propensity of each logged track, and the predicted reward of its own track."""
        from analysis.off_policy.estimators import FOLDS
        from training.top_k import NONE

        target, v_hat = np.empty(len(row)), np.empty(len(row))
        for fold in range(FOLDS):
            predicted = self._model.predict_all(fold)  # equal for all listeners of a fold
            rows = np.flatnonzero(self._listeners % FOLDS == fold)
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                lists = ranked[row[part]]
                there = lists != NONE
                length = there.sum(axis=1)
                some = np.maximum(length, 1)
                hit = (lists == self._track[part, None]).any(axis=1)
                listed = np.where(there, predicted[lists], 0).sum(axis=1)
                target[part] = np.where(length > 0, hit / some, self._random)
                v_hat[part] = np.where(length > 0, listed / some, predicted.mean())
        return target, v_hat


def make_estimator(test: "Interactions", top: int) -> ListEstimator | None:
    """Make an estimator; None unless propensities of two listeners or more are known."""
    if len(np.unique(test.user[_usable_rows(test)])) < 2:
        return None
    return ListEstimator(test, top)


def _usable_rows(test: "Interactions") -> npt.NDArray[np.int64]:
    """Rows of listens with a known propensity and an earlier listen in the same session."""
    follows = np.zeros(len(test), dtype=bool)
    follows[1:] = test.session[1:] == test.session[:-1]
    return np.flatnonzero(follows & (test.propensity > 0))
