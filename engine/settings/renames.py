"""Names that an earlier version shipped and that have a new name now, for `segue check`."""

from typing import NamedTuple

from engine.settings.model import Settings


class Rename(NamedTuple):
    """An experiment that has a new name in the shipped config.

    Attributes:
        old: Its name in the config of version 0.1.
        salt: Its salt there; a user's own experiment has its own salt.
        new: Its name in the shipped config.
        reason: Reason for the new name, as a clause.
    """

    old: str
    salt: str
    new: str
    reason: str


EXPERIMENTS = (
    Rename(
        "fallback",
        "fallback-0015",
        "toppop_after_skip",
        "it says what is compared, and `fallback` is only the key of a strategy",
    ),
    Rename(
        "taste",
        "taste-0004",
        "liked_track_vs_personal",
        "it says what is compared",
    ),
)


def renames_in(settings: Settings) -> list[str]:
    """Say which names of the config have a new name in the shipped config, a sentence each."""
    known = {(each.old, each.salt): each for each in EXPERIMENTS}
    return [
        f"{settings.path}: experiments.{number}.name: the config of version 0.1 has the name "
        f"'{found.old}', the shipped config now has '{found.new}': {found.reason}. Keep the old "
        "name while the experiment runs: the name is part of the hash, so with a new name the "
        "listeners change arms"
        for number, experiment in enumerate(settings.experiments)
        if (found := known.get((experiment.name, experiment.salt))) is not None
    ]
