"""Hold every part of MBPO for one environment, act in it, and be saved and restored whole."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mbpo.data.real_buffer import Behaviour, RealBuffer
from mbpo.data.replay_buffer import ReplayBuffer, real_rows_in, sample_mixed
from mbpo.data.transitions import Transitions
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.dynamics.rollout import RolloutReport, imagine, rollout, store_imagined
from mbpo.envs.collector import Collector, Step
from mbpo.envs.evaluation import Evaluator
from mbpo.envs.make import Array, BoxEnv
from mbpo.envs.termination import rule_for
from mbpo.errors import DivergedError
from mbpo.learner.build import build_agent, build_planner, build_termination, build_trainer, resolve_device
from mbpo.ops.adam import AdamState
from mbpo.ops.graphs import GraphedCall, Recorder, record_cuda
from mbpo.sac.networks import Sampled
from mbpo.seeding import numpy_rng, torch_generator
from mbpo.settings.config import Config

STREAMS = ("act", "holdout", "rollout", "mix", "bound", "plan", "plan_eval")
EVALUATION_SEED = 0  # the same start states in every run, so that curves differ by policy only


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
        self._held_action = np.zeros(env.action_dim)  # of warm-up
        self.evaluator = Evaluator(config.env_id, config.eval_episodes, EVALUATION_SEED)
        self.streams = Streams(
            warmup=numpy_rng(config.seed, "warmup"),
            **{name: torch_generator(config.seed, name, self.device) for name in STREAMS},
        )
        self._prepare_loops()

    def _prepare_loops(self) -> None:
        """Make the two loops that a recorder, where there is one, records."""
        streams = self.streams
        self._updates = GraphedCall(
            self._take_updates,
            [streams.mix, self.agent.generator],
            self._record,
            lambda: (self.real_buffer.memory, self.model_buffer.memory),
        )
        self._imagined = GraphedCall(self._imagine, [streams.rollout], self._record, lambda: (self.real_buffer.memory,))

    @torch.no_grad()
    def explore(self, uniform: bool) -> Step:
        """Take one env step, uniformly at random or by the policy, and store it if it is valid."""
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
        if step.valid:
            self.real_buffer.add_real(self._transition(step), behaviour)
        return step

    @torch.no_grad()
    def best_action(self, obs: Array) -> Array:  # [N, O] -> [N, A]
        """Return tanh(mean) actions, or plans, for evaluation."""
        if self._plans:
            planned: Array = self.planner.plan(self._tensor(obs), self.streams.plan_eval).cpu().numpy()
            return planned
        actor = self.agent.actor
        mean, _ = actor(self._tensor(obs))
        action: Array = actor.squash(mean).cpu().numpy()
        return action

    def fit(self) -> dict[str, float | None]:
        """Refit the model, and what learns when episodes end, to all real rows; return what they report."""
        rows = self.real_buffer.training_rows(), self.real_buffer.holdout_rows()
        metrics: dict[str, float | None] = dict(self.trainer.fit(*rows).metrics())
        return metrics | (dict(self.termination.fit(*rows).metrics()) if self.termination else {})

    def imagine(self, length: int, start_rows: int) -> RolloutReport:
        """Branch rollouts of up to ``length`` steps from real states into the model buffer."""
        start_rows = start_rows if length else 0
        if start_rows and self._record:
            return store_imagined(*self._imagined(length, start_rows), self.model_buffer)
        return rollout(
            self.fake_env, self.sample_policy, self._start(start_rows), length, self.model_buffer, self.streams.rollout
        )

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
        networks = {name: dict(part.state_dict()) for name, part in self._modules().items()}
        return {**networks, "temperature": {"log_alpha": self.agent.log_alpha}}

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Return all that the learner's future depends on, in named parts, to be saved.

        Of the real buffer only the marks: :meth:`RealBuffer.recorded` has the rows.
        """
        episode = self.collector.state_dict()
        return {
            **self.networks(),
            **{f"adam_{name}": state.state_dict() for name, state in self._adam_states().items()},
            "streams": {
                **{name: g.get_state() for name, g in self._generators().items()},
                "warmup": _to_bytes(self.streams.warmup.bit_generator.state),
            },
            "episode": {
                **{name: torch.from_numpy(value) for name, value in episode.items()},
                "held_action": torch.from_numpy(self._held_action),
            },
            "real": self.real_buffer.state_dict(),
            "imagined": self.model_buffer.state_dict(),
        }

    def check_finite(self) -> None:
        """Check every weight.

        Raises:
            DivergedError: one is not finite.
        """
        for name, part in self.networks().items():
            if not all(bool(tensor.isfinite().all()) for tensor in part.values()):
                raise DivergedError(f"a weight of the {name} is not finite")

    def whole_state(self) -> dict[str, dict[str, Tensor]]:
        """Return :meth:`state_dict` with the real buffer's rows, all in memory."""
        state, real = self.state_dict(), self.real_buffer
        return {**state, "real": {**state["real"], **real.recorded(real.added - len(real), real.added)}}

    def load_state_dict(self, saved: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Become the learner that :meth:`state_dict` described, its episode played again.

        ``saved["real"]`` has the real buffer's rows besides its marks. Parts that are absent stay
        as they are: without "streams" the luck is new, without "imagined" nothing is imagined yet.

        Raises:
            EnvironmentFault: the episode does not repeat.
            RuntimeError, ShapeError: tensors are of other shapes.
        """
        for name, part in self._modules().items():
            part.load_state_dict(saved[name])
        with torch.no_grad():
            self.agent.log_alpha.copy_(saved["temperature"]["log_alpha"])
        for name, state in self._adam_states().items():
            state.load_state_dict(saved[f"adam_{name}"])
        if "streams" in saved:
            for name, generator in self._generators().items():
                generator.set_state(saved["streams"][name])
            self.streams.warmup.bit_generator.state = _from_bytes(saved["streams"]["warmup"])
        self.real_buffer.load_state_dict(saved["real"])
        if "imagined" in saved:
            self.model_buffer.load_state_dict(saved["imagined"])
        episode = {name: tensor.numpy() for name, tensor in saved["episode"].items()}
        self._held_action = episode.pop("held_action")
        self.collector.load_state_dict(episode)

    def close(self) -> None:
        """Free the environments."""
        self.collector.env.close()
        self.evaluator.close()

    def _modules(self) -> dict[str, nn.Module]:
        agent, learned = self.agent, self.termination
        return {
            "actor": agent.actor,
            "critic": agent.critic,
            "critic_target": agent.critic_target,
            "ensemble": self.ensemble,
            **({"termination": learned.head} if learned else {}),
        }

    def _adam_states(self) -> dict[str, AdamState]:
        learned = self.termination
        return {
            **self.agent.adam_states(),
            "ensemble": self.trainer.step.adam_state,
            **({"termination": learned.adam_state} if learned else {}),
        }

    def _generators(self) -> dict[str, torch.Generator]:
        learned = self.termination
        own = {name: getattr(self.streams, name) for name in STREAMS}
        return {
            **own,
            "sac": self.agent.generator,
            "trainer": self.trainer.generator,
            **({"termination": learned.generator} if learned else {}),
        }

    def _start(self, rows: int) -> Tensor:  # [N, O]
        return self.real_buffer.sample_rows(rows, self.streams.rollout).obs

    def _imagine(self, length: int, start_rows: int) -> tuple[Tensor, Tensor]:
        start_obs, draws = self._start(start_rows), self.streams.rollout
        return imagine(self.fake_env, self.sample_policy, start_obs, length, draws)

    def _take_updates(self, real_rows: int, updates: int) -> Tensor:
        batches = sample_mixed(
            self.real_buffer, self.model_buffer, self._sac_batch, real_rows, self.streams.mix, updates
        )
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


def _to_bytes(state: Mapping[str, Any]) -> Tensor:  # uint8
    """Return the state of a numpy generator, which has numbers of 128 bits."""
    return torch.tensor(list(json.dumps(state).encode()), dtype=torch.uint8)


def _from_bytes(saved: Tensor) -> dict[str, Any]:
    state: dict[str, Any] = json.loads(bytes(saved.tolist()))
    return state
