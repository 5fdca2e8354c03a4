"""Try one sample of a search, here in a worker: its seeds side by side, and their mean return for Tune to judge."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import RunReader, Series, last_words
from mbpo.studies.folder import read_kept, state_of
from mbpo.studies.ray_task import LOOK_S, Learner, at_work, check_shared
from mbpo.studies.samples import keep_sample
from mbpo.studies.study import sample_of

STEPS, RETURN = "env_steps", "return_mean"  # what Tune is told
EVALUATION = "eval/return_mean"
IN_USE = 7  # exit code: another trial drew the same sample, and has it


def try_sample(drawn: Mapping[str, Any], folder: str, here: str, on_gpu: bool) -> None:
    """Run a sample's learners to their end, and report each evaluation that all of them have done.

    Raises:
        RuntimeError: a learner failed, in its last words.
    """
    check_shared(folder)
    study, where = read_kept(Path(folder)), Path(folder)
    assert study.search is not None
    sample = sample_of(study.search.settings_of(drawn))
    keep_sample(state_of(where), sample)
    runs = study.of_samples([sample]).runs
    learners = [Learner(folder, run.run_id, here, on_gpu) for run in runs]
    means = Means([RunReader(RunPaths(where / run.run_id).root, only=(EVALUATION,)) for run in runs], _reported())
    last = runs[0].config.total_steps
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(at_work(learner)) for learner in learners]
        while set(codes := [process.poll() for process in processes]) != {0}:
            for number, code in enumerate(codes):
                if code == IN_USE:
                    processes[number] = stack.enter_context(at_work(learners[number]))
                elif code:
                    raise RuntimeError(f"{learners[number].run_id}: {last_words(learners[number].log)}")
            _report(means.new(before=last))  # Tune ends the trial at the last: not before its learners have closed
            time.sleep(LOOK_S)
    _report(means.new(before=last + 1))


class Means:
    """Follow the evaluations of a sample's runs, and take the mean of each that all have done."""

    def __init__(self, readers: Sequence[RunReader], reported: float) -> None:
        self._readers = readers
        self._reported = reported

    def new(self, before: float) -> Iterator[tuple[float, float]]:
        """Yield env steps and mean return of those that were not yielded yet, below ``before`` env steps."""
        for reader in self._readers:
            while reader.poll():
                pass
        found = [dict(zip(each.env_steps, each.values, strict=True)) for each in self._series()]
        for step in sorted(set.intersection(*(set(returns) for returns in found))):
            if self._reported < step < before:
                self._reported = step
                yield step, sum(returns[step] for returns in found) / len(found)

    def _series(self) -> Sequence[Series]:
        return [reader.series.get(EVALUATION, Series()) for reader in self._readers]


def _report(rows: Iterator[tuple[float, float]]) -> None:
    from ray import tune

    for step, mean in rows:
        with tempfile.TemporaryDirectory() as mark:
            (Path(mark) / STEPS).write_text(repr(step))
            tune.report({STEPS: step, RETURN: mean}, checkpoint=tune.Checkpoint.from_directory(mark))


def _reported() -> float:
    """Return the env steps up to which an earlier try of this trial has reported."""
    from ray import tune

    mark = tune.get_checkpoint()
    if mark is None:
        return -1.0
    with mark.as_directory() as folder:
        return float((Path(folder) / STEPS).read_text())
