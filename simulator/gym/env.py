"""One listener at a time as a `gymnasium.Env`."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.error import InvalidAction
from gymnasium.spaces import Box, Dict, Discrete, Space

from simulator.listeners.botify import BotifyListeners
from simulator.listeners.model import SessionPlan
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.world.world import World

Observation = dict[str, Any]
_SLOT = np.array([0])


def make_spaces(world: World) -> "tuple[Space[Observation], Space[np.int64]]":
    """Return the observation space and the action space.

    `user` is the index of the listener, `track` the index of the track heard last, `time` the share
    of it that was heard. An action is the index of a track.
    """
    observations = Dict(
        {
            "user": Discrete(len(world)),
            "track": Discrete(len(world.catalog)),
            "time": Box(0.0, 1.0, (), np.float64),
        }
    )
    return observations, Discrete(len(world.catalog))


def invalid_action(action: object, space: "Space[Any]") -> InvalidAction:
    """Make the error of an action outside its space."""
    return InvalidAction(
        f"action: must be the index of a track, as {space} has them, got {action!r:.80}. "
        "`catalog.index_of(track)` of the world gives the index of a track"
    )


class ListenerEnv(gymnasium.Env[Observation, np.int64]):
    """An environment whose episode is a session; the reward of a step is the time heard.

    Episodes are the sessions 0, 1, 2 ... of the seed, as `segue simulate` plays them.

    Args:
        listeners: The listener model; `reset` with a seed replaces its seed.
        max_steps: Recommendations after which a session is truncated.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own form)

    def __init__(self, listeners: BotifyListeners, max_steps: int = MAX_STEPS) -> None:
        self.batch = SessionBatch(listeners, 1, max_steps)
        self.observation_space, self.action_space = make_spaces(listeners.world)
        self._listeners = listeners
        self._next = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a session: the first of a seed, or the next one.

        Args:
            seed: Seed of all sessions that follow.
            options: Ignored.
        """
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._listeners.seed = seed
            self._next = 0
        number = np.array([self._next])
        self._next += 1
        self.batch.begin(
            _SLOT, SessionPlan(self._listeners.listeners_of(number), number, np.zeros_like(number))
        )
        return self._observe(), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play a track by its index; after the end of a session, call `reset` first.

        Raises:
            InvalidAction: The action is no index of a track: numpy would count -1 from the end.
        """
        if not self.action_space.contains(action):
            raise invalid_action(action, self.action_space)
        step = self.batch.listen(_SLOT, np.array([action]))
        ended, truncated = bool(step.ended[0]), bool(step.truncated[0])
        if ended or truncated:
            self.batch.end(_SLOT)
        return self._observe(), float(step.time[0]), ended, truncated, {}

    def _observe(self) -> Observation:
        batch = self.batch
        return {
            "user": np.int64(batch.listener[0]),
            "track": np.int64(batch.track[0]),
            "time": np.array(batch.time[0]),
        }
