"""Let the compiled steps and torch's own Adam share one state."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


class Adam(torch.optim.Adam):
    """Be torch's Adam without its guards against being traced by torch.compile.

    Nothing traces an optimiser here, and the first guard imports the whole tracer: 1.4 s at the start of every learner.
    """

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add a group of parameters."""
        inspect.unwrap(torch.optim.Adam.add_param_group)(self, param_group)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        inspect.unwrap(torch.optim.Adam.zero_grad)(self, set_to_none)

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        """Take a step."""
        return inspect.unwrap(torch.optim.Adam.step)(self, closure)


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

    @property
    def tensors(self) -> list[Tensor]:
        """Return all that a step changes."""
        return [*self.parameters, *self.moments, *self.second_moments, *self.steps]

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


class StepIfFinite:
    """Take the steps of one optimiser; a step that is not finite leaves everything as it was.

    The device decides, so nothing waits: a step is taken, and taken back where it must not stay.
    What that needs is kept from step to step, as new memory costs more than Adam does.
    """

    def __init__(self, adam: torch.optim.Adam) -> None:
        self._adam = adam
        self._pairs: list[Tensor] = []  # [2, ...] of each tensor: before and after a step

    @torch.no_grad()
    def __call__(
        self,
        parts: Sequence[tuple[AdamState, Tensor]],  # all of the optimiser's; each with its loss
        allowed: Tensor | None = None,  # [] bool; None for True
    ) -> list[Tensor]:  # of [] bool
        """Step by the gradients that are there; return which parts moved.

        A part moves if its loss, new moments and new weights are finite and the part before it
        moved. A gradient that is not finite shows in the moments.
        """
        tensors = [tensor for state, _ in parts for tensor in state.tensors]
        if [pair.shape[1:] for pair in self._pairs] != [tensor.shape for tensor in tensors]:
            self._pairs = [tensor.new_empty((2, *tensor.shape)) for tensor in tensors]
        for pair, tensor in zip(self._pairs, tensors, strict=True):
            pair[0].copy_(tensor)
        self._adam.step()
        moved, pairs = [], iter(self._pairs)
        for state, loss in parts:
            finite = _finite(loss, state)
            allowed = finite if allowed is None else allowed & finite
            moved.append(allowed)
            for tensor, pair in zip(state.tensors, pairs, strict=False):
                pair[1].copy_(tensor)
                # As torch.where, in a third of its time.
                torch.index_select(pair, 0, allowed.long()[None], out=tensor[None])
        return moved


def _finite(loss: Tensor, state: AdamState) -> Tensor:  # [] bool
    """Return whether all is finite; a first moment that is not shows in its weight."""
    numbers = [*state.parameters, *state.second_moments]
    ends = [end for t in numbers for end in (t.amin(), t.amax())]  # NaN where one is
    return torch.cat((loss.reshape(-1), torch.stack(ends))).isfinite().all()


def unless_left_out(moved: Tensor, value: Tensor) -> Tensor:
    """Return ``value``, or NaN where the part that it is about did not move."""
    return torch.where(moved, value.detach(), torch.nan)
