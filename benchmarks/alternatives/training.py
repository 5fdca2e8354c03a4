"""Take training steps of the ensemble in plain torch: autograd and torch.optim.Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.cases import DECAYS, Layers, TrainingCase
from mbpo.ops.reference import soft_clamp

BOUND_PENALTY = 0.01

Net = Callable[[Layers, Tensor], Tensor]  # [E, B, I] to [E, B, 2·D]


def batched(layers: Layers, h: Tensor) -> Tensor:
    """Run all members in one product per layer."""
    last = len(layers.weights) - 1
    for layer, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
        h = torch.baddbmm(bias.unsqueeze(1), h, weight)
        h = F.silu(h) if layer < last else h
    return h


def looped(layers: Layers, x: Tensor) -> Tensor:
    """Run one member after the other."""
    last, ys = len(layers.weights) - 1, []
    for e, h in enumerate(x.unbind(0)):
        for layer, (weight, bias) in enumerate(zip(layers.weights, layers.biases, strict=True)):
            h = torch.addmm(bias[e], h, weight[e])
            h = F.silu(h) if layer < last else h
        ys.append(h)
    return torch.stack(ys)


class Plain:
    """Train copies of a case's parameters, in its dtype: in float64 it is the reference."""

    def __init__(self, case: TrainingCase, net: Net = batched, *, compiled: str = "", **adam: Any) -> None:
        self._net = net
        self._inputs, self._labels = case.inputs, case.labels
        self._layers = case.layers.trainable()
        self._min = case.min_logvar.clone().requires_grad_()
        self._max = case.max_logvar.clone().requires_grad_()
        groups: list[dict[str, Any]] = [
            {"params": [weight], "weight_decay": decay}
            for weight, decay in zip(self._layers.weights, DECAYS, strict=True)
        ]
        groups.append({"params": [*self._layers.biases, self._min, self._max]})
        self._adam = torch.optim.Adam(groups, lr=case.lr, **adam)
        self._value = self.loss
        self._move: Callable[[], object] = self._adam.step
        if compiled:
            self._value = torch.compile(self.loss, fullgraph=True, dynamic=False)
        if compiled == "step":
            self._move = torch.compile(self._adam.step)

    def loss(self, index: Tensor) -> Tensor:  # [E, B] -> []
        """Return Σ_e mean [(μ − y)² e^{−logvar} + logvar] + 0.01 Σ (max − min)."""
        x, y = self._inputs[index], self._labels[index]
        mean, raw = self._net(self._layers, x).chunk(2, dim=-1)
        logvar = soft_clamp(raw, self._min, self._max)
        nll = ((mean - y).square() * (-logvar).exp() + logvar).mean(dim=(1, 2)).sum()
        return nll + BOUND_PENALTY * (self._max.sum() - self._min.sum())

    def step(self, index: Tensor) -> None:
        """Take one gradient step on a minibatch."""
        loss = self._value(index)
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._move()

    def parameters(self) -> list[Tensor]:
        """Return weights, biases and the two bounds."""
        return [*self._layers.tensors, self._min, self._max]


WAYS: dict[str, Callable[[TrainingCase], Plain]] = {
    "torch eager, baddbmm, Adam": Plain,
    "torch eager, baddbmm, Adam foreach": lambda case: Plain(case, foreach=True),
    "torch eager, baddbmm, Adam fused": lambda case: Plain(case, fused=True),
    "torch eager, loop, Adam fused": lambda case: Plain(case, looped, fused=True),
    "compile(baddbmm loss), Adam fused": lambda case: Plain(case, compiled="loss", fused=True),
    "compile(loop loss), Adam fused": lambda case: Plain(case, looped, compiled="loss", fused=True),
    "compile(baddbmm loss, Adam)": lambda case: Plain(case, compiled="step", foreach=True),
    "compile(loop loss, Adam)": lambda case: Plain(case, looped, compiled="step", foreach=True),
}
# For the sizes that no target names: the ones that were quickest at the others.
STRONGEST = ("torch eager, baddbmm, Adam fused", "compile(baddbmm loss), Adam fused", "compile(baddbmm loss, Adam)")
