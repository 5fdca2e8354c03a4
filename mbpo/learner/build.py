"""Build the parts of a learner from a config: networks, trainers, planner."""

from __future__ import annotations

import torch

from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.termination_head import TerminationHead, TerminationTrainer
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.box_env import BoxEnv
from mbpo.errors import ConfigError
from mbpo.learner.noise import PinkNoise
from mbpo.ops import native
from mbpo.ops.graphs import Recorder
from mbpo.planning.cem import CEMPlanner
from mbpo.sac.agent import SACAgent
from mbpo.sac.networks import Actor, Critic
from mbpo.seeding import torch_generator
from mbpo.settings.config import Config
from mbpo.settings.variants import CRITICS


def resolve_device(name: str) -> torch.device:
    """Return the device that ``name`` stands for, and make a numbered GPU the current one.

    Streams and graphs that name no device are the current one's and would record nothing elsewhere.

    Raises:
        ConfigError: CUDA is asked for and not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda":
        found = torch.cuda.device_count()
        if (device.index or 0) >= found:
            raise ConfigError(f"device {name} is not there: {found} CUDA devices; use --device cpu")
        if device.index is not None:
            torch.cuda.set_device(device)
    return device


def resolve_precision(device: torch.device) -> tuple[str, str]:
    """Return the precision that auto stands for on ``device``, and why."""
    missing = native.why_no_bfloat16(device)
    return ("float32", missing) if missing else ("bfloat16", "this processor multiplies it sooner")


def build_actor(config: Config, env: BoxEnv, device: torch.device) -> Actor:
    """Return the policy network with its first weights."""
    return Actor(
        env.obs_dim,
        torch.from_numpy(env.action_low),
        torch.from_numpy(env.action_high),
        hidden=config.sac_hidden,
        layers=config.sac_layers,
        generator=torch_generator(config.seed, "actor"),
    ).to(device)


def build_critic(config: Config, env: BoxEnv) -> Critic:
    """Return the critics with their first weights; those that may have a norm are asked for one only by its setting."""
    asked = {} if config.critic_norm == "none" else {"norm": config.critic_norm}
    critic: Critic = CRITICS[config.critic].load()(
        env.obs_dim,
        env.action_dim,
        hidden=config.sac_hidden,
        layers=config.sac_layers,
        generator=torch_generator(config.seed, "critic"),
        **asked,
    )
    return critic


def build_agent(config: Config, env: BoxEnv, device: torch.device) -> SACAgent:
    """Return the SAC agent with its first weights.

    The config's target entropy is that of actions scaled to [−1, 1]; densities here are in the
    environment's units, so Σ log scale is added.

    Source: softlearning's GymAdapter, under the released MBPO code, rescales actions by default.
    """
    actor = build_actor(config, env, device)
    scaled = config.target_entropy
    target_entropy = -env.action_dim if scaled == "auto" else float(scaled)
    return SACAgent(
        actor,
        build_critic(config, env).to(device),
        gamma=config.gamma,
        tau=config.tau,
        actor_lr=config.actor_lr,
        critic_lr=config.critic_lr,
        alpha_lr=config.alpha_lr,
        init_alpha=config.init_alpha,
        target_entropy=target_entropy + float(actor.scale.log().sum()),
        generator=torch_generator(config.seed, "sac", device),
        precision=config.precision,
    )


def build_noise(config: Config, env: BoxEnv) -> PinkNoise | None:
    """Return the pink noise that the policy explores by; None where it is white."""
    return PinkNoise(env.action_dim, env.time_limit, config.seed) if config.action_noise == "pink" else None


def build_trainer(config: Config, env: BoxEnv, device: torch.device, record: Recorder | None) -> EnsembleTrainer:
    """Return the dynamics ensemble, with its first weights, inside its trainer."""
    ensemble = DynamicsEnsemble(
        env.obs_dim,
        env.action_dim,
        members=config.ensemble_size,
        hidden=config.model_hidden,
        layers=config.model_layers,
        generator=torch_generator(config.seed, "ensemble"),
        predicts=config.model_predicts,
    )
    return EnsembleTrainer(
        ensemble.to(device),
        lr=config.model_lr,
        batch_size=config.model_batch,
        max_epochs=config.model_max_epochs,
        patience=config.model_patience,
        elites=config.elites,
        stop=config.model_stop,
        normalize_targets=config.normalize_targets,
        generator=torch_generator(config.seed, "trainer", device),
        record=record,
        precision=config.precision,
    )


def build_termination(config: Config, env: BoxEnv, device: torch.device) -> TerminationTrainer:
    """Return what learns when episodes end, for an environment without a rule."""
    weights = torch_generator(config.seed, "termination")
    head = TerminationHead(env.obs_dim, env.action_dim, generator=weights).to(device)
    return TerminationTrainer(head, torch_generator(config.seed, "termination_batches", device))


def build_planner(config: Config, fake_env: FakeEnv, actor: Actor) -> CEMPlanner:
    """Return the planner that stands in for the policy where ``algo`` is pets."""
    return CEMPlanner(
        fake_env.propagate,
        actor.center - actor.scale,
        actor.center + actor.scale,
        horizon=config.plan_horizon,
        candidates=config.plan_candidates,
        elites=config.plan_elites,
        iterations=config.plan_iterations,
        particles=config.plan_particles,
    )
