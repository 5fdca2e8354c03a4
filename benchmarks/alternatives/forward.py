"""Run E perceptrons forward, without gradients, in the ways that torch offers.

Each function takes the weights [E, I, J] and biases [E, J] of every layer and returns the call
that maps x [E, B, I] to [E, B, O]. Weights are laid out once, outside of the call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Layers = Sequence[Tensor]
Forward = Callable[[Tensor], Tensor]


def bmm(weights: Layers, biases: Layers) -> Forward:
    """Multiply in a batch, add, activate: what one writes first."""
    shifts = [b.unsqueeze(1) for b in biases]

    def run(x: Tensor) -> Tensor:
        for weight, shift in zip(weights[:-1], shifts[:-1], strict=True):
            x = F.silu(torch.bmm(x, weight) + shift)
        return torch.bmm(x, weights[-1]) + shifts[-1]

    return run


def baddbmm(weights: Layers, biases: Layers) -> Forward:
    """Add the bias inside the product."""
    shifts = [b.unsqueeze(1) for b in biases]

    def run(x: Tensor) -> Tensor:
        for weight, shift in zip(weights[:-1], shifts[:-1], strict=True):
            x = F.silu(torch.baddbmm(shift, x, weight))
        return torch.baddbmm(shifts[-1], x, weights[-1])

    return run


def baddbmm_in_place(weights: Layers, biases: Layers) -> Forward:
    """Activate in place."""
    shifts = [b.unsqueeze(1) for b in biases]

    def run(x: Tensor) -> Tensor:
        for weight, shift in zip(weights[:-1], shifts[:-1], strict=True):
            x = F.silu(torch.baddbmm(shift, x, weight), inplace=True)
        return torch.baddbmm(shifts[-1], x, weights[-1])

    return run


def baddbmm_out(weights: Layers, biases: Layers) -> Forward:
    """Write into buffers kept from call to call: no allocation, no page faults."""
    shifts = [b.unsqueeze(1) for b in biases]
    buffers: dict[int, list[Tensor]] = {}

    def run(x: Tensor) -> Tensor:
        rows = x.shape[1]
        outs = buffers.setdefault(rows, [])
        if not outs:
            outs += [x.new_empty(len(x), rows, w.shape[2]) for w in weights]
        for weight, shift, out in zip(weights[:-1], shifts[:-1], outs[:-1], strict=True):
            x = F.silu(torch.baddbmm(shift, x, weight, out=out), inplace=True)
        return torch.baddbmm(shifts[-1], x, weights[-1], out=outs[-1])

    return run


def loop(weights: Layers, biases: Layers) -> Forward:
    """Run one member after the other, its activations still in the cache."""
    last = len(weights) - 1

    def run(x: Tensor) -> Tensor:
        ys = []
        for e, h in enumerate(x.unbind(0)):
            for layer, (weight, bias) in enumerate(zip(weights, biases, strict=True)):
                h = torch.addmm(bias[e], h, weight[e])
                if layer < last:
                    h = F.silu(h, inplace=True)
            ys.append(h)
        return torch.stack(ys)

    return run


def loop_out(weights: Layers, biases: Layers) -> Forward:
    """Loop over the members with one set of buffers for all of them."""
    last = len(weights) - 1
    buffers: dict[int, list[Tensor]] = {}

    def run(x: Tensor) -> Tensor:
        rows = x.shape[1]
        outs = buffers.setdefault(rows, [])
        if not outs:
            outs += [x.new_empty(rows, w.shape[2]) for w in weights[:-1]]
            outs.append(x.new_empty(len(x), rows, weights[-1].shape[2]))
        for e, h in enumerate(x.unbind(0)):
            for layer in range(last):
                h = torch.addmm(biases[layer][e], h, weights[layer][e], out=outs[layer])
                F.silu(h, inplace=True)
            torch.addmm(biases[last][e], h, weights[last][e], out=outs[last][e])
        return outs[last]

    return run


def vmap(weights: Layers, biases: Layers) -> Forward:
    """Stack the state of E modules and map one of them over it."""
    modules = [_member(weights, biases, e) for e in range(len(weights[0]))]
    params, buffers = torch.func.stack_module_state(modules)
    skeleton = modules[0]

    def one(own: dict[str, Tensor], own_buffers: dict[str, Tensor], x: Tensor) -> Tensor:
        y = torch.func.functional_call(skeleton, (own, own_buffers), (x,))
        assert isinstance(y, Tensor)
        return y

    def run(x: Tensor) -> Tensor:
        y = torch.func.vmap(one)(params, buffers, x)
        assert isinstance(y, Tensor)
        return y

    return run


def modules(weights: Layers, biases: Layers) -> Forward:
    """Loop over E modules; compiled with frozen weights, oneDNN packs them and fuses the SiLU."""

    class Members(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.members = nn.ModuleList([_member(weights, biases, e) for e in range(len(weights[0]))])

        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([net(x[e]) for e, net in enumerate(self.members)])

    return Members().eval().requires_grad_(False)


def compiled(way: Callable[[Layers, Layers], Forward], **options: Any) -> Callable[..., Forward]:
    """Return ``way`` behind torch.compile, in one graph of fixed shapes."""

    def build(weights: Layers, biases: Layers) -> Forward:
        run = way(weights, biases)
        return torch.compile(run, fullgraph=True, dynamic=False, options=options or None)

    return build


def _member(weights: Layers, biases: Layers, e: int) -> nn.Sequential:
    sizes = [weights[0].shape[1], *[w.shape[2] for w in weights]]
    layers: list[nn.Module] = []
    for (fan_in, fan_out), weight, bias in zip(pairwise(sizes), weights, biases, strict=True):
        linear = nn.Linear(fan_in, fan_out, dtype=weight.dtype)
        linear.weight.data = weight[e].detach().t().contiguous()
        linear.bias.data = bias[e].detach().clone()
        layers += [linear, nn.SiLU()]
    return nn.Sequential(*layers[:-1])


EAGER: dict[str, Callable[[Layers, Layers], Forward]] = {
    "bmm + add": bmm,
    "baddbmm": baddbmm,
    "baddbmm, silu in place": baddbmm_in_place,
    "baddbmm out=, silu in place": baddbmm_out,
    "loop, addmm, silu in place": loop,
    "loop, addmm out=, silu in place": loop_out,
    "vmap + stack_module_state": vmap,
}
COMPILED: dict[str, Callable[[Layers, Layers], Forward]] = {
    "compile(bmm + add)": compiled(bmm),
    "compile(baddbmm)": compiled(baddbmm),
    "compile(loop)": compiled(loop),
    "compile(vmap)": compiled(vmap),
    "compile(modules, frozen, max-autotune)": compiled(modules, freezing=True, max_autotune=True),
}
# For the sizes that no target names: the ones that were quickest at the others.
STRONGEST = (
    "baddbmm",
    "baddbmm out=, silu in place",
    "loop, addmm, silu in place",
    "loop, addmm out=, silu in place",
    "compile(loop)",
)
BF16 = (
    "baddbmm",
    "baddbmm out=, silu in place",
    "loop, addmm out=, silu in place",
    "compile(baddbmm)",
    "compile(modules, frozen, max-autotune)",
)
