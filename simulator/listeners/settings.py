"""The lifelong listener's settings: what makes listeners differ from one day to the next.

Each effect is a block of its own, and `false` switches it off; with all of them off the lifelong
listener is the classic one. A default whose docstring names no source was chosen, not measured:
hold it against your own log with `segue world calibrate`.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Activity(_Block):
    """Heavy and light listeners.

    A listener has Poisson(rate) sessions a day, at most 64; rates are log-normal over listeners.

    Attributes:
        spread: Standard deviation of the logarithm of the rate; at 0.9 the heaviest tenth have a
            third of all sessions. 0 and above.
        sessions_a_day: Mean rate of a listener, sessions a day; where it is left out, as many
            sessions are expected on the first day as were asked for (`--episodes`).
    """

    spread: float = Field(0.9, ge=0, le=3)
    sessions_a_day: float | None = Field(None, gt=0, le=50)


class Drift(_Block):
    """Interests that drift slowly.

    A taste is its interest's vector plus a random walk that is drawn back to it (Ornstein and
    Uhlenbeck), at the interest's length. First tracks are still from around the interest.

    Attributes:
        spread: Length of the walk in the long run, a share of the interest's, 0 and above.
        days: Days after which a walk has forgotten 1 - 1/e of where it was.
    """

    spread: float = Field(0.5, ge=0, le=10)
    days: float = Field(60, gt=0)


class Weariness(_Block):
    """Weariness of a track and an artist that were heard in earlier sessions; it fades.

    Each remembered play takes `loss * time heard * exp(-age / days)` off the time that is heard.
    Within a session the classic rules hold: no repeats, and the artist's discount.

    Attributes:
        track: Loss by a full play of the same track a moment ago, a share, in [0, 1].
        track_days: Days in which that falls to 1/e: favourites recover.
        artist: The same by a full play of another track of the artist, in [0, 1].
        artist_days: Days in which that falls to 1/e.
        memory: Plays that are remembered of each listener, a count.
    """

    track: float = Field(0.6, ge=0, le=1)
    track_days: float = Field(7, gt=0)
    artist: float = Field(0.1, ge=0, le=1)
    artist_days: float = Field(2, gt=0)
    memory: int = Field(100, ge=1, le=10_000)


class Returning(_Block):
    """Whether a listener who came yesterday is there today, by how their sessions went.

    The chance is logistic in satisfaction, a moving average over sessions of the mean time of what
    was recommended. Who is not there comes back some day, or has left for good.

    Attributes:
        usual: Satisfaction that a new listener starts with, mean time, in [0, 1].
        chance: Chance of being there again at that satisfaction, in (0, 1).
        steepness: How much the chance depends on satisfaction, log odds per unit of mean time.
        weight: Weight of the newest session in the moving average, in (0, 1].
        for_good: Share of those not there who have left for good, in [0, 1].
        comeback: Chance a day that one of the others is back, in [0, 1].
    """

    usual: float = Field(0.4, ge=0, le=1)
    chance: float = Field(0.85, gt=0, lt=1)
    steepness: float = Field(5, ge=0, le=100)
    weight: float = Field(0.3, gt=0, le=1)
    for_good: float = Field(0.15, ge=0, le=1)
    comeback: float = Field(0.2, ge=0, le=1)


class Hype(_Block):
    """A few tracks a day that everybody likes better for a while.

    Attributes:
        tracks: New hyped tracks a day, a count, drawn uniformly.
        lift: What is added to their inner product with any taste on their first day.
        days: Days in which that falls to 1/e.
    """

    tracks: int = Field(5, ge=0, le=10_000)
    lift: float = Field(4, ge=0, le=100)
    days: float = Field(3, gt=0)


class Skips(_Block):
    """Skipping as it really is: a track is heard to its end, or skipped, most often at once.

    It is heard to its end with the chance that the classic listener would hear as a share. A skip
    comes at a point drawn from what was published of billions of plays of Spotify (Paul Lamere,
    "The Skip", Music Machinery, 2014). So the published shares hold exactly where a track is liked
    by half, 0.514 on average; a worse recommender is skipped more.

    Attributes:
        by_5_s: Share of all plays skipped within 5 seconds.
        by_10_s: ... within 10 seconds.
        by_30_s: ... within 30 seconds.
        before_end: ... before the end. Each at least the one before.
        length_s: Length of a track in seconds, to turn seconds into shares; more than 30.
    """

    by_5_s: float = Field(0.241, ge=0, le=1)
    by_10_s: float = Field(0.290, ge=0, le=1)
    by_30_s: float = Field(0.351, ge=0, le=1)
    before_end: float = Field(0.486, gt=0, le=1)
    length_s: float = Field(230, gt=30)

    @model_validator(mode="after")
    def _rising(self) -> Self:
        shares = [self.by_5_s, self.by_10_s, self.by_30_s, self.before_end]
        if sorted(shares) != shares:
            raise ValueError(f"by_5_s, by_10_s, by_30_s and before_end must rise, got {shares}")
        return self


class Leaving(_Block):
    """A floor of leaving: life calls, whatever plays.

    Attributes:
        floor: Chance that a session ends after any recommendation, in [0, 1].
    """

    floor: float = Field(0.015, ge=0, le=1)


def _switch(value: Any) -> Any:
    """YAML's `false`, `true` and an empty block: off, and on with the defaults."""
    if value is False:
        return None
    return {} if value is True else value


_Switch = BeforeValidator(_switch)


class ListenerSettings(_Block):
    """Which listeners come, and what they are like.

    Attributes:
        listener: The model. `classic` knows the three numbers that follow, and no effects.
        interest_neighbours: The first track is one of so many nearest to the interest, a count.
        session_budget: Skips that end a session, a count.
        artist_discount: Factor on the time heard for each earlier play of the artist, in (0, 1].
    """

    listener: Literal["classic", "lifelong"] = "classic"
    interest_neighbours: int = Field(10, ge=1)
    session_budget: int = Field(5, ge=1)
    artist_discount: float = Field(0.8, gt=0, le=1)
    activity: Annotated[Activity | None, _Switch] = Activity()
    drift: Annotated[Drift | None, _Switch] = Drift()
    weariness: Annotated[Weariness | None, _Switch] = Weariness()
    returning: Annotated[Returning | None, _Switch] = Returning()
    hype: Annotated[Hype | None, _Switch] = Hype()
    skips: Annotated[Skips | None, _Switch] = Skips()
    leaving: Annotated[Leaving | None, _Switch] = Leaving()

    @model_validator(mode="after")
    def _effects_have_a_model(self) -> Self:
        given = self.model_fields_set & EFFECTS
        if self.listener == "classic" and given:
            raise ValueError(
                f"the classic listener knows no {', '.join(sorted(given))}; say listener: lifelong"
            )
        return self


EFFECTS = {"activity", "drift", "weariness", "returning", "hype", "skips", "leaving"}
