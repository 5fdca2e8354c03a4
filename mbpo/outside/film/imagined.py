"""Let a saved model run on by itself beside a real episode, and say where the two part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from mbpo.dynamics.fake_env import FakeEnv
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spaces import Array
from mbpo.envs.termination import find_rule, judged
from mbpo.errors import CheckpointError
from mbpo.learner.build import build_termination, build_trainer
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.settings.config import Config

PARTED = 0.5  # standard deviations
CPU = torch.device("cpu")


def load_model(config: Config, env: BoxEnv, checkpoint: Path) -> FakeEnv:
    """Return the model that a checkpoint holds, on the CPU.

    Raises:
        CheckpointError: it is missing, damaged or of another shape.
    """
    ensemble = build_trainer(config, env, CPU, None).ensemble
    rule = find_rule(env)
    parts: dict[str, torch.nn.Module] = {"ensemble": ensemble}
    if rule is None:
        parts["termination"] = head = build_termination(config, env, CPU).head
    for name, part in parts.items():
        try:
            part.load_state_dict(load_checkpoint(checkpoint, name))
        except RuntimeError as error:
            raise CheckpointError(f"the saved {name} has other shapes: {str(error)[:100]}") from None
    return FakeEnv(ensemble, head if rule is None else partial(judged, rule))


def why_no_model(config: Config, model: FakeEnv) -> str:
    """Return why there is nothing to imagine with; nothing where there is."""
    if config.algo == "sac":
        return "a sac run has no model: the film shows the real episode only"
    inputs = model.ensemble.inputs
    if bool((inputs.mean == 0).all()) and bool((inputs.std == 1).all()):
        return "the model of this checkpoint was never fitted: the film shows the real episode only"
    return ""


class Dream:
    """Follow K elites, each on its own from the real start, through the real actions: an open loop.

    Attributes:
        mean: [O], of the elites' states now.
        error: of their states now, as :func:`error_of` has it.
        total: of the rewards so far, the mean over elites.
        parted: the step at which real and imagined parted, None as long as they did not.
        ended: the first step at which half of the elites or more had ended the episode, None before it.
    """

    def __init__(self, model: FakeEnv, start: Array) -> None:
        self._model = model
        self._spread = model.ensemble.inputs.std[: len(start)].numpy()
        self._obs = torch.from_numpy(start).expand(model.members, 1, -1)  # [K, 1, O]
        self._over = torch.zeros(model.members, dtype=torch.bool)
        self._states: list[Array] = [self._obs[:, 0].numpy()]
        self._rewards: list[Array] = []
        self._errors = [0.0]
        self.mean, self.total = start, 0.0
        self.parted: int | None = None
        self.ended: int | None = None

    @property
    def error(self) -> float:
        """Return the error of the states now."""
        return self._errors[-1]

    def step(self, action: Array, real: Array) -> None:  # [A], [O]
        """Go on by one step, which really led to ``real``."""
        reward, self._obs, ends = self._model.mean_step(self._obs, torch.from_numpy(action)[None])
        states = self._obs[:, 0].numpy()
        self._states.append(states)
        self._rewards.append(reward[:, 0].numpy())
        self._errors.append(float(error_of(states[:, None], real[None], self._spread)[0]))
        self.mean = self._obs[:, 0].mean(dim=0).numpy()  # of what is not finite without a warning
        self.total += float(reward.double().mean())
        self._over = self._over | ends[:, 0]
        step = len(self._rewards)
        if self.parted is None and self.error > PARTED:
            self.parted = step
        if self.ended is None and 2 * int(self._over.sum()) >= len(self._over):
            self.ended = step

    def imagined(self) -> Imagined:
        """Return all that was imagined so far, after one step or more."""
        obs, error = np.stack(self._states, axis=1), np.array(self._errors)
        return Imagined(obs, np.stack(self._rewards, axis=1), error, self.parted, self.ended, self.total)


def error_of(
    imagined: Array,  # [K, T + 1, O]
    real: Array,  # [T + 1, O]
    spread: Array,  # [O], the standard deviation of real states
) -> NDArray[np.float64]:  # [T + 1]
    """Return how far the imagined states are from the real ones after each step, in standard deviations.

        error_h = √(mean over elites and dims of ((ŝ_h − s_h)/spread)²),  infinite where ŝ_h is not finite

    That is the root of what ``mbpo.trust.open_loop`` calls "error".
    """
    with np.errstate(over="ignore", invalid="ignore"):
        parts = ((imagined.astype(np.float64) - real) / spread) ** 2
        error: NDArray[np.float64] = np.sqrt(parts.mean(axis=(0, 2)))
    return np.where(np.isfinite(error), error, np.inf)


@dataclass(frozen=True)
class Imagined:
    """Hold what K elites imagined over the T steps of a real episode.

    It parts from the real one at the first step after which the error is above 0.5. The steps before are what is called
    the model's valid prediction time.

    Source: Vlachas et al. 2020, arXiv:1910.05266: valid is a prediction whose NRMSE is below 0.5.
    Departs: the mean goes over elites too, and the unit is the standard deviation of the model's training data.
    """

    obs: Array  # [K, T + 1, O]; the first is the real start
    rewards: Array  # [K, T]
    error: NDArray[np.float64]  # [T + 1], of the states; 0 at the start
    parted: int | None  # the step, 1…T; None where they do not part
    ended: int | None  # the step at which half of the elites or more would have ended the episode
    total: float  # of rewards, the mean over elites
