"""Make a Minari dataset of the real transitions of a run."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import CheckpointError, EnvironmentFault, MBPOError, StorageError
from mbpo.outside.datasets.about_dataset import about_dataset
from mbpo.outside.datasets.minari_folder import folder_of, needs_minari, new_dataset
from mbpo.outside.datasets.real_rows import RealRows, Span, episodes_of, read_real, recorded_ends
from mbpo.outside.datasets.spoken import FlatWords, OwnWords, Words, arrays_in
from mbpo.outside.progress import told
from mbpo.runs.layout import RunPaths
from mbpo.seeding import stream_seed
from mbpo.settings.config import Config


@dataclass(frozen=True)
class Made:
    """Say what a dataset holds, and what is to be said of it."""

    episodes: int
    steps: int
    folder: str
    notes: tuple[str, ...]


def write_minari(paths: RunPaths, config: Config, root: Path, name: str, force: bool) -> Made:
    """Write the run's real transitions as Minari dataset ``name`` below ``root``, and read them back equal.

    Raises:
        ConfigError: Minari is not installed, or the name cannot be used.
        CheckpointError: the run holds no transitions.
        EnvironmentFault: its environment cannot be made.
        StorageError: the disk is full, or holds something else than what was written.
    """
    needs_minari()
    folder = folder_of(root, name, force)
    env = BoxEnv(config)
    try:
        rows = read_real(paths, env.obs_dim, env.action_dim)
        spans = episodes_of(rows, recorded_ends(paths, rows))
        if not spans:
            raise CheckpointError(f"none of the {len(rows.obs):,} transitions that are held begins an episode")
        episodes, notes = list(_cut(rows, spans, config.seed, env)), _notes(rows, spans)
        try:
            _write((root, name, force), OwnWords(env), env, episodes, about_dataset(paths, config, rows, notes))
        except _NotTold as why:
            notes.append(f"observations and actions are flat float32 numbers: {why}")
            _write((root, name, force), FlatWords(env), env, episodes, about_dataset(paths, config, rows, notes))
    except _NotTold as why:
        raise StorageError(f"{name} was not written: {why}") from None
    finally:
        env.close()
    return Made(len(spans), spans[-1].end - spans[0].begin, str(folder), tuple(notes))


class _NotTold(Exception):
    """Say why an episode cannot be written in these words."""


@dataclass(frozen=True)
class _Episode:
    span: Span
    obs: Any  # [T + 1, O]
    action: Any  # [T, A]
    reward: Any  # [T]
    behaviour: Any  # [T, 2A + 1]
    seed: int | None  # from which a reset gives obs[0]


def _cut(rows: RealRows, spans: Sequence[Span], seed: int, env: BoxEnv) -> Iterator[_Episode]:
    for span in spans:
        own = slice(span.begin, span.end)
        obs = np.concatenate((rows.obs[own], rows.next_obs[span.end - 1 : span.end]))
        found = _seed(env, seed, span, obs[0])
        yield _Episode(span, obs, rows.action[own], rows.reward[own], rows.behaviour[own], found)


def _seed(env: BoxEnv, seed: int, span: Span, first: Any) -> int | None:
    """Return the seed of an episode's reset, where a reset by it gives the same observation again."""
    if span.index is None:
        return None
    reset = stream_seed(seed, "env", span.index - 1) % 2**31
    try:
        return reset if np.array_equal(env.reset(reset), first) else None
    except EnvironmentFault:
        return None


def _write(
    where: tuple[Path, str, bool], words: Words, env: BoxEnv, episodes: Sequence[_Episode], about: Mapping[str, Any]
) -> None:
    """Write and read back.

    Raises:
        _NotTold: these words do not fit, or what is read back differs.
    """
    minari = needs_minari()
    try:
        buffers = [_buffer(words, env.action_dim, episode) for episode in told(episodes, "telling episodes")]
        with new_dataset(*where), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that no author is given
            dataset = minari.create_dataset_from_buffers(
                where[1],
                buffers,
                observation_space=words.observation_space,
                action_space=words.action_space,
                algorithm_name=about["algorithm"],
                code_permalink=about["code"],
                description=about["description"],
                jpeg_encoding=False,  # pixels as they were, too
            )
            spec = None if words.flat else _env_spec(env)
            said = {key: value for key, value in about.items() if key != "description"}
            dataset.storage.update_metadata({"mbpo": said, **({"env_spec": spec} if spec else {})})
            dataset.storage.update_episode_metadata([{"ended": episode.span.ended} for episode in episodes])
            _read_back(minari.load_dataset(where[1]), buffers)
    except (MBPOError, OSError):
        raise
    except Exception as error:  # whatever Minari, h5py or Gymnasium raise of a space that they do not know
        raise _NotTold(str(error)[:80] or type(error).__name__) from None


def _buffer(words: Words, dim: int, episode: _Episode) -> Any:
    minari, length = needs_minari(), len(episode.reward)
    spoken = words.say(episode.obs, episode.action)
    infos = {
        "mean": episode.behaviour[:, :dim],
        "log_std": episode.behaviour[:, dim : 2 * dim],
        "log_prob": episode.behaviour[:, 2 * dim],
        "policy_action": episode.action,
    }
    ended = np.zeros((2, length), bool)
    ended[0 if episode.span.ended == "terminated" else 1, -1] = True
    lengths = {array.shape[0] for _, array in arrays_in(spoken.observations, "")}
    if lengths != {length + 1}:  # Minari would store any
        raise ValueError(f"{length} steps need {length + 1} observations, got {sorted(lengths)}")
    return minari.data_collector.EpisodeBuffer(
        seed=episode.seed,
        observations=spoken.observations,
        actions=spoken.actions,
        rewards=episode.reward,
        terminations=ended[0],
        truncations=ended[1],
        infos=infos,
    )


def _read_back(dataset: Any, buffers: Sequence[Any]) -> None:
    if dataset.total_episodes != len(buffers):
        raise ValueError(f"{dataset.total_episodes} of {len(buffers)} episodes read back")
    for written, found in zip(told(buffers, "reading episodes back"), dataset.iterate_episodes(), strict=True):
        for part in ("observations", "actions", "rewards", "terminations", "truncations", "infos"):
            before, after = (list(arrays_in(getattr(e, part), part)) for e in (written, found))
            if [name for name, _ in before] != [name for name, _ in after]:
                raise ValueError(f"Minari reads its {part} back in another form")
            for (where, one), (_, other) in zip(before, after, strict=True):
                if one.dtype != other.dtype or not np.array_equal(one, other, equal_nan=one.dtype.kind == "f"):
                    raise ValueError(f"Minari reads its {where} back otherwise")


def _env_spec(env: BoxEnv) -> str | None:
    """Return how the environment is made, with the run's time limit; None where that cannot be written down."""
    spec = next(env.layers()).spec
    if spec is None:
        return None
    try:
        return str(dataclasses.replace(spec, max_episode_steps=env.time_limit).to_json())
    except (TypeError, ValueError):
        return None


def _notes(rows: RealRows, spans: Sequence[Span]) -> list[str]:
    notes = []
    begun = spans[0].begin if spans else len(rows.obs)
    if rows.first:
        notes.append(f"the first {rows.first + begun:,} transitions are left out: the run keeps the newest only")
    if spans and spans[-1].ended == "under way":
        steps = spans[-1].end - spans[-1].begin
        notes.append(f"the last episode was under way: its {steps:,} steps are there as truncated")
    if left_out := rows.env_steps - rows.first - len(rows.obs):
        notes.append(f"{left_out:,} steps whose reward or observation meant nothing are left out")
    return notes
