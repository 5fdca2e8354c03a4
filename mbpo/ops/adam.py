"""Let the compiled steps and torch's own Adam share one state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AdamState:
    """Hold what Adam knows of some parameters, in the tensors that torch's optimiser keeps."""

    parameters: list[Tensor]
    moments: list[Tensor]
    second_moments: list[Tensor]
    steps: list[Tensor]  # of []

    @classmethod
    def of(cls, adam: torch.optim.Adam, parameters: Sequence[Tensor]) -> AdamState:
        """Return the state, begun as ``adam`` itself would begin it.

        Looked up at each step: an optimiser that loads a state dict makes new tensors.
        """
        for parameter in parameters:
            if not adam.state[parameter]:
                adam.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
        states = [adam.state[parameter] for parameter in parameters]
        return cls(
            [parameter.detach() for parameter in parameters],
            [state["exp_avg"] for state in states],
            [state["exp_avg_sq"] for state in states],
            [state["step"] for state in states],
        )

    def with_second(self, other: AdamState) -> AdamState:
        """Return this state with the other's one parameter as the second of all."""

        def between(mine: list[Tensor], others: list[Tensor]) -> list[Tensor]:
            return [mine[0], *others, *mine[1:]]

        return AdamState(
            between(self.parameters, other.parameters),
            between(self.moments, other.moments),
            between(self.second_moments, other.second_moments),
            between(self.steps, other.steps),
        )

    def state_dict(self) -> dict[str, Tensor]:
        """Return the state without the parameters, to be saved."""
        kinds = {"moment": self.moments, "second_moment": self.second_moments, "step": self.steps}
        return {f"{kind}.{i}": t for kind, tensors in kinds.items() for i, t in enumerate(tensors)}

    @torch.no_grad()
    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        """Take back what :meth:`state_dict` returned, tensor by tensor."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(saved[name])


def numbers(group: dict[str, object]) -> list[float]:
    """Return (learning rate, β₁, β₂, ε) of one of an optimiser's groups."""
    betas = group["betas"]
    assert isinstance(betas, tuple)
    return [float(x) for x in (group["lr"], *betas, group["eps"])]


def step_if_finite(adam: torch.optim.Adam, loss: Tensor) -> None:
    """Take ``adam``'s step unless ``loss`` or a gradient is not finite; the device decides."""
    gradients = [p.grad for group in adam.param_groups for p in group["params"]]
    sums = torch.stack([loss.detach(), *(g.sum() for g in gradients if g is not None)])
    adam.found_inf = (~sums.isfinite().all()).float()  # type: ignore[attr-defined]
    adam.step()
