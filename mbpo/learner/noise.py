"""Give the policy the noise with which it explores."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from colorednoise import powerlaw_psd_gaussian
from numpy.typing import NDArray

from mbpo.envs.spaces import Array
from mbpo.seeding import stream_seed

NO_LIMIT = 1000  # env steps of a series, where episodes have no limit
LONGEST = 10_000


class PinkNoise:
    """Hold standard normal noise whose successive values are alike: its power falls as 1 / frequency.

    A policy that explores by it sways for long where white noise trembles on the spot. At each step taken alone it is
    the same Gaussian. An episode's noise follows from (seed, episode, step), so that there is nothing to save.

    Source: Eberhard et al., "Pink Noise Is All You Need", ICLR 2023; drawn by colorednoise.
    """

    def __init__(self, action_dim: int, time_limit: int | None, seed: int) -> None:
        self._action_dim = action_dim
        self._length = max(2, min(time_limit or NO_LIMIT, LONGEST))
        self._seed = seed
        self._series = lru_cache(maxsize=1)(self._draw)

    def at(self, episode: int, step: int) -> Array:  # [A]
        """Return the noise of a step of an episode, both from 0."""
        part, within = divmod(step, self._length)
        noise: Array = self._series(episode, part)[:, within]
        return noise

    def _draw(self, episode: int, part: int) -> NDArray[np.float32]:  # [A, length]
        rng = np.random.default_rng([stream_seed(self._seed, "pink", episode), part])
        shape = self._action_dim, self._length
        noise: NDArray[np.float64] = powerlaw_psd_gaussian(1.0, shape, random_state=rng)
        return (noise / spread(self._length)).astype(np.float32)


def spread(length: int) -> float:
    """Return the standard deviation of a value of colorednoise's pink series of so many steps.

    Its unit variance is that about the mean of each series. The mean varies too: over series a value has a variance of
    1.07 at 1,000 steps, 1.10 at 200 and 4 at 2 (colorednoise 2.2.0; findings/colorednoise-unit-variance.sh).
    """
    power = length / np.arange(1, length // 2 + 1)  # of each frequency, but that of the mean, which has the lowest's
    even = length % 2 == 0
    mean, highest = 2 * power[0], 2 * power[-1] if even else 4 * power[-1]
    said = 4 * power.sum() - (3 * power[-1] if even else 0.0)  # what the library divides by
    return math.sqrt((mean + 4 * power[:-1].sum() + highest) / said)
