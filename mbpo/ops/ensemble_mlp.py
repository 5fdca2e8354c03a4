"""Dispatch the batched-ensemble MLP to the fastest backend that can take the call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mbpo.errors import ConfigError
from mbpo.ops import native, reference
from mbpo.ops.contract import BACKENDS, check_call
from mbpo.ops.reference import ACTIVATIONS

if native.AVAILABLE:
    from mbpo.ops import compiled

CPP_TAKES = "float32 or float64 on the CPU"


def ensemble_mlp(
    x: Tensor,  # [E, B, I], or [N, I] with member
    weights: Sequence[Tensor],  # L of [E, I, J]
    biases: Sequence[Tensor],  # L of [E, J]
    activation: str,  # "silu", "relu", "tanh" or "identity"
    logvar_bounds: tuple[Tensor, Tensor] | None = None,  # (min [O], max [O])
    member: Tensor | None = None,  # [N] int64 in [0, E)
    backend: str = "auto",  # "auto", "cpp" or "torch"
) -> Tensor | tuple[Tensor, Tensor]:  # [E, B, O] or [N, O]; with bounds (mean, logvar)
    """Return the outputs of E multilayer perceptrons, each on its own rows.

        hₗ₊₁ = act(hₗ Wₗ + bₗ) for l < L − 1,  and  y = h_L−1 W_L−1 + b_L−1

    :func:`mbpo.ops.reference.ensemble_mlp` defines every case, the soft clamps included.

    Raises:
        ConfigError: ``activation`` or ``backend`` is unknown, or ``backend`` cannot take the call.
        ShapeError: a shape, dtype or device is not the one above, or a member is out of range.
    """
    fast = native.AVAILABLE and _cpp_takes(x) and backend != "torch"
    if fast and backend in BACKENDS and activation in ACTIVATIONS:
        try:
            return compiled.ensemble_mlp(x, weights, biases, activation, logvar_bounds, member)
        except RuntimeError:
            # The operator refused the call: say why in full, or let its own words stand.
            check_call(x, weights, biases, activation, logvar_bounds, member, backend)
            raise
    check_call(x, weights, biases, activation, logvar_bounds, member, backend)
    if backend == "cpp":
        what = native.REASON if _cpp_takes(x) else f"it takes {CPP_TAKES}, got {_kind(x)}"
        raise ConfigError(f"backend 'cpp' cannot run: {what}; use backend 'auto'")
    if backend == "auto" and not native.AVAILABLE:
        native.say_fallback_once()
    return reference.ensemble_mlp(x, weights, biases, activation, logvar_bounds, member)


def _cpp_takes(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64)


def _kind(x: Tensor) -> str:
    return f"{x.dtype} on {x.device}"
