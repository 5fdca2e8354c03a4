"""Read what the forks of a what-if came to: their evaluations from where they part up to their end."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from mbpo.comparison.runs import Run, read_run
from mbpo.runs.history import changes_before
from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import JsonLines, MetricLines, plain_number, rows_in

METRIC = "eval/return_mean"


@dataclass(frozen=True)
class ForkScore:
    """Hold one arm of one repeat; a score is NaN where the fork did not come to its end."""

    arm: str
    repeat: int
    seed: int
    state: str
    reason: str = ""  # why it did not come to its end
    run_dir: str = ""
    git_commit: str | None = None
    versions: Mapping[str, str] = field(default_factory=dict)  # of Python and of what moves results
    evaluations: tuple[tuple[int, float], ...] = ()  # env step and METRIC, those that count
    final: float = math.nan  # the evaluation at its end
    on_the_way: float = math.nan  # the mean of all its evaluations
    wall_s: float = math.nan
    remarks: tuple[str, ...] = ()  # what else a reader of its scores should know

    @property
    def scored(self) -> bool:
        """Return whether it came to its end, with a score."""
        return not math.isnan(self.final)


def read_fork(paths: RunPaths, arm: str, repeat: int, seed: int, step: int, evaluated_at: Collection[int]) -> ForkScore:
    """Return the scores of a fork that parted at ``step``.

    ``evaluated_at`` are the env steps of the evaluations that count: a stop makes one more.

    Raises:
        ConfigError: its config.toml cannot be used.
    """
    run = read_run(paths, METRIC)
    points = zip(run.curve.env_steps.tolist(), run.curve.values.tolist(), strict=True)
    values = {int(at): value for at, value in points if at in evaluated_at}
    final = values.get(max(evaluated_at), math.nan) if run.status.state == "finished" else math.nan
    return ForkScore(
        arm,
        repeat,
        seed,
        run.status.derived_state(),
        run.status.reason,
        str(paths.root),
        run.manifest.git_commit,
        run.manifest.versions,
        tuple(values.items()),
        final,
        math.nan if math.isnan(final) else sum(values.values()) / len(values),
        run.curve.end_time_s - _time_at(paths, step),
        tuple(_remarks(run)),
    )


def _time_at(paths: RunPaths, step: int) -> float:
    """Return the wall seconds of the last row up to where a fork parted: it counts on from there."""
    last = 0.0
    for row in rows_in(MetricLines(paths.metrics)):
        env_steps, time_s = row.get("env_steps"), row.get("time_s")
        if plain_number(env_steps) and plain_number(time_s) and env_steps <= step:  # type: ignore[operator]
            last = float(time_s)  # type: ignore[arg-type]
    return last


def _remarks(run: Run) -> Iterator[str]:
    if changes_before(run.paths, int(run.settings["total_steps"])):
        yield "changed by hand on the way"
    for event in rows_in(JsonLines(run.paths.events)):
        if event.get("event") in ("started", "resumed") and event.get("exact") is False:
            yield f"not exact: {event.get('why') or 'the model buffer was too large to save'}"
            return
