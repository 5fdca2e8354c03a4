"""Run a study on Ray: a task for each run, on whatever node has room for it.

Ray Core and not Ray Tune: Tune keeps results of its own, which hold rows twice after a restart, and a study has nothing
to decide while it runs. What has become of a run stands in its directory, so tasks are never retried by Ray: this
looks there, and submits anew.
"""

from __future__ import annotations

import contextlib
import signal
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mbpo.errors import one_line
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import last_words
from mbpo.runs.status import read_status
from mbpo.settings.stdout import say
from mbpo.studies.engine import Place
from mbpo.studies.ray_cluster import check_gpu, connected, size_of
from mbpo.studies.ray_task import Learner, learn
from mbpo.studies.standing import AT_WORK, CUT_OFF, MISSING, Standing
from mbpo.studies.study import StudyRun

TRIES = 3  # of a run, in a row, without one env step more
ENDED_FROM_OUTSIDE = (7, 130, 137, 143)  # exit codes after which a run can go on: in use, and signals
SAVING_S = 60.0  # that learners have to save in when the driver is told to end


@dataclass
class _Task:
    run: StudyRun
    learner: Learner
    ref: Any
    dead_nodes: frozenset[str]  # when it was submitted
    before: Standing  # of the run, then


class RayCore:
    """Submit runs as tasks, and submit again what a node, a worker or a signal has cut off."""

    outlives = False

    def __init__(self, place: Place) -> None:
        self._place = place
        self._tasks: dict[str, _Task] = {}
        self._vain: Counter[str] = Counter()  # tries of a run that brought it no further
        self._said: set[str] = set()
        self._told = False
        before = signal.getsignal(signal.SIGTERM)
        self._ray = connected()
        signal.signal(signal.SIGTERM, self._tell)  # Ray's own prints a stack
        self._before = before
        options = place.study.ray
        self._remote = self._ray.remote(learn).options(
            num_cpus=place.study.cores, max_retries=0, scheduling_strategy="SPREAD", **options.given
        )

    def submit(self, runs: Sequence[StudyRun]) -> str:
        """Submit runs.

        Raises:
            ConfigError: a learner on a GPU has none.
        """
        check_gpu(self._place.study)
        for run in runs:
            self._submit(run)
        return f"Ray {size_of(self._ray, self._place.study.ray.needs(self._place.study.cores))}"

    def holding(self) -> Collection[str]:
        """Return the names of the runs that wait or are at work; what was cut off is submitted again."""
        if self._told:
            raise SystemExit(128 + signal.SIGTERM)
        refs = {task.ref: name for name, task in self._tasks.items()}
        if refs:
            ended, _ = self._ray.wait(list(refs), num_returns=len(refs), timeout=0)
            for ref in ended:
                self._judge(self._tasks.pop(refs[ref]))
            self._leave_dead_nodes()
        return self._tasks.keys()

    def close(self) -> None:
        """End what is at work, saved, and let Ray go."""
        refs = [task.ref for task in self._tasks.values()]
        for ref in refs:
            self._ray.cancel(ref)
        if refs:
            self._ray.wait(refs, num_returns=len(refs), timeout=SAVING_S)
        self._ray.shutdown()
        signal.signal(signal.SIGTERM, self._before)

    def _tell(self, *_: object) -> None:
        self._told = True

    def _submit(self, run: StudyRun) -> None:
        folder, standing = str(self._place.folder), self._standing(run)
        learner = Learner(folder, run.run_id, str(Path.cwd()), self._place.study.ray.num_gpus > 0)
        if standing.state == MISSING:
            with contextlib.suppress(OSError):
                learner.log.unlink()  # it says why the run could not begin before
        task = _Task(run, learner, self._remote.remote(learner), self._dead_nodes(), standing)
        self._tasks[run.run_id] = task

    def _judge(self, task: _Task) -> None:
        """Say why a task ended before its run, and submit the run again where it can go on."""
        code, why = self._outcome(task)
        now = self._standing(task.run)
        if code == 0 or now.state not in (MISSING, CUT_OFF, AT_WORK):
            return
        if code is None or code in ENDED_FROM_OUTSIDE or _begun_meanwhile(task):
            self._again(task, now, why)
        else:
            self._leave(task, why)

    def _again(self, task: _Task, now: Standing, why: str) -> None:
        name = task.run.run_id
        self._vain[name] = self._vain[name] + 1 if now.env_steps <= task.before.env_steps else 0
        if self._vain[name] < TRIES:
            say(f"{name} at {now.env_steps:,} env steps: {why}; it goes on")
            self._submit(task.run)
        else:
            self._leave(task, f"{why}, {TRIES} times without one env step; {task.learner.log} has more")

    def _outcome(self, task: _Task) -> tuple[int | None, str]:
        """Return the learner's exit code and its last words; no code where Ray has ended the task."""
        errors = self._ray.exceptions
        try:
            code = int(self._ray.get(task.ref))
        except errors.RayTaskError as error:
            return 1, one_line(str(error.cause))
        except errors.OutOfMemoryError:
            return None, "Ray's memory monitor ended its worker"
        except errors.NodeDiedError:
            return None, "its node died"
        except errors.RayError as error:
            return None, f"its worker died ({type(error).__name__})"
        if code in ENDED_FROM_OUTSIDE:
            return code, f"its learner ended with {code}"
        words = last_words(task.learner.log).removeprefix("error: ")
        return code, words or f"its learner ended with {code} and no word, as on a full disk"

    def _leave_dead_nodes(self) -> None:
        """Submit anew what was at work on a node that died: Ray itself gives a silent node's task up after 440 s."""
        dead = self._dead_nodes()
        for task in [task for task in self._tasks.values() if dead - task.dead_nodes]:
            now = self._standing(task.run)
            if now.state in (MISSING, CUT_OFF):  # one at work is on another node, or its heartbeat will stand still
                self._ray.cancel(task.ref)  # where it only waited; a dead node does not hear it
                self._submit(task.run)
                if now.state == CUT_OFF:
                    say(f"{task.run.run_id} at {now.env_steps:,} env steps: a node died; it goes on")

    def _dead_nodes(self) -> frozenset[str]:
        return frozenset(node["NodeID"] for node in self._ray.nodes() if not node["Alive"])

    def _standing(self, run: StudyRun) -> Standing:
        paths = RunPaths(self._place.folder / run.run_id)
        return Standing(run, paths, read_status(paths))

    def _leave(self, task: _Task, why: str) -> None:
        """Leave a run as it is; say why, once for all runs of which the same is wrong, and keep it for each."""
        if why not in self._said:
            self._said.add(why)
            say(f"{task.run.run_id}: {why}")
        task.learner.note(why)


def _begun_meanwhile(task: _Task) -> bool:
    """Return whether another learner, of a task that was given up, has begun the run that this one was to begin."""
    return task.before.state == MISSING and task.before.paths.root.exists()
