"""Measure the return of a policy in environments of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.data.played import Played
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spaces import Array
from mbpo.envs.spec import EnvSpec
from mbpo.seeding import stream_seed
from mbpo.settings.config import Config

Policy = Callable[[Array], Array]  # obs [N, O] -> action [N, A]
MOST_ENVS = 16
MOST_STEPS = 10_000  # of an episode, where the environment sets no time limit


@dataclass(frozen=True)
class EvalReport:
    """Hold the returns of N evaluation episodes."""

    returns: NDArray[np.float64]  # [N]
    lengths: NDArray[np.int64]  # [N], env steps

    def metrics(self) -> dict[str, float]:
        """Return the report under its metric keys."""
        return {
            "eval/return_mean": float(self.returns.mean()),
            "eval/return_std": float(self.returns.std()),
            "eval/return_min": float(self.returns.min()),
            "eval/length_mean": float(self.lengths.mean()),
        }


class Evaluator:
    """Run episodes from the start states (seed, "evaluation", 0..N−1), several at a time.

    The starts are the same at every evaluation, so two points of a curve differ by the policy
    and not by the luck of the start.
    """

    def __init__(self, what: EnvSpec | Config | str, episodes: int, seed: int, only: BoxEnv | None = None) -> None:
        """Make environments, unless ``only`` one may be used, which stays its owner's."""
        self._seeds = [stream_seed(seed, "evaluation", i) for i in range(episodes)]
        self._own = [BoxEnv(what) for _ in range(min(episodes, MOST_ENVS))] if only is None else []
        self._envs = self._own if only is None else [only]

    def run(self, policy: Policy, keep: Callable[[Played], object] | None = None) -> EvalReport:
        """Return the undiscounted returns of ``policy``; a step that means nothing ends its episode.

        ``keep`` is told each episode when it ends.

        Raises:
            DivergedError: an action is not finite.
            EnvironmentFault: the environment raised, or broke its contract.
        """
        returns = np.zeros(len(self._seeds))
        lengths = np.zeros(len(self._seeds), dtype=np.int64)
        for first in range(0, len(self._seeds), len(self._envs)):
            wave = range(first, min(first + len(self._envs), len(self._seeds)))
            running = dict(zip(wave, self._envs, strict=False))
            obs = {i: env.reset(self._seeds[i]) for i, env in running.items()}
            tracks: dict[int, tuple[list[Array], list[Array], list[float]]]
            tracks = {i: ([first], [], []) for i, first in obs.items()}
            while running:
                actions = policy(np.stack([obs[i] for i in running]))
                for (i, env), action in zip(list(running.items()), actions, strict=True):
                    obs[i], reward, terminated, truncated = env.step(action)
                    returns[i] += reward
                    lengths[i] += 1
                    if keep:
                        states, actions_taken, rewards = tracks[i]
                        states.append(obs[i])
                        actions_taken.append(action)
                        rewards.append(reward)
                    if terminated or truncated or lengths[i] >= (env.time_limit or MOST_STEPS):
                        del running[i]
                        if keep:
                            keep(_played(*tracks.pop(i), terminated))
        return EvalReport(returns, lengths)

    def close(self) -> None:
        """Free the environments."""
        for env in self._own:
            env.close()


def _played(obs: list[Array], action: list[Array], rewards: list[float], terminated: bool) -> Played:
    return Played(
        np.stack(obs).astype(np.float32),
        np.stack(action).astype(np.float32),
        np.array(rewards, dtype=np.float64),
        terminated,
    )
