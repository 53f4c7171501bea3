"""The options of a training run: one frozen value from the command line down to the manifests."""

from dataclasses import dataclass, field
from typing import Any

from training.heard import Heard
from training.listen_sources import Selection
from training.model import Device


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """Options of a fit, its evaluation and its lists.

    Attributes:
        selection: Which listens count, and for how much.
        test_share: Share of the sessions, the latest, in the test split; in (0, 1).
        liked: Share heard from which a listen of the test split was liked, in [0, 1].
        seed: Seed of every fit.
        threads: Threads of every fit; results are reproducible only for the same number.
        top: Length of the lists.
        device: Where models of PyTorch are fitted.
        heard: Whether lists by listener have tracks that the listener heard, and rankings are
            evaluated with them.
    """

    selection: Selection = field(default_factory=Selection)
    test_share: float = 0.1
    liked: float = 0.5
    seed: int = 1
    threads: int = 2
    top: int = 100
    device: Device = "cpu"
    heard: Heard = "in"

    def as_json(self) -> dict[str, Any]:
        """The options that decide which listens a model learnt from, for its manifest."""
        heard = {} if self.heard == "in" else {"heard": self.heard}
        return {**self.selection.as_json(), "late": self.test_share, **heard}
