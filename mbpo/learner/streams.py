"""Hold the random streams that the loop itself draws from, one for each purpose."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mbpo.seeding import numpy_rng, torch_generator


@dataclass(frozen=True)
class Streams:
    """Hold a stream for each purpose, so that none disturbs another."""

    warmup: np.random.Generator
    act: torch.Generator
    holdout: torch.Generator
    rollout: torch.Generator
    mix: torch.Generator
    bound: torch.Generator
    judge: torch.Generator
    plan: torch.Generator
    plan_eval: torch.Generator

    @classmethod
    def of(cls, seed: int, device: torch.device) -> Streams:
        """Return the streams of ``seed``; all but the warm-up's draw on ``device``."""
        names = [field.name for field in fields(cls) if field.name != "warmup"]
        on_device = {name: torch_generator(seed, name, device) for name in names}
        return cls(warmup=numpy_rng(seed, "warmup"), **on_device)

    @property
    def generators(self) -> dict[str, torch.Generator]:
        """Return torch's streams by name."""
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name != "warmup"}


def saved_streams(warmup: np.random.Generator, generators: Mapping[str, torch.Generator]) -> dict[str, Tensor]:
    """Return the state of every stream, uint8, to be saved."""
    numbers = json.dumps(warmup.bit_generator.state)  # of 128 bits
    return {
        **{name: generator.get_state() for name, generator in generators.items()},
        "warmup": torch.tensor(list(numbers.encode()), dtype=torch.uint8),
    }


def restore_streams(
    warmup: np.random.Generator, generators: Mapping[str, torch.Generator], saved: Mapping[str, Tensor]
) -> None:
    """Draw on from where :func:`saved_streams` left off; a stream that it did not know yet begins."""
    for name, generator in generators.items():
        if name in saved:
            generator.set_state(saved[name])
    state: dict[str, Any] = json.loads(bytes(saved["warmup"].tolist()))
    warmup.bit_generator.state = state
