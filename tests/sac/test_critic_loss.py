"""The critics' loss, with and without weights of the rows."""

from __future__ import annotations

import pytest
import torch

from mbpo.errors import ShapeError
from mbpo.sac.losses import critic_loss

VALUES = torch.tensor([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 1.0, 1.0]])
TARGET = torch.tensor([1.0, 1.0, 1.0, 1.0])


def test_it_is_the_sum_of_both_means() -> None:
    assert float(critic_loss(VALUES, TARGET)) == (0 + 1 + 4 + 9) / 4 + (1 + 1 + 0 + 0) / 4


def test_a_row_counts_its_weight_times_and_all_rows_divide() -> None:
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0])
    assert float(critic_loss(VALUES, TARGET, weights)) == (0 + 0.5 + 8 + 0) / 4 + (1 + 0.5 + 0 + 0) / 4


def test_the_gradient_of_a_row_is_weighted() -> None:
    weights = torch.tensor([1.0, 0.5, 2.0, 0.0])
    values = VALUES.clone().requires_grad_()
    (got,) = torch.autograd.grad(critic_loss(values, TARGET, weights), values)
    assert torch.equal(got, weights * 2 * (VALUES - TARGET) / 4)


@pytest.mark.parametrize("name", ["target", "weights"])
def test_another_shape_is_refused_in_one_line(name: str) -> None:
    given = {"target": TARGET, "weights": torch.ones(4), name: torch.ones(3)}
    with pytest.raises(ShapeError, match=rf"^{name} must be \[4\], got \[3\]$"):
        critic_loss(VALUES, given["target"], given["weights"])
