"""Give the GPU's operators shapes for tracing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

SILU = 3  # csrc/include/mbpo/activation.h


def register(namespace: str) -> None:
    """Give the operators of ``torch.ops.<namespace>`` their fakes, once they are loaded."""
    fakes: dict[str, Callable[..., Any]] = {
        "cuda_mlp_forward": _fake_forward,
        "cuda_mlp_backward": _fake_backward,
        "cuda_model_step": _fake_model_step,
        "cuda_train_step": _fake_train_step,
        "cuda_sac_update": _fake_sac_update,
    }
    for name, fake in fakes.items():
        torch.library.register_fake(f"{namespace}::{name}", fake)


def _fake_forward(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    activation: int,
    save: bool,
    tf32: bool,
) -> tuple[list[Tensor], Tensor]:
    rows = x.shape[:-1]
    last = weights[-1].shape[2]
    outputs = [last // 2] * 2 if bounds else [last]
    saved = 0
    if save:  # every layer's input, silu's slopes of all but the first, and a head's input
        inputs = [weight.shape[1] for weight in weights]
        kept = [*inputs, *(inputs[1:] if activation == SILU else []), *([last] if bounds else [])]
        saved = sum(-(-rows.numel() * width // 4) * 4 for width in kept)  # each on 16 bytes
    return [x.new_empty((*rows, width)) for width in outputs], x.new_empty((saved,))


def _fake_backward(
    grads: Sequence[Tensor],
    x: Tensor,
    weights: Sequence[Tensor],
    bounds: Sequence[Tensor],
    member: Tensor | None,
    saved: Tensor,
    activation: int,
    need_x: bool,
    need_params: bool,
    tf32: bool,
) -> list[Tensor]:
    results = [x.new_empty(x.shape)] if need_x else []
    if need_params:
        results += [weight.new_empty(weight.shape) for weight in weights]
        results += [weight.new_empty((weight.shape[0], weight.shape[2])) for weight in weights]
    return results + [bound.new_empty(bound.shape) for bound in bounds]


def _fake_model_step(x: Tensor, weights: Sequence[Tensor], *rest: object) -> tuple[Tensor, Tensor]:
    outputs = weights[-1].shape[2] // 2
    return x.new_empty((x.shape[0],)), x.new_empty((x.shape[0], outputs - 1))


def _fake_train_step(inputs: Tensor, targets: Tensor, index: Tensor, *state: object) -> Tensor:
    return inputs.new_empty((index.shape[0],))


def _fake_sac_update(batch: Tensor, *state: object) -> Tensor:
    return batch.new_empty((5,))
