"""The greatest of many products, chosen so that the rounding of BLAS is not seen in the choice.

The last bits of a product that BLAS makes depend on the machine, its threads and the batch. A
decision must not, or replay would make a different one. So all that may be among the greatest are
kept here, by the bound of the rounding error; whoever asks computes their products in one order.

Queries of a batch go through each step in one array: a call of numpy costs as much as its work on
the two hundred numbers of one query.
"""

from itertools import accumulate
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_LOWEST = np.finfo(np.float32).min
_COLUMNS = 8
"""Columns for each of the k that are wanted. Of 10,000 products and 200 wanted, 230 are kept."""


class Groups(NamedTuple):
    """Places of several queries, one query after the other.

    Attributes:
        places: The places, in order within each query.
        ends: For each query, where its places end.
    """

    places: Places
    ends: list[int]

    @classmethod
    def of(cls, groups: list[Places]) -> Self:
        """Put the places of each query one after the other."""
        return cls(np.concatenate(groups), list(accumulate(map(len, groups))))

    def slices(self) -> list[slice]:
        """Give the range of each query."""
        return list(map(slice, [0, *self.ends[:-1]], self.ends))


def doubt(query: Floats, dimensions: int) -> float:
    """Give twice the bound of the rounding error of a product with a vector of unit length."""
    return float(2.5 * dimensions * np.finfo(np.float32).eps * np.sqrt(query @ query))


def among_greatest(products: Floats, k: int, within: float) -> Places:
    """Give the places of all products that may be among the k greatest, and of a few more.

    Args:
        products: float32, (n,); -inf is never among them.
        k: Number of products, at least 1.
        within: How much a product may be below the k-th greatest.
    """
    [least] = _floor(_bound(products[None], k) - np.float32(within))
    return np.flatnonzero(products >= least)


def among_greatest_of_each(products: Floats, k: int, within: Floats) -> Groups:
    """Do the same for each row of products: float32, (queries, n)."""
    queries, n = products.shape
    least = _floor(_bound(products, k) - within)
    flat = np.flatnonzero(products >= least[:, None])
    ends = np.searchsorted(flat, np.arange(1, queries + 1) * n).tolist()
    return Groups(flat % n, ends)


def _bound(products: Floats, k: int) -> Floats:
    """Give for each row a number that is no greater than its k-th greatest product.

    The k greatest maxima of columns are k different products. So the least of them is such a
    number, and it is found among a tenth of the products.
    """
    queries, n = products.shape
    if k >= n:
        return np.full(queries, _LOWEST)
    height = n // (_COLUMNS * k)
    if height > 1:
        width = n // height
        products = products[:, : height * width].reshape(queries, height, width).max(axis=1)
    place = products.shape[1] - k
    found: Floats = np.partition(products, place, axis=1)[:, place]
    return found


def _floor(least: npt.NDArray[np.float32]) -> Floats:
    found: Floats = np.maximum(least, _LOWEST)
    return found


def greatest_in_order(products: Floats, ends: list[int], k: int) -> Groups:
    """Give the places of each query's k greatest products, the greatest first.

    Of equal products the first one comes first. Product and place form one whole number: such
    numbers are all different, and numpy sorts them five times as fast as it sorts stably.

    Args:
        products: float32, those of all queries, one query after the other.
        ends: For each query, where its products end.
        k: Number of products of a query, at least 1.
    """
    bits = (products + np.float32(0)).view(np.int32)  # -0.0 becomes 0.0, its equal
    # The bits of floats are in the floats' order, except that those of negative ones fall.
    falling = ~(bits ^ ((bits >> 31) & _ALL_BUT_SIGN))
    keys = (falling.astype(np.int64) << 32) | np.arange(len(products))
    heads = []
    for each in Groups(keys, ends).slices():
        keys[each].sort()
        heads.append(keys[each][:k] & _PLACE)
    return Groups.of(heads)


_ALL_BUT_SIGN = np.int32(2**31 - 1)
_PLACE = 2**32 - 1
