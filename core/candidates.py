"""Candidates: the tracks that a strategy proposes, and the probability of each."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
import numpy.typing as npt

Tracks = Sequence[int] | npt.NDArray[np.integer]
Weights = npt.NDArray[np.float64]


class Candidates:
    """Tracks that may play next, without repetition; read-only once built.

    Slotted and not a frozen dataclass: most requests make one, and a frozen dataclass costs four
    times as much to make.

    Attributes:
        tracks: Catalog indices; an integer array, a sequence, or the whole catalog as a range.
        weights: float64, same length as `tracks`, positive, any sum; None means equal weights.
        source: Name of the strategy that proposed these, where a second strategy passed them on.
        size: Number of tracks; `len` gives the same number at five times the cost.
    """

    __slots__ = ("_cumulative", "_gaps", "size", "source", "tracks", "weights")

    def __init__(
        self,
        tracks: Tracks,
        weights: Weights | None = None,
        source: str | None = None,
        _gaps: Sequence[int] = (),
        running: Sequence[float] | None = None,
    ) -> None:
        """Build them; `running` is the running sum of the weights, where the caller has it."""
        self.tracks = tracks
        self.weights = weights
        self.source = source
        self.size = len(tracks) - len(_gaps)
        self._gaps = _gaps  # sorted indices missing from a range, so that excluding copies nothing
        self._cumulative: Sequence[float] | Weights | None = running

    @classmethod
    def of(cls, tracks: Tracks, weights: Iterable[float] | None = None) -> "Candidates | None":
        """Candidates, or None (abstain) when there is no track."""
        if not len(tracks):
            return None
        if weights is None:
            return cls(tracks)
        return cls(tracks, np.asarray(weights, dtype=np.float64))

    def __len__(self) -> int:
        return self.size

    def at(self, position: int) -> int:
        """Catalog index of the track at `position`, in 0..len-1."""
        gaps = self._gaps
        if gaps:
            before = range(len(gaps))  # how many of the gaps come before the position
            position += bisect_right(before, position, key=lambda number: gaps[number] - number)
        return int(self.tracks[position])

    def listed(self) -> list[int]:
        """All tracks as catalog indices, in order."""
        if isinstance(self.tracks, np.ndarray):
            return self.tracks.tolist()  # type: ignore[no-any-return]
        if not self._gaps:
            return list(self.tracks)
        gaps = set(self._gaps)
        return [track for track in self.tracks if track not in gaps]

    def first(self, n: int) -> list[int]:
        """The first `n` tracks as catalog indices, or all there are."""
        if self._gaps:
            return [self.at(position) for position in range(min(n, len(self)))]
        head = self.tracks[:n]
        return head.tolist() if isinstance(head, np.ndarray) else list(head)

    def __contains__(self, track: int) -> bool:
        if isinstance(self.tracks, range):
            gap = bisect_left(self._gaps, track)
            return track in self.tracks and self._gaps[gap : gap + 1] != [track]
        return track in self._track_list()

    def chance_of(self, track: int) -> float:
        """Probability of one track, 0 where it is not among these."""
        if self.weights is None:
            return 1.0 / len(self) if track in self else 0.0
        try:
            position = self._track_list().index(track)
        except ValueError:
            return 0.0
        return float(self.weights[position]) / float(self.cumulative()[-1])

    def expected(self, values: Weights) -> float:
        """Expected value of a number that every track of the catalog has.

        Args:
            values: float64, (tracks of the catalog,).
        """
        if self.weights is not None:
            return float(values[self.listed()] @ self.weights) / float(self.cumulative()[-1])
        if isinstance(self.tracks, range):
            left_out = float(values[list(self._gaps)].sum()) if self._gaps else 0.0
            return (float(values[: len(self.tracks)].sum()) - left_out) / len(self)
        tracks = self.tracks if isinstance(self.tracks, np.ndarray) else list(self.tracks)
        return float(values[tracks].mean())

    def chances(self) -> Weights:
        """Probability of each track in the order of `listed()`: float64, sum 1."""
        if self.weights is None:
            return np.full(len(self), 1.0 / len(self))
        chances: Weights = self.weights / self.weights.sum()
        return chances

    def cumulative(self) -> Sequence[float] | Weights:
        """Running sum of the weights, for drawing; computed once."""
        if self._cumulative is None:
            assert self.weights is not None
            self._cumulative = np.cumsum(self.weights)
        return self._cumulative

    def without(self, tracks: Collection[int]) -> "Candidates | None":
        """The same candidates without `tracks`; None (abstain) when no track is left."""
        if not tracks:
            return self
        if isinstance(self.tracks, range):
            span = self.tracks  # always the whole catalog: range(0, n)
            gaps = sorted({track for track in tracks if track in span} | set(self._gaps))
            if len(gaps) == len(span):
                return None
            return Candidates(span, None, self.source, gaps)
        unwanted = tracks if isinstance(tracks, set | frozenset) else set(tracks)
        mine = self._track_list()
        if self.weights is None:
            return self._keep_tracks([track for track in mine if track not in unwanted])
        return self._keep_positions([k for k, track in enumerate(mine) if track not in unwanted])

    def intersection(self, other: "Candidates") -> "Candidates | None":
        """The tracks that `other` has too, with the weights of these; None when there are none."""
        complement = other.complement()
        if complement is not None:
            return self.without(complement)
        if isinstance(self.tracks, range):
            if not self._gaps:
                return Candidates(other._track_list(), None, self.source) if len(other) else None
            mine = [track for track in other.listed() if track in self]
            return Candidates(mine, None, self.source) if mine else None
        mine, wanted = self._track_list(), other.as_set()
        if self.weights is None:
            return self._keep_tracks([track for track in mine if track in wanted])
        return self._keep_positions([k for k, track in enumerate(mine) if track in wanted])

    def complement(self) -> Collection[int] | None:
        """The tracks of the catalog that are not among these; None for a list."""
        return self._gaps if isinstance(self.tracks, range) else None

    def as_set(self) -> AbstractSet[int]:
        """All tracks, without their order."""
        return set(self._track_list())

    def _keep_tracks(self, kept: list[int]) -> "Candidates | None":
        """Candidates of equal weight with only these tracks; itself if that is all of them."""
        if len(kept) == len(self.tracks):
            return self
        return Candidates(kept, None, self.source) if kept else None

    def _keep_positions(self, positions: list[int]) -> "Candidates | None":
        """Candidates with only these positions and their weights; itself if that is all of them."""
        assert self.weights is not None
        if len(positions) == len(self.tracks):
            return self
        if not positions:
            return None
        mine = self._track_list()
        return Candidates([mine[k] for k in positions], self.weights[positions], self.source)

    def _track_list(self) -> list[int]:
        """All tracks in order; callers must not change it, as it may be `tracks` itself."""
        return self.tracks if isinstance(self.tracks, list) else self.listed()

    def with_source(self, source: str) -> "Candidates":
        """The same candidates with this source, unless a source is already set."""
        return self if self.source is not None else self._with_source(source)

    def without_source(self) -> "Candidates":
        """The same candidates without a source."""
        return self if self.source is None else self._with_source(None)

    def unweighted(self) -> "Candidates":
        """The same tracks in the same order, all equally likely."""
        if self.weights is None:
            return self
        return Candidates(self.tracks, None, self.source)

    def _with_source(self, source: str | None) -> "Candidates":
        twin = Candidates(self.tracks, self.weights, source, self._gaps)
        twin._cumulative = self._cumulative
        return twin


_RANKED: dict[int, tuple[Weights, list[float]]] = {}


def by_rank(tracks: Tracks, source: str | None = None) -> Candidates:
    """Weigh tracks by 1 / rank, in their order, the first with rank 1."""
    size = len(tracks)
    if size not in _RANKED:
        weights: Weights = 1.0 / np.arange(1, size + 1)
        weights.setflags(write=False)
        _RANKED[size] = weights, np.cumsum(weights).tolist()
    weights, running = _RANKED[size]
    return Candidates(tracks, weights, source, running=running)
