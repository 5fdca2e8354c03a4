"""Let k rise with the epoch, as the paper does."""

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
