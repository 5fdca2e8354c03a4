"""Turn a saved policy into one module of plain torch operations, and hold its exports to the learner's actions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from gymnasium.spaces.utils import flatten
from numpy.typing import NDArray
from torch import Tensor, nn

from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spaces import Actions
from mbpo.errors import CheckpointError, MBPOError
from mbpo.lifecycle.saved_policy import facts_of, load_actor
from mbpo.outside.datasets.about_dataset import code_of
from mbpo.outside.datasets.real_rows import read_real
from mbpo.runs.hashes import read_manifest
from mbpo.runs.layout import RunPaths
from mbpo.sac.networks import Actor
from mbpo.saving.store import find_checkpoint

OBSERVATIONS = 1000  # on which an export is held to the learner's actions
TOLERANCE = 1e-5  # of half an action's range

Array = NDArray[np.float32]


class DeterministicPolicy(nn.Module):
    """Map raw flat observations [N, O] to the environment's own actions [N, A'], flat, in its units and bounds.

        a = center + scale · tanh(mean(obs)),  then what the environment's adapter does: rescale, round, clip

    Observations are not normalised: the policy was trained on them as they are.
    """

    center: Tensor
    scale: Tensor
    gain: Tensor  # [A, A']
    offset: Tensor  # [A']
    low: Tensor  # [A']
    high: Tensor  # [A']
    whole: Tensor  # [A'] bool

    def __init__(self, actor: Actor, actions: Actions) -> None:
        super().__init__()
        net = actor.net
        self.layers = nn.ModuleList([nn.Linear(i, o) for i, o in pairwise(net.sizes)])
        for layer, weight, bias in zip(self.layers, net.weights, net.biases, strict=True):
            layer.weight.data, layer.bias.data = weight[0].detach().T.contiguous(), bias[0].detach().clone()
        low, high = actions.own_bounds
        self.rounds = bool(actions.whole.any())
        self.adapted = bool(actions.rescaled.any() or not actions.free.all())
        gain, offset = _rescaling(actions)
        buffers = {"center": actor.center, "scale": actor.scale, "gain": gain, "offset": offset}
        for name, value in {**buffers, "low": low, "high": high, "whole": actions.whole}.items():
            self.register_buffer(
                name, torch.as_tensor(value, dtype=torch.bool if name == "whole" else torch.float32).clone()
            )
        self.requires_grad_(False)

    def forward(self, obs: Tensor) -> Tensor:  # [N, O] -> [N, A']
        """Return the deterministic actions."""
        hidden = obs
        for layer in self.layers[:-1]:
            hidden = torch.relu(layer(hidden))
        mean = self.layers[-1](hidden)[:, : self.center.shape[0]]
        action = self.center + self.scale * torch.tanh(mean)
        if self.adapted:
            action = action @ self.gain + self.offset
        if self.rounds:
            action = torch.where(self.whole, torch.round(action), action)
        return torch.clamp(action, self.low, self.high)


@dataclass(frozen=True)
class Portable:
    """Hold what is exported, what it is held to, and what its file says of it."""

    module: DeterministicPolicy
    obs: Array  # [N, O]
    actions: Array  # [N, A'], the learner's
    half_range: Array  # [A']
    real: int  # how many of obs the run met
    about: dict[str, Any]

    @property
    def example(self) -> Tensor:
        """Return two observations, as an exporter takes a batch of one for a fixed size."""
        return torch.from_numpy(self.obs[:2].copy())


def portable(paths: RunPaths, label: str) -> Portable:
    """Return the policy of checkpoint ``label`` with what it does on 1,000 observations.

    Raises:
        CheckpointError: the checkpoint is missing, damaged or of another shape.
        ConfigError: the run has no policy.
        EnvironmentFault: its environment cannot be made.
    """
    config, actor = load_actor(paths, label)
    env = BoxEnv(config)
    outer = next(env.layers())
    env.close()
    actions = Actions(outer.action_space, config.env_id)
    obs, real = _observations(paths, env)
    with torch.no_grad():
        chosen = actor.squash(actor(torch.from_numpy(obs))[0]).numpy()
    own = np.stack([flatten(outer.action_space, actions.of(one)) for one in chosen]).astype(np.float32)
    low, high = actions.own_bounds
    about = {
        "run": ascii(paths.run_id)[1:-1],
        "checkpoint": label,
        "env_steps": read_manifest(find_checkpoint(paths.checkpoints, label)).get("env_steps"),
        "env_id": ascii(config.env_id)[1:-1],
        "algorithm": config.algo,
        "seed": config.seed,
        "code": code_of(facts_of(paths)),
        "input": f"obs: float32 [N, {env.obs_dim}], raw, flattened as gymnasium.spaces.flatten does",
        "output": f"action: float32 [N, {len(low)}], tanh(mean) in the environment's units, flat",
        "observation_space": _plain(outer.observation_space),
        "action_space": _plain(outer.action_space),
        "action_low": low.tolist(),
        "action_high": high.tolist(),
    }
    half = ((high - low) / 2).astype(np.float32)
    return Portable(DeterministicPolicy(actor, actions).eval(), obs, own, half, real, about)


def hold(policy: Portable, act: Callable[[Array], Array], what: str) -> float:
    """Return the largest difference of ``act`` to the learner's actions, over batches of 1 and of all.

    Raises:
        MBPOError: it is beyond 1e-5 of half an action's range.
    """
    found = np.concatenate([act(policy.obs), act(policy.obs[:1])])
    wanted = np.concatenate([policy.actions, policy.actions[:1]])
    if found.shape != wanted.shape or found.dtype != np.float32:
        raise MBPOError(f"{what} returned {found.dtype} {list(found.shape)}, expected float32 {list(wanted.shape)}")
    difference = np.abs(found - wanted)
    if not (difference <= TOLERANCE * np.maximum(policy.half_range, np.abs(wanted))).all():
        raise MBPOError(
            f"{what} differs from the learner's actions by up to {difference.max():.3g}, more than {TOLERANCE:g} of "
            "their half range; nothing was written"
        )
    return float(difference.max())


def _observations(paths: RunPaths, env: BoxEnv) -> tuple[Array, int]:
    """Return 1,000 observations: as many as there are of those that the run met, then standard normal numbers."""
    draws = np.random.default_rng(0)
    obs = draws.standard_normal((OBSERVATIONS, env.obs_dim)).astype(np.float32)
    try:
        met = read_real(paths, env.obs_dim, env.action_dim).obs
    except CheckpointError:  # a policy alone is enough
        return obs, 0
    real = min(len(met), OBSERVATIONS)
    obs[:real] = met[draws.permutation(len(met))[:real]]
    return obs, real


def _rescaling(actions: Actions) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return gain [A, A'] and offset [A'] from the policy's actions to the environment's own."""
    low, high = actions.own_bounds
    half = np.where(actions.rescaled, (high - low)[actions.free] / 2, 1.0)
    gain = np.zeros((actions.size, len(low)))
    gain[np.arange(actions.size), np.flatnonzero(actions.free)] = half
    offset = low.copy()
    offset[actions.free] = np.where(actions.rescaled, low[actions.free] + half, 0.0)
    return gain, offset


def _plain(space: object) -> str:
    return ascii(" ".join(str(space).split()))[1:-1][:500]
