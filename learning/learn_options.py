"""The options of the loop: one frozen value from the command line down to each round."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from training.training_options import TrainingOptions


@dataclass(frozen=True, slots=True)
class LearnOptions:
    """The options of the loop: how it learns and promotes.

    Attributes:
        config: The config file that serves.
        logs: Event files or folders; empty for the config's own log.
        models: Name of a file in the config -> model, where its manifest's does not count.
        strategy: The strategy that plays what was learnt; None for the config's `default`.
        pilot: Share of all listeners who get a version first, in [0, 0.5]; 0 for no pilot.
        bound: How much worse a version may be, as a share of the session time, in [0, 1).
        least: Sessions that must be new for a version to be learnt, a count.
        patience: Rounds after which a pilot that shows nothing is given up, a count.
        training: Of the fits.
    """

    config: Path
    logs: Sequence[Path] = ()
    models: Mapping[str, str] = field(default_factory=dict)
    strategy: str | None = None
    pilot: float = 0.2
    bound: float = 0.05
    least: int = 1000
    patience: int = 7
    training: TrainingOptions = field(default_factory=TrainingOptions)
