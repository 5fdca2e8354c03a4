"""Take one gradient step of the ensemble on one minibatch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.ops import native
from mbpo.ops.adam import Adam, AdamState, StepIfFinite, numbers, unless_left_out
from mbpo.ops.native import BuildInfo

if native.AVAILABLE:
    from mbpo.ops import compiled

PAPER_DECAY = (2.5e-5, 5e-5, 7.5e-5, 7.5e-5, 1e-4)  # of the paper's five layers
LOGVAR_BOUND_PENALTY = 0.01


def layer_decay(layers: int) -> list[float]:
    """Return the decay of each of ``layers`` weight layers: the paper's five, stretched."""
    where = np.linspace(0, len(PAPER_DECAY) - 1, layers) if layers > 1 else [0.0]
    return [float(d) for d in np.interp(where, range(len(PAPER_DECAY)), PAPER_DECAY)]


def gaussian_nll(
    mean: Tensor,  # [E, B, D]
    logvar: Tensor,  # [E, B, D]
    target: Tensor,  # [E, B, D]
) -> Tensor:  # [E], nats per dimension, without the constant
    """Return each member's negative log-likelihood.

        ℓ_e = mean_{B,D} [(μ − y)² e^{−logvar} + logvar]

    Source: PETS, arXiv:1805.12114, Eq. 1, per dimension and without the factor ½.
    """
    return ((mean - target).square() * (-logvar).exp() + logvar).mean(dim=(1, 2))


class TrainStep:
    """Step an ensemble down the gradient of its loss, with Adam.

        L = Σ_e ℓ_e + 0.01 Σ_d (max_d − min_d) + Σ_l ½ decay_l ‖W_l‖²

    All of it is one call of the compiled op where there is one; elsewhere autograd does it.
    Both keep Adam's state in the same tensors, those of ``adam``.

    Source: PETS, arXiv:1805.12114, App. A.1; MBPO's released code for decay and penalty.
    """

    def __init__(
        self,
        ensemble: DynamicsEnsemble,
        lr: float,
        backend: str = "auto",
        precision: str = "float32",  # of products' factors; "bfloat16" where the op and the processor have it
    ) -> None:
        self.decay = layer_decay(len(ensemble.net.sizes) - 1)
        self.ensemble = ensemble
        flat = ensemble.net.flat
        first = [flat, ensemble.min_logvar, ensemble.max_logvar]  # in the op's order
        self._parameters = [*first, *(p for p in ensemble.parameters() if all(p is not known for known in first))]
        # capturable: torch's own Adam has to be told that a CUDA graph may hold it
        self.adam = Adam(self._parameters, lr=lr, fused=True, capturable=flat.is_cuda)
        self._step = StepIfFinite(self.adam)
        self.precision, self.backend = native.multiplies(precision, self._choose(backend), flat)
        self._fused = self.backend.backend == "cpp"

    def _choose(self, backend: str) -> BuildInfo:
        op, net = "ensemble_train_step", self.ensemble.plain
        if net is None:
            return BuildInfo(op, "torch", f"the op knows a plain ensemble, got a {type(self.ensemble).__name__}")
        if backend == "torch":
            return BuildInfo(op, "torch", "backend='torch' is asked for")
        return native.choose(op, net.flat.device, net.flat.dtype, net.sizes)

    def __call__(
        self,
        inputs: Tensor,  # [N, I], normalised
        labels: Tensor,  # [N, D], normalised
        index: Tensor,  # [E, B] int64, rows of both, per member
    ) -> Tensor:  # [E], detached
        """Update the ensemble and return each member's loss ℓ_e before the step.

        Where a loss, a gradient, a new moment or a new weight is not finite nothing moves, and a
        loss returned is not finite.
        """
        return self.each(inputs, labels, index, index.shape[1])[0]

    def each(
        self,
        inputs: Tensor,  # [N, I], normalised
        labels: Tensor,  # [N, D], normalised
        index: Tensor,  # [E, M] int64, rows of both, per member
        batch: int,  # B
    ) -> Tensor:  # [⌈M / B⌉, E], detached
        """Take a step on each B of the rows, the last on what is left; return the losses before each."""
        if self._fused:
            return self._compiled(inputs, labels, index, batch)
        return torch.stack([self._autograd(inputs, labels, part) for part in torch.split(index, batch, dim=1)])

    @property
    def adam_state(self) -> AdamState:
        """Return what Adam knows of the ensemble's parameters."""
        return AdamState.of(self.adam, self._parameters)

    def _compiled(self, inputs: Tensor, labels: Tensor, index: Tensor, batch: int) -> Tensor:
        net, state = self.ensemble.net, self.adam_state
        losses: Tensor = compiled.train_steps(
            inputs,
            labels,
            index.contiguous(),
            batch,
            state,
            net.sizes,
            compiled.CODES[net.activation],
            self.decay,
            LOGVAR_BOUND_PENALTY,
            numbers(self.adam.param_groups[0]),
            bfloat16=self.precision == "bfloat16",
        )
        return losses

    def _autograd(self, inputs: Tensor, labels: Tensor, index: Tensor) -> Tensor:
        model = self.ensemble
        mean, logvar = model(inputs[index])
        nll = gaussian_nll(mean, logvar, labels[index])
        penalty = LOGVAR_BOUND_PENALTY * (model.max_logvar.sum() - model.min_logvar.sum())
        half = sum_of_squares(model.net.weights, self.decay)
        self.adam.zero_grad()
        (nll.sum() + penalty + half).backward()  # type: ignore[no-untyped-call]
        (moved,) = self._step([(self.adam_state, nll)])
        return unless_left_out(moved, nll)


def sum_of_squares(weights: Sequence[Tensor], decay: Sequence[float]) -> Tensor:  # []
    """Return Σ_l ½ decay_l ‖W_l‖²."""
    terms = [0.5 * d * w.square().sum() for w, d in zip(weights, decay, strict=True)]
    return torch.stack(terms).sum()
