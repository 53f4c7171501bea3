"""Options of a simulation: one frozen value from the command line to every process."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from core.errors import InputError
from simulator.play.session_batch import MAX_STEPS

RecommenderKind = Literal["random", "popular", "oracle", "console", "local", "http"]
BUILT_IN: dict[str, RecommenderKind] = {
    "random": "random",
    "popular": "popular",
    "oracle": "oracle",
    "console": "console",
    "local": "local",
}
ALIASES = {"best": "oracle"}
"""Earlier names of recommenders, which `--recommender` and `--paired` still take."""


@dataclass(frozen=True, slots=True)
class SimulationOptions:
    """Options of a simulation, as the user gives them.

    Attributes:
        recommenders: The recommender that answers; two of them for a paired simulation.
        is_paired: Whether to play each session against both recommenders.
        world: Folder of the world.
        tracks, embeddings, users: Files of the world, all three, in place of `world`.
        top: Popularity list of `popular`; that of the world's folder if left out.
        listener: Listener model by name, or a YAML file with its settings.
        seed: Seed of all draws.
        episodes: Sessions per day, for listener models without an activity of their own.
        days: Days to play, a count.
        config: Config file of `local`.
        api: API that the server speaks, `segue` or `botify`.
        processes: Processes that play, a count; changes no result.
        connections: Connections to the server over all processes, a count; changes no result.
        timeout_s: Seconds to wait for a response.
        max_steps: Recommendations after which a session is truncated.
        log: Folder for the event log of `local`.
        keep_truth: Whether to keep the truth log.
    """

    recommenders: tuple[str, ...]
    is_paired: bool = False
    world: Path = Path("data")
    tracks: Path | None = None
    embeddings: Path | None = None
    users: Path | None = None
    top: Path | None = None
    listener: str = "botify"
    seed: int = 31337
    episodes: int = 1000
    days: int = 1
    config: Path = Path("config.yaml")
    api: str = "segue"
    processes: int = 1
    connections: int = 32
    timeout_s: float = 10.0
    max_steps: int = MAX_STEPS
    log: Path | None = None
    keep_truth: bool = False


@dataclass(frozen=True, slots=True)
class RecommenderSpec:
    """A recommender, parsed from its option.

    Attributes:
        kind: Kind of recommender.
        name: Strategy of `local`, or empty for the config's arms; address of `http`.
    """

    kind: RecommenderKind
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind


def parse_recommender(text: str, in_pair: bool) -> RecommenderSpec:
    """Parse `--recommender`, or one side of `--paired`, where a bare name is a strategy.

    Raises:
        InputError: The text names no recommender.
    """
    name = ALIASES.get(text, text)
    if text.startswith(("http://", "https://")):
        return RecommenderSpec("http", text.rstrip("/"))
    if text.startswith("local:"):
        return RecommenderSpec("local", text.removeprefix("local:"))
    if in_pair and name not in ("oracle", "local"):
        return RecommenderSpec("local", text)
    if name in BUILT_IN:
        return RecommenderSpec(BUILT_IN[name])
    raise InputError.one(
        "--recommender",
        f"must be an address (http://...), local:STRATEGY, {', '.join(BUILT_IN)}; is {text!r}",
    )
