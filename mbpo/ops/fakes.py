"""Give the compiled operators shapes for tracing; they check nothing themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

PRECISIONS = {"float32": 0, "tf32": 1, "bfloat16": 2}  # csrc/cuda/product.cuh
CODES = {"identity": 0, "relu": 1, "tanh": 2, "silu": 3}  # csrc/include/mbpo/activation.h
TILE_ROWS = 32  # csrc/include/mbpo/kernels.h


def register_cpu() -> None:
    """Give the operators of ``mbpo._C`` their fakes, once it is loaded."""
    _register(
        "mbpo",
        ensemble_mlp_forward=_forward_cpu,
        ensemble_mlp_bf16=_forward_bf16,
        ensemble_mlp_backward=_backward,
        ensemble_train_step=_train_steps,
        sac_update=_sac_updates,
    )


def register_cuda(namespace: str) -> None:
    """Give the operators of ``mbpo._cuda``, or of its emulation, their fakes, once loaded."""
    _register(
        namespace,
        cuda_mlp_forward=_forward_cuda,
        cuda_mlp_backward=_backward,
        cuda_model_step=_model_step,
        cuda_train_step=_train_step,
        cuda_sac_update=_sac_update,
    )


def _register(namespace: str, **fakes: Callable[..., Any]) -> None:
    for name, fake in fakes.items():
        torch.library.register_fake(f"{namespace}::{name}", fake)


def _forward_cpu(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    activation: int,
    save: bool,
) -> tuple[list[Tensor], Tensor]:
    rows = x.shape[:-1]
    widths = [weight.shape[2] for weight in weights]
    outputs = [widths[-1] // 2] * 2 if bounds else widths[-1:]
    saved = x.new_empty((0,))
    if save:
        members, tiles = weights[0].shape[0], rows[-1] // TILE_ROWS
        # Routing may leave one tile per member half full.
        tiles = tiles + members if member is not None else members * -(-rows[-1] // TILE_ROWS)
        kept = 2 if activation == CODES["silu"] else 1
        features = weights[0].shape[1] + kept * sum(widths[:-1]) + widths[-1]
        saved = x.new_empty((tiles, features, TILE_ROWS))
    return [x.new_empty((*rows, width)) for width in outputs], saved


def _forward_bf16(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    activation: int,
) -> list[Tensor]:
    return _forward_cpu(x, weights, biases, bounds, member, activation, False)[0]


def _forward_cuda(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    activation: int,
    save: bool,
    precision: int,
) -> tuple[list[Tensor], Tensor]:
    rows = x.shape[:-1]
    last = weights[-1].shape[2]
    outputs = [last // 2] * 2 if bounds else [last]
    saved = 0
    if save:  # every layer's input, silu's slopes of all but the first, and a head's input
        inputs = [weight.shape[1] for weight in weights]
        kept = [*inputs, *(inputs[1:] if activation == CODES["silu"] else []), *([last] if bounds else [])]
        saved = sum(-(-rows.numel() * width // 4) * 4 for width in kept)  # each on 16 bytes
    return [x.new_empty((*rows, width)) for width in outputs], x.new_empty((saved,))


def _backward(
    grads: Sequence[Tensor],
    x: Tensor,
    weights: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    saved: Tensor,
    activation: int,
    need_x: bool,
    need_params: bool,
    tf32: bool = False,  # the GPU's takes it, the CPU's does not
) -> list[Tensor]:
    results = [x.new_empty(x.shape)] if need_x else []
    if need_params:
        results += [weight.new_empty(weight.shape) for weight in weights]
        results += [weight.new_empty((weight.shape[0], weight.shape[2])) for weight in weights]
    return results + [bound.new_empty(bound.shape) for bound in bounds]


def _model_step(x: Tensor, weights: Sequence[Tensor], *rest: object) -> tuple[Tensor, Tensor]:
    outputs = weights[-1].shape[2] // 2
    return x.new_empty((x.shape[0],)), x.new_empty((x.shape[0], outputs - 1))


def _train_step(inputs: Tensor, targets: Tensor, index: Tensor, *state: object) -> Tensor:
    return inputs.new_empty((index.shape[0],))


def _train_steps(inputs: Tensor, targets: Tensor, index: Tensor, *rest: object) -> Tensor:
    batch = rest[-2]
    assert isinstance(batch, int)
    return inputs.new_empty((-(-index.shape[1] // batch), index.shape[0]))


def _sac_updates(batch: Tensor, *state: object) -> Tensor:
    return batch.new_empty((batch.shape[0], 5))


def _sac_update(batch: Tensor, *state: object) -> Tensor:
    return batch.new_empty((5,))
