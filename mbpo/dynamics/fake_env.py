"""Step the learned model as if it were the environment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.envs.termination import Rule


@dataclass(frozen=True)
class FakeEnv:
    """Sample transitions of N rows from the ensemble, one random elite per row and step."""

    ensemble: DynamicsEnsemble
    terminates: Rule

    @torch.no_grad()
    def step(
        self,
        obs: Tensor,  # [N, O]
        action: Tensor,  # [N, A]
        generator: torch.Generator,
    ) -> tuple[Tensor, Tensor, Tensor]:  # reward [N], next_obs [N, O], terminated [N] bool
        """Return one imagined step.

            [r, Δs] ~ N(μ_e(s, a), Σ_e(s, a)),  s' = s + Δs,  e uniform over the elites

        Source: MBPO, arXiv:1906.08253, Algorithm 2, line 8 and App. B.
        """
        model = self.ensemble
        rows, device = obs.shape[0], obs.device
        pick = torch.randint(len(model.elites), (rows,), generator=generator, device=device)
        inputs = model.inputs.normalize(torch.cat((obs, action), dim=1))
        mean, logvar = model(inputs, model.elites[pick])
        noise = torch.randn(mean.shape, generator=generator, device=device)
        sample = model.outputs.denormalize(mean + noise * (0.5 * logvar).exp())
        next_obs = obs + sample[:, 1:]
        return sample[:, 0], next_obs, self.terminates(obs, action, next_obs)

    @torch.no_grad()
    def propagate(
        self,
        obs: Tensor,  # [N, O]
        actions: Tensor,  # [N, H, A]
        generator: torch.Generator,
    ) -> Tensor:  # [N]
        """Return the summed imagined reward of each action sequence, up to its termination.

        Source: PETS, arXiv:1805.12114, Sec. 5.1 (TS1), as the tutorial's ``FakeEnv.propagate``.
        """
        total = torch.zeros(obs.shape[0], device=obs.device)
        alive = torch.ones_like(total)
        for action in actions.unbind(1):
            reward, obs, terminated = self.step(obs, action, generator)
            total += alive * reward
            alive = alive * ~terminated
        return total
