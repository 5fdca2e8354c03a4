"""Define the batched-ensemble MLP in plain torch: every backend must equal this file.

It runs on any device and floating type, and is itself the fallback where nothing faster is built.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "silu": F.silu,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "identity": lambda z: z,
}

NORM_EPSILON = 1e-5  # csrc/include/mbpo/kernels.h


def ensemble_mlp(
    x: Tensor,  # [E, B, I], or [N, I] with member
    weights: Sequence[Tensor],  # L of [E, I, J]
    biases: Sequence[Tensor],  # L of [E, J]
    activation: str,  # a key of ACTIVATIONS
    logvar_bounds: tuple[Tensor, Tensor] | None = None,  # (min [O], max [O])
    member: Tensor | None = None,  # [N] int64 in [0, E)
    backend: str = "auto",  # ignored here; one signature for all backends
) -> Tensor | tuple[Tensor, Tensor]:  # [E, B, O] or [N, O]; with bounds (mean, logvar)
    """Return the outputs of E multilayer perceptrons, each on its own rows.

        hₗ₊₁ = act(hₗ Wₗ + bₗ) for l < L − 1,  and  y = h_L−1 W_L−1 + b_L−1

    With ``logvar_bounds`` the last layer is 2·O wide and its halves are the mean and the raw
    log-variance, which :func:`soft_clamp` brings inside the bounds.

    Source: PETS, arXiv:1805.12114, Appendix A.1 (the network and its variance bounds).
    """
    act = ACTIVATIONS[activation]
    y = _forward(x, weights, biases, act) if member is None else _forward_routed(x, weights, biases, act, member)
    if logvar_bounds is None:
        return y
    mean, raw = y.chunk(2, dim=-1)
    return mean, soft_clamp(raw, *logvar_bounds)


def layer_norm_mlp(
    x: Tensor,  # [E, B, I]
    weights: Sequence[Tensor],  # L of [E, I, J]
    biases: Sequence[Tensor],  # L of [E, J]
    gains: Sequence[Tensor],  # L − 1 of [E, J]
    shifts: Sequence[Tensor],  # L − 1 of [E, J]
    activation: str,  # a key of ACTIVATIONS
) -> Tensor:  # [E, B, O]
    """Return the outputs of E perceptrons whose hidden layers are normalised, each row over its J features.

        z = hₗ Wₗ + bₗ,  hₗ₊₁ = act(gainₗ · (z − mean z) / √(var z + ε) + shiftₗ)  for l < L − 1

    var is the mean square around the mean, ε is 10⁻⁵; the last layer has no norm.

    Source: layer normalisation, arXiv:1607.06450, Eq. 4.
    """
    act = ACTIVATIONS[activation]
    *hidden, last = zip(weights, biases, strict=True)
    for (weight, bias), gain, shift in zip(hidden, gains, shifts, strict=True):
        z = F.layer_norm(torch.baddbmm(bias.unsqueeze(1), x, weight), weight.shape[2:], eps=NORM_EPSILON)
        x = act(z * gain.unsqueeze(1) + shift.unsqueeze(1))
    weight, bias = last
    return torch.baddbmm(bias.unsqueeze(1), x, weight)


def soft_clamp(
    raw: Tensor,  # [..., O]
    minimum: Tensor,  # [O]
    maximum: Tensor,  # [O], above minimum
) -> Tensor:  # [..., O]
    """Return the raw log-variance bent into its bounds.

        u = max − softplus(max − raw),  logvar = min(min + softplus(u − min), max)

    Source: PETS, arXiv:1805.12114, Appendix A.1.
    Departs: the outer minimum. The second soft clamp lifts the first one's ceiling to
    max + log(1 + exp(min − max)), so without it a large raw value leaves the bounds.
    """
    upper = maximum - F.softplus(maximum - raw)
    return torch.minimum(minimum + F.softplus(upper - minimum), maximum)


def _forward(
    h: Tensor,  # [E, B, I]
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    act: Callable[[Tensor], Tensor],
) -> Tensor:  # [E, B, J]
    """Run all members at once, one batched matrix product per layer."""
    last = len(weights) - 1
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        h = torch.baddbmm(bias.unsqueeze(1), h, weight)
        if layer < last:
            h = act(h)
    return h


def _forward_routed(
    x: Tensor,  # [N, I]
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    act: Callable[[Tensor], Tensor],
    member: Tensor,  # [N]
) -> Tensor:  # [N, J]
    """Run each member on its own rows only, and put the answers back in the rows' order."""
    outputs, rows = [], []
    for e in range(weights[0].shape[0]):
        mine = torch.nonzero(member == e).squeeze(1)
        h = x.index_select(0, mine).unsqueeze(0)
        own_weights = [w[e : e + 1] for w in weights]
        own_biases = [b[e : e + 1] for b in biases]
        outputs.append(_forward(h, own_weights, own_biases, act).squeeze(0))
        rows.append(mine)
    # argsort inverts the permutation, so the answer is a gather and differentiable.
    return torch.cat(outputs).index_select(0, torch.argsort(torch.cat(rows)))
