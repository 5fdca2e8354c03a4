"""An ensemble with a layer that the op does not know is trained by autograd, all of it."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mbpo.data.transitions import Transitions
from mbpo.dynamics.ensemble import DynamicsEnsemble
from mbpo.dynamics.trainer import EnsembleTrainer


class Shifted(DynamicsEnsemble):
    """Add a learned shift to each member's mean."""

    def __init__(self, *, generator: torch.Generator) -> None:
        super().__init__(3, 1, members=3, hidden=8, layers=2, generator=generator)
        self.shift = nn.Parameter(torch.zeros(3, 1, 4))

    def per_member(self) -> list[Tensor]:
        return [*super().per_member(), self.shift.data]

    def forward(self, inputs: Tensor, member: Tensor | None = None) -> tuple[Tensor, Tensor]:
        mean, logvar = super().forward(inputs, member)
        return mean + (self.shift if member is None else self.shift[member, 0]), logvar


def test_every_weight_of_it_learns_and_is_in_adams_state() -> None:
    model = Shifted(generator=torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(1)
    trainer = EnsembleTrainer(
        model, lr=1e-2, batch_size=16, max_epochs=4, patience=5, elites=2, normalize_targets=True, generator=draws
    )
    assert trainer.step.backend.backend == "torch" and "Shifted" in trainer.step.backend.reason
    row = torch.randn(64, 3 + 1 + 1 + 3 + 1, generator=draws)
    row[:, -1] = 0
    rows = Transitions(row, 3, 1)
    trainer.fit(rows, rows)
    assert model.shift.abs().min() > 0
    assert {tuple(t.shape) for t in trainer.step.adam_state.moments} == {tuple(p.shape) for p in model.parameters()}
