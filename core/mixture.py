"""A mixture: several candidates as one, which are merged only when a caller reads the result."""

import itertools
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import numpy.typing as npt

from core.candidates import Candidates, Weights


class Mixture(Candidates):
    """Candidates from several parts: a draw chooses a part by its share, then a track of the part.

    The probability of a track is the sum over the parts of the part's share times the track's
    probability there. A mixture of a list and the whole catalog costs no more than the list,
    because `tracks` and `weights` (probabilities, most likely first, ties in order of appearance)
    are computed when they are first read.

    Attributes:
        parts: The candidates that are mixed; none of them is a mixture.
        cumulative_shares: Running sum of the parts' shares; the last one is 1, up to rounding.
    """

    __slots__ = ("_shares", "cumulative_shares", "parts")

    def __init__(
        self, parts: Iterable[tuple[Candidates, float]], source: str | None = None
    ) -> None:
        self.parts: list[Candidates] = []
        shares: list[float] = []
        for part, share in parts:
            if isinstance(part, Mixture):
                self.parts += part.parts
                shares += [share * inner for inner in part._shares]
            else:
                self.parts.append(part)
                shares.append(share)
        assert self.parts, "a mixture needs a part"
        total = sum(shares)
        self._shares: list[float] = [share / total for share in shares]
        self.cumulative_shares = list(itertools.accumulate(self._shares))
        self.source = source
        self._gaps = ()
        self._cumulative = None

    def __getattr__(self, name: str) -> Any:
        # Python calls this only while the slots of these three are empty.
        if name == "size":
            self.size = self._count()
        elif name in ("tracks", "weights"):
            self._materialize()
        else:
            raise AttributeError(name)
        return getattr(self, name)

    def _count(self) -> int:
        for part in self.parts:
            if isinstance(part.tracks, range):
                return len(part.tracks) - len(self.complement() or ())
        return len(self.as_set())

    def first(self, n: int) -> list[int]:
        """The `n` most likely tracks as catalog indices, or all tracks if there are fewer."""
        wholes = [part for part in self.parts if part.complement() is not None]
        if not wholes:
            return self.listed()[:n]
        # Tracks on no list and in no gap all have the same probability, so `n` of them suffice.
        distinct_tracks: set[int] = set().union(
            *(part.complement() or () if part in wholes else part.listed() for part in self.parts)
        )
        catalog = wholes[0].tracks
        equal = itertools.islice((track for track in catalog if track not in distinct_tracks), n)
        enough = sorted(distinct_tracks.union(equal))
        listed = [
            [track for track in enough if track in part] if part in wholes else part.listed()
            for part in self.parts
        ]
        ranked: list[int] = self._rank(listed)[0][:n].tolist()
        return ranked

    def __contains__(self, track: int) -> bool:
        return any(track in part for part in self.parts)

    def chance_of(self, track: int) -> float:
        """Probability of one track, 0 where it is not among these."""
        return sum(
            share * part.chance_of(track)
            for part, share in zip(self.parts, self._shares, strict=True)
        )

    def expected(self, values: Weights) -> float:
        """Expected value of a number that every track of the catalog has."""
        return sum(
            share * part.expected(values)
            for part, share in zip(self.parts, self._shares, strict=True)
        )

    def without(self, tracks: Collection[int]) -> Candidates | None:
        """Give the mixture without `tracks`; the ratios of the remaining probabilities stay."""
        return self._with_parts([part.without(tracks) for part in self.parts])

    def intersection(self, other: Candidates) -> Candidates | None:
        """The tracks that `other` has too; the ratios of their probabilities stay."""
        return self._with_parts([part.intersection(other) for part in self.parts])

    def complement(self) -> Collection[int] | None:
        """The tracks of the catalog that are not among these; None if the catalog is no part."""
        gaps = [gap for part in self.parts if (gap := part.complement()) is not None]
        if not gaps:
            return None
        if not all(gaps):
            return ()  # a part without gaps has every track
        # A list can add only tracks that are gaps in every part that is a catalog.
        lists = [part.as_set() for part in self.parts if part.complement() is None]
        return set(gaps[0]).intersection(*gaps[1:]).difference(*lists)

    def as_set(self) -> AbstractSet[int]:
        """All tracks, without their order."""
        return set().union(*(part._track_list() for part in self.parts))

    def _with_parts(self, narrowed: list[Candidates | None]) -> Candidates | None:
        """Mix the rest of each part; a part's share shrinks with its remaining mass."""
        kept = []
        for part, left, share in zip(self.parts, narrowed, self._shares, strict=True):
            if left is part:
                kept.append((left, share))
            elif left is not None:
                kept.append((left, share * _mass(left) / _mass(part)))
        return Mixture(kept, self.source) if kept else None

    def _with_source(self, source: str | None) -> Candidates:
        return Mixture(zip(self.parts, self._shares, strict=True), source)

    def _materialize(self) -> None:
        self.tracks, self.weights = self._rank([part.listed() for part in self.parts])

    def _rank(self, listed: list[list[int]]) -> tuple[npt.NDArray[np.int64], Weights]:
        """Tracks by probability, and the probabilities, over the listed tracks of each part."""
        tracks = np.concatenate([np.asarray(part, dtype=np.int64) for part in listed])
        probabilities = np.concatenate(
            [
                part.chances() * share
                if part.weights is not None
                else np.full(len(mine), share / len(part))
                for part, mine, share in zip(self.parts, listed, self._shares, strict=True)
            ]
        )
        distinct, seen_at, where = np.unique(tracks, return_index=True, return_inverse=True)
        summed: Weights = np.bincount(where, probabilities).astype(np.float64)
        # Twelve digits, so that rounding does not decide the order of equal sums.
        order = np.lexsort((seen_at, -np.round(summed, 12)))
        return distinct[order], summed[order]


def _mass(part: Candidates) -> float:
    return float(len(part)) if part.weights is None else float(part.weights.sum())
