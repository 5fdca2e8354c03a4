"""Write what-ifs of a run: at work, cut off, answered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.what_if import Answered, Unanswered
from mbpo.runs.status import RunStatus, this_process
from mbpo.runs.what_ifs import ANSWERED, ASKED, what_if_folder

FORKS = [f"{arm}-r{repeat}-0" for repeat in range(4) for arm in ("as-it-is", "k-1", "k-9")]
UNTOLD = (
    "cannot be told: rollout_length=9 leads, +4.12 [-8.14, 16.4] over as it is, P(best) 0.88; "
    "more --repeats or --steps may tell"
)
TOLD = "rollout_length=9 was best here: +25 [1.94, 48] over as it is, P(best) 1.00"


def put_asked(run: Path, step: int = 1000, done: int = 5, **changes: Any) -> Path:
    """Write that a what-if of twelve forks is at work, ``done`` of them at their end and one half way."""
    folder = what_if_folder(RunPaths(run), step)
    facts = {"run": run.name, "step": step, "steps": 400, "repeats": 4, "eval_every": 100, "forks": FORKS}
    sets = ["rollout_length=1,9"]
    asked = Unanswered(**{**facts, "sets": sets, "process": this_process(), **changes})
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ASKED, msgspec.to_builtins(asked))
    for name in FORKS[:done]:
        put_fork(folder / name, RunStatus(state="finished", env_steps=step + 400))
    return folder


def put_fork(path: Path, status: RunStatus) -> None:
    path.mkdir(exist_ok=True)
    write_json(path / "status.json", msgspec.to_builtins(status))


def put_answer(run: Path, step: int = 1000, **changes: Any) -> Path:
    folder = what_if_folder(RunPaths(run), step)
    facts = {"run": run.name, "step": step, "steps": 400, "verdict": UNTOLD, "verdict_on_the_way": TOLD}
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / ANSWERED, msgspec.to_builtins(Answered(**{**facts, **changes})))
    return folder
