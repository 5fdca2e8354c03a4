"""Film one episode of a policy, and beside it what the model imagines of it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from mbpo.comparison.picture_files import check_matplotlib
from mbpo.dynamics.fake_env import FakeEnv
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.evaluation import MOST_STEPS, Policy
from mbpo.envs.spec import EnvSpec
from mbpo.errors import EnvironmentFault
from mbpo.outside.film.curves import write_curves
from mbpo.outside.film.drawing import prepare_drawing
from mbpo.outside.film.filmed import Film
from mbpo.outside.film.imagined import Dream, load_model, why_no_model
from mbpo.outside.film.movie import Movie, check_movie
from mbpo.outside.film.picture import Panel, side_by_side
from mbpo.outside.film.puppet import Puppet, find_puppet
from mbpo.seeding import stream_seed
from mbpo.settings.config import Config
from mbpo.settings.packages import install_command
from mbpo.settings.setting import shown
from mbpo.settings.terminal import BottomLine

USUAL_FPS = 30.0
PROGRESS_EVERY = 5  # steps


def film(config: Config, policy: Policy, checkpoint: Path, label: str, seed: int, path: Path) -> Film:
    """Film the first of the episodes that ``mbpo.evaluate --seed`` plays, into ``path`` and a PNG of curves beside it.

    Raises:
        ConfigError: a package is missing, or a file cannot be written.
        EnvironmentFault: the environment draws no pictures.
        CheckpointError: the model cannot be loaded.
        StorageError: the film could not be written whole.
    """
    check_movie(path)
    check_matplotlib("--video")
    with contextlib.closing(BoxEnv(config)) as plain:
        _check_draws(plain)
        prepare_drawing(plain)
        model = load_model(config, plain, checkpoint)
    why_not = why_no_model(config, model)
    title = f"{shown(config.env_id)}, {policy_named(label)}, seed {seed}"
    with contextlib.closing(_drawing(config)) as env, _puppet(config, why_not) as puppet:
        notes = [why_not] if why_not else [] if puppet else [_why_curves_only(config)]
        shot = _Shot(env, policy, None if why_not else model, puppet, Movie(path, _fps(env)), title)
        with _pygame_named(config.env_id):
            found = shot.run(stream_seed(seed, "evaluation", 0), notes)
    write_curves(path.with_suffix(".png"), title, found.obs, found.rewards, found.imagined)
    return found


def policy_named(checkpoint: str) -> str:
    """Return what a saved policy is called: the best policy, the policy of env step 200."""
    return f"policy of env step {checkpoint}" if checkpoint.isdecimal() else f"{checkpoint} policy"


class _Shot:
    """Hold what an episode is filmed with."""

    def __init__(
        self, env: BoxEnv, policy: Policy, model: FakeEnv | None, puppet: Puppet | None, movie: Movie, title: str
    ) -> None:
        self._env, self._policy, self._model, self._puppet = env, policy, model, puppet
        self._movie, self._title = movie, title
        self._rewards: list[float] = []

    def run(self, seed: int, notes: list[str]) -> Film:
        try:
            found = self._play(seed, notes)
            self._movie.finish()
        except BaseException:
            self._movie.drop()
            raise
        return found

    def _play(self, seed: int, notes: list[str]) -> Film:
        env = self._env
        obs = env.reset(seed)
        states, actions, over, terminated = [obs], [], False, False
        dream = Dream(self._model, obs) if self._model else None
        drawn = self._puppet.begin(seed) if self._puppet else None
        self._film(drawn, dream)
        limit = env.time_limit or MOST_STEPS
        with _progress(limit) as show:
            while not over:
                action = self._policy(obs[None])[0]
                obs, reward, terminated, truncated = env.step(action)
                states.append(obs)
                actions.append(action)
                self._rewards.append(reward)
                over = terminated or truncated or len(actions) >= limit
                if dream:
                    dream.step(action, obs)
                    drawn = self._puppet.show(dream.mean) if self._puppet else None
                self._film(drawn, dream)
                show(len(actions))
        numbers = np.stack(states), np.stack(actions), np.array(self._rewards, dtype=np.float64)
        imagined = dream.imagined() if dream else None
        return Film(
            self._title, *numbers, terminated, imagined, self._movie.frames, self._puppet is not None, tuple(notes)
        )

    def _film(self, drawn: NDArray[np.uint8] | None, dream: Dream | None) -> None:
        """Add a frame: the real one, and the imagined one where it can be drawn."""
        real = Panel(self._env.frame(), "real", f"return {sum(self._rewards):.1f}")
        foot = f"{self._title}, step {len(self._rewards)}"
        if dream is None:
            self._movie.add(side_by_side([real], foot))
            return
        said = f"return {dream.total:.1f}, error {dream.error:.2f} std"
        said += "" if dream.parted is None else f", parted at step {dream.parted}"
        if drawn is None:
            alone = dataclasses.replace(
                real, figures=f"{real.figures}; the model: {said}", alarm=dream.parted is not None
            )
            self._movie.add(side_by_side([alone], foot))
            return
        ended = "" if dream.ended is None else f" (its episode ended at step {dream.ended})"
        self._movie.add(side_by_side([real, Panel(drawn, f"imagined{ended}", said, dream.parted is not None)], foot))


def _drawing(config: Config) -> BoxEnv:
    """Return the run's environment as one that draws."""
    spec = EnvSpec.of(config)
    return BoxEnv(dataclasses.replace(spec, kwargs={**spec.kwargs, "render_mode": "rgb_array"}))


def _check_draws(env: BoxEnv) -> None:
    """Check that the environment says that it draws pictures.

    Raises:
        EnvironmentFault: it does not.
    """
    modes: Any = next(reversed(list(env.layers()))).metadata.get("render_modes") or []
    if "rgb_array" not in modes:
        raise EnvironmentFault(
            f'{env.env_id} draws no pictures: expected "rgb_array" in its metadata["render_modes"], got {list(modes)}'
        )


@contextlib.contextmanager
def _pygame_named(env_id: str) -> Iterator[None]:
    """Say how to install what Gymnasium draws its own environments with, where that lacks."""
    try:
        yield
    except EnvironmentFault as fault:
        if not isinstance(fault.__cause__, gymnasium.error.DependencyNotInstalled):
            raise
        needs = install_command("gymnasium[classic-control]")
        raise EnvironmentFault(f"{shown(env_id)} needs pygame to draw itself: {needs}") from None


@contextlib.contextmanager
def _puppet(config: Config, why_not: str) -> Iterator[Puppet | None]:
    """Yield a second environment that draws what is imagined; None where it cannot, or may not be made."""
    if why_not or config.one_instance:
        yield None
        return
    with contextlib.closing(_drawing(config)) as env:
        yield find_puppet(env)


def _why_curves_only(config: Config) -> str:
    if config.one_instance:
        return "one_instance allows no second environment to draw what is imagined: it is in the curves only"
    return (
        f"the state of {shown(config.env_id)} cannot be set from an observation: what is imagined is in the curves only"
    )


def _fps(env: BoxEnv) -> float:
    """Return the frames per second that the environment names, else 30."""
    told = next(reversed(list(env.layers()))).metadata.get("render_fps")
    return float(told) if isinstance(told, (int, float)) and 0 < told <= 240 else USUAL_FPS


@contextlib.contextmanager
def _progress(limit: int) -> Iterator[Any]:
    """Yield what shows the step on a terminal."""
    line = BottomLine(2) if os.isatty(2) else None
    if line is None:
        yield lambda step: None
        return

    def show(step: int) -> None:
        if step % PROGRESS_EVERY == 0:
            text = f"filming: step {step:,} of at most {limit:,}"
            with contextlib.suppress(OSError):
                line.show(text, len(text))

    line.begin()
    try:
        yield show
    finally:
        line.end()
