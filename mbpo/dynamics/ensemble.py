"""Predict reward and next observation with E Gaussian networks."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbpo.data.transitions import Transitions
from mbpo.dynamics.normalizer import Normalizer
from mbpo.ops import EnsembleMLP

FIRST_MAX_LOGVAR = 0.5
FIRST_MIN_LOGVAR = -10.0


def largest_parts(transitions: Transitions) -> Tensor:  # [1 + O]
    """Return the largest number that each target was computed from, which sets its rounding."""
    sides = torch.maximum(transitions.obs.abs(), transitions.next_obs.abs())
    return torch.cat((transitions.reward.abs()[:, None], sides), dim=1).amax(dim=0)


class DynamicsEnsemble(nn.Module):
    """Map (obs, action) to a Gaussian over [reward, next_obs − obs] for each of E members.

    With ``predicts`` "next" over [reward, next_obs].

        logvar = max − softplus(max − raw), then min + softplus(logvar − min)

    The bounds min and max [1 + O] are learned and shared by the members. Outputs are in
    normalised target units; the target normaliser is the identity unless it is fitted.

    Source: PETS, arXiv:1805.12114, App. A.1; MBPO, arXiv:1906.08253, Sec. 4.
    """

    elites: Tensor
    scale: Tensor

    def __init__(
        self,
        obs_dim: int,
        action_dim: int,
        *,
        members: int,
        hidden: int,
        layers: int,
        generator: torch.Generator,
        predicts: str = "delta",
    ) -> None:
        super().__init__()
        self.predicts = predicts
        self.obs_dim = obs_dim
        self.action_dim = action_dim
        width = 1 + obs_dim
        sizes = [obs_dim + action_dim, *[hidden] * layers, 2 * width]
        self.net = EnsembleMLP(sizes, members, "silu", generator=generator)
        self.max_logvar = nn.Parameter(torch.full((width,), FIRST_MAX_LOGVAR))
        self.min_logvar = nn.Parameter(torch.full((width,), FIRST_MIN_LOGVAR))
        self.inputs = Normalizer(obs_dim + action_dim)
        self.outputs = Normalizer(width)
        self.register_buffer("elites", torch.arange(members))
        self.register_buffer("scale", torch.ones(width))  # std of the targets, in output units

    @property
    def plain(self) -> EnsembleMLP | None:
        """Return the network where there is nothing besides it and the bounds, as the op needs; else None."""
        return self.net if type(self) is DynamicsEnsemble else None

    @property
    def fused_step(self) -> bool:
        """Return whether the op's imagined step does what this model means: it adds the sample to obs."""
        return self.plain is not None and self.predicts == "delta"

    def per_member(self) -> list[Tensor]:
        """Return every learned tensor that each member has its own part of, all [E, ...]."""
        return list(self.net.named_layers().values())

    @property
    def members(self) -> int:
        """Return E."""
        return self.net.members

    def targets(self, transitions: Transitions) -> Tensor:  # [N, 1 + O]
        """Return what the model is to predict, in output units."""
        next_obs = transitions.next_obs
        state = next_obs if self.predicts == "next" else next_obs - transitions.obs
        return torch.cat((transitions.reward[:, None], state), dim=1)

    def next_obs(self, obs: Tensor, state: Tensor) -> Tensor:  # [..., O] each
        """Return the next observation that a predicted ``state``, in output units, stands for."""
        return state if self.predicts == "next" else obs + state

    def forward(
        self,
        inputs: Tensor,  # [E, B, O + A] or [N, O + A] with member, normalised
        member: Tensor | None = None,  # [N] int64
        precision: str = "float32",  # or "bfloat16", without gradients
    ) -> tuple[Tensor, Tensor]:  # mean and logvar [..., 1 + O], in normalised target units
        """Return each member's Gaussian on its own rows.

        Raises:
            ShapeError: an input breaks the shapes above.
        """
        mean, logvar = self.net(inputs, member, (self.min_logvar, self.max_logvar), precision=precision)
        return mean, logvar

    def fit_normalizers(self, training: Transitions, normalize_targets: bool) -> Tensor:
        """Take means and standard deviations of inputs and, on request, targets.

        Returns the targets [N, 1 + O] in output units, whose spread :meth:`standardized` takes.
        """
        labels, largest = self.targets(training), largest_parts(training)
        measured = Normalizer(labels.shape[1]).to(labels.device)
        measured.fit(labels, largest)
        self.inputs.fit(training.obs_action)
        if normalize_targets:
            self.outputs.load_state_dict(measured.state_dict())
        self.scale.copy_(measured.std / self.outputs.std)
        return self.outputs.normalize(labels)

    @torch.no_grad()
    def standardized(self, transitions: Transitions) -> tuple[Tensor, Tensor, Tensor]:
        """Return elites' mean and logvar [K, N, 1 + O] and the true targets [N, 1 + O].

        All are in standard deviations of the targets, whether or not the model normalises them.
        """
        inputs = self.inputs.normalize(transitions.obs_action)
        mean, logvar = self(inputs.expand(self.members, -1, -1))
        truth = self.outputs.normalize(self.targets(transitions)) / self.scale
        return (mean[self.elites] / self.scale, logvar[self.elites] - 2.0 * self.scale.log(), truth)
