"""Give each component its own random stream, so that none disturbs another.

A stream is named by (seed, component, counter): evaluation, say, draws nothing from training.
"""

from __future__ import annotations

import numpy as np
import torch


def stream_seed(seed: int, component: str, counter: int = 0) -> int:
    """Return a 63-bit seed for ``component``; distinct names and counters give distinct streams."""
    sequence = np.random.SeedSequence([seed, counter, *component.encode()])
    return int(sequence.generate_state(1, np.uint64)[0] >> np.uint64(1))


def torch_generator(seed: int, component: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return the stream of ``component`` as a generator on ``device``."""
    generator = torch.Generator(device=device)
    generator.manual_seed(stream_seed(seed, component))
    return generator


def numpy_rng(seed: int, component: str) -> np.random.Generator:
    """Return the stream of ``component`` as a numpy generator."""
    return np.random.default_rng(stream_seed(seed, component))
