"""Say where a run's wall time went."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mbpo.runs.layout import write_json


class Stopwatch:
    """Sum the wall time of named parts: ``with clock("env"): …``.

    ``settle`` is called where a part ends: on a GPU work goes on after the call that asked for it,
    and only waiting for it puts its time where it belongs.
    """

    PARTS = ("env", "model", "rollout", "sac", "eval")

    def __init__(self, settle: Callable[[], object] = lambda: None) -> None:
        self._settle = settle
        self._sums = dict.fromkeys(self.PARTS, 0.0)
        self._start = time.perf_counter()
        self._last = (0, self._start)
        self._inside = 0.0

    @contextlib.contextmanager
    def __call__(self, part: str) -> Iterator[None]:
        """Add the time inside to ``part``."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self._settle()
            self._sums[part] += time.perf_counter() - start

    def go_on_from(self, env_steps: int, seconds: Mapping[str, float]) -> None:
        """Count in what an earlier attempt took, as :meth:`split` returned it."""
        self._last = (env_steps, time.perf_counter())
        for part in self.PARTS:
            self._sums[part] += seconds.get(part, 0.0)
        self._start -= sum(seconds.values())

    def forget_speed(self, env_steps: int) -> None:
        """Measure speed from here on: what came before, as warm-up, is no measure of what comes."""
        self._last = (env_steps, time.perf_counter())

    def split(self) -> dict[str, float]:
        """Return the seconds of each part, and of "other": all else since the start, pauses too."""
        wall = time.perf_counter() - self._start
        return {**self._sums, "other": wall - sum(self._sums.values())}

    def metrics(self, env_steps: int) -> dict[str, float]:
        """Return the split, and the speed since the last call."""
        steps, then = self._last
        self._last = (env_steps, time.perf_counter())
        speed = (env_steps - steps) / max(1e-9, self._last[1] - then)
        return {f"time/{part}_s": round(s, 4) for part, s in self.split().items()} | {
            "time/env_steps_per_s": round(speed, 3)
        }


class Profile:
    """Note how long each env step took, and write the sums beside the run's other files."""

    def __init__(self, path: Path, clock: Stopwatch, warmup_steps: int) -> None:
        self._path = path
        self._clock = clock
        self._warmup_steps = warmup_steps
        self._learned: list[float] = []  # seconds of each env step after warm-up, of this attempt
        self._then = time.perf_counter()

    def step(self, env_steps: int) -> None:
        """Note the end of an env step."""
        now = time.perf_counter()
        if env_steps > self._warmup_steps:
            self._learned.append(now - self._then)
        self._then = now

    def write(self, env_steps: int) -> dict[str, Any]:
        """Write profile.json and return what stands in it; the sums are of all attempts.

        ``share`` is of the wall time; ``ms_per_step`` divides by the env steps after warm-up, and
        ``median_step_ms`` is the median over them: a step without a refit.
        """
        split = self._clock.split()
        wall = sum(split.values())
        learned = max(1, env_steps - self._warmup_steps)
        figures = {
            "env_steps": env_steps,
            "wall_s": round(wall, 3),
            "seconds": {part: round(s, 3) for part, s in split.items()},
            "share": {part: round(s / wall, 4) for part, s in split.items()},
            "ms_per_step": {part: round(1e3 * s / learned, 4) for part, s in split.items()},
            "median_step_ms": (round(1e3 * statistics.median(self._learned), 4) if self._learned else None),
        }
        write_json(self._path, figures)
        return figures
