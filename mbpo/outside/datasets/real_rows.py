"""Read the real transitions that a run's newest checkpoint holds, and cut them into episodes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mbpo.data.transitions import Transitions
from mbpo.errors import CheckpointError, ShapeError
from mbpo.runs.checkpoint_names import checkpoint_name, checkpoint_steps
from mbpo.runs.hashes import read_manifest, segments_in
from mbpo.runs.kept_rows import read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import whole
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.saving.row_files import Segments

Array = NDArray[np.float32]


@dataclass(frozen=True)
class RealRows:
    """Hold the newest N real transitions of a run, in the order in which they were lived."""

    obs: Array  # [N, O]
    action: Array  # [N, A]
    reward: Array  # [N], as the environment gave it
    next_obs: Array  # [N, O]
    terminated: NDArray[np.bool_]  # [N]
    behaviour: Array  # [N, 2A + 1]: mean and log_std before tanh, log_prob
    first: int  # how many rows came before and are held no more
    env_steps: int  # of the checkpoint; more than the rows where steps were left out
    at_end: bool  # whether the episode of the last row ended with it


@dataclass(frozen=True)
class Span:
    """Say which rows are an episode, and how it ended."""

    begin: int
    end: int  # beyond its last row
    ended: str  # "terminated", "truncated", or "under way" of the last one
    index: int | None  # of the episode in its run, from 1, where the metrics tell


def read_real(paths: RunPaths, obs_dim: int, action_dim: int) -> RealRows:
    """Return the rows of the newest checkpoint that is whole.

    Raises:
        CheckpointError: there is none, it is of other shapes, or it holds no row.
    """
    wrong = "it has none yet; a learner saves one every checkpoint_every env steps and at its end"
    for env_steps in reversed(checkpoint_steps(paths.checkpoints)):
        try:
            return _read(paths, env_steps, obs_dim, action_dim)
        except CheckpointError as error:  # one that a learner at work has just dropped, say
            wrong = str(error)
    raise CheckpointError(f"{paths.run_id} has no whole checkpoint with its transitions: {wrong}")


def episodes_of(rows: RealRows, ends: Mapping[int, int]) -> list[Span]:
    """Return the episodes whose first row is held; ``ends`` is what :func:`recorded_ends` said.

    An episode goes on from one row to the next where the next begins with the observation that this one led to.
    """
    goes_on = (rows.next_obs[:-1] == rows.obs[1:]).all(axis=1) & ~rows.terminated[:-1]
    known = [at - rows.first for at in ends if 0 <= at - rows.first < len(goes_on)]
    goes_on[known] = False
    starts = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), len(rows.obs)]
    spans = [_span(rows, ends, begin, end) for begin, end in itertools.pairwise(starts)]
    return spans[1:] if rows.first else spans


def recorded_ends(paths: RunPaths, rows: RealRows) -> dict[int, int]:
    """Return of each row at which the metrics say that an episode ended which one it was, from 1.

    Nothing where steps were left out: env steps then do not number rows.
    """
    if rows.first + len(rows.obs) != rows.env_steps:
        return {}
    kept, _ = read_kept(paths.metrics)
    found = ((whole(row.get("env_steps")), whole(row.get("episode/index"))) for row in kept if "episode/length" in row)
    return {at - 1: index for at, index in found if at and index}


def _read(paths: RunPaths, env_steps: int, obs_dim: int, action_dim: int) -> RealRows:
    folder = paths.checkpoints / checkpoint_name(env_steps)
    segments = segments_in(read_manifest(folder))
    held = Segments(paths.checkpoints / "rows").load(segments, load_checkpoint(folder, "tail"))
    added = int(load_checkpoint(folder, "real")["numbers"][0])
    try:
        rows = Transitions(held["rows"].cpu(), obs_dim, action_dim)
    except ShapeError as error:
        raise CheckpointError(f"{folder} is of another environment: {error}") from None
    if not len(rows):
        raise CheckpointError(f"{folder} holds no transition yet")
    return RealRows(
        obs=rows.obs.numpy(),
        action=rows.action.numpy(),
        reward=rows.reward.numpy(),
        next_obs=rows.next_obs.numpy(),
        terminated=rows.terminated.numpy() > 0,
        behaviour=held["behaviour"].cpu().numpy(),
        first=added - len(rows),
        env_steps=env_steps,
        at_end=not len(load_checkpoint(folder, "episode")["actions"]),
    )


def _span(rows: RealRows, ends: Mapping[int, int], begin: int, end: int) -> Span:
    last = end - 1
    if rows.terminated[last]:
        ended = "terminated"
    elif end < len(rows.obs) or rows.at_end or last + rows.first in ends:
        ended = "truncated"
    else:
        ended = "under way"
    return Span(begin, end, ended, ends.get(last + rows.first))
