"""Say why runs of a study did not begin: a learner that ends before it has a run directory tells its engine alone."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from mbpo.runs.queue import Queue
from mbpo.runs.reader import last_words
from mbpo.studies.folder import ray_log, slurm_folder, slurm_jobs

Mark = tuple[int, int]
ERROR = "error: "


class LastErrors:
    """Read the last error that the newest try of a run ended with; what did not change is not read again."""

    def __init__(self, folder: Path, engine: str) -> None:
        """Take the folder of a study, and the name of the engine that has it."""
        self._folder, self._engine = folder, engine
        self._queue = Queue(folder.parent)
        self._known: dict[Path, tuple[Mark, str]] = {}

    def of(self, runs: Collection[str]) -> dict[str, str]:
        """Return the last error of each of these runs that has one."""
        found = self._queued() if self._engine == "local" else self._printed(runs)
        return {run: found[run] for run in runs if found.get(run)}

    def _queued(self) -> dict[str, str]:
        prefix = f"{self._folder.name}/"
        failed = [entry.turn for entry in self._queue.read().entries if entry.turn.state == "failed"]
        return {turn.run_id.removeprefix(prefix): turn.reason for turn in failed if turn.run_id.startswith(prefix)}

    def _printed(self, runs: Collection[str]) -> dict[str, str]:
        on_ray = {run: ray_log(self._folder, run) for run in runs}
        logs = self._newest_tasks() if self._engine == "slurm" else on_ray
        return {run: self._said(logs[run]) for run in runs if run in logs}

    def _newest_tasks(self) -> dict[str, Path]:
        """Return what the newest task of each run prints to; it is there once that has begun."""
        folder = slurm_folder(self._folder)
        jobs = sorted(slurm_jobs(self._folder).items(), key=lambda job: int(job[0]))
        return {run: folder / f"{job}_{task}.txt" for job, runs in jobs for task, run in enumerate(runs)}

    def _said(self, log: Path) -> str:
        try:
            found = log.stat()
        except OSError:
            return ""
        mark = (found.st_mtime_ns, found.st_size)
        if log not in self._known or self._known[log][0] != mark:
            words = last_words(log)
            self._known[log] = mark, words.removeprefix(ERROR) if words.startswith(ERROR) else ""
        return self._known[log][1]
