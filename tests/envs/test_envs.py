"""Make, step and evaluate environments; hold termination rules to real labels."""

from __future__ import annotations

import itertools
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
import toy_envs

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.collector import Collector
from mbpo.envs.evaluation import Evaluator
from mbpo.envs.rules import inverted_pendulum, never
from mbpo.envs.spaces import Array
from mbpo.errors import ConfigError, DivergedError, EnvironmentFault


def constant(value: float, action_dim: int = 1) -> Any:
    return lambda obs: np.full((len(obs), action_dim), value, np.float32)


@pytest.mark.parametrize(
    ("env_id", "obs_dim", "action_dim", "bound"), [("Pendulum-v1", 3, 1, 2.0), ("InvertedPendulum-v5", 4, 1, 3.0)]
)
def test_a_known_environment_is_flat_float32(env_id: str, obs_dim: int, action_dim: int, bound: float) -> None:
    env = BoxEnv(env_id)
    obs = env.reset(0)
    assert (env.obs_dim, env.action_dim) == (obs_dim, action_dim)
    assert env.action_high.tolist() == [bound]
    assert env.action_low.tolist() == [-bound]
    next_obs, reward, terminated, truncated = env.step(np.zeros(action_dim, np.float32))
    assert obs.shape == next_obs.shape == (obs_dim,)
    assert obs.dtype == next_obs.dtype == np.float32
    assert type(reward) is float
    assert (terminated, truncated) == (False, False)
    env.close()


def test_spaces_of_more_dimensions_are_flattened_and_keep_their_asymmetric_bounds() -> None:
    env = BoxEnv("Grid-v0")
    assert (env.obs_dim, env.action_dim) == (6, 4)
    assert env.action_low.tolist() == [-2.0, 0.0, 1.0, -0.5]
    assert env.action_high.tolist() == [1.0, 0.5, 3.0, 4.0]
    assert env.reset(1).shape == (6,)
    obs, *_ = env.step(np.array([-9.0, 0.25, 9.0, 0.0], np.float32))
    assert obs.shape == (6,)
    assert obs.dtype == np.float32
    toy = env._env.unwrapped
    assert isinstance(toy, toy_envs.Grid)
    # In the environment's own shape, and clipped to its bounds.
    assert toy.actions[0].tolist() == [[-2.0, 0.25], [3.0, 0.0]]


@pytest.mark.parametrize(
    ("env_id", "error", "message"),
    [
        ("Endless-v0", EnvironmentFault, "expected finite action bounds"),
        ("Choice-v0", EnvironmentFault, "expected a Box action space, got Discrete"),
        ("Cells-v0", EnvironmentFault, "expected a Box observation space, or a Dict or Tuple of such, got Discrete"),
        ("Unmakeable-v0", EnvironmentFault, "robot.xml is not there"),
        ("Pendulum-v9", ConfigError, "did you mean Pendulum-v1"),
        ("Pendullum-v1", ConfigError, "did you mean Pendulum-v1"),
        ("no_such_module:Env-v0", ConfigError, "must name a Gymnasium environment"),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused_in_one_line(
    env_id: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error) as raised:
        BoxEnv(env_id)
    assert message in str(raised.value)
    assert env_id in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_an_environment_raises_is_named_in_one_line() -> None:
    env = BoxEnv("Broken-v0")
    env.reset(0)
    with pytest.raises(EnvironmentFault) as raised:
        for _ in range(40):
            env.step(np.zeros(1, np.float32))
    assert str(raised.value).startswith("Broken-v0.step raised RuntimeError: the joint came off (gymnasium ")


@pytest.mark.parametrize(
    ("env_id", "message"),
    [
        ("NanReward-v0", "the reward was not finite in float32: nan"),
        ("HugeReward-v0", "the reward was not finite in float32: 1e+200"),
        ("InfiniteObs-v0", "the observation was not finite in float32: [1]"),
    ],
)
def test_a_step_that_is_not_finite_is_left_out_and_ends_its_episode(env_id: str, message: str) -> None:
    collector = Collector(BoxEnv(env_id), 0)
    steps = [collector.step(np.zeros(1, np.float32)) for _ in range(31)]
    assert [step.left_out for step in steps] == [""] * 29 + [message, ""]
    bad = steps[29]
    assert (bad.valid, bad.reward, bad.terminated, bad.truncated) == (False, 0.0, False, True)
    assert bad.episode is not None and (bad.episode.length, bad.episode.index) == (30, 1)
    assert all(np.isfinite(step.next_obs).all() for step in steps)


@pytest.mark.parametrize("env_id", ["Hopper-v5", "InvertedPendulum-v5", "HalfCheetah-v5"])
def test_where_mujoco_puts_its_simulation_back_the_step_is_void_and_the_episode_ends(env_id: str) -> None:
    collector = Collector(BoxEnv(env_id), seed=3)
    still = np.zeros(collector.env.action_dim, np.float32)
    assert collector.step(still).valid
    collector.env._env.unwrapped.data.qvel[:] = 1e11  # MuJoCo takes over 1e10 for an explosion
    step = collector.step(still)
    assert (step.valid, step.terminated, step.truncated) == (False, False, True)
    assert step.episode is not None and step.episode.length == 2
    assert collector.step(still).valid


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_non_finite_action_never_reaches_the_environment(bad: float) -> None:
    env = BoxEnv("Grid-v0")
    env.reset(0)
    with pytest.raises(DivergedError, match="action is not finite"):
        env.step(np.array([0.0, bad, 1.0, 0.0], np.float32))
    assert not env._env.unwrapped.actions


def test_the_rule_of_inverted_pendulum_gives_the_labels_of_the_real_one() -> None:
    env, rng = BoxEnv("InvertedPendulum-v5"), np.random.default_rng(0)
    rows: list[tuple[Array, Array, Array]] = []
    labels = []
    for episode in range(25):
        obs, terminated, truncated = env.reset(episode), False, False
        while not (terminated or truncated):
            action = rng.uniform(env.action_low, env.action_high).astype(np.float32)
            next_obs, _, terminated, truncated = env.step(action)
            rows.append((obs, action, next_obs))
            labels.append(terminated)
            obs = next_obs
    env.close()
    parts = [torch.from_numpy(np.stack(part)) for part in zip(*rows, strict=True)]
    assert sum(labels) >= 20
    assert inverted_pendulum(*parts).tolist() == labels


def test_the_rule_of_inverted_pendulum_at_its_edge() -> None:
    angle = [0.2, -0.2, 0.2001, -0.2001, 0.0, 0.0]
    next_obs = torch.zeros(6, 4)
    next_obs[:, 1] = torch.tensor(angle)
    next_obs[5, 3] = torch.inf
    ended = inverted_pendulum(next_obs, torch.zeros(6, 1), next_obs)
    assert ended.tolist() == [False, False, True, True, False, True]


def test_pendulum_never_ends() -> None:
    obs = torch.full((3, 3), 1e6)
    assert never(obs, obs[:, :1], obs).tolist() == [False] * 3
    assert never(obs, obs[:, :1], obs).dtype == torch.bool


def test_evaluation_does_not_disturb_training() -> None:
    alone, beside = (Collector(BoxEnv("Pendulum-v1"), 5) for _ in range(2))
    evaluator = Evaluator("Pendulum-v1", 3, 0)
    for step in range(230):  # past the end of an episode
        action = np.array([np.sin(step)], np.float32)
        if step % 100 == 0:
            evaluator.run(constant(0.5))
        one, other = alone.step(action), beside.step(action)
        assert one.next_obs.tolist() == other.next_obs.tolist()
        assert one.reward == other.reward
        assert one.episode == other.episode


def test_an_evaluation_repeats_and_its_seed_matters() -> None:
    first, again, other = (Evaluator("Pendulum-v1", 3, seed) for seed in (0, 0, 1))
    returns = first.run(constant(0.5)).returns.tolist()
    assert returns == first.run(constant(0.5)).returns.tolist()
    assert returns == again.run(constant(0.5)).returns.tolist()
    assert returns != other.run(constant(0.5)).returns.tolist()
    assert len(set(returns)) == 3  # each episode has a start of its own


def test_more_episodes_than_environments_are_run_in_waves() -> None:
    few, many = Evaluator("Toy-v0", 3, 0), Evaluator("Toy-v0", 20, 0)
    some, all_of_them = few.run(constant(0.1)), many.run(constant(0.1))
    assert all_of_them.returns[:3].tolist() == some.returns.tolist()
    assert len(set(all_of_them.returns.tolist())) == 20
    assert all_of_them.lengths.tolist() == [100] * 20


def test_an_evaluation_sums_rewards_to_the_end_of_each_episode() -> None:
    report = Evaluator("InvertedPendulum-v5", 4, 0).run(constant(3.0))
    # Reward 1 for each step but the one that ends the episode.
    assert report.returns.tolist() == (report.lengths - 1).tolist()
    assert (report.lengths < 50).all()
    metrics = report.metrics()
    assert metrics["eval/return_mean"] == pytest.approx(report.returns.mean())
    assert metrics["eval/return_std"] == pytest.approx(report.returns.std())
    assert metrics["eval/return_min"] == report.returns.min()
    assert metrics["eval/length_mean"] == pytest.approx(report.lengths.mean())


def test_training_episodes_start_apart_and_repeat_with_the_seed() -> None:
    def starts(seed: int) -> list[list[float]]:
        collector = Collector(BoxEnv("Toy-v0"), seed)
        found = [collector.obs.tolist()]
        for _ in range(400):
            if collector.step(np.zeros(1, np.float32)).episode is not None:
                found.append(collector.obs.tolist())
        return found

    one, same, other = starts(0), starts(0), starts(1)
    assert one == same
    assert len({obs[0] for obs in one + other}) == 10


def test_an_ended_episode_is_summed_up_and_a_time_limit_is_no_termination() -> None:
    collector = Collector(BoxEnv("Toy-v0"), 0)
    steps = [collector.step(np.array([1.0], np.float32)) for _ in range(200)]
    ended = [s for s in steps if s.episode is not None]
    assert ended == [steps[99], steps[199]]
    assert all(s.truncated and not s.terminated for s in ended)
    first = steps[99].episode
    assert first is not None
    assert (first.index, first.length) == (1, 100)
    assert first.episode_return == pytest.approx(sum(s.reward for s in steps[:100]))
    for before, after in itertools.pairwise(steps):
        if before.episode is None:
            assert before.next_obs.tolist() == after.obs.tolist()


def test_the_registry_is_asked_without_a_word_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Pendulum-v1" in gymnasium.registry
    BoxEnv("Pendulum-v1").close()
    with pytest.raises(ConfigError):
        BoxEnv("Hoper-v5")
    assert capsys.readouterr() == ("", "")
