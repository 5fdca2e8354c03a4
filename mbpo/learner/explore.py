"""Act in the real environment, and store what happened."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mbpo.data.real_buffer import Behaviour, RealBuffer
from mbpo.data.transitions import Transitions
from mbpo.envs.collector import Collector, Step
from mbpo.envs.spaces import Array
from mbpo.learner.noise import PinkNoise
from mbpo.learner.streams import Streams
from mbpo.planning.cem import CEMPlanner
from mbpo.sac.networks import Actor


class Explorer:
    """Choose actions by the warm-up, the policy or, where there is one, a planner."""

    def __init__(
        self,
        collector: Collector,
        actor: Actor,
        planner: CEMPlanner | None,  # in place of the policy
        real_buffer: RealBuffer,
        streams: Streams,
        warmup_hold: int,  # env steps for which each warm-up action is held
        pink: PinkNoise | None,  # in place of white noise
        device: torch.device,
    ) -> None:
        self._collector = collector
        self._actor = actor
        self.planner = planner
        self._real_buffer = real_buffer
        self._streams = streams
        self._warmup_hold = warmup_hold
        self._pink = pink
        self._device = device
        self.held_action = np.zeros(collector.env.action_dim)  # of warm-up

    @torch.no_grad()
    def step(self, uniform: bool) -> Step:
        """Take one env step, uniformly at random or by the policy, and store it if it is valid."""
        action, behaviour = self._draw_uniformly() if uniform else self._choose(self._collector.obs)
        step = self._collector.step(action.astype(np.float32))
        if step.valid:
            self._real_buffer.add_real(self._transition(step), behaviour)
        return step

    @torch.no_grad()
    def best_action(self, obs: Array) -> Array:  # [N, O] -> [N, A]
        """Return tanh(mean) actions, or plans, for evaluation."""
        if self.planner is not None:
            action = self.planner.plan(self._tensor(obs), self._streams.plan_eval)
        else:
            mean, _ = self._actor(self._tensor(obs))
            action = self._actor.squash(mean)
        best: Array = action.cpu().numpy()
        return best

    def _draw_uniformly(self) -> tuple[NDArray[np.float64], Behaviour]:
        env = self._collector.env
        if self._real_buffer.added % self._warmup_hold == 0:
            self.held_action = self._streams.warmup.uniform(env.action_low, env.action_high)
        density = -float((2.0 * self._actor.scale).log().sum())
        return self.held_action, self._unknown_behaviour(density)

    def _choose(self, obs: Array) -> tuple[Array, Behaviour]:
        if self.planner is not None:
            planned = self.planner.plan(self._tensor(obs[None]), self._streams.plan)
            return planned[0].cpu().numpy(), self._unknown_behaviour(math.nan)
        rows, collector = self._tensor(obs[None]), self._collector
        if self._pink is None:
            sampled = self._actor.sample(rows, self._streams.act)
        else:
            noise = self._pink.at(collector.episode, collector.taken)
            sampled = self._actor.sample_at(rows, self._tensor(noise[None]))
        return sampled.action[0].cpu().numpy(), Behaviour(sampled.mean, sampled.log_std, sampled.log_prob)

    def _tensor(self, array: Array) -> Tensor:
        return torch.from_numpy(array).to(self._device)

    def _transition(self, step: Step) -> Transitions:
        scalars = np.array([step.reward], np.float32), np.array([step.terminated], np.float32)
        parts = (step.obs, step.action, scalars[0], step.next_obs, scalars[1])
        row = self._tensor(np.concatenate(parts)[None])
        return Transitions(row, self._real_buffer.obs_dim, self._real_buffer.action_dim)

    def _unknown_behaviour(self, log_prob: float) -> Behaviour:
        nothing = torch.full((1, self._real_buffer.action_dim), math.nan, device=self._device)
        return Behaviour(nothing, nothing, torch.full((1,), log_prob, device=self._device))
