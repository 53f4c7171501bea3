"""A mixture: several candidates as one, without putting them together unless somebody asks."""

import itertools
from collections.abc import Collection, Iterable
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
import numpy.typing as npt

from core.candidates import Candidates, Weights


class Mixture(Candidates):
    """Candidates drawn from one of several parts, which is chosen by its share.

    The chance of a track is the sum over the parts of the part's share times the track's chance
    there. Mixing a list with the whole catalog costs no more than the list: `tracks` and `weights`
    (the chances, most likely first, equals in order of appearance) are made when first read.

    Attributes:
        parts: The candidates that are mixed, no mixtures themselves.
        cumulative_shares: Running sum of the parts' shares; the last one is 1 but for rounding.
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
        # Reached only while the slots of these three are empty.
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
        """The `n` most likely tracks as catalog indices, or all there are."""
        wholes = [part for part in self.parts if part.complement() is not None]
        if not wholes:
            return self.listed()[:n]
        # What stands on no list and in no gap is all alike, so the first `n` of that are enough.
        special: set[int] = set().union(
            *(part.complement() or () if part in wholes else part.listed() for part in self.parts)
        )
        catalog = wholes[0].tracks
        alike = itertools.islice((track for track in catalog if track not in special), n)
        enough = sorted(special.union(alike))
        listed = [
            [track for track in enough if track in part] if part in wholes else part.listed()
            for part in self.parts
        ]
        ranked: list[int] = self._rank(listed)[0][:n].tolist()
        return ranked

    def __contains__(self, track: int) -> bool:
        return any(track in part for part in self.parts)

    def chance_of(self, track: int) -> float:
        """Chance of one track, 0 where it is not among these."""
        return sum(
            share * part.chance_of(track)
            for part, share in zip(self.parts, self._shares, strict=True)
        )

    def expected(self, values: Weights) -> float:
        """Mean of a value that every track of the catalog has, by the chances."""
        return sum(
            share * part.expected(values)
            for part, share in zip(self.parts, self._shares, strict=True)
        )

    def without(self, tracks: Collection[int]) -> Candidates | None:
        """The same without `tracks`, the chances left as they were among each other."""
        return self._with_parts([part.without(tracks) for part in self.parts])

    def intersection(self, other: Candidates) -> Candidates | None:
        """Only what `other` has too, the chances left as they were among each other."""
        return self._with_parts([part.intersection(other) for part in self.parts])

    def complement(self) -> Collection[int] | None:
        """What the catalog has and these have not, if the catalog is a part; None otherwise."""
        gaps = [gap for part in self.parts if (gap := part.complement()) is not None]
        if not gaps:
            return None
        if not all(gaps):
            return ()  # a part without gaps has all that the others lack
        # Only what stands in a gap of the catalog can be added by a list.
        lists = [part.as_set() for part in self.parts if part.complement() is None]
        return set(gaps[0]).intersection(*gaps[1:]).difference(*lists)

    def as_set(self) -> AbstractSet[int]:
        """All tracks, without their order."""
        return set().union(*(part.listed() for part in self.parts))

    def _with_parts(self, narrowed: list[Candidates | None]) -> Candidates | None:
        """What is left of each part, by the share of it that is left."""
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
        """Tracks by their chance, and these; of each part, the listed tracks count."""
        tracks = np.concatenate([np.asarray(part, dtype=np.int64) for part in listed])
        chances = np.concatenate(
            [
                part.chances() * share
                if part.weights is not None
                else np.full(len(mine), share / len(part))
                for part, mine, share in zip(self.parts, listed, self._shares, strict=True)
            ]
        )
        distinct, seen_at, where = np.unique(tracks, return_index=True, return_inverse=True)
        summed: Weights = np.bincount(where, chances).astype(np.float64)
        # Twelve digits, so that equal sums of different parts are not ordered by their rounding.
        order = np.lexsort((seen_at, -np.round(summed, 12)))
        return distinct[order], summed[order]


def _mass(part: Candidates) -> float:
    return float(len(part)) if part.weights is None else float(part.weights.sum())
