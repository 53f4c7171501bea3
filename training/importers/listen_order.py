"""The order of listens: by listener and time, or as their sessions say, without repeated ones."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from training.importers.listen_store import Listens


@dataclass(frozen=True, slots=True)
class ListenOrder:
    """The order of a listener's listens.

    Attributes:
        timed: Whether listens have a time of their own. Two rows with the same listener, track and
            time are then one listen that was recorded twice.
        newest_first: Whether rows of equal times are read last to first.
        by_session: Whether every listen has a session.
        by_position: Whether every listen has a place in its session.
    """

    timed: bool
    newest_first: bool
    by_session: bool
    by_position: bool


def in_order(listens: Listens, order: ListenOrder) -> Listens:
    """Sort listens, and leave out repeated ones."""
    arrival = np.arange(len(listens))
    if order.timed:
        listens, arrival = _by_time(listens, arrival)
        repeated = _repeated(listens, arrival)
        if repeated is not None:
            listens, arrival = listens[~repeated], arrival[~repeated]
        if order.newest_first:
            arrival = -arrival
        if order.newest_first and not order.by_session:
            return listens[np.lexsort((arrival, listens["at"], listens["user"]))]
    if order.by_session:
        first = listens["position"] if order.by_position else listens["at"]
        return listens[np.lexsort((arrival, first, listens["session"], listens["user"]))]
    return listens if order.timed else _by_time(listens, arrival)[0]


def _by_time(
    listens: Listens, arrival: npt.NDArray[np.int64]
) -> tuple[Listens, npt.NDArray[np.int64]]:
    """Sort by listener and time, in the order of arrival at equal times."""
    user, at = listens["user"].astype(np.int64), listens["at"]
    if not len(listens):
        return listens, arrival
    span = int(at.max()) - int(at.min()) + 1
    if span * (int(user.max()) - int(user.min()) + 1) < 2**62:
        key = (user - user.min()) * span + (at - at.min())
        if bool(np.all(key[1:] >= key[:-1])):
            return listens, arrival
        order = np.argsort(key, kind="stable")
    else:
        order = np.lexsort((at, user))
    return listens[order], arrival[order]


def _repeated(listens: Listens, arrival: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_] | None:
    """Mark the listens of the same listener, track and time after the first; None: there is none.

    Only rows whose neighbour has the same listener and time are compared by track.
    """
    same = (listens["user"][1:] == listens["user"][:-1]) & (listens["at"][1:] == listens["at"][:-1])
    if not same.any():
        return None
    run = np.cumsum(np.append(True, ~same))
    beside = np.append(same, False) | np.append(False, same)
    place = np.flatnonzero(beside)
    place = place[np.lexsort((arrival[place], listens["track"][place], run[place]))]
    again = (run[place][1:] == run[place][:-1]) & (
        listens["track"][place][1:] == listens["track"][place][:-1]
    )
    marked = np.zeros(len(listens), dtype=bool)
    marked[place[1:][again]] = True
    return marked
