"""Time one tree's updates, in a process of its own; :mod:`benchmarks.beside` starts it.

What it calls is as old as the commits that it is to compare, or is asked for only in bfloat16.
"""

from __future__ import annotations

import hashlib
import json
import statistics
import sys
import time
from collections.abc import Callable

import torch
from torch import Tensor

import mbpo
from benchmarks import ours
from benchmarks.cases import BATCH, ImaginedCase, SACCase, TrainingCase
from benchmarks.shapes import TASKS

UPDATES = 20  # of an env step, in one call
SECONDS, MOVES = 1.5, 2000  # of timing each; numbers shown of a movement


class Turn:
    """Hold what one tree took and came to."""

    def __init__(self, precision: str) -> None:
        self.asked = {} if precision == "float32" else {"precision": precision}
        self.ms: dict[str, float] = {}
        self.digests: dict[str, str] = {}
        self.moved: dict[str, list[float]] = {}

    def updates(self, name: str) -> None:
        """Time SAC updates of a task, then its training steps."""
        task = TASKS[name]
        case, training = SACCase.draw(task), TrainingCase.draw(task)
        sac, steps = ours.SACUpdate(case, **self.asked), ours.TrainingStep(training, **self.asked)
        batches, index = case.rows[: UPDATES * BATCH].view(UPDATES, BATCH, -1), torch.cat(training.batches, dim=1)
        self._record(f"SAC update, {name}", lambda: sac.update(batches), UPDATES, sac.parameters)
        self._record(f"training step, {name}", lambda: steps.epoch(index), len(training.batches), steps.parameters)

    @torch.no_grad()
    def imagined(self, name: str) -> None:
        """Time an imagined step of policy and model."""
        case = ImaginedCase.draw(TASKS[name])
        run = ours.imagine(case, **self.asked)
        self.ms[f"imagined step of {len(case.obs):,} rows, {name}"] = median_ms(lambda: run(case.obs))

    def _record(self, name: str, run: Callable[[], object], steps: int, parameters: Callable[[], list[Tensor]]) -> None:
        """Take one call and keep what moved, then time more."""
        before = torch.cat([p.detach().flatten() for p in parameters()])
        run()
        after = torch.cat([p.detach().flatten() for p in parameters()])
        self.digests[name] = hashlib.sha256(after.numpy().tobytes()).hexdigest()
        self.moved[name] = (after - before)[:: max(1, len(after) // MOVES)].tolist()
        self.ms[name] = median_ms(run) / steps


def median_ms(run: Callable[[], object]) -> float:
    """Return the median time of a call."""
    for _ in range(3):
        run()
    times, end = [], time.perf_counter() + SECONDS
    while time.perf_counter() < end or len(times) < 5:
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


def main(threads: int, precision: str) -> None:
    """Print what was found as one line of JSON."""
    torch.set_num_threads(threads)
    turn = Turn(precision)
    for name in ("Hopper", "Ant", "Pendulum"):
        turn.updates(name)
    turn.imagined("Hopper")
    print(json.dumps({"mbpo": mbpo.__file__, "ms": turn.ms, "digests": turn.digests, "moved": turn.moved}))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
