"""Interests: each listener has a few, and each session is about one of them.

A track is a vector, an interest is a vector, and their product says by the logistic function which
share of the track is heard. So a session about rain and a session about running do not pull their
tracks together, as they do where a listener is one vector.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from pydantic import Field

from core.catalog import UNKNOWN
from core.listener_tables import ListenerRows
from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.least_squares import solve_groups
from training.model import FitRun, FittedModel, ModelParams, model
from training.top_k import BLOCK, Floats, Ints, Rankings, dot_products, top_k


class InterestsParams(ModelParams):
    """Settings of `interests`.

    Attributes:
        factors: Length of the vectors.
        interests: Interests of a listener, at least 1.
        iterations: Passes over the log.
        l2: Weight of the penalty on long vectors.
        fatigue: Factor on the share heard at each further play of the same artist in a session; it
            is taken out before the fit. 1: listeners do not tire.
    """

    factors: int = Field(32, ge=2, le=512)
    interests: int = Field(3, ge=1, le=20)
    iterations: int = Field(8, ge=1)
    l2: float = Field(1.0, gt=0)
    fatigue: float = Field(0.8, gt=0, le=1)


@dataclass(frozen=True, slots=True)
class _Listens:
    """The first listen of each track in each session.

    Attributes:
        session: int64, (rows,), 0..sessions-1, never falling.
        user: int, (rows,).
        track: int, (rows,).
        liking: float32, (rows,), share heard without the fatigue of the artist, in [0, 1].
        weight: float32, (rows,); less where the fatigue had left little to hear.
        starts: int64, (sessions,), the first row of each session.
    """

    session: Ints
    user: Ints
    track: Ints
    liking: Floats
    weight: Floats
    starts: Ints


@dataclass(frozen=True, slots=True)
class _Fit:
    """The numbers that are fitted.

    Attributes:
        tracks: float32, (tracks, d).
        interests: float32, (listeners * interests, d).
        bias: float32, (listeners,), how easily a listener likes a track.
        appeal: float32, (tracks,), how easily a track is liked.
        about: int64, (sessions,), which interest of its listener a session is about.
    """

    tracks: Floats
    interests: Floats
    bias: Floats
    appeal: Floats
    about: Ints


@model("interests", InterestsParams)
class Interests:
    """Several interests for each listener, one of them in each session; vectors, and lists by both.

    Logistic factorisation by alternating least squares: interests given the tracks, tracks given
    the interests, and the interest of each session by what was heard in it.
    """

    def __init__(self, params: InterestsParams) -> None:
        self.params = params

    def fit(self, train: Interactions, run: FitRun) -> FittedModel:
        """Fit; Ctrl-C keeps the passes so far."""
        params = self.params
        listens = _first_listens(train, params.fatigue)
        run.progress.start("interests", params.iterations)
        fit = _start(train, listens, params, run.seed)
        done, interrupted = 0, False
        try:
            for _ in range(params.iterations):
                fit = _pass(listens, fit, params)
                done += 1
                run.progress.advance()
        except KeyboardInterrupt:
            if not done:
                raise
            interrupted = True
        facts = {"iterations": done}
        return replace(_fitted(train, listens, fit, facts), interrupted=interrupted)


def _fitted(
    train: Interactions, listens: _Listens, fit: _Fit, facts: dict[str, int]
) -> FittedModel:
    seen = np.bincount(listens.track, minlength=len(train.catalog)) > 0
    unheard = np.where(seen, 0, -np.inf).astype(np.float32)
    units = fit.tracks / np.maximum(np.linalg.norm(fit.tracks, axis=1, keepdims=True), 1e-9)
    similar = dot_products(units, units, unheard)
    count = len(fit.interests) // len(train.users)
    interests = fit.interests.reshape(len(train.users), count, -1)

    def by_track(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = top_k(similar, keys, k, without=keys, progress=progress)
        ranked[~seen[keys]] = -1  # a track without listens has no meaningful vector
        return ranked

    def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        def scores(users: Ints) -> Floats:
            products = interests[users] @ fit.tracks.T + fit.appeal
            logits = products + fit.bias[users][:, None, None]
            found: Floats = _logistic(logits).mean(axis=1) + unheard
            return found

        return top_k(scores, keys, k, progress=progress)

    return FittedModel(
        {"track": by_track, "user": by_user},
        facts=facts,
        vectors={"track": (np.flatnonzero(seen), fit.tracks[seen])},
        table=_table(listens, fit, interests),
        scores={"track": lambda keys, ranked: _cosines(units, keys, ranked)},
    )


def _cosines(units: Floats, keys: Ints, ranked: Rankings) -> Floats:
    """Give the cosines between tracks and those of their lists, some tracks at a time."""
    found = np.empty(ranked.shape, dtype=np.float32)
    for start in range(0, len(keys), BLOCK):
        rows = slice(start, start + BLOCK)
        found[rows] = np.einsum("ij,ikj->ik", units[keys[rows]], units[ranked[rows]])
    return found


def _table(listens: _Listens, fit: _Fit, interests: Floats) -> tuple[Ints, ListenerRows]:
    """Give what is known of each listener who heard something."""
    users, count, _ = interests.shape
    user = listens.user[listens.starts]
    sessions = np.bincount(user * count + fit.about, minlength=users * count)
    sessions = sessions.reshape(users, count)
    known = np.flatnonzero(sessions.sum(axis=1))
    shares = sessions[known] / sessions[known].sum(axis=1, keepdims=True)
    return known, ListenerRows(
        interests[known],
        shares.astype(np.float32),
        fit.bias[known],
        _favourites(listens, users)[known],
    )


def _favourites(listens: _Listens, users: int) -> npt.NDArray[np.int32]:
    """Give the tracks that each listener liked best, first the best, of equals the newest."""
    newest = -np.arange(len(listens.user))
    order = np.lexsort((newest, -listens.liking, listens.user))
    user, track = listens.user[order], listens.track[order]
    # The best listen of each track alone.
    _, first = np.unique(user.astype(np.int64) << 32 | track, return_index=True)
    first.sort()
    user, track = user[first], track[first]
    at = np.arange(len(user))
    place = at - np.maximum.accumulate(np.where(np.diff(user, prepend=-1) != 0, at, 0))
    found = np.full((users, _FAVOURITES), UNKNOWN, dtype=np.int32)
    kept = place < _FAVOURITES
    found[user[kept], place[kept]] = track[kept]
    return found


_FAVOURITES = 10


def _first_listens(train: Interactions, fatigue: float) -> _Listens:
    """Take the first listen of each track in a session, and the fatigue of artists out of it."""
    artists = np.asarray(train.catalog.artist_of)[train.track].astype(np.int64)
    plays = _earlier(train.session, artists)
    kept = _earlier(train.session, train.track.astype(np.int64)) == 0
    left = np.power(fatigue, plays[kept]).astype(np.float32)
    session = train.session[kept]
    starts = np.flatnonzero(np.diff(session, prepend=-1))
    return _Listens(
        session,
        train.user[kept],
        train.track[kept],
        np.minimum(train.time[kept] / left, 1).astype(np.float32),
        left**2 * train.weight[kept],
        starts,
    )


def _earlier(session: Ints, key: Ints) -> Ints:
    """Count the earlier rows of the same session and key."""
    order = np.lexsort((key, session))
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (np.diff(session[order]) == 0) & (np.diff(key[order]) == 0)
    at = np.arange(len(order))
    found = np.empty(len(order), dtype=np.int64)
    found[order] = at - np.maximum.accumulate(np.where(same, 0, at))
    return found


_BIAS = np.float32(-1.5)
"""Bias of a listener of whom nothing is known: a random track is heard for a fifth."""
_STEEP = np.float32(0.03)
"""Least weight of a listen, of at most 1/4. Without it, a track that nobody would leave, or one
that nobody would hear, weighs nothing and moves without bound."""
_FAR = np.float32(8.0)
"""Bound of the logit that a listen stands for: 0.03 % or 99.97 %."""


def _pass(listens: _Listens, fit: _Fit, params: InterestsParams) -> _Fit:
    """Improve interests, then biases, then tracks, then what sessions are about."""
    owner = listens.user * params.interests + fit.about[listens.session]
    target, weight = _working(listens, fit, owner)
    own = target - fit.bias[listens.user] - fit.appeal[listens.track]
    interests = solve_groups(
        owner, len(fit.interests), fit.tracks, listens.track, own, weight, params.l2
    )
    fit = replace(fit, interests=interests)
    target, weight = _working(listens, fit, owner)
    own = target - fit.appeal[listens.track] - _products(listens, fit, owner)
    fit = replace(fit, bias=_biases(listens, own, weight, len(fit.bias)))
    with_one = np.hstack([interests, np.ones((len(interests), 1), dtype=np.float32)])
    own = target - fit.bias[listens.user]
    solved = solve_groups(listens.track, len(fit.tracks), with_one, owner, own, weight, params.l2)
    fit = replace(fit, tracks=np.ascontiguousarray(solved[:, :-1]), appeal=solved[:, -1])
    return replace(fit, about=_closest(listens, fit, params.interests))


def _working(listens: _Listens, fit: _Fit, owner: Ints) -> tuple[Floats, Floats]:
    """Give target and weight of each listen in the least squares that stand for the logistic fit.

    Iteratively reweighted least squares: one Newton step of the logistic regression.
    """
    logit = _logits(listens, fit, owner)
    expected = _logistic(logit)
    weight = np.maximum(expected * (1 - expected), _STEEP)
    target = np.clip((listens.liking - expected) / weight + logit, -_FAR, _FAR)
    return target, weight * listens.weight


def _biases(listens: _Listens, rest: Floats, weight: Floats, users: int) -> Floats:
    """Give the mean rest of each listener, drawn towards that of a listener not known."""
    sums = np.bincount(listens.user, weight * rest, users) + _BIAS
    weights = np.bincount(listens.user, weight, users) + 1
    return (sums / weights).astype(np.float32)


def _products(listens: _Listens, fit: _Fit, owner: Ints) -> Floats:
    found: Floats = np.vecdot(fit.interests[owner], fit.tracks[listens.track])
    return found


def _logits(listens: _Listens, fit: _Fit, owner: Ints) -> Floats:
    found: Floats = (
        _products(listens, fit, owner) + fit.bias[listens.user] + fit.appeal[listens.track]
    )
    return found


def _closest(listens: _Listens, fit: _Fit, count: int) -> Ints:
    """Find the interest of its listener that explains each session best."""
    costs = []
    for nth in range(count):
        logit = _logits(listens, fit, listens.user * count + nth)
        cost = listens.weight * (np.logaddexp(0, logit) - listens.liking * logit)
        costs.append(np.add.reduceat(cost, listens.starts))
    closest: Ints = np.argmin(costs, axis=0)
    return closest


def _start(train: Interactions, listens: _Listens, params: InterestsParams, seed: int) -> _Fit:
    """Begin with vectors of who liked what, and with each listener's sessions in groups by them."""
    rng = np.random.default_rng(seed)
    users, count, count_of_tracks = len(train.users), params.interests, len(train.catalog)
    tracks = _common_likes(train, listens, params.factors, rng)
    about = _group_sessions(listens, tracks, users, count)
    interests = np.zeros((users * count, params.factors), dtype=np.float32)
    bias, appeal = np.full(users, _BIAS), np.zeros(count_of_tracks, dtype=np.float32)
    return _Fit(2 * tracks, interests, bias, appeal, about)


def _common_likes(
    train: Interactions, listens: _Listens, d: int, rng: np.random.Generator
) -> Floats:
    """Give tracks directions by who liked them: a truncated SVD by a few power iterations."""
    from scipy import sparse

    shape = len(train.users), len(train.catalog)
    liked = sparse.csr_matrix((listens.liking, (listens.user, listens.track)), shape)
    # A track that everybody hears says little: each column has the length 1.
    lengths = np.sqrt(np.asarray(liked.multiply(liked).sum(axis=0)).ravel())
    liked = sparse.csr_matrix(liked @ sparse.diags(1 / np.maximum(lengths, 1e-9)))
    basis = rng.normal(size=(shape[1], d))
    for _ in range(_POWER_STEPS):
        basis, _ = np.linalg.qr(liked.T @ (liked @ basis))
    _, values, turned = np.linalg.svd(liked @ basis, full_matrices=False)
    vectors = basis @ (turned.T * values)
    # Fewer listeners, or tracks, than factors have fewer directions: the rest begin at 0.
    vectors = np.pad(vectors, ((0, 0), (0, d - vectors.shape[1])))
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-9), dtype=np.float32)


_POWER_STEPS = 6
_MOVES = 4
"""Times that the sessions of a listener choose among the groups at the start."""


def _group_sessions(listens: _Listens, tracks: Floats, users: int, count: int) -> Ints:
    """Group the sessions of each listener by the direction of what was liked in them."""
    liked = tracks[listens.track] * (listens.liking * listens.weight)[:, None]
    points = np.add.reduceat(liked, listens.starts)
    points /= np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-9)
    user = listens.user[listens.starts]
    centres = np.zeros((users, count, points.shape[1]), dtype=np.float32)
    far = np.full(len(user), 1.0)
    for nth in range(count):  # each centre is the session farthest from those before
        chosen = _farthest(user, far, users)
        known = chosen >= 0
        centres[known, nth] = points[chosen[known]]
        far = np.minimum(far, 1 - np.vecdot(points, centres[user, nth]))
    about = np.zeros(len(user), dtype=np.int64)
    for _ in range(_MOVES):
        near = [np.vecdot(points, centres[user, nth]) for nth in range(count)]
        about = np.argmax(near, axis=0)
        sums = np.zeros((users * count, points.shape[1]), dtype=np.float32)
        np.add.at(sums, user * count + about, points)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = (sums / np.maximum(lengths, 1e-9)).reshape(centres.shape)
    return about


def _farthest(user: Ints, far: npt.NDArray[np.floating], users: int) -> Ints:
    """Give the session of each listener with the greatest distance, -1 without sessions."""
    order = np.lexsort((-far, user))
    first = np.diff(user[order], prepend=-1) != 0
    found = np.full(users, -1, dtype=np.int64)
    found[user[order][first]] = order[first]
    return found


def _logistic(logit: Floats) -> Floats:
    found: Floats = (1 / (1 + np.exp(-logit))).astype(np.float32)
    return found
