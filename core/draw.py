"""The draw: candidates and a random stream in, tracks and the propensity of the first out.

All randomness of an answer is here, so a decision can be replayed from its id.
"""

import bisect
from collections.abc import Sequence
from typing import Literal, assert_never

from core.candidates import Candidates, Weights, by_rank
from core.mixture import Mixture
from core.rng import Stream

FinalDraw = Literal["score", "uniform", "first", "rank"]
"""The draw at the end of a chain: by the candidates' own scores, all alike, the first ones only, or
by 1 / rank."""


def draw_as(
    mode: FinalDraw, candidates: Candidates, stream: Stream, n: int = 1
) -> tuple[Candidates, list[int], float]:
    """Draw up to `n` distinct tracks in a stated way, whatever chances the candidates have.

    Returns:
        The candidates with the chances of the draw, and what `draw` returns. With `first`, the
        tracks are the first `n` in their order.
    """
    drawn_from = as_drawn(mode, candidates)
    if mode == "first":
        return drawn_from, candidates.first(n), 1.0
    return drawn_from, *draw(drawn_from, stream, n)


def as_drawn(mode: FinalDraw, candidates: Candidates) -> Candidates:
    """Give the candidates with the chances that this draw gives them."""
    if mode == "score":
        return candidates
    if mode == "first":
        return Candidates(candidates.first(1), None, candidates.source)
    if mode == "rank":
        return by_rank(candidates.listed(), candidates.source)
    if mode == "uniform":
        return candidates.unweighted()
    assert_never(mode)


def draw(candidates: Candidates, stream: Stream, n: int = 1) -> tuple[list[int], float]:
    """Draw up to `n` distinct tracks, and compute the propensity of the first one.

    Fewer than `n` when there are fewer candidates. The first track does not depend on `n`.

    Returns:
        Catalog indices in the order drawn, and the propensity of the first, in (0, 1].
    """
    if isinstance(candidates, Mixture):
        return _draw_from_mixture(candidates, stream, n)
    size = candidates.size
    if candidates.weights is None:
        if n == 1:
            return [candidates.at(stream.below(size))], 1.0 / size
        return _draw_uniformly(candidates, stream, min(n, size)), 1.0 / size
    return _draw_by_weight(candidates, stream, min(n, size))


def _draw_uniformly(candidates: Candidates, stream: Stream, n: int) -> list[int]:
    """Shuffle as Fisher and Yates, stop after `n`, and store only positions that moved."""
    moved: dict[int, int] = {}
    drawn = []
    last = len(candidates) - 1
    for taken in range(n):
        position = taken + stream.below(last - taken + 1)
        drawn.append(candidates.at(moved.get(position, position)))
        moved[position] = moved.get(taken, taken)
    return drawn


def _draw_by_weight(candidates: Candidates, stream: Stream, n: int) -> tuple[list[int], float]:
    """Draw a track by weight, remove it, and draw again."""
    cumulative = candidates.cumulative()
    total = float(cumulative[-1])
    position = _locate(cumulative, stream.uniform() * total)
    assert candidates.weights is not None
    propensity = float(candidates.weights[position]) / total
    drawn = [candidates.at(position)]
    if n > 1:
        tracks = candidates.listed()
        weights = candidates.weights.tolist()
        for _ in range(n - 1):
            del tracks[position], weights[position]
            running = []
            total = 0.0
            for weight in weights:
                total += weight
                running.append(total)
            position = _locate(running, stream.uniform() * total)
            drawn.append(tracks[position])
    return drawn, propensity


def _draw_from_mixture(mixture: Mixture, stream: Stream, n: int) -> tuple[list[int], float]:
    """Draw a part by its share and a track of it, remove the track from all parts, draw again."""
    drawn: list[int] = []
    left: Candidates | None = mixture
    while isinstance(left, Mixture):
        part = left.parts[_locate(left.cumulative_shares, stream.uniform())]
        drawn += draw(part, stream)[0]
        left = left.without(drawn[-1:]) if len(drawn) < n else None
    return drawn, mixture.chance_of(drawn[0])


def _locate(cumulative: Sequence[float] | Weights, mark: float) -> int:
    """First position with a running weight above `mark`; rounding never leads past the end."""
    return min(bisect.bisect_right(cumulative, mark), len(cumulative) - 1)
