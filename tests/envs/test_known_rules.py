"""Give a rule to the environments that it is right for, however they are registered, and to no other."""

from __future__ import annotations

import math
import shutil
import types
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from gymnasium import wrappers
from gymnasium.envs.mujoco.hopper_v5 import HopperEnv
from toy_envs import Toy

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.rules import Rule, never
from mbpo.envs.termination import check_rule, find_rule, rule_text

HOPPER = "gymnasium.envs.mujoco.hopper_v5:HopperEnv"
ALIVE = {"terminate_when_unhealthy": False}
SHIFTED = {"exclude_current_positions_from_observation": False}
NO_FORCES = {"include_cfrc_ext_in_observation": False}
# Module under gymnasium.envs.mujoco, class, kwargs, and how the rule is written.
MADE: list[tuple[str, str, dict[str, Any], str]] = [
    ("hopper_v4", "HopperEnv", {}, "hopper(z=(0.7, inf), angle=(-0.2, 0.2), state=(-100.0, 100.0), first=0)"),
    ("hopper_v5", "HopperEnv", {"healthy_z_range": (0.9, math.inf)}, "hopper(z=(0.9, inf), "),
    ("hopper_v5", "HopperEnv", {"healthy_z_range": (-math.inf, 1.5)}, "hopper(z=(-inf, 1.5), "),
    ("hopper_v5", "HopperEnv", {"healthy_angle_range": (-0.05, 0.3)}, "angle=(-0.05, 0.3)"),
    ("hopper_v5", "HopperEnv", {"healthy_state_range": (-4, 5)}, "state=(-4.0, 5.0)"),
    ("hopper_v5", "HopperEnv", {**SHIFTED, "reset_noise_scale": 0.1}, "first=1)"),
    ("hopper_v4", "HopperEnv", SHIFTED, "first=1)"),
    ("hopper_v5", "HopperEnv", ALIVE, "never"),
    ("walker2d_v4", "Walker2dEnv", {}, "walker2d(z=(0.8, 2.0), angle=(-1.0, 1.0), first=0)"),
    ("walker2d_v5", "Walker2dEnv", {"healthy_z_range": (1.0, 1.4)}, "walker2d(z=(1.0, 1.4), "),
    ("walker2d_v5", "Walker2dEnv", {**SHIFTED, "healthy_angle_range": (-0.3, 0.5)}, "angle=(-0.3, 0.5), first=1)"),
    ("walker2d_v5", "Walker2dEnv", ALIVE, "never"),
    ("ant_v4", "AntEnv", {}, "ant(z=(0.2, 1.0), first=0)"),
    ("ant_v4", "AntEnv", {"use_contact_forces": True, **SHIFTED}, "ant(z=(0.2, 1.0), first=2)"),
    ("ant_v5", "AntEnv", {"healthy_z_range": (0.5, 0.8)}, "ant(z=(0.5, 0.8), first=0)"),
    ("ant_v5", "AntEnv", {**SHIFTED, **NO_FORCES}, "ant(z=(0.2, 1.0), first=2)"),
    ("ant_v5", "AntEnv", ALIVE, "never"),
    ("humanoid_v4", "HumanoidEnv", {}, "humanoid(z=(1.0, 2.0), first=0)"),
    ("humanoid_v5", "HumanoidEnv", {"healthy_z_range": (1.2, 1.5)}, "humanoid(z=(1.2, 1.5), first=0)"),
    ("humanoid_v5", "HumanoidEnv", {**SHIFTED, **NO_FORCES}, "humanoid(z=(1.0, 2.0), first=2)"),
    ("inverted_pendulum_v4", "InvertedPendulumEnv", {}, "inverted_pendulum"),
    ("inverted_pendulum_v5", "InvertedPendulumEnv", {"reset_noise_scale": 0.1}, "inverted_pendulum"),
    ("inverted_double_pendulum_v4", "InvertedDoublePendulumEnv", {}, "inverted_double_pendulum"),
    ("inverted_double_pendulum_v5", "InvertedDoublePendulumEnv", {"frame_skip": 3}, "inverted_double_pendulum"),
    ("half_cheetah_v4", "HalfCheetahEnv", SHIFTED, "never"),
    ("half_cheetah_v5", "HalfCheetahEnv", {"forward_reward_weight": 2.0}, "never"),
    ("swimmer_v4", "SwimmerEnv", {}, "never"),
    ("swimmer_v5", "SwimmerEnv", SHIFTED, "never"),
    ("reacher_v4", "ReacherEnv", {}, "never"),
    ("reacher_v5", "ReacherEnv", {"reward_dist_weight": 3}, "never"),
    ("pusher_v5", "PusherEnv", {"reward_near_weight": 1}, "never"),
]
for number, (module, name, kwargs, _) in enumerate(MADE):
    gymnasium.register(f"variant/{number}-v0", f"gymnasium.envs.mujoco.{module}:{name}", kwargs=kwargs)


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Forget what a test registers: gymnasium warns of a version below the newest."""
    before = dict(gymnasium.registry)
    yield
    gymnasium.registry.clear()
    gymnasium.registry.update(before)


def pushed(env: BoxEnv, rows: int) -> tuple[torch.Tensor, list[bool]]:
    """Play at random, thrown into another state now and then; return next_obs [N, O] and how each ended."""
    *_, physics = env.layers()
    rng, found, labels = np.random.default_rng(1), list[Any](), list[bool]()
    env.reset(0)
    while len(labels) < rows:
        if rng.random() < 0.2:
            qpos, qvel = physics.init_qpos.copy(), 2.0 * rng.standard_normal(physics.model.nv)
            free = min(3, len(qpos))  # x, height, angle; x, y, height; or joints
            qpos[:free] += rng.uniform(-0.7, 0.7, free)
            physics.set_state(qpos, qvel)
        next_obs, _, terminated, _ = env.step(rng.uniform(env.action_low, env.action_high).astype(np.float32))
        if not env.left_out:
            found.append(next_obs)
            labels.append(terminated)
        if terminated or env.left_out:
            env.reset(len(labels))
    return torch.from_numpy(np.stack(found)), labels


@pytest.mark.parametrize("number", range(len(MADE)), ids=lambda number: f"{MADE[number][0]}-{number}")
def test_a_rule_agrees_with_the_real_environment_as_it_was_made(number: int) -> None:
    env, text = BoxEnv(f"variant/{number}-v0"), MADE[number][3]
    rule = find_rule(env)
    assert rule is not None
    assert text in rule_text(rule)
    check_rule(rule, env.reset(0), env.action_dim, torch.device("cpu"))
    next_obs, labels = pushed(env, 1500)
    wrong = rule(next_obs, next_obs, next_obs) != torch.tensor(labels)
    assert wrong.sum() <= (2 if "double" in MADE[number][0] else 0)  # whose height is a stage old
    assert any(labels) == (rule is not never)
    env.close()


def made(*layers: Callable[[Any], Any]) -> Rule | None:
    """Return the rule of a Hopper inside these wrappers, the innermost first."""

    def entry_point(**kwargs: Any) -> Any:
        env: Any = HopperEnv(**kwargs)
        for layer in layers:
            env = layer(env)
        return env

    gymnasium.register("Layered-v0", entry_point, max_episode_steps=50)
    return find_rule(BoxEnv("Layered-v0"))


class Slower(gymnasium.ActionWrapper):
    """Halve each action."""

    def action(self, action: Any) -> Any:
        return action / 2


class Immortal(gymnasium.Wrapper):
    """Never say that an episode terminated."""

    def step(self, action: Any) -> Any:
        obs, reward, _, truncated, info = super().step(action)
        return obs, reward, False, truncated, info


def healed(env: Any) -> Any:
    """Return ``env`` with another step() of its own."""
    env.step = types.MethodType(lambda self, action: (*HopperEnv.step(self, action)[:2], False, False, {}), env)
    return env


def doubled(obs: Any) -> Any:
    return 2 * obs


@pytest.mark.parametrize(
    "layers",
    [
        (),
        (Slower,),
        (partial(wrappers.RescaleAction, min_action=-1.0, max_action=1.0),),
        (partial(wrappers.TransformReward, func=doubled), wrappers.RecordEpisodeStatistics),
        (partial(wrappers.ClipReward, max_reward=1.0), partial(wrappers.TimeLimit, max_episode_steps=9)),
    ],
)
def test_wrappers_of_actions_rewards_and_time_leave_the_rule(layers: Any) -> None:
    assert rule_text(made(*layers)).startswith("hopper(z=(0.7, inf)")


@pytest.mark.parametrize(
    "layers",
    [
        (Immortal,),
        (Slower, Immortal),
        (healed,),
        (lambda env: wrappers.TransformObservation(env, doubled, env.observation_space),),
        (partial(wrappers.TimeLimit, max_episode_steps=9), wrappers.TimeAwareObservation),
        (partial(wrappers.FrameStackObservation, stack_size=2),),
        (partial(wrappers.ReshapeObservation, shape=(11, 1)),),
        (wrappers.FlattenObservation,),
    ],
)
def test_wrappers_of_observations_or_ends_take_it_away(layers: Any) -> None:
    assert made(*layers) is None


class TallHopper(HopperEnv):
    """Be a subclass, which may end as it likes."""


def test_a_subclass_is_a_stranger() -> None:
    gymnasium.register("TallHopper-v5", TallHopper)
    assert find_rule(BoxEnv("TallHopper-v5")) is None


@pytest.mark.parametrize("edges", [(-20.0, 20.0), (-100.0, 50.0), (-30, math.inf)])
def test_a_range_that_clipped_velocities_hide_gets_no_rule(edges: tuple[float, float]) -> None:
    gymnasium.register("Hidden-v0", HOPPER, kwargs={"healthy_state_range": edges})
    assert find_rule(BoxEnv("Hidden-v0")) is None


def test_poles_of_another_file_get_no_rule(tmp_path: Any) -> None:
    double = BoxEnv("InvertedDoublePendulum-v5")
    *_, physics = double.layers()
    other = tmp_path / "inverted_double_pendulum.xml"
    shutil.copy(physics.fullpath, other)
    entry_point = "gymnasium.envs.mujoco.inverted_double_pendulum_v5:InvertedDoublePendulumEnv"
    gymnasium.register("LongPoles-v0", entry_point, kwargs={"xml_file": str(other)})
    assert find_rule(BoxEnv("LongPoles-v0")) is None


def test_a_keyword_that_the_rule_does_not_know_gets_no_rule() -> None:
    gymnasium.register("Odd-v0", lambda mood, **kwargs: HopperEnv(**kwargs), kwargs={"mood": 1})
    assert find_rule(BoxEnv("Odd-v0")) is None


NAMES = (
    "Pendulum InvertedPendulum InvertedDoublePendulum HalfCheetah Swimmer Reacher Pusher Hopper Walker2d Ant Humanoid"
)


@pytest.mark.parametrize("name", [*NAMES.split(), "AntTruncated", "HumanoidTruncated"])
@pytest.mark.parametrize("pattern", ["stranger/{}-v5", "{}-v77", "{}Toy"])
def test_a_stranger_gets_no_rule_by_its_name(name: str, pattern: str) -> None:
    gymnasium.register(pattern.format(name), Toy)
    env = BoxEnv(pattern.format(name))
    assert find_rule(env) is None
    assert rule_text(find_rule(env)) == "learned"
