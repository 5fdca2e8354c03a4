"""Time what a checkpoint costs: ``python -m benchmarks.checkpoint_cost hopper humanoid``.

The learner is the preset's, its buffers as full as they are after ``--env-steps`` steps: that many
real rows, and all the imagined rows that the model buffer keeps at that time. "Copied" is how long
the loop waits; "written" is what a thread of its own then takes to write, sync and verify. Medians
of ``--repeats`` saves, each at another step, as in a run.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import torch

from mbpo.data.real_buffer import Behaviour
from mbpo.data.replay_buffer import model_buffer_capacity
from mbpo.data.transitions import Transitions, row_width
from mbpo.learner.learner import Learner
from mbpo.saving.store import CheckpointStore
from mbpo.settings.config import resolve
from mbpo.trust.policies.schedule import scheduled_length


def filled(preset: str, env_steps: int) -> Learner:
    """Return the preset's learner as it is after ``env_steps`` env steps, in size."""
    config = resolve({"real_buffer_capacity": 10**6, "device": "cpu"}, preset)
    learner = Learner(config)
    real, model = learner.real_buffer, learner.model_buffer
    obs_dim, action_dim = real.obs_dim, real.action_dim
    width = row_width(obs_dim, action_dim)
    behaviour = torch.randn(env_steps, 2 * action_dim + 1).split(action_dim, dim=1)
    real.add_real(
        Transitions(torch.randn(env_steps, width), obs_dim, action_dim),
        Behaviour(behaviour[0], behaviour[1], behaviour[2][:, 0]),
    )
    length = scheduled_length(env_steps // config.epoch_length, config.rollout_schedule)
    per_refit = length * config.rollout_batch
    capacity = model_buffer_capacity(per_refit, config.retain_epochs, config.epoch_length, config.model_train_freq)
    model.resize(capacity)
    model.add(Transitions(torch.randn(capacity, width), obs_dim, action_dim))
    return learner


def cost(preset: str, env_steps: int, repeats: int, folder: Path) -> tuple[float, float, int, bool]:
    """Return seconds copied, seconds written, bytes, and whether imagined rows are saved."""
    learner, store = filled(preset, env_steps), CheckpointStore(folder)
    copied, written = [], []
    for number in range(1 + repeats):  # the first also writes the older rows' segments
        start = time.perf_counter()
        store.save(learner, env_steps + number, "last", {"best_return": None})
        middle = time.perf_counter()
        store.settle()
        copied.append(middle - start)
        written.append(time.perf_counter() - middle)
    newest = max(folder.glob("step-*"))
    size = sum(path.stat().st_size for path in newest.iterdir())
    saved = (newest / "imagined.safetensors").exists()
    store.close()
    learner.close()
    return statistics.median(copied[1:]), statistics.median(written[1:]), size, saved


def main() -> int:
    """Print a line per preset."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("presets", nargs="+")
    parser.add_argument("--env-steps", type=int, default=25_000)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    torch.set_num_threads(2)
    for preset in given.presets:
        with tempfile.TemporaryDirectory() as folder:
            copied, written, size, saved = cost(preset, given.env_steps, given.repeats, Path(folder))
        print(
            f"{preset} at {given.env_steps:,} env steps: copied {copied:.3f} s, "
            f"written {written:.3f} s, {size / 1e6:.1f} MB, "
            f"imagined rows {'saved' if saved else 'regenerated'}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
