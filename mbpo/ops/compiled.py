"""Give the compiled operators shapes for tracing and a derivative; import only where built.

The operators check shapes themselves. ``mbpo.ops.contract`` says what is wrong in full, and is
asked only after they refuse, so that a correct call pays for neither twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor

from mbpo.ops import cuda, fakes
from mbpo.ops.adam import AdamState
from mbpo.ops.fakes import CODES as CODES
from mbpo.ops.fakes import PRECISIONS

_forward_cpu = torch.ops.mbpo.ensemble_mlp_forward.default
_backward_cpu = torch.ops.mbpo.ensemble_mlp_backward.default
_forward_bf16 = torch.ops.mbpo.ensemble_mlp_bf16.default
_train_step_cpu = torch.ops.mbpo.ensemble_train_step.default
_sac_update_cpu = torch.ops.mbpo.sac_update.default


@cache
def bf16_instruction_set() -> str:
    """Return what multiplies bfloat16, "amx_bf16" or "avx512_bf16", or "" where nothing does.

    Found at the first call, not at import: for AMX the process asks Linux for its registers, after
    which any thread's alternate signal stack has to be large enough to save them.
    """
    found: str = torch.ops.mbpo.bf16_instruction_set()
    return found


def ensemble_mlp(
    x: Tensor,
    weights: Sequence[Tensor],
    biases: Sequence[Tensor],
    activation: str,
    logvar_bounds: tuple[Tensor, Tensor] | None,
    member: Tensor | None,
    precision: str = "float32",
) -> Tensor | tuple[Tensor, Tensor]:
    """Run the compiled operator; :func:`mbpo.ops.ensemble_mlp` documents the arguments."""
    code = CODES[activation]
    tensors = (*weights, *biases, *(logvar_bounds or ()))
    outputs: Sequence[Tensor]
    if precision == "bfloat16":
        outputs = _forward_halves(x, weights, biases, logvar_bounds or (), member, code)
    elif torch.is_grad_enabled() and (x.requires_grad or any(t.requires_grad for t in tensors)):
        outputs = _apply(code, len(weights), member, x, *tensors)
    else:
        outputs, _ = _forward(x, weights, biases, logvar_bounds or (), member, code, False)
    return outputs[0] if logvar_bounds is None else (outputs[0], outputs[1])


def train_steps(
    inputs: Tensor, labels: Tensor, index: Tensor, batch: int, state: AdamState, *rest: Any, bfloat16: bool = False
) -> Tensor:  # [S, E]
    """Step an ensemble and its bounds; :class:`mbpo.dynamics.train_step.TrainStep` says how."""
    held = (state.parameters, state.moments, state.second_moments, state.steps)
    if inputs.is_cuda:
        step = torch.ops.mbpo.cuda_train_step.default
        parts = [part.contiguous() for part in torch.split(index, batch, dim=1)]
        return torch.stack([step(inputs, labels, part, *held, *rest, cuda.tf32()) for part in parts])
    losses: Tensor = _train_step_cpu(inputs, labels, index, *held, *rest, batch, bfloat16)
    return losses


def model_step(
    x: Tensor,  # [N, O + A], on a GPU that cuda.takes
    net: tuple[Sequence[Tensor], Sequence[Tensor]],  # weights and biases
    bounds: tuple[Tensor, Tensor],
    member: Tensor,  # [N] int64
    scales: Sequence[Tensor],  # mean and std of x, mean and std of the targets
    noise: Tensor,  # [N, 1 + O]
    activation: str,
) -> tuple[Tensor, Tensor]:  # reward [N], next_obs [N, O]
    """Take an imagined step in one launch; :class:`mbpo.dynamics.fake_env.FakeEnv` says how."""
    result: tuple[Tensor, Tensor] = torch.ops.mbpo.cuda_model_step.default(
        x, *net, bounds, member, scales, noise, CODES[activation], cuda.tf32()
    )
    return result


def sac_updates(
    batches: Tensor,  # [K, B, W]
    noise: Tensor,  # [K, 2, B, A]
    weights: Tensor | None,  # [K, B]
    center: Tensor,
    scale: Tensor,
    state: AdamState,
    *rest: Any,
    bfloat16: bool = False,
) -> Tensor:  # [K, 5]
    """Update actor, critics and log α; :class:`mbpo.sac.agent.SACAgent` says how."""
    held = (state.parameters, state.moments, state.second_moments, state.steps)
    if batches.is_cuda:
        update = torch.ops.mbpo.cuda_sac_update.default
        each = zip(batches, noise, [None] * len(batches) if weights is None else weights, strict=True)
        return torch.stack([update(*of_one, center, scale, *held, *rest, cuda.tf32()) for of_one in each])
    values: Tensor = _sac_update_cpu(batches, noise, weights, center, scale, *held, *rest, bfloat16)
    return values


def _forward(x: Tensor, *rest: Any) -> tuple[Sequence[Tensor], Tensor]:
    """Run the forward operator of x's device."""
    result: tuple[Sequence[Tensor], Tensor]
    if x.is_cuda:
        precision = PRECISIONS["tf32" if cuda.tf32() else "float32"]
        result = torch.ops.mbpo.cuda_mlp_forward.default(x, *rest, precision)
    else:
        result = _forward_cpu(x, *rest)
    return result


def _forward_halves(x: Tensor, *rest: Any) -> Sequence[Tensor]:
    """Run the forward operator of x's device in bfloat16."""
    outputs: Sequence[Tensor]
    if x.is_cuda:
        precision = PRECISIONS["bfloat16"]
        outputs, _ = torch.ops.mbpo.cuda_mlp_forward.default(x, *rest, False, precision)
    else:
        outputs = _forward_bf16(x, *rest)
    return outputs


def _backward(grads: Sequence[Tensor], x: Tensor, *rest: Any) -> Sequence[Tensor]:
    """Run the backward operator of x's device."""
    results: Sequence[Tensor]
    if x.is_cuda:
        results = torch.ops.mbpo.cuda_mlp_backward.default(grads, x, *rest, cuda.tf32())
    else:
        results = _backward_cpu(grads, x, *rest)
    return results


class _EnsembleMLP(torch.autograd.Function):
    """Pair the operators. A Function costs a third of what register_autograd does per call."""

    @staticmethod
    def forward(
        ctx: Any, code: int, layers: int, member: Tensor | None, x: Tensor, *tensors: Tensor
    ) -> tuple[Tensor, ...]:
        weights, biases, bounds = (tensors[:layers], tensors[layers : 2 * layers], tensors[2 * layers :])
        outputs, saved = _forward(x, weights, biases, bounds, member, code, True)
        ctx.code, ctx.layers = code, layers
        ctx.save_for_backward(member, saved, x, *weights, *bounds)
        return tuple(outputs)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        # once_differentiable says the same, at 7 µs a call.
        if torch.is_grad_enabled() and not torch.compiler.is_compiling():
            raise RuntimeError(
                "ensemble_mlp's compiled backward has no derivative of its own; "
                "pass backend='torch' where create_graph=True is needed"
            )
        member, saved, x, *rest = ctx.saved_tensors
        layers, needs = ctx.layers, ctx.needs_input_grad
        weights, bounds = rest[:layers], rest[layers:]
        need_x, need_params = needs[3], any(needs[4 : 4 + 2 * layers])
        results = _backward(grads, x, weights, bounds, member, saved, ctx.code, need_x, need_params)
        dx = results[:1] if need_x else [None]
        dparams = results[need_x : need_x + 2 * layers] if need_params else [None] * 2 * layers
        dbounds = results[len(results) - len(bounds) :]
        return None, None, None, *dx, *dparams, *dbounds


# torch leaves it untyped.
_apply: Callable[..., tuple[Tensor, ...]] = _EnsembleMLP.apply


fakes.register_cpu()
