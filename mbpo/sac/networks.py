"""The policy and the value functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mbpo.ops import EnsembleMLP

LOG_STD_MIN, LOG_STD_MAX = -20.0, 2.0


def normal_log_prob(noise: Tensor, log_std: Tensor) -> Tensor:  # [N, A], [N, A] -> [N]
    """Return log N(z; μ, σ²) for z = μ + σ·noise, summed over action dimensions."""
    return (-0.5 * noise.square() - log_std - 0.5 * math.log(2 * math.pi)).sum(dim=-1)


def squash_correction(z: Tensor, scale: Tensor) -> Tensor:  # [N, A], [A] -> [N]
    """Return log |da/dz| of a = scale·tanh(z), summed over action dimensions.

        Σ log(scale·(1 − tanh² z)) = Σ [log scale + 2(log 2 − z − softplus(−2z))]

    Source: SAC, arXiv:1812.05905, App. C, Eq. 26; the softplus form does not underflow.
    """
    return (scale.log() + 2.0 * (math.log(2.0) - z - F.softplus(-2.0 * z))).sum(dim=-1)


@dataclass(frozen=True)
class Sampled:
    """Hold N sampled actions with all that is needed to judge them later."""

    action: Tensor  # [N, A], environment units
    log_prob: Tensor  # [N], nats
    mean: Tensor  # [N, A], before tanh
    log_std: Tensor  # [N, A], before tanh


class Actor(nn.Module):
    """Draw actions from a tanh-squashed Gaussian, scaled to the bounds of the action space.

    Source: SAC, arXiv:1812.05905, App. C.
    """

    center: Tensor
    scale: Tensor

    def __init__(
        self,
        obs_dim: int,
        action_low: Tensor,  # [A]
        action_high: Tensor,  # [A]
        *,
        hidden: int,
        layers: int,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        sizes = [obs_dim, *[hidden] * layers, 2 * len(action_low)]
        self.net = EnsembleMLP(sizes, 1, "relu", generator=generator, init="uniform")
        self.register_buffer("center", (action_high + action_low) / 2)
        self.register_buffer("scale", (action_high - action_low) / 2)

    @property
    def plain(self) -> EnsembleMLP | None:
        """Return the network where there is nothing besides it, which the op knows; a subclass is another policy."""
        return self.net if type(self) is Actor else None

    def forward(self, obs: Tensor, precision: str = "float32") -> tuple[Tensor, Tensor]:  # [N, O] -> [N, A], [N, A]
        """Return mean and log_std before tanh; in "bfloat16" without gradients."""
        mean, log_std = self.net(obs[None], precision=precision).squeeze(0).chunk(2, dim=-1)
        return mean, log_std.clamp(LOG_STD_MIN, LOG_STD_MAX)

    def sample(self, obs: Tensor, generator: torch.Generator, precision: str = "float32") -> Sampled:
        """Return reparameterised samples for obs [N, O]; in "bfloat16" without gradients."""
        shape = (obs.shape[0], len(self.scale))
        return self.sample_at(obs, torch.randn(shape, generator=generator, device=obs.device), precision)

    def draw(self, obs: Tensor, generator: torch.Generator, precision: str = "float32") -> Tensor:  # [N, O] -> [N, A]
        """Return the actions of :meth:`sample` alone."""
        noise = torch.randn((obs.shape[0], len(self.scale)), generator=generator, device=obs.device)
        mean, log_std = self(obs, precision)
        return self.squash(mean + log_std.exp() * noise)

    def sample_at(self, obs: Tensor, noise: Tensor, precision: str = "float32") -> Sampled:
        """Return the samples for obs [N, O] that standard normal noise [N, A] leads to."""
        mean, log_std = self(obs, precision)
        z = mean + log_std.exp() * noise
        log_prob = normal_log_prob(noise, log_std) - squash_correction(z, self.scale)
        return Sampled(self.squash(z), log_prob, mean, log_std)

    def squash(self, z: Tensor) -> Tensor:  # [N, A] -> [N, A]
        """Return center + scale·tanh(z)."""
        return self.center + self.scale * torch.tanh(z)

    def log_prob(self, obs: Tensor, action: Tensor) -> Tensor:  # [N, O], [N, A] -> [N]
        """Return log π(a|s) of given actions; those at a bound count as just inside it."""
        mean, log_std = self(obs)
        inside = 1.0 - 1e-6
        z = ((action - self.center) / self.scale).clamp(-inside, inside).atanh()
        noise = (z - mean) * (-log_std).exp()
        return normal_log_prob(noise, log_std) - squash_correction(z, self.scale)


class Critic(nn.Module):
    """Be the parent of critics: modules of two values, of whatever layers.

    To add one, write a class that is made as :class:`TwinCritic` is, and give it a row in settings/variants.py.
    """

    @property
    def plain(self) -> EnsembleMLP | None:
        """Return the network where the critic is that and nothing else, so that the op can update it.

        None, as here, sends the update to autograd.
        """
        return None

    def forward(self, obs_action: Tensor, frozen: bool = False) -> Tensor:  # [N, O + A] -> [2, N]
        """Return both values; ``frozen`` may cut the gradient to the weights, not to the input."""
        raise NotImplementedError


class TwinCritic(Critic):
    """Estimate the soft value of (obs, action) twice, with ``norm`` "layer" from normalised hidden layers.

    Source: SAC, arXiv:1812.05905, Sec. 6; normalised critics, DroQ, arXiv:2110.02034, Sec. 3.
    """

    def __init__(
        self, obs_dim: int, action_dim: int, *, hidden: int, layers: int, generator: torch.Generator, norm: str = "none"
    ) -> None:
        super().__init__()
        sizes: Sequence[int] = [obs_dim + action_dim, *[hidden] * layers, 1]
        self.net = EnsembleMLP(sizes, 2, "relu", generator=generator, init="uniform", norm=norm)

    @property
    def plain(self) -> EnsembleMLP | None:
        """Return the network; a subclass is another critic."""
        return self.net if type(self) is TwinCritic else None

    def forward(self, obs_action: Tensor, frozen: bool = False) -> Tensor:  # [N, O+A] -> [2, N]
        """Return both values; ``frozen`` cuts the gradient to the weights, not to the input."""
        value = self.net(obs_action.expand(2, -1, -1), frozen=frozen)
        return value.squeeze(-1)  # type: ignore[no-any-return]
