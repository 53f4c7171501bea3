"""Gymnasium: one listener, many listeners, the same listeners."""

import warnings

import numpy as np
import pytest
from gymnasium.error import InvalidAction
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode

from simulator.gym.env import ListenerEnv
from simulator.gym.vector import ListenersEnv
from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.baselines import RandomTracks
from tests.simulator.tiny import botify, some_world


def test_gymnasiums_own_checks_pass() -> None:
    with warnings.catch_warnings():
        # Made here and not registered, which is what the checker would like for its spec.
        warnings.filterwarnings("ignore", message=".*not having a spec.*")
        check_env(ListenerEnv(botify(some_world())), skip_render_check=True)


def test_an_episode_is_a_session_of_segue_simulate() -> None:
    listeners = botify(some_world(), 6)
    played = InProcessRunner(listeners, RandomTracks(), 8).play(listeners.plan_day(0, 5)).sessions
    env = ListenerEnv(botify(some_world(), 0))
    for number in range(5):
        shown, _ = env.reset(seed=6) if number == 0 else env.reset()
        assert shown["user"] == played.listener[number]
        assert shown["time"] == 1.0
        rewards, over = [], False
        while not over:
            action = RandomTracks().recommend(env.batch, np.array([0]))[0]
            shown, reward, over, cut, _ = env.step(action)
            assert not cut
            assert env.observation_space.contains(shown)
            rewards.append(reward)
        assert len(rewards) == played.steps[number]
        assert sum(rewards) == pytest.approx(played.time[number])


def test_a_vector_environment_equals_single_environments() -> None:
    """Slot s of n plays the sessions s, s + n ... of the seed, and goes on in the same step."""
    envs = ListenersEnv(botify(some_world(), 0), 3)
    assert envs.metadata["autoreset_mode"] == AutoresetMode.SAME_STEP
    rng = np.random.default_rng(2)
    shown, _ = envs.reset(seed=6)
    singles = []
    for slot in range(3):
        env = ListenerEnv(botify(some_world(), 6))
        for _ in range(slot + 1):
            first, _ = env.reset()
        assert all(first[key] == shown[key][slot] for key in first)
        singles.append(env)
    ended = 0
    for _ in range(60):
        actions = rng.integers(0, 60, 3)
        shown, rewards, terminated, truncated, info = envs.step(actions)
        assert envs.observation_space.contains(shown)
        for slot, env in enumerate(singles):
            alone = env.step(actions[slot])
            assert alone[1:4] == (rewards[slot], terminated[slot], truncated[slot])
            if alone[2] or alone[3]:
                ended += 1
                assert info["_final_obs"][slot]
                assert all(info["final_obs"][key][slot] == alone[0][key] for key in alone[0])
                for _ in range(3):
                    expected, _ = env.reset()
            else:
                expected = alone[0]
            assert all(expected[key] == shown[key][slot] for key in expected)
    assert ended > 10


@pytest.mark.parametrize("action", [-1, 60, 3.0, "3", None, np.array([3])], ids=repr)
def test_an_action_outside_the_space_is_refused_and_plays_nothing(action: object) -> None:
    env = ListenerEnv(botify(some_world(), 0))
    env.reset(seed=1)
    with pytest.raises(InvalidAction, match=r"must be the index of a track, as Discrete\(60\)"):
        env.step(action)  # type: ignore[arg-type]
    assert env.batch.steps[0] == 0


@pytest.mark.parametrize(
    "actions", [[5, -1], [5, 60], [5.0, 6.0], [5], [[5, 6]], [True, False]], ids=repr
)
def test_actions_outside_the_space_are_refused_and_play_nothing(actions: list[object]) -> None:
    envs = ListenersEnv(botify(some_world(), 0), 2)
    envs.reset(seed=1)
    with pytest.raises(InvalidAction, match="must be the index of a track"):
        envs.step(np.array(actions))
    assert not envs.batch.steps.any()


def test_returned_arrays_are_not_reused() -> None:
    envs = ListenersEnv(botify(some_world(), 0), 4)
    before, _ = envs.reset(seed=1)
    kept = {key: value.copy() for key, value in before.items()}
    envs.step(np.array([5, 6, 7, 8]))
    assert all((before[key] == kept[key]).all() for key in kept)


def test_reset_with_a_seed_restarts_and_without_one_continues() -> None:
    envs = ListenersEnv(botify(some_world(), 0), 8)
    one, _ = envs.reset(seed=5)
    other, _ = envs.reset()
    again, _ = envs.reset(seed=5)
    assert (one["track"] == again["track"]).all()
    assert (one["track"] != other["track"]).any()


def test_a_new_session_follows_a_truncated_one() -> None:
    envs = ListenersEnv(botify(some_world(), 0, session_budget=1000), 2, max_steps=3)
    envs.reset(seed=5)
    cut = [envs.step(np.array([step, step + 10]))[3].tolist() for step in range(7)]
    assert cut == [[False] * 2, [False] * 2, [True] * 2] * 2 + [[False] * 2]
