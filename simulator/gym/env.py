"""One listener at a time as a `gymnasium.Env`."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, Space

from simulator.listeners.botify import BotifyListeners
from simulator.listeners.model import SessionPlan
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.world.world import World

Observation = dict[str, Any]
_SLOT = np.array([0])


def spaces_of(world: World) -> "tuple[Space[Observation], Space[np.int64]]":
    """What a listener shows, and what they can be played.

    `user` is the index of the listener, `track` of the track heard last, `time` the share of it
    that was heard; an action is the index of a track.
    """
    shown = Dict(
        {
            "user": Discrete(len(world)),
            "track": Discrete(len(world.catalog)),
            "time": Box(0.0, 1.0, (), np.float64),
        }
    )
    return shown, Discrete(len(world.catalog))


class ListenerEnv(gymnasium.Env[Observation, np.int64]):
    """An episode is a session, the reward of a step is the time heard.

    Episodes are the sessions 0, 1, 2 ... of the seed, as `segue simulate` plays them.

    Args:
        listeners: The model; its seed counts until `reset` is given another.
        max_steps: Recommendations after which a session is truncated.
    """

    metadata = {"render_modes": []}  # noqa: RUF012 (gymnasium's own form)

    def __init__(self, listeners: BotifyListeners, max_steps: int = MAX_STEPS) -> None:
        self.stage = SessionBatch(listeners, 1, max_steps)
        self.observation_space, self.action_space = spaces_of(listeners.world)
        self._listeners = listeners
        self._next = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin a session: the first of a seed, or the next one.

        Args:
            seed: Of all sessions that follow.
            options: Nothing is read of them.
        """
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._listeners.seed = seed
            self._next = 0
        number = np.array([self._next])
        self._next += 1
        self.stage.begin(
            _SLOT, SessionPlan(self._listeners.who(number), number, np.zeros_like(number))
        )
        return self._shown(), {}

    def step(self, action: np.int64) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Play a track, by its index; after a session ended, `reset` comes first."""
        heard = self.stage.hear(_SLOT, np.array([action]))
        over, cut = bool(heard.ended[0]), bool(heard.truncated[0])
        if over or cut:
            self.stage.end(_SLOT)
        return self._shown(), float(heard.time[0]), over, cut, {}

    def _shown(self) -> Observation:
        stage = self.stage
        return {
            "user": np.int64(stage.listener[0]),
            "track": np.int64(stage.track[0]),
            "time": np.array(stage.time[0]),
        }
