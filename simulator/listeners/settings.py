"""Settings of the listener models: botify's numbers, and the effects of the lifelong listener.

Each effect is a block of its own, and `false` switches it off. With all effects off the lifelong
listener is botify's. A default whose docstring names no source was chosen, not measured: compare it
with your own log by `segue world calibrate`.
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
        sessions_a_day: Mean rate of a listener, sessions per day. If it is left out, the first day
            has `--episodes` sessions on average.
    """

    spread: float = Field(0.9, ge=0, le=3)
    sessions_a_day: float | None = Field(None, gt=0, le=50)


class Drift(_Block):
    """Interests that drift slowly.

    A taste is its interest's vector plus a random walk that is drawn back to it (Ornstein and
    Uhlenbeck), at the interest's length. First tracks are still from around the interest.

    Attributes:
        spread: Length of the walk in the long run, a share of the interest's, 0 and above.
        days: Days in which a walk loses 1 - 1/e of its old position.
    """

    spread: float = Field(0.5, ge=0, le=10)
    days: float = Field(60, gt=0)


class Fatigue(_Block):
    """Fatigue of a track and an artist that were heard in earlier sessions; it fades.

    Each remembered play takes `loss * time heard * exp(-age / days)` off the time that is heard.
    Within a session botify's rules hold: no repeats, and the artist's discount.

    Attributes:
        track: Loss by a full play of the same track a moment ago, a share, in [0, 1].
        track_days: Days in which that loss falls to 1/e: favourites recover.
        artist: Loss by a full play of a different track of the artist, a share, in [0, 1].
        artist_days: Days in which that loss falls to 1/e.
        memory: Plays remembered per listener, a count.
    """

    track: float = Field(0.6, ge=0, le=1)
    track_days: float = Field(7, gt=0)
    artist: float = Field(0.1, ge=0, le=1)
    artist_days: float = Field(2, gt=0)
    memory: int = Field(100, ge=1, le=10_000)


class Returning(_Block):
    """Retention: whether yesterday's listeners are present today, by their satisfaction.

    The probability is logistic in satisfaction, which is a moving average over sessions of the mean
    time of the recommendations. A listener who is not present comes back some day, or has churned.

    Attributes:
        usual: Satisfaction of a new listener, mean time, in [0, 1].
        chance: Probability of being present again at that satisfaction, in (0, 1).
        steepness: Effect of satisfaction on that probability, log odds per unit of mean time.
        weight: Weight of the newest session in the moving average, in (0, 1].
        for_good: Share of the listeners who leave that leave for good, in [0, 1].
        comeback: Probability per day that an absent listener is back, in [0, 1].
    """

    usual: float = Field(0.4, ge=0, le=1)
    chance: float = Field(0.85, gt=0, lt=1)
    steepness: float = Field(5, ge=0, le=100)
    weight: float = Field(0.3, gt=0, le=1)
    for_good: float = Field(0.15, ge=0, le=1)
    comeback: float = Field(0.2, ge=0, le=1)


class Hype(_Block):
    """Hype: a few new tracks per day that all listeners like better for a while.

    Attributes:
        tracks: New hyped tracks per day, a count, drawn uniformly.
        lift: Added to the inner product of such a track with any taste, on its first day.
        days: Days in which the lift falls to 1/e.
    """

    tracks: int = Field(5, ge=0, le=10_000)
    lift: float = Field(4, ge=0, le=100)
    days: float = Field(3, gt=0)


class Skips(_Block):
    """Skips as in real logs: a track is heard to its end, or skipped, most often at once.

    The probability of hearing a track to its end is the share that botify's listener would hear.
    The point of a skip follows the shares published for billions of plays of Spotify (Paul Lamere,
    "The Skip", Music Machinery, 2014). So the published shares hold exactly for a mean share of
    0.514; listeners skip more of a worse recommender.

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
    """Leaving for reasons outside: a listener leaves, whatever plays.

    Attributes:
        floor: Probability that a session ends after any recommendation, in [0, 1].
    """

    floor: float = Field(0.015, ge=0, le=1)


def _switch(value: Any) -> Any:
    """Read `false` as off, and `true` as on with the defaults."""
    if value is False:
        return None
    return {} if value is True else value


_Switch = BeforeValidator(_switch)

ALIASES = {"classic": "botify"}
"""Earlier names of listener models, which files and options may still use."""


def _model_name(value: Any) -> Any:
    return ALIASES.get(value, value) if isinstance(value, str) else value


class ListenerSettings(_Block):
    """The listener model and its settings.

    Attributes:
        listener: `botify` (or `classic`, its earlier name) or `lifelong`. The three numbers that
            follow apply to both, the effects only to `lifelong`.
        interest_neighbours: The first track is one of so many nearest to the interest, a count.
        session_budget: Skips that end a session, a count.
        artist_discount: Factor on the time heard for each earlier play of the artist, in (0, 1].
    """

    listener: Annotated[Literal["botify", "lifelong"], BeforeValidator(_model_name)] = "botify"
    interest_neighbours: int = Field(10, ge=1)
    session_budget: int = Field(5, ge=1)
    artist_discount: float = Field(0.8, gt=0, le=1)
    activity: Annotated[Activity | None, _Switch] = Activity()
    drift: Annotated[Drift | None, _Switch] = Drift()
    weariness: Annotated[Fatigue | None, _Switch] = Fatigue()
    returning: Annotated[Returning | None, _Switch] = Returning()
    hype: Annotated[Hype | None, _Switch] = Hype()
    skips: Annotated[Skips | None, _Switch] = Skips()
    leaving: Annotated[Leaving | None, _Switch] = Leaving()

    @model_validator(mode="after")
    def _effects_have_a_model(self) -> Self:
        given = self.model_fields_set & EFFECTS
        if self.listener == "botify" and given:
            raise ValueError(
                f"the botify listener has no {', '.join(sorted(given))}; say listener: lifelong"
            )
        return self


EFFECTS = {"activity", "drift", "weariness", "returning", "hype", "skips", "leaving"}
