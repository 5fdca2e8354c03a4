"""Choose k, and the model buffer that goes with it."""

from __future__ import annotations

from collections.abc import Sequence


def scheduled_length(epoch: int, schedule: Sequence[float]) -> int:
    """Return k of ``epoch`` (from 0) on the schedule (e0, e1, k0, k1).

        k(e) = ⌊clip(k0 + (e − e0)/(e1 − e0) · (k1 − k0), between k0 and k1)⌋

    Source: MBPO, arXiv:1906.08253, App. C, and the released code's ``rollout_schedule``.
    """
    start, end, first, last = schedule
    if epoch <= start:
        return int(first)
    if epoch >= end:
        return int(last)
    return int(first + (epoch - start) / (end - start) * (last - first))


def model_buffer_capacity(
    length: int,  # k
    rollout_batch: int,
    retain_epochs: int,
    epoch_length: int,
    model_train_freq: int,
) -> int:
    """Return the rows that ``retain_epochs`` epochs of rollouts fill; at least one refit's.

        capacity = retain_epochs · k · rollout_batch · epoch_length / model_train_freq

    Source: the released MBPO code, ``_reallocate_model_pool``.
    """
    per_refit = length * rollout_batch
    return max(per_refit, int(retain_epochs * per_refit * epoch_length / model_train_freq))
