"""Pink noise: each value a standard normal, neighbours alike, the same wherever an episode is taken up again."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from mbpo.learner.noise import LONGEST, NO_LIMIT, PinkNoise


def series(noise: PinkNoise, episode: int, steps: int) -> NDArray[np.float32]:  # [steps, A]
    return np.stack([noise.at(episode, step) for step in range(steps)])


def test_its_power_falls_as_one_over_the_frequency() -> None:
    noise = PinkNoise(4, 1024, 0)
    drawn = np.stack([series(noise, episode, 1024) for episode in range(100)])  # [episodes, steps, A]
    assert drawn.std() == pytest.approx(1.0, abs=0.05)
    power = (np.abs(np.fft.rfft(drawn, axis=1)) ** 2).mean(axis=(0, 2))
    frequency = np.arange(1, 512)
    slope = np.polyfit(np.log(frequency), np.log(power[1:512]), 1)[0]
    assert slope == pytest.approx(-1.0, abs=0.05)


@pytest.mark.parametrize("limit", [2, 3, 10, 11, 200, 1000])
def test_each_value_is_a_standard_normal(limit: int) -> None:
    noise = PinkNoise(5000, limit, 1)
    drawn = np.stack([noise.at(episode, limit // 2) for episode in range(4)])
    assert drawn.std() == pytest.approx(1.0, abs=0.02)
    assert drawn.mean() == pytest.approx(0.0, abs=0.03)
    assert (np.abs(drawn) > 1.96).mean() == pytest.approx(0.05, abs=0.006)


def test_an_episode_is_taken_up_where_it_was_left() -> None:
    whole = series(PinkNoise(2, 200, 3), 5, 450)  # longer than the limit: a second and a third series
    again = PinkNoise(2, 200, 3)
    again.at(4, 0)
    assert np.array_equal(np.stack([again.at(5, step) for step in (449, 0, 200)]), whole[[449, 0, 200]])


def test_episodes_seeds_and_dims_differ() -> None:
    first = series(PinkNoise(2, 50, 0), 0, 50)
    others = [series(PinkNoise(2, 50, 0), 1, 50), series(PinkNoise(2, 50, 1), 0, 50), first[:, ::-1]]
    assert all(not np.allclose(first, other) for other in others)


@pytest.mark.parametrize("limit", [None, 1, 2, 3, 10**8])
def test_any_limit_has_finite_noise(limit: int | None) -> None:
    noise = PinkNoise(1, limit, 0)
    steps = (0, 1, 2, NO_LIMIT, LONGEST, 10**8)
    assert all(np.isfinite(noise.at(0, step)).all() for step in steps)
