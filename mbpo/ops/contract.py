"""Check what callers hand to the op, so that no backend ever has to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mbpo.errors import ConfigError, ShapeError
from mbpo.ops.reference import ACTIVATIONS

BACKENDS = ("auto", "cpp", "torch")
PRECISIONS = ("float32", "bfloat16")


def check_call(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    logvar_bounds: tuple[Tensor, Tensor] | None,
    member: Tensor | None,
    backend: str,
) -> None:
    """Refuse a call of :func:`mbpo.ops.ensemble_mlp` that breaks its documented shapes.

    Raises:
        ConfigError: ``activation`` or ``backend`` is unknown.
        ShapeError: a shape, dtype or device is not the documented one, or a member is out of range.
    """
    if activation not in ACTIVATIONS:
        raise ConfigError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    if backend not in BACKENDS:
        raise ConfigError(f"backend must be one of {', '.join(BACKENDS)}, got {backend!r}")
    members = _check_layers(x, weights, biases)
    _check_rows(x, members, member)
    if logvar_bounds is not None:
        _check_bounds(weights[-1], logvar_bounds)


def check_precision(precision: str, x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> None:
    """Refuse a precision that is unknown, or bfloat16 for a call that it does not serve.

    Raises:
        ConfigError: see above.
    """
    if precision not in PRECISIONS:
        raise ConfigError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}")
    if x.dtype != torch.float32:
        raise ConfigError(f"precision 'bfloat16' takes float32 tensors, got {x.dtype}")
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *weights, *biases)):
        raise ConfigError("precision 'bfloat16' has no gradient; call it under torch.no_grad() or use 'float32'")


def check_row_weights(weights: Tensor, batches: Tensor) -> None:
    """Refuse weights of the rows of ``batches`` [K, B, W] that are not [K, B], of their dtype on their device.

    Raises:
        ShapeError: see above.
    """
    wanted = (batches.shape[:2], batches.dtype, batches.device)
    if (weights.shape, weights.dtype, weights.device) != wanted:
        raise ShapeError(
            f"weights must be {batches.dtype} {list(batches.shape[:2])} on {batches.device} to match the batches, "
            f"got {weights.dtype} {list(weights.shape)} on {weights.device}"
        )


def _check_layers(x: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> int:
    """Return the number of members after walking the layers in order."""
    if not weights or len(weights) != len(biases):
        raise ShapeError(
            f"weights and biases must hold one tensor per layer and at least one layer, "
            f"got {len(weights)} weights and {len(biases)} biases"
        )
    if weights[0].dim() != 3 or weights[0].shape[0] < 1:
        raise ShapeError(f"weights[0] must be [E, I, J] with at least one member, got {list(weights[0].shape)}")
    members, width = weights[0].shape[0], x.shape[-1] if x.dim() else 0
    for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
        if weight.dim() != 3 or weight.shape[0] != members or weight.shape[1] != width:
            raise ShapeError(
                f"weights[{layer}] must be [{members}, {width}, J] to fit what comes before it, "
                f"got {list(weight.shape)}; x is {list(x.shape)}"
            )
        width = weight.shape[2]
        if bias.shape != (members, width):
            raise ShapeError(
                f"biases[{layer}] must be [{members}, {width}] to fit weights[{layer}], got {list(bias.shape)}"
            )
        _check_kind(x, f"weights[{layer}]", weight)
        _check_kind(x, f"biases[{layer}]", bias)
    return members


def _check_rows(x: Tensor, members: int, member: Tensor | None) -> None:
    """Check x against the mode: one block of rows per member, or rows routed by member."""
    if member is None:
        if x.dim() != 3 or x.shape[0] != members:
            raise ShapeError(
                f"x must be [{members}, B, I] to match the weights' {members} members, "
                f"got {list(x.shape)}; pass member to route [N, I] rows"
            )
        return
    if x.dim() != 2:
        raise ShapeError(f"x must be [N, I] when member routes its rows, got {list(x.shape)}")
    if member.dtype != torch.int64 or member.shape != x.shape[:1] or member.device != x.device:
        raise ShapeError(
            f"member must be int64 [{x.shape[0]}] on {x.device} to match x, "
            f"got {member.dtype} {list(member.shape)} on {member.device}"
        )
    # On an accelerator this check would stall the stream; on the CPU it is one short pass.
    if member.device.type == "cpu" and member.numel() and not torch.compiler.is_compiling():
        low, high = (int(v) for v in torch.aminmax(member))
        if low < 0 or high >= members:
            raise ShapeError(f"member must lie in [0, {members}), got values from {low} to {high}")


def _check_bounds(weight: Tensor, logvar_bounds: tuple[Tensor, Tensor]) -> None:
    """Check the bounds against the last layer, whose second half they clamp."""
    width = weight.shape[2]
    if width % 2:
        raise ShapeError(f"the last layer must be 2·O wide when logvar_bounds are given, got width {width}")
    for name, bound in zip(("min", "max"), logvar_bounds, strict=True):
        if bound.shape != (width // 2,):
            raise ShapeError(
                f"logvar_bounds {name} must be [{width // 2}], half the last width {width}, got {list(bound.shape)}"
            )
        _check_kind(weight, f"logvar_bounds {name}", bound)


def _check_kind(like: Tensor, name: str, tensor: Tensor) -> None:
    if tensor.dtype != like.dtype or tensor.device != like.device:
        raise ShapeError(
            f"{name} must be {like.dtype} on {like.device} like the other inputs, "
            f"got {tensor.dtype} on {tensor.device}; convert it with .to()"
        )
