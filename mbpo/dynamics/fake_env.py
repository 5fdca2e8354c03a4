"""Step the learned model as if it were the environment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.envs.rules import Rule
from mbpo.ops import native

if native.AVAILABLE:
    from mbpo.ops import compiled


@dataclass(frozen=True)
class FakeEnv:
    """Sample transitions of N rows from the ensemble, one random elite per row and step."""

    ensemble: DynamicsEnsemble
    terminates: Rule
    precision: str = "float32"  # of products' factors

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
        x, member = torch.cat((obs, action), dim=1), model.elites[pick]
        noise = torch.randn((rows, 1 + obs.shape[1]), generator=generator, device=device)
        launches = x.is_cuda and model.fused_step and native.serves(x, model.net.sizes)
        take = self._launch if launches else self._sample
        reward, next_obs = take(x, member, noise)
        return reward, next_obs, self.terminates(obs, action, next_obs)

    def _sample(self, x: Tensor, member: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        model = self.ensemble
        mean, logvar = model(model.inputs.normalize(x), member, self.precision)
        sample = model.outputs.denormalize(mean + noise * (0.5 * logvar).exp())
        return sample[:, 0], model.next_obs(x[:, : sample.shape[1] - 1], sample[:, 1:])

    def _launch(self, x: Tensor, member: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        model = self.ensemble
        bounds = (model.min_logvar.detach(), model.max_logvar.detach())
        scales = (model.inputs.mean, model.inputs.std, model.outputs.mean, model.outputs.std)
        net = (model.net.weights, model.net.biases)
        return compiled.model_step(x, net, bounds, member, scales, noise, model.net.activation)

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
