"""Step the learned model as if it were the environment."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mbpo.data.predictions import Prediction
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

    @property
    def members(self) -> int:
        """Return K, the number of elites."""
        return len(self.ensemble.elites)

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
        chosen, noise = self.draw(obs, generator)
        x, member = torch.cat((obs, action), dim=1), model.elites[chosen]
        launches = x.is_cuda and model.fused_step and native.serves(x, model.net.sizes)
        take = self._launch if launches else self._sample
        reward, next_obs = take(x, member, noise)
        return reward, next_obs, self.terminates(obs, action, next_obs)

    def draw(self, obs: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:  # [N] int64, [N, 1 + O]
        """Return which elite each row follows, of 0…K − 1, and standard normal noise."""
        rows, device = obs.shape[0], obs.device
        chosen = torch.randint(self.members, (rows,), generator=generator, device=device)
        return chosen, torch.randn((rows, 1 + obs.shape[1]), generator=generator, device=device)

    @torch.no_grad()
    def predict(self, obs: Tensor, action: Tensor, chosen: Tensor) -> Prediction:  # [N, O], [N, A], [N]
        """Return what every elite predicts, by one call of the op."""
        return self._predict(torch.cat((obs, action), dim=1).expand(self.members, -1, -1), chosen, self.precision)

    def arrive(self, obs: Tensor, action: Tensor, sample: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return reward [N], next_obs [N, O] and terminated [N], where ``sample`` [N, 1 + O] is what happens."""
        next_obs = self.ensemble.next_obs(obs, sample[..., 1:])
        return sample[..., 0], next_obs, self.terminates(obs, action, next_obs)

    @torch.no_grad()
    def mean_step(self, obs: Tensor, action: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return what each elite expects from its own obs [K, N, O] and action [N, A].

        Reward [K, N], next_obs [K, N, O] and terminated [K, N] bool.
        """
        each = action.expand(self.members, -1, -1)
        chosen = torch.zeros_like(action[:, 0], dtype=torch.int64)  # nothing is followed
        mean = self._predict(torch.cat((obs, each), dim=2), chosen, "float32").mean
        flat = [part.flatten(0, 1) for part in (obs, each, mean)]
        reward, next_obs, terminated = self.arrive(*flat)
        shape = obs.shape[:2]
        return reward.view(shape), next_obs.view(obs.shape), terminated.view(shape)

    def _predict(self, x: Tensor, chosen: Tensor, precision: str) -> Prediction:  # [K, N, O + A]
        model = self.ensemble
        elites, rows, width = x.shape
        member = model.elites.repeat_interleave(rows)
        mean, logvar = model(model.inputs.normalize(x.reshape(-1, width)), member, precision)
        mean = model.outputs.denormalize(mean).view(elites, rows, -1)
        var = (logvar.exp() * model.outputs.std.square()).view(elites, rows, -1)
        return Prediction(mean, var, chosen)

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
