"""Candidates: the tracks that a strategy proposes, and how likely each is."""

from collections.abc import Collection, Iterable, Sequence

import numpy as np
import numpy.typing as npt

Tracks = Sequence[int] | npt.NDArray[np.integer]
Weights = npt.NDArray[np.float64]


class Candidates:
    """Tracks that may play next, without repetition; read-only once built.

    Slotted and not a frozen dataclass: one is made on most requests, and a frozen dataclass
    costs four times as much to make.

    Attributes:
        tracks: Catalog indices; an integer array, a sequence, or the whole catalog as a range.
        weights: float64, same length as `tracks`, positive, any sum; None means all alike.
        source: Name of the strategy that these come from, where another one passed them on.
    """

    __slots__ = ("_cumulative", "_gaps", "source", "tracks", "weights")

    def __init__(
        self,
        tracks: Tracks,
        weights: Weights | None = None,
        source: str | None = None,
        _gaps: Sequence[int] = (),
    ) -> None:
        self.tracks = tracks
        self.weights = weights
        self.source = source
        self._gaps = _gaps  # sorted indices missing from a range, so that excluding copies nothing
        self._cumulative: Weights | None = None

    @classmethod
    def of(cls, tracks: Tracks, weights: Iterable[float] | None = None) -> "Candidates | None":
        """Candidates, or None (abstain) when there is no track."""
        if not len(tracks):
            return None
        if weights is None:
            return cls(tracks)
        return cls(tracks, np.asarray(weights, dtype=np.float64))

    def __len__(self) -> int:
        return len(self.tracks) - len(self._gaps)

    def at(self, position: int) -> int:
        """Catalog index of the track at `position`, in 0..len-1."""
        for gap in self._gaps:
            if position < gap:
                break
            position += 1
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
            return track in self.tracks and track not in self._gaps
        return track in self.listed()

    def chance_of(self, track: int) -> float:
        """Chance of one track, 0 where it is not among these."""
        if self.weights is None:
            return 1.0 / len(self) if track in self else 0.0
        mine = self.listed()
        if track not in mine:
            return 0.0
        return float(self.weights[mine.index(track)]) / float(self.cumulative()[-1])

    def chances(self) -> Weights:
        """Chance of each track in the order of `listed()`: float64, sum 1."""
        if self.weights is None:
            return np.full(len(self), 1.0 / len(self))
        chances: Weights = self.weights / self.weights.sum()
        return chances

    def cumulative(self) -> Weights:
        """Running sum of the weights, for drawing; computed once."""
        if self._cumulative is None:
            assert self.weights is not None
            self._cumulative = np.cumsum(self.weights)
        return self._cumulative

    def without(self, tracks: Collection[int]) -> "Candidates | None":
        """The same without `tracks`; None (abstain) when nothing is left."""
        if not tracks:
            return self
        if isinstance(self.tracks, range):
            span = self.tracks  # always the whole catalog: range(0, n)
            gaps = sorted({track for track in tracks if track in span} | set(self._gaps))
            if len(gaps) == len(span):
                return None
            return Candidates(span, None, self.source, gaps)
        unwanted = tracks if isinstance(tracks, set | frozenset) else set(tracks)
        mine = self.listed()
        if self.weights is None:
            kept = [track for track in mine if track not in unwanted]
            if len(kept) == len(mine):
                return self
            return Candidates(kept, None, self.source) if kept else None
        keep = [position for position, track in enumerate(mine) if track not in unwanted]
        if len(keep) == len(mine):
            return self
        if not keep:
            return None
        return Candidates([mine[k] for k in keep], self.weights[keep], self.source)

    def shared_with(self, other: "Candidates") -> "Candidates | None":
        """Only what `other` has too, as likely among each other as here; None when nothing is."""
        if isinstance(other.tracks, range):
            return self.without(other._gaps)
        if isinstance(self.tracks, range):
            mine = [track for track in other.listed() if track in self]
            return Candidates(mine, None, self.source) if mine else None
        return self.without(set(self.listed()).difference(other.listed()))

    def named(self, source: str) -> "Candidates":
        """The same, marked as coming from `source` unless it already says whence it comes."""
        return self if self.source is not None else self._twin(source)

    def unnamed(self) -> "Candidates":
        """The same, no longer said to come from another strategy."""
        return self if self.source is None else self._twin(None)

    def _twin(self, source: str | None) -> "Candidates":
        twin = Candidates(self.tracks, self.weights, source, self._gaps)
        twin._cumulative = self._cumulative
        return twin
