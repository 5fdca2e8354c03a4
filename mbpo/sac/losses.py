"""The four equations of soft actor-critic, as pure functions."""

from __future__ import annotations

from torch import Tensor

from mbpo.errors import ShapeError


def td_target(
    reward: Tensor,  # [B]
    terminated: Tensor,  # [B], 0 or 1
    next_values: Tensor,  # [2, B], target critics at sampled next actions
    next_log_prob: Tensor,  # [B]
    alpha: Tensor,  # []
    gamma: float,
) -> Tensor:  # [B]
    """Return the soft Bellman target. Only a real end cuts the bootstrap; a time limit does not.

        y = r + γ(1 − terminated)(min_i Q̄_i(s', a') − α log π(a'|s'))

    Source: SAC, arXiv:1812.05905, Eq. 5 and Sec. 6.
    """
    soft_value = next_values.amin(dim=0) - alpha * next_log_prob
    return reward + gamma * (1.0 - terminated) * soft_value


def critic_loss(
    values: Tensor,  # [2, B]
    target: Tensor,  # [B]
    weights: Tensor | None = None,  # [B], at least 0; None for 1
) -> Tensor:  # []
    """Return the soft Bellman error of both critics, summed; a row of weight w counts w times.

        J_Q = Σ_i (1/B) Σ_b w_b (Q_i(s_b, a_b) − y_b)²

    Source: SAC, arXiv:1812.05905, Eq. 5; the weights, WIMLE, arXiv:2602.14351.
    Departs: no factor ½; the learning rate absorbs it.

    Raises:
        ShapeError: ``target`` or ``weights`` is not [B].
    """
    for name, tensor in (("target", target), ("weights", weights)):
        if tensor is not None and tensor.shape != values.shape[1:]:
            raise ShapeError(f"{name} must be {list(values.shape[1:])}, got {list(tensor.shape)}")
    error = values - target
    # The weight comes first: at 0 it silences an error whose square is no float.
    squared = error.square() if weights is None else weights * error * error
    return squared.mean(dim=1).sum()


def actor_loss(
    log_prob: Tensor,  # [B]
    values: Tensor,  # [2, B]
    alpha: Tensor,  # []
) -> Tensor:  # []
    """Return the policy's loss at reparameterised actions.

        J_π = mean_B (α log π(a|s) − min_i Q_i(s, a))

    Source: SAC, arXiv:1812.05905, Eq. 9.
    """
    return (alpha * log_prob - values.amin(dim=0)).mean()


def alpha_loss(
    log_alpha: Tensor,  # []
    log_prob: Tensor,  # [B], detached
    target_entropy: float,  # nats
) -> Tensor:  # []
    """Return the temperature's loss.

        J_α = −log α · mean_B (log π(a|s) + H̄)

    Source: SAC, arXiv:1812.05905, Eq. 18.
    Departs: log α in place of α, as the authors' code has it; the sign of the gradient is the same.
    """
    return -log_alpha * (log_prob + target_entropy).mean()
