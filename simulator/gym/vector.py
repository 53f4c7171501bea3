"""Many listeners at once as a `gymnasium.vector.VectorEnv`, stepped by numpy over the batch."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from simulator.gym.env import spaces_of
from simulator.listeners.botify import BotifyListeners
from simulator.listeners.model import Flags, Floats, SessionPlan
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.random_keys import Indices

Observations = dict[str, npt.NDArray[Any]]


class ListenersEnv(VectorEnv[Observations, npt.NDArray[Any], npt.NDArray[Any]]):
    """`num_envs` sessions under way at once; a session that ends is followed by the slot's next.

    Reward is the time heard. Slot s plays the sessions s, s + num_envs, s + 2 * num_envs ... of the
    seed, so that what a slot goes through does not depend on what is played in the others. A new
    session begins in the step in which one ends (`AutoresetMode.SAME_STEP`); `info` then has the
    last observations as `final_obs`, and which of them count as `_final_obs`.

    Args:
        listeners: The model; its seed counts until `reset` is given another.
        num_envs: How many.
        max_steps: Recommendations after which a session is truncated.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (gymnasium's own form)

    def __init__(
        self, listeners: BotifyListeners, num_envs: int, max_steps: int = MAX_STEPS
    ) -> None:
        self.num_envs = num_envs
        self.stage = SessionBatch(listeners, num_envs, max_steps)
        self._listeners = listeners
        self.single_observation_space, self.single_action_space = spaces_of(listeners.world)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._everyone = np.arange(num_envs)
        self._rounds = np.zeros(num_envs, dtype=np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin anew: with a seed from its first sessions, without one with the slots' next.

        Args:
            seed: Of all sessions of the batch.
            options: Nothing is read of them.
        """
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._listeners.seed = seed
            self._rounds[:] = 0
        self._begin(self._everyone)
        return self._shown(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[Observations, Floats, Flags, Flags, dict[str, Any]]:
        """Play a track to each listener."""
        heard = self.stage.hear(self._everyone, actions)
        over = heard.ended | heard.truncated
        info: dict[str, Any] = {}
        if over.any():
            info = {"final_obs": self._shown(), "_final_obs": over}
            slots = np.flatnonzero(over)
            self.stage.end(slots)
            self._begin(slots)
        return self._shown(), heard.time, heard.ended, heard.truncated, info

    def _begin(self, slots: Indices) -> None:
        numbers = self._rounds[slots] * self.num_envs + slots
        self._rounds[slots] += 1
        days = np.zeros(len(slots), dtype=np.int64)
        self.stage.begin(slots, SessionPlan(self._listeners.who(numbers), numbers, days))

    def _shown(self) -> Observations:
        stage = self.stage
        return {
            "user": stage.listener.copy(),
            "track": stage.track.copy(),
            "time": stage.time.copy(),
        }
