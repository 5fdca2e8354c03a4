"""Dispatch the batched-ensemble MLP to the fastest backend that can take the call."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mbpo.errors import ConfigError
from mbpo.ops import cuda, native, reference
from mbpo.ops.contract import BACKENDS, check_call, check_precision
from mbpo.ops.reference import ACTIVATIONS

if native.AVAILABLE:
    from mbpo.ops import compiled

CPP_TAKES = f"{native.CPU_TAKES}, or {cuda.TAKES}"


def ensemble_mlp(
    x: Tensor,  # [E, B, I], or [N, I] with member
    weights: Sequence[Tensor],  # L of [E, I, J]
    biases: Sequence[Tensor],  # L of [E, J]
    activation: str,  # "silu", "relu", "tanh" or "identity"
    logvar_bounds: tuple[Tensor, Tensor] | None = None,  # (min [O], max [O])
    member: Tensor | None = None,  # [N] int64 in [0, E)
    backend: str = "auto",  # "auto", "cpp" or "torch"
    precision: str = "float32",  # or "bfloat16", for float32 tensors without gradients
) -> Tensor | tuple[Tensor, Tensor]:  # [E, B, O] or [N, O]; with bounds (mean, logvar)
    """Return the outputs of E multilayer perceptrons, each on its own rows.

        hₗ₊₁ = act(hₗ Wₗ + bₗ) for l < L − 1,  and  y = h_L−1 W_L−1 + b_L−1

    :func:`mbpo.ops.reference.ensemble_mlp` defines every case, the soft clamps included. In
    "bfloat16" products are of bfloat16 (8 bits of mantissa), sums float32: 2e-3 to 4e-3 of relative
    error, for a faster forward pass where the processor multiplies bfloat16.

    Raises:
        ConfigError: ``activation``, ``backend`` or ``precision`` is unknown, or cannot be had.
        ShapeError: a shape, dtype or device is not the one above, or a member is out of range.
    """
    served = native.AVAILABLE and _cpp_takes(x, weights)
    fast = served and backend != "torch"
    if precision != "float32":
        check_precision(precision, x, weights, biases)
        fast = fast and (x.is_cuda or compiled.bf16_instruction_set() != "")
    if fast and backend in BACKENDS and activation in ACTIVATIONS:
        try:
            return compiled.ensemble_mlp(x, weights, biases, activation, logvar_bounds, member, precision)
        except RuntimeError:
            # The operator refused the call: say why in full, or let its own words stand.
            check_call(x, weights, biases, activation, logvar_bounds, member, backend)
            raise
    check_call(x, weights, biases, activation, logvar_bounds, member, backend)
    if backend == "cpp":
        raise ConfigError(f"backend 'cpp' cannot run: {_why_not_cpp(x, served)}; use backend 'auto'")
    if backend == "auto" and not native.AVAILABLE:
        native.say_fallback_once()
    if precision == "bfloat16":
        return _rounded(x, weights, biases, activation, logvar_bounds, member)
    return reference.ensemble_mlp(x, weights, biases, activation, logvar_bounds, member)


def _rounded(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    logvar_bounds: tuple[Tensor, Tensor] | None,
    member: Tensor | None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the definition with every tensor rounded to bfloat16, as torch computes it."""
    half = torch.bfloat16
    bounds = logvar_bounds and (logvar_bounds[0].to(half), logvar_bounds[1].to(half))
    weights, biases = [w.to(half) for w in weights], [b.to(half) for b in biases]
    y = reference.ensemble_mlp(x.to(half), weights, biases, activation, bounds, member)
    return y.to(x.dtype) if isinstance(y, Tensor) else (y[0].to(x.dtype), y[1].to(x.dtype))


def _cpp_takes(x: Tensor, weights: Sequence[Tensor]) -> bool:
    if x.device.type == "cpu":
        return x.dtype in native.CPU_DTYPES
    return x.is_cuda and cuda.takes(x, weights)


def _why_not_cpp(x: Tensor, served: bool) -> str:
    if served:
        return "this processor has no products of bfloat16"
    if x.is_cuda and not cuda.status()[0]:
        return cuda.status()[1]
    if x.device.type == "cpu" and x.dtype in native.CPU_DTYPES:
        return native.REASON
    return f"it takes {CPP_TAKES}, got {x.dtype} on {x.device}"
