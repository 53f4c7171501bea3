"""Ridge regressions for many groups of rows at once, each with its own right side."""

import numpy as np

from training.top_k import Floats, Ints

NUMBERS = 1 << 22
"""Numbers of a block of groups: 16 MB of each of its arrays."""
_MOST_GROUPS = 2048


def solve_groups(
    group: Ints,
    groups: int,
    points: Floats,
    point: Ints,
    target: Floats,
    weight: Floats,
    l2: float,
) -> Floats:
    """Find for each group the vector w that explains its targets by the products with its points.

    It minimises sum(weight * (target - w . points[point]) ** 2) + l2 * |w| ** 2 over its rows.

    Args:
        group: int, (rows,), 0..groups-1.
        groups: Number of groups; one without rows gets zeros.
        points: float32, (points, d).
        point: int, (rows,), index into `points`.
        target: float32, (rows,).
        weight: float32, (rows,), at least 0.
        l2: Weight of the penalty, above 0.

    Returns:
        float32, (groups, d).
    """
    d = points.shape[1]
    order = np.argsort(group, kind="stable")
    sizes = np.bincount(group, minlength=groups)
    starts = np.cumsum(sizes) - sizes
    found = np.zeros((groups, d), dtype=np.float32)
    # Groups of about one size make a block, so that little of it is padding.
    by_size = np.argsort(sizes, kind="stable")
    by_size = by_size[sizes[by_size] > 0]
    ridge = l2 * np.eye(d, dtype=np.float32)
    at = 0
    while at < len(by_size):
        block = _block(by_size, sizes, at, d)
        at += len(block)
        width = np.arange(sizes[block[-1]])
        within = width < sizes[block][:, None]
        rows = order[np.where(within, starts[block][:, None] + width, 0)]
        x = points[point[rows]]
        weighed = (x * np.where(within, weight[rows], 0)[:, :, None]).transpose(0, 2, 1)
        right = weighed @ target[rows][:, :, None]
        found[block] = np.linalg.solve(weighed @ x + ridge, right)[:, :, 0]
    return found


def _block(by_size: Ints, sizes: Ints, at: int, d: int) -> Ints:
    """Take the next groups that fit into a block, at least one."""
    block = by_size[at : at + _MOST_GROUPS]
    fits = np.arange(1, len(block) + 1) * sizes[block] * d <= NUMBERS
    return block[: max(1, int(fits.sum()))]
