"""Many listeners at once as a `gymnasium.vector.VectorEnv`, stepped by numpy over the batch."""

from typing import Any

import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from simulator.gym.env import invalid_action, make_spaces
from simulator.listeners.botify import BotifyListeners
from simulator.listeners.model import Flags, Floats, SessionPlan
from simulator.play.session_batch import MAX_STEPS, SessionBatch
from simulator.random_keys import Indices

Observations = dict[str, npt.NDArray[Any]]


class ListenersEnv(VectorEnv[Observations, npt.NDArray[Any], npt.NDArray[Any]]):
    """An environment with `num_envs` sessions under way; the reward is the time heard.

    Slot s plays the sessions s, s + num_envs, s + 2 * num_envs ... of the seed, so a slot does not
    depend on the remaining slots. A new session begins in the step in which one ends
    (`AutoresetMode.SAME_STEP`); `info` then has the last observations as `final_obs`, and a mask of
    the valid ones as `_final_obs`.

    Args:
        listeners: The listener model; `reset` with a seed replaces its seed.
        num_envs: Sessions under way, a count.
        max_steps: Recommendations after which a session is truncated.
    """

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012 (gymnasium's own form)

    def __init__(
        self, listeners: BotifyListeners, num_envs: int, max_steps: int = MAX_STEPS
    ) -> None:
        self.num_envs = num_envs
        self.batch = SessionBatch(listeners, num_envs, max_steps)
        self._listeners = listeners
        self.single_observation_space, self.single_action_space = make_spaces(listeners.world)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._all_slots = np.arange(num_envs)
        self._rounds = np.zeros(num_envs, dtype=np.int64)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observations, dict[str, Any]]:
        """Begin sessions: the first ones of a seed, or without a seed the next ones of the slots.

        Args:
            seed: Seed of all sessions of the batch.
            options: Ignored.
        """
        super().reset(seed=seed, options=options)
        if seed is not None:
            self._listeners.seed = seed
            self._rounds[:] = 0
        self._begin(self._all_slots)
        return self._observe(), {}

    def step(
        self, actions: npt.NDArray[Any]
    ) -> tuple[Observations, Floats, Flags, Flags, dict[str, Any]]:
        """Play a track to each listener.

        Raises:
            InvalidAction: The actions are no indices of tracks, one for each listener.
        """
        actions = np.asarray(actions)
        if not np.issubdtype(actions.dtype, np.integer) or not self.action_space.contains(actions):
            raise invalid_action(actions, self.action_space)
        step = self.batch.listen(self._all_slots, actions)
        over = step.ended | step.truncated
        info: dict[str, Any] = {}
        if over.any():
            info = {"final_obs": self._observe(), "_final_obs": over}
            slots = np.flatnonzero(over)
            self.batch.end(slots)
            self._begin(slots)
        return self._observe(), step.time, step.ended, step.truncated, info

    def _begin(self, slots: Indices) -> None:
        numbers = self._rounds[slots] * self.num_envs + slots
        self._rounds[slots] += 1
        days = np.zeros(len(slots), dtype=np.int64)
        self.batch.begin(slots, SessionPlan(self._listeners.listeners_of(numbers), numbers, days))

    def _observe(self) -> Observations:
        batch = self.batch
        return {
            "user": batch.listener.copy(),
            "track": batch.track.copy(),
            "time": batch.time.copy(),
        }
