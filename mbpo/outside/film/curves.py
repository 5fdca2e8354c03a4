"""Draw an episode's observations and rewards, real against imagined."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mbpo.comparison.picture_files import literal, new_figure, save_pictures
from mbpo.envs.spaces import Array
from mbpo.outside.film.imagined import PARTED, Imagined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLUMNS = 4
MOST_DIMS = 120  # drawn; of more those that err most
REAL, MODEL = "0.15", "C0"

Numbers = NDArray[np.float64]


def write_curves(
    path: Path,
    title: str,
    obs: Array,  # [T + 1, O]
    rewards: Numbers,  # [T]
    imagined: Imagined | None,
) -> None:
    """Draw a panel for the error, one for the reward and one for each observation dimension.

    Raises:
        ConfigError: the file cannot be written.
    """
    dims = _drawn(obs, imagined)
    panels = len(dims) + 1 + (imagined is not None)
    rows = math.ceil(panels / COLUMNS)
    figure = new_figure(3.4 * COLUMNS, 1.0 + 1.9 * rows)
    axes = list(figure.subplots(rows, COLUMNS, squeeze=False).flat)
    steps = np.arange(len(obs))
    used = iter(axes)
    if imagined is not None:
        _draw_error(next(used), steps, imagined)
    _draw(next(used), "reward", steps[1:], rewards, None if imagined is None else imagined.rewards)
    for dim in dims:
        _draw(next(used), f"obs dim {dim}", steps, obs[:, dim], None if imagined is None else imagined.obs[..., dim])
    for ax in used:
        ax.set_visible(False)
    for ax in axes[:panels]:
        ax.grid(alpha=0.3)
        ax.tick_params(labelsize=7)
        if imagined is not None and imagined.parted is not None:
            ax.axvline(imagined.parted, color="C3", linewidth=1)
    figure.suptitle(_heading(title, imagined, obs.shape[1], len(dims)), fontsize=10)
    figure.supxlabel("env step of the episode", fontsize=9)
    save_pictures(figure, {"png": path}, "--video")


def _heading(title: str, imagined: Imagined | None, dims: int, drawn: int) -> str:
    lines = [literal(title)]
    if imagined is not None:
        lines.append(
            "black: real; blue: imagined open-loop, the mean of the elites, band: from the lowest to the highest"
        )
        red = "none: they do not part" if imagined.parted is None else f"they part, at step {imagined.parted}"
        lines.append(f"red line: {red} (error above {PARTED} standard deviations)")
    if drawn < dims:
        lines.append(f"the {drawn} of {dims} dims that err most")
    return "\n".join(lines)


def _drawn(obs: Array, imagined: Imagined | None) -> list[int]:
    """Return the dims to draw, in order: all, or of very many those that err most in units of their spread."""
    dims = obs.shape[1]
    if dims <= MOST_DIMS or imagined is None:
        return list(range(min(dims, MOST_DIMS)))
    with np.errstate(all="ignore"):
        error = np.abs(imagined.obs.mean(axis=0) - obs).mean(axis=0) / (obs.std(axis=0) + 1e-12)
    worst = np.argsort(-np.nan_to_num(error, nan=np.inf), kind="stable")[:MOST_DIMS]
    return sorted(worst.tolist())


def _draw_error(ax: Axes, steps: NDArray[np.int64], imagined: Imagined) -> None:
    ax.plot(steps, np.where(np.isfinite(imagined.error), imagined.error, np.nan), color=MODEL, linewidth=1.2)
    ax.axhline(PARTED, color="C3", linestyle="--", linewidth=1)
    highest = float(np.nanmax(np.where(np.isfinite(imagined.error), imagined.error, np.nan)))
    ax.set_ylim(0.0, min(max(1.05 * highest, 2 * PARTED), 10 * PARTED))
    ax.set_title("error [standard deviations]", fontsize=8)


def _draw(ax: Axes, name: str, steps: NDArray[np.int64], real: Numbers | Array, imagined: Array | None) -> None:
    """Draw one quantity; what is imagined may leave the picture, which what is real sets."""
    ax.plot(steps, real, color=REAL, linewidth=1.4)
    low, high = float(np.min(real)), float(np.max(real))
    room = high - low or max(abs(high), 1.0)
    if imagined is not None:
        shown = np.clip(np.nan_to_num(imagined, nan=np.inf), low - 9 * room, high + 9 * room)
        ax.plot(steps, shown.mean(axis=0), color=MODEL, linewidth=1.1)
        ax.fill_between(steps, shown.min(axis=0), shown.max(axis=0), color=MODEL, alpha=0.25, linewidth=0)
    ax.set_ylim(low - 0.6 * room, high + 0.6 * room)
    ax.set_title(name, fontsize=8)
