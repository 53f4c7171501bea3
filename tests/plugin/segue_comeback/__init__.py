"""Comeback: when the listener keeps skipping, return to an artist whose track they finished."""

from typing import Self

from pydantic import Field, model_validator

from segue import Artifacts, Candidates, Listener, Params, strategy


class ComebackParams(Params):
    """Settings of one `comeback` strategy.

    Attributes:
        patience: Skips in a row before stepping in, a count, at least 1.
        skipped: Share heard below which a listen is a skip, in [0, 1].
        finished: Share heard from which a listen is finished, in [0, 1]; above `skipped`.
    """

    patience: int = Field(2, ge=1)
    skipped: float = Field(0.3, ge=0, le=1)
    finished: float = Field(0.9, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.skipped >= self.finished:
            raise ValueError(
                f"skipped must be below finished, got {self.skipped} and {self.finished}"
            )
        return self


@strategy("comeback", ComebackParams)
class Comeback:
    """Propose the unheard tracks of the artist of the last finished listen.

    Reads: all of `listener.listens`; the catalog's artist index.
    Abstains: fewer than `patience` trailing skips; no finished listen; the artist has no
        unheard track left.
    Chance: uniform over what it proposes.
    Cost: O(listens + tracks of one artist).
    """

    def __init__(self, params: ComebackParams, artifacts: Artifacts) -> None:
        self.params = params
        self.catalog = artifacts.catalog

    def propose(self, listener: Listener) -> Candidates | None:
        skips = listener.skip_streak(below=self.params.skipped)
        listener.note("{} skips in a row", skips)
        if skips < self.params.patience:
            return None
        loved = listener.last_listen(at_least=self.params.finished)
        if loved is None:
            listener.note("nothing was ever finished")
            return None
        listener.note("back to the artist of the last finished track")
        return self.catalog.by_artist_of(loved.track).without(listener.heard)
