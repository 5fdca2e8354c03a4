"""Say which of Gymnasium's environments has which rule, by its class and by how it was made.

A rule belongs to the very class that was made, never to its name: a subclass is a stranger.
Thresholds and columns are read from the environment; whatever could move them unseen, a wrapper of
obs or an unknown keyword argument, leaves it without a rule.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium
from gymnasium import wrappers

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.rules import (
    Range,
    Rule,
    ant,
    hopper,
    humanoid,
    inverted_double_pendulum,
    inverted_pendulum,
    never,
    walker2d,
)

MUJOCO = "gymnasium.envs.mujoco"
CLIPPED, UNSEEN = 10.0, 100.0  # Hopper's velocities: cut off there in obs, judged before that in the environment

# A layer whose step() is one of these passes on obs and terminated as they are.
TRANSPARENT = frozenset(
    layer.step
    for layer in (
        gymnasium.Wrapper,
        gymnasium.ActionWrapper,
        gymnasium.RewardWrapper,
        wrappers.NormalizeReward,
        wrappers.OrderEnforcing,
        wrappers.PassiveEnvChecker,
        wrappers.RecordEpisodeStatistics,
        wrappers.TimeLimit,
    )
)
# Keyword arguments: first those that are read from the environment, then those that add columns after the ones that
# a rule reads, then those that move rewards, starts, time and pictures only.
UNDERSTOOD = """
terminate_when_unhealthy healthy_z_range healthy_angle_range healthy_state_range xml_file
exclude_current_positions_from_observation

use_contact_forces include_cinert_in_observation include_cvel_in_observation
include_qfrc_actuator_in_observation include_cfrc_ext_in_observation

forward_reward_weight ctrl_cost_weight contact_cost_weight contact_cost_range contact_force_range healthy_reward
reward_dist_weight reward_control_weight reward_near_weight main_body reset_noise_scale frame_skip g
render_mode width height camera_id camera_name default_camera_config max_geom visual_options
"""


def known_rule(env: BoxEnv) -> Rule | None:
    """Return the rule of what ``env`` made, with its thresholds and columns; None for a stranger."""
    *layers, base = env.layers()
    made = RULE_OF_CLASS.get(f"{type(base).__module__}:{type(base).__qualname__}")
    if made is None or any(getattr(layer.step, "__func__", None) not in TRANSPARENT for layer in layers):
        return None
    given = {} if base.spec is None else base.spec.kwargs
    if "step" in vars(base) or not given.keys() <= {*UNDERSTOOD.split()}:
        return None
    if base.observation_space.shape != (env.obs_dim,):
        return None
    try:
        return made(base)
    except (AttributeError, TypeError, ValueError):
        return None  # another version's, or of thresholds that are no numbers


@dataclass(frozen=True)
class Healthy:
    """Build the rule of an environment that ends where its robot is not healthy."""

    rule: Callable[..., Any]
    positions: int  # columns before z, which are left out of obs unless asked for
    ranges: tuple[str, ...]

    def __call__(self, base: Any) -> Rule | None:
        """Return the rule with the thresholds and the columns of ``base``."""
        if not base._terminate_when_unhealthy:
            return never
        shown = not base._exclude_current_positions_from_observation
        states = base.data.qpos.size + base.data.qvel.size - (0 if shown else self.positions)
        ranges = {name: _range(base, name) for name in self.ranges}
        hidden = any(CLIPPED < abs(edge) < UNSEEN for edge in ranges.get("state", ()))
        if hidden or base.observation_space.shape[0] < states:
            return None
        return partial(self.rule, **ranges, first=self.positions if shown else 0)


def _range(base: Any, name: str) -> Range:
    low, high = getattr(base, f"_healthy_{name}_range")
    return float(low), float(high)


def _double_pendulum(base: Any) -> Rule | None:
    """Return the rule if the poles are Gymnasium's own: their lengths are not in the environment."""
    assets = Path(str(importlib.import_module(MUJOCO).__file__)).parent / "assets"
    ours = Path(base.fullpath) == assets / "inverted_double_pendulum.xml"
    return inverted_double_pendulum if ours and base.observation_space.shape[0] > 4 else None


RULE_OF_CLASS: Mapping[str, Callable[[Any], Rule | None]] = {
    "gymnasium.envs.classic_control.pendulum:PendulumEnv": lambda base: never,
    **{
        f"{MUJOCO}.{module}_{version}:{name}Env": made
        for version in ("v4", "v5")
        for module, name, made in (
            ("inverted_pendulum", "InvertedPendulum", lambda base: inverted_pendulum),
            ("inverted_double_pendulum", "InvertedDoublePendulum", _double_pendulum),
            ("half_cheetah", "HalfCheetah", lambda base: never),
            ("swimmer", "Swimmer", lambda base: never),
            ("reacher", "Reacher", lambda base: never),
            ("pusher", "Pusher", lambda base: never),
            ("hopper", "Hopper", Healthy(hopper, 1, ("z", "angle", "state"))),
            ("walker2d", "Walker2d", Healthy(walker2d, 1, ("z", "angle"))),
            ("ant", "Ant", Healthy(ant, 2, ("z",))),
            ("humanoid", "Humanoid", Healthy(humanoid, 2, ("z",))),
        )
    },
}  # class of what an entry point makes -> what builds its rule
