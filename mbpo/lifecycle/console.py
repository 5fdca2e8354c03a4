"""Print a run's progress: one line per interval, or on a terminal one that stays; refits are left to the metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mbpo.lifecycle.log import note
from mbpo.lifecycle.progress import RunProgress
from mbpo.runs.solved import solved_words
from mbpo.runs.status import RunStatus
from mbpo.settings.config import Config
from mbpo.settings.numbers import duration, short
from mbpo.settings.stdout import say


class Console:
    """Write progress lines to stdout, which the run's log copies.

    Where a line at the bottom of the terminal says the same, those of intervals are in the log alone.
    """

    def __init__(self, config: Config, progress: RunProgress | None = None) -> None:
        self._progress = progress
        self._total = config.total_steps
        self._warmup = config.warmup_steps
        self._env_id = config.env_id
        self._algo = config.algo
        self._model = "no model" if config.algo == "sac" else "model: first refit to come"
        self._evaluation = ""
        self._saved_at = -1

    def interval(self, env_steps: int, metrics: Mapping[str, float | None], status: RunStatus) -> None:
        """Print where the run stands."""
        speed = metrics.get("time/env_steps_per_s") or 0.0
        learns = env_steps > self._warmup  # what comes before is no measure of what comes
        left = duration((self._total - env_steps) / speed) if speed and learns else "?"
        last = "—" if status.last_return is None else f"{status.last_return:.1f}"
        parts = [
            f"{env_steps:>7,}/{self._total:,}",
            self._evaluation,
            f"return {last:>8}",
            *self._trust(metrics),
            self._model,
            f"{speed:.0f} steps/s",
            f"{left} left",
        ]
        line = "  ".join(part for part in parts if part)
        if self._progress is None:
            say(line)
        else:
            self._progress.k = _shown(metrics, "rollout/length") if self._algo == "mbpo" else ""
            note(f"{line}\n")

    def checkpoint(self, env_steps: int) -> None:
        """Print that a checkpoint was saved, where a person may be looking; others read the run's events."""
        if self._progress is not None and env_steps != self._saved_at:  # the last one may be saved twice
            self._saved_at = env_steps
            say(f"{env_steps:>7,}/{self._total:,}  checkpoint")

    def _trust(self, metrics: Mapping[str, float | None]) -> Iterator[str]:
        if self._algo == "mbpo":
            yield f"k {_shown(metrics, 'rollout/length')}"
            yield f"real {_shown(metrics, 'mix/real_ratio_measured')}"

    def refit(self, env_steps: int, metrics: Mapping[str, float | None]) -> None:
        """Remember the model's error for the next line."""
        self._model = f"model rmse {_shown(metrics, 'model/holdout_rmse')}"
        if metrics.get("bound/k_star") is not None:
            self._model += f" k* {_shown(metrics, 'bound/k_star')}"

    def evaluation(self, env_steps: int, metrics: Mapping[str, float], status: RunStatus) -> None:
        """Print an evaluation, with the best so far and whether the task is solved."""
        mean, std, best = metrics["eval/return_mean"], metrics["eval/return_std"], status.best_return
        self._evaluation = f"eval {mean:.1f}"
        parts = [
            f"evaluation {mean:.1f} ± {std:.1f}",
            f"best {best:.1f}" if best is not None else "",
            solved_words(status.threshold, status.solved_at),
        ]
        say("  ".join([f"{env_steps:>7,}/{self._total:,}", *filter(None, parts)]))

    def profile(self, figures: Mapping[str, Any]) -> None:
        """Print where the wall time went."""
        say(f"wall time {duration(figures['wall_s'])}, of which")
        for part, share in sorted(figures["share"].items(), key=lambda item: -item[1]):
            each = figures["ms_per_step"][part]
            say(f"  {part:8} {share:6.1%}  {each:8.2f} ms per env step after warm-up")
        if figures["median_step_ms"] is not None:
            say(f"median env step {figures['median_step_ms']:.2f} ms")


def _shown(metrics: Mapping[str, float | None], key: str) -> str:
    value = metrics.get(key)
    return "—" if value is None else short(value)
