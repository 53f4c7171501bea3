"""The greatest of many products, chosen so that the rounding of BLAS is not seen in the choice.

The last bits of a product that BLAS makes depend on the machine, its threads and the batch. A
decision must not, or replay would make a different one. So all that may be among the greatest are
kept here, by the bound of the rounding error; whoever asks computes their products in one order.
"""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.intp]

_LOWEST = np.finfo(np.float32).min
_COLUMNS = 8
"""Columns for each of the k that are wanted. Of 10,000 products and 200 wanted, 230 are kept."""


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


def among_greatest_of_each(products: Floats, k: int, within: list[float]) -> list[Places]:
    """Do the same for each row of products: float32, (queries, n)."""
    least = _floor(_bound(products, k) - np.asarray(within, dtype=np.float32))
    return [np.flatnonzero(row >= bound) for row, bound in zip(products, least, strict=True)]


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
