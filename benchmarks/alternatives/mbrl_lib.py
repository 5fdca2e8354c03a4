"""Train, imagine and update with mbrl-lib 0.2.0's own classes, as its mbpo.train wires them.

Its release pins gymnasium 0.26 and hydra 1.0; it runs unchanged on gymnasium 1 and hydra 1.3, so
``make bench`` installs it without its dependencies. Kinder than its own MBPO configuration: float32
in place of float64 normalisers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.alternatives import sac
from benchmarks.alternatives.training import BOUND_PENALTY
from benchmarks.alternatives.training import Plain as PlainTraining
from benchmarks.cases import BATCH, ImaginedCase, Layers, SACCase, TrainingCase
from benchmarks.checks import assert_close
from benchmarks.contest import Call, require

NAME = "mbrl-lib"


def _model(case: TrainingCase | ImaginedCase, layers: Layers) -> Any:
    """Return its one-dimensional transition model, holding the case's weights."""
    require("mbrl.models", "mbrl (mbrl-lib)")
    from mbrl.models import GaussianMLP, OneDTransitionRewardModel

    task = case.task
    net = GaussianMLP(
        task.model_sizes[0],
        1 + task.obs_dim,
        "cpu",
        num_layers=task.model_layers,
        ensemble_size=task.members,
        hid_size=task.model_hidden,
        propagation_method="random_model",
        learn_logvar_bounds=True,
        activation_fn_cfg={"_target_": "torch.nn.SiLU"},
    )
    linears = [*(layer[0] for layer in net.hidden_layers), net.mean_and_logvar]
    for linear, weight, bias in zip(linears, layers.weights, layers.biases, strict=True):
        linear.weight.data = weight.clone()
        linear.bias.data = bias.unsqueeze(1).clone()
    # It predicts [Δobs, reward]; ours is [reward, Δobs].
    order = _reward_last(1 + task.obs_dim)
    both = torch.cat((order, order + len(order)))
    net.mean_and_logvar.weight.data = net.mean_and_logvar.weight.data[..., both].contiguous()
    net.mean_and_logvar.bias.data = net.mean_and_logvar.bias.data[..., both].contiguous()
    net.min_logvar.data = case.min_logvar[order][None].clone()
    net.max_logvar.data = case.max_logvar[order][None].clone()
    return OneDTransitionRewardModel(net, normalize=True, num_elites=task.elites)


def _reward_last(width: int) -> Tensor:
    return torch.arange(width).roll(-1)


def training(case: TrainingCase) -> Call:
    """Return one epoch of ModelTrainer.train, bootstrap iterator included.

    Compared: the loss of one minibatch at equal weights, with float64. Its Adam decays every
    parameter alike, so the parameters after a step differ by design.
    """
    model = _model(case, case.layers)
    from mbrl.models import ModelTrainer
    from mbrl.types import TransitionBatch
    from mbrl.util.replay_buffer import BootstrapIterator

    o = case.task.obs_dim
    inputs, labels = case.inputs.numpy(), case.labels.numpy()
    rows = len(inputs)
    transitions = TransitionBatch(
        inputs[:, :o],
        inputs[:, o:],
        inputs[:, :o] + labels[:, 1:],
        labels[:, 0],
        np.zeros(rows, bool),
        np.zeros(rows, bool),
    )
    dataset = BootstrapIterator(
        transitions,
        BATCH,
        case.task.members,
        shuffle_each_epoch=True,
        permute_indices=False,
        rng=np.random.default_rng(0),
    )
    trainer = ModelTrainer(model, optim_lr=case.lr, weight_decay=5e-5)

    index = case.batches[0]
    batch = _stacked_batch(transitions, index.numpy())
    loss, _ = model.loss(batch)
    assert_close(loss, PlainTraining(case.double()).loss(index), 1e-5)
    assert BOUND_PENALTY == 0.01  # its loss has the same

    def epoch() -> None:
        trainer.train(dataset, num_epochs=1, evaluate=False, silent=True)

    return epoch


def _stacked_batch(transitions: Any, index: Any) -> Any:
    from mbrl.util.replay_buffer import _consolidate_batches

    return _consolidate_batches([transitions[rows] for rows in index])


def imagine(case: ImaginedCase) -> Any:
    """Return SACAgent.act and ModelEnv.step, in numpy as its rollout passes them."""
    model = _model(case, case.model)
    from mbrl.env.termination_fns import no_termination
    from mbrl.models import ModelEnv
    from mbrl.planning.sac_wrapper import SACAgent

    from benchmarks.alternatives.spaces import SpacesOnly

    model.set_elite([int(e) for e in case.elites])
    env = SpacesOnly(case.task)
    agent = SACAgent(_agent(case, case.actor))
    model_env = ModelEnv(env, model, no_termination, generator=torch.Generator().manual_seed(0))

    def run(obs: Tensor) -> tuple[Any, Any, Any, Any]:
        array = obs.numpy()
        state = model_env.reset(array, return_as_np=True)
        action = agent.act(array, sample=True, batched=True)
        next_obs, reward, terminated, _ = model_env.step(action, state, sample=True)
        return action, reward[:, 0], next_obs, terminated[:, 0]

    return run


def _agent(case: ImaginedCase | SACCase, actor: Layers) -> Any:
    """Return its SAC with automatic temperature, the case's policy inside."""
    require("mbrl.models", "mbrl (mbrl-lib)")
    from mbrl.third_party.pytorch_sac_pranz24.sac import SAC
    from omegaconf import OmegaConf

    from benchmarks.alternatives.spaces import SpacesOnly

    settings = OmegaConf.create(
        {
            "gamma": 0.99,
            "tau": 0.005,
            "alpha": 1.0,
            "policy": "Gaussian",
            "target_update_interval": 1,
            "automatic_entropy_tuning": True,
            "target_entropy": -float(case.task.action_dim),
            "hidden_size": case.task.sac_hidden,
            "device": "cpu",
            "lr": 3e-4,
        }
    )
    agent = SAC(case.task.obs_dim, SpacesOnly(case.task).action_space, settings)
    policy = agent.policy
    *hidden, last = zip(actor.weights, actor.biases, strict=True)
    for linear, (weight, bias) in zip((policy.linear1, policy.linear2), hidden, strict=True):
        _fill(linear, weight[0], bias[0])
    (mean_w, std_w), (mean_b, std_b) = (t[0].chunk(2, dim=-1) for t in last)
    _fill(policy.mean_linear, mean_w, mean_b)
    _fill(policy.log_std_linear, std_w, std_b)
    return agent


def _fill(linear: Any, weight: Tensor, bias: Tensor) -> None:
    linear.weight.data = weight.t().clone()
    linear.bias.data = bias.clone()


def sac_updates(case: SACCase, updates: int) -> Call:
    """Return ``updates`` calls of SAC.update_parameters on its replay buffer.

    Compared: the policy's Gaussian and both critics' values at equal weights, with float64.
    """
    agent = _agent(case, case.actor)
    from mbrl.util import ReplayBuffer

    critic = agent.critic
    firsts = (critic.linear1, critic.linear2, critic.linear3)
    seconds = (critic.linear4, critic.linear5, critic.linear6)
    for e, linears in enumerate((firsts, seconds)):
        for linear, w, b in zip(linears, case.critic.weights, case.critic.biases, strict=True):
            _fill(linear, w[e], b[e])
    agent.critic_target.load_state_dict(critic.state_dict())

    exact, obs, action = case.to(torch.float64), case.obs[:BATCH], case.action[:BATCH]
    for found, true in zip(agent.policy(obs), sac.policy(exact.actor, obs.double()), strict=True):
        assert_close(found, true, 1e-5)
    wanted = sac.values(exact.critic, obs.double(), action.double())
    assert_close(torch.stack(critic(obs, action)).squeeze(-1), wanted, 1e-5)

    rows = len(case.obs)
    memory = ReplayBuffer(rows, (case.task.obs_dim,), (case.task.action_dim,), rng=np.random.default_rng(0))
    memory.add_batch(
        case.obs.numpy(),
        case.action.numpy(),
        case.next_obs.numpy(),
        case.reward.numpy(),
        case.terminated.bool().numpy(),
        np.zeros(rows, bool),
    )

    def run() -> None:
        for update in range(updates):
            agent.update_parameters(memory, BATCH, update, reverse_mask=True)

    return run
