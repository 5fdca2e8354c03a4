"""Update with stable-baselines3's SAC and with SBX's, its twin in JAX, as their learn() does.

Both sample their own replay buffer inside train(); both optimise 0.5·Σ mean (Q − y)².
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.alternatives import sac
from benchmarks.alternatives.spaces import SpacesOnly
from benchmarks.cases import BATCH, SACCase
from benchmarks.checks import assert_close
from benchmarks.contest import Call, require


def _algorithm(make: Any, case: SACCase, **settings: Any) -> Any:
    """Return the algorithm with the case's transitions in its buffer and no logs."""
    from stable_baselines3.common.logger import Logger

    task, rows = case.task, len(case.obs)
    model = make(
        "MlpPolicy",
        SpacesOnly(task),
        learning_rate=case.lr,
        buffer_size=rows,
        batch_size=BATCH,
        tau=case.tau,
        gamma=case.gamma,
        policy_kwargs={"net_arch": [task.sac_hidden] * task.sac_layers},
        seed=0,
        device="cpu",
        **settings,
    )
    model.set_logger(Logger(folder=None, output_formats=[]))
    columns = (case.obs, case.next_obs, case.action, case.reward, case.terminated)
    for transition in zip(*(column.numpy() for column in columns), strict=True):
        model.replay_buffer.add(*transition, infos=[{}])
    return model


def torch_updates(case: SACCase, updates: int) -> Call:
    """Return SAC.train(gradient_steps=updates) of stable-baselines3.

    Compared: the policy's Gaussian and both critics' values at equal weights, with float64.
    """
    require("stable_baselines3", "stable-baselines3")
    from stable_baselines3 import SAC

    model = _algorithm(SAC, case)
    actor, critic = model.actor, model.critic
    *hidden, (weight, bias) = zip(case.actor.weights, case.actor.biases, strict=True)
    for linear, (w, b) in zip(actor.latent_pi[::2], hidden, strict=True):
        _fill(linear, w[0], b[0])
    for head, w, b in zip((actor.mu, actor.log_std), weight[0].chunk(2, -1), bias[0].chunk(2, -1), strict=True):
        _fill(head, w, b)
    for e, net in enumerate(critic.q_networks):
        for linear, w, b in zip(net[::2], case.critic.weights, case.critic.biases, strict=True):
            _fill(linear, w[e], b[e])
    model.critic_target.load_state_dict(critic.state_dict())
    obs, action = case.obs[:BATCH], case.action[:BATCH]
    found = *actor.get_action_dist_params(obs)[:2], torch.cat(critic(obs, action), dim=1).t()
    _compare(found, case)
    return lambda: model.train(gradient_steps=updates, batch_size=BATCH)


def jax_updates(case: SACCase, updates: int) -> Call:
    """Return SAC.train(gradient_steps=updates) of SBX, one compiled loop over the updates.

    It ends by reading the losses back, so nothing is left running. Compared: as above.
    """
    os.environ.setdefault("JAX_PLATFORMS", "cpu")
    require("sbx", "sbx-rl")
    import jax.numpy as jnp
    from sbx import SAC

    model = _algorithm(SAC, case)
    state, values = model.policy.actor_state, model.policy.qf_state
    layers = [(w[0], b[0]) for w, b in zip(case.actor.weights, case.actor.biases, strict=True)]
    heads = zip(*(t.chunk(2, -1) for t in layers.pop()), strict=True)
    params = _dense([*layers, *heads])
    model.policy.actor_state = state = state.replace(params={"params": params})
    twins = _dense(list(zip(case.critic.weights, case.critic.biases, strict=True)))
    (name,) = values.params["params"]
    params = {"params": {name: twins}}
    model.policy.qf_state = values = values.replace(params=params, target_params=params)
    obs, action = jnp.asarray(case.obs[:BATCH].numpy()), jnp.asarray(case.action[:BATCH].numpy())
    gaussian = state.apply_fn(state.params, obs).distribution
    found = (gaussian.loc, jnp.log(gaussian.stddev()), values.apply_fn(values.params, obs, action)[..., 0])
    _compare([np.array(array) for array in found], case)
    return lambda: model.train(gradient_steps=updates, batch_size=BATCH)


def _compare(found: Any, case: SACCase) -> None:
    """Assert mean, log_std and both values of the first batch."""
    exact = case.to(torch.float64)
    obs, action = exact.obs[:BATCH], exact.action[:BATCH]
    wanted = *sac.policy(exact.actor, obs), sac.values(exact.critic, obs, action)
    for mine, true in zip(found, wanted, strict=True):
        assert_close(mine, true, 1e-5)


def _fill(linear: Any, weight: Tensor, bias: Tensor) -> None:
    linear.weight.data = weight.t().clone()
    linear.bias.data = bias.clone()


def _dense(layers: list[tuple[Tensor, Tensor]]) -> dict[str, Any]:
    """Return flax's names for the layers."""
    import jax.numpy as jnp

    return {
        f"Dense_{i}": {"kernel": jnp.asarray(w.numpy()), "bias": jnp.asarray(b.numpy())}
        for i, (w, b) in enumerate(layers)
    }
