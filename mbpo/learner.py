"""Build the learner's parts from a config: buffers, ensemble, agent, environments."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from mbpo.config import Config
from mbpo.data.real_buffer import Behaviour, RealBuffer
from mbpo.data.replay import ReplayBuffer, real_rows_in, sample_mixed
from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import RolloutReport, imagine, rollout, store_imagined
from mbpo.dynamics.termination_head import TerminationHead, TerminationTrainer
from mbpo.dynamics.trainer import EnsembleTrainer
from mbpo.envs.collector import Collector, Step
from mbpo.envs.evaluation import Evaluator
from mbpo.envs.make import Array, BoxEnv
from mbpo.envs.termination import rule_for
from mbpo.errors import ConfigError
from mbpo.graphs import Recorder, Replayed, record_cuda
from mbpo.planning.cem import CEMPlanner
from mbpo.sac.agent import SACAgent
from mbpo.sac.networks import Actor, Sampled, TwinCritic
from mbpo.seeding import numpy_rng, torch_generator

EVALUATION_SEED = 0  # the same start states in every run, so that curves differ by policy only


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


def build_agent(config: Config, env: BoxEnv, device: torch.device) -> SACAgent:
    """Return the SAC agent with its first weights.

    The config's target entropy is that of actions scaled to [−1, 1]; densities here are in the
    environment's units, so Σ log scale is added.

    Source: softlearning's GymAdapter, under the released MBPO code, rescales actions by default.
    """
    actor = build_actor(config, env, device)
    scaled = config.target_entropy
    target_entropy = -env.action_dim if scaled == "auto" else float(scaled)
    critic = TwinCritic(
        env.obs_dim,
        env.action_dim,
        hidden=config.sac_hidden,
        layers=config.sac_layers,
        generator=torch_generator(config.seed, "critic"),
    )
    return SACAgent(
        actor,
        critic.to(device),
        gamma=config.gamma,
        tau=config.tau,
        actor_lr=config.actor_lr,
        critic_lr=config.critic_lr,
        alpha_lr=config.alpha_lr,
        init_alpha=config.init_alpha,
        target_entropy=target_entropy + float(actor.scale.log().sum()),
        generator=torch_generator(config.seed, "sac", device),
    )


def build_trainer(
    config: Config, env: BoxEnv, device: torch.device, record: Recorder | None
) -> EnsembleTrainer:
    """Return the dynamics ensemble, with its first weights, inside its trainer."""
    ensemble = DynamicsEnsemble(
        env.obs_dim,
        env.action_dim,
        members=config.ensemble_size,
        hidden=config.model_hidden,
        layers=config.model_layers,
        generator=torch_generator(config.seed, "ensemble"),
    )
    return EnsembleTrainer(
        ensemble.to(device),
        lr=config.model_lr,
        batch_size=config.model_batch,
        max_epochs=config.model_max_epochs,
        patience=config.model_patience,
        elites=config.elites,
        normalize_targets=config.normalize_targets,
        generator=torch_generator(config.seed, "trainer", device),
        record=record,
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


@dataclass(frozen=True)
class Streams:
    """Hold the random streams that the loop itself draws from."""

    warmup: np.random.Generator
    act: torch.Generator
    holdout: torch.Generator
    rollout: torch.Generator
    mix: torch.Generator
    bound: torch.Generator
    plan: torch.Generator
    plan_eval: torch.Generator


class Learner:
    """Hold every part of MBPO for one environment, and act in it."""

    def __init__(self, config: Config, record: Recorder | None = None) -> None:
        self.device = resolve_device(config.device)
        self._record = record
        if self.device.type == "cuda":
            torch.set_float32_matmul_precision("high" if config.tf32 else "highest")
            self._record = record_cuda if config.cuda_graphs else None
        self._warmup_hold = config.warmup_hold
        self._plans = config.algo == "pets"
        self._sac_batch = config.sac_batch
        self._reward_scale = config.reward_scale
        env = BoxEnv(config.env_id)
        rule, learned = rule_for(config.env_id), build_termination(config, env, self.device)
        self.termination = None if rule else learned
        self.agent = build_agent(config, env, self.device)
        self.trainer = build_trainer(config, env, self.device, self._record)
        self.ensemble = self.trainer.ensemble
        self.fake_env = FakeEnv(self.ensemble, rule or learned.head)
        self.planner = build_planner(config, self.fake_env, self.agent.actor)
        capacity = min(config.real_buffer_capacity, config.total_steps)
        self.real_buffer = RealBuffer(capacity, env.obs_dim, env.action_dim, self.device)
        self.model_buffer = ReplayBuffer(0, env.obs_dim, env.action_dim, self.device)
        self.collector = Collector(env, config.seed)
        self.evaluator = Evaluator(config.env_id, config.eval_episodes, EVALUATION_SEED)
        self.streams = Streams(
            warmup=numpy_rng(config.seed, "warmup"),
            **{
                name: torch_generator(config.seed, name, self.device)
                for name in ("act", "holdout", "rollout", "mix", "bound", "plan", "plan_eval")
            },
        )
        self._prepare_loops()

    def _prepare_loops(self) -> None:
        """Make the two loops that a recorder, where there is one, records."""
        streams = self.streams
        self._updates = Replayed(
            self._take_updates, [streams.mix, self.agent.generator], self._record,
            lambda: (self.real_buffer.memory, self.model_buffer.memory),
        )  # fmt: skip
        self._imagined = Replayed(
            self._imagine, [streams.rollout], self._record, lambda: (self.real_buffer.memory,)
        )

    @torch.no_grad()
    def explore(self, uniform: bool) -> Step:
        """Take one env step, uniformly at random or by the policy, and store it."""
        env, obs = self.collector.env, self.collector.obs
        if uniform:
            if self.real_buffer.added % self._warmup_hold == 0:
                self._held_action = self.streams.warmup.uniform(env.action_low, env.action_high)
            action = self._held_action
            scale = self.agent.actor.scale
            behaviour = self._unknown_behaviour(-float((2.0 * scale).log().sum()))
        elif self._plans:
            action = self.planner.plan(self._tensor(obs[None]), self.streams.plan)[0].cpu().numpy()
            behaviour = self._unknown_behaviour(math.nan)
        else:
            sampled = self.agent.actor.sample(self._tensor(obs[None]), self.streams.act)
            action = sampled.action[0].cpu().numpy()
            behaviour = Behaviour(sampled.mean, sampled.log_std, sampled.log_prob)
        step = self.collector.step(action.astype(np.float32))
        self.real_buffer.add_real(self._transition(step), behaviour)
        return step

    @torch.no_grad()
    def best_action(self, obs: Array) -> Array:  # [N, O] -> [N, A]
        """Return tanh(mean) actions, or plans, for evaluation."""
        if self._plans:
            planned: Array = (
                self.planner.plan(self._tensor(obs), self.streams.plan_eval).cpu().numpy()
            )
            return planned
        actor = self.agent.actor
        mean, _ = actor(self._tensor(obs))
        action: Array = actor.squash(mean).cpu().numpy()
        return action

    def imagine(self, length: int, start_rows: int) -> RolloutReport:
        """Branch rollouts of up to ``length`` steps from real states into the model buffer."""
        start_rows = start_rows if length else 0
        if start_rows and self._record:
            return store_imagined(*self._imagined(length, start_rows), self.model_buffer)
        return rollout(
            self.fake_env, self.sample_policy, self._start(start_rows), length,
            self.model_buffer, self.streams.rollout,
        )  # fmt: skip

    def update_policy(self, real_ratio: float, updates: int) -> tuple[Tensor, int]:
        """Take SAC updates, each on its own mix of real and imagined rows.

        Returns the sum [5] of their reports' values, good until the next call, and the real rows
        in each batch.
        """
        real_rows = real_rows_in(self._sac_batch, real_ratio, self.model_buffer)
        return self._updates(real_rows, updates), real_rows

    def sample_policy(self, obs: Tensor) -> Tensor:  # [N, O] -> [N, A]
        """Return sampled actions, for imagined steps."""
        sampled: Sampled = self.agent.actor.sample(obs, self.streams.rollout)
        return sampled.action

    def networks(self) -> dict[str, dict[str, Tensor]]:
        """Return the parameters of every network by part, for a checkpoint."""
        agent = self.agent
        learned = self.termination
        return {
            "actor": dict(agent.actor.state_dict()),
            "critic": dict(agent.critic.state_dict()),
            "critic_target": dict(agent.critic_target.state_dict()),
            "ensemble": dict(self.ensemble.state_dict()),
            "temperature": {"log_alpha": agent.log_alpha},
            **({"termination": dict(learned.head.state_dict())} if learned else {}),
        }

    def close(self) -> None:
        """Free the environments."""
        self.collector.env.close()
        self.evaluator.close()

    def _start(self, rows: int) -> Tensor:  # [N, O]
        return self.real_buffer.sample_rows(rows, self.streams.rollout).obs

    def _imagine(self, length: int, start_rows: int) -> tuple[Tensor, Tensor]:
        start_obs, draws = self._start(start_rows), self.streams.rollout
        return imagine(self.fake_env, self.sample_policy, start_obs, length, draws)

    def _take_updates(self, real_rows: int, updates: int) -> Tensor:
        batches = sample_mixed(
            self.real_buffer, self.model_buffer, self._sac_batch, real_rows,
            self.streams.mix, updates,
        )  # fmt: skip
        batches.reward.mul_(self._reward_scale)  # the rows are copies
        return self.agent.update_each(batches)

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self.device)

    def _transition(self, step: Step) -> Transitions:
        scalars = np.array([step.reward], np.float32), np.array([step.terminated], np.float32)
        parts = (step.obs, step.action, scalars[0], step.next_obs, scalars[1])
        row = self._tensor(np.concatenate(parts)[None])
        return Transitions(row, self.real_buffer.obs_dim, self.real_buffer.action_dim)

    def _unknown_behaviour(self, log_prob: float) -> Behaviour:
        nothing = torch.full((1, self.real_buffer.action_dim), math.nan, device=self.device)
        return Behaviour(nothing, nothing, torch.full((1,), log_prob, device=self.device))
