"""Drawn environments, each in a process of its own: trained, or one line and the contract's exit code, nothing lost.

``make fuzz`` draws 300 from a new seed; FUZZ_SEED and FUZZ_COUNT choose others. ``make test`` draws the same 20.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from drawn_case import IMPORTS, TOTAL_STEPS, WARMUP_STEPS, Case, draw
from learners import ROOT, environment
from warm_start import TOO_LONG, Ended, WarmStart

from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status

SEED = int(os.environ.get("FUZZ_SEED", "19"))
COUNT = int(os.environ.get("FUZZ_COUNT", "20"))
TOGETHER = 20  # environments in one test, which share a process that waits
PATIENCE_S = 240.0  # beside twenty busy processes
CONTRACT = (0, 2, 3, 4, 5, 6, 7, 8)
TINY = (
    f"--preset debug --total-steps {TOTAL_STEPS} --warmup-steps {WARMUP_STEPS} --model-train-freq 40 --eval-every 60 "
    "--eval-episodes 1 --log-every 20 --checkpoint-every 60 --rollout-batch 40 --model-max-epochs 2 --sac-batch 16 "
    "--time-limit 40 --threads 1 --device cpu --runs-root runs --run-id drawn"
).split()


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the modules that cannot be imported."""
    folder = tmp_path_factory.mktemp("modules")
    for name, (text, _) in IMPORTS.items():
        if text is not None:
            (folder / f"drawn_import_{name}.py").write_text(text)
    return folder


@pytest.fixture
def warm(modules: Path) -> Iterator[WarmStart]:
    start = WarmStart(_environ(modules))
    yield start
    start.close()


@pytest.mark.parametrize("first", range(0, COUNT, TOGETHER))
def test_drawn_environments_are_trained_on_or_refused(
    first: int, warm: WarmStart, modules: Path, tmp_path: Path
) -> None:
    wrong = []
    for number in range(first, min(first + TOGETHER, COUNT)):
        case, folder = draw(SEED, number), tmp_path / str(number)
        folder.mkdir()
        if found := list(_tried(case, folder, warm, modules)):
            wrong.append("\n    ".join([case.words, *found]))
    assert not wrong, f"seed {SEED}\n" + "\n".join(wrong)


def test_at_least_half_of_what_is_drawn_can_be_trained_on() -> None:
    cases = [draw(seed, number) for seed in range(5) for number in range(200)]
    assert sum(case.trains for case in cases) >= len(cases) / 2


def _tried(case: Case, folder: Path, warm: WarmStart, modules: Path) -> Iterator[str]:
    """Yield what is wrong with a run on ``case``, with its resume and with ``check_env``: a share of them each."""
    flags = ["--env-id", case.env_id]
    kwargs = ["--env-kwargs", f"seed={case.seed}", f"number={case.number}"]
    asked = [*TINY, *case.flags, *flags, *kwargs]
    cold = COUNT > TOGETHER and case.number % 10 == 9
    ended = _cold(asked, folder, modules) if cold else warm.run("mbpo.train", asked, folder, PATIENCE_S)
    yield from _wrong(case, ended, RunPaths(folder / "runs" / "drawn"))
    if case.number % 3 == 0 and (folder / "runs" / "drawn").exists():
        again = warm.run("mbpo.train", ["--resume", "runs/drawn"], folder, PATIENCE_S)
        yield from (f"resume: {each}" for each in _unclear(again))
    if case.number % 4 == 1:
        checked = warm.run("mbpo.check_env", [case.env_id, *kwargs, "--steps", "150"], folder, PATIENCE_S)
        yield from (f"check_env: {each}" for each in _unclear(checked))
        if case.trains and case.not_finite == () and checked.code != 0:
            yield f"check_env: {_told(checked)}"


def _wrong(case: Case, ended: Ended, paths: RunPaths) -> Iterator[str]:
    yield from _unclear(ended)
    if ended.code == TOO_LONG:
        return
    if ended.code not in case.codes:
        yield _told(ended)
    elif case.trains:
        yield from _not_learned(paths)
    elif ended.code and not re.search(case.says, ended.err):
        yield f"says nothing of {case.says!r}: {_told(ended)}"
    status = read_status(paths) if paths.root.exists() else None
    if status is None or ended.code == TOO_LONG:
        return
    if status.state != {0: "finished", 4: "diverged"}.get(ended.code, "failed"):
        yield f"is {status.state} after exit code {ended.code}"
    saved = max(checkpoint_steps(paths.checkpoints), default=0)
    if ended.code == 3 and status.env_steps > WARMUP_STEPS and saved < status.env_steps:
        yield f"lost what was learned: {status.env_steps} env steps, saved at {saved}"


def _unclear(ended: Ended) -> Iterator[str]:
    """Yield what a user could not read, or would wait for."""
    if ended.code == TOO_LONG:
        yield f"did not end in {PATIENCE_S:g} s: {_told(ended)}"
        return
    if ended.code not in CONTRACT:
        yield f"ends with no code of the contract: {_told(ended)}"
    if "Traceback" in ended.out + ended.err:
        yield f"a traceback: {ended.err[-900:]}"
    errors = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    said_on_stdout = "MBPO cannot run on this environment" in ended.out  # as check_env does
    if len(errors) != (ended.code != 0 and not said_on_stdout) or any(len(line) > 200 for line in errors):
        yield f"expected one line of error where there is one: {_told(ended)}"


def _not_learned(paths: RunPaths) -> Iterator[str]:
    """Yield what a finished run lacks."""
    rows = [json.loads(line) for line in paths.metrics.read_text().splitlines()]
    kinds: list[Any] = [row["kind"] for row in rows]
    if kinds.count("refit") < 2 or not any(row.get("sac/updates") for row in rows):
        yield f"finished, and learned nothing: {kinds}"
    for row in rows:
        if not all(value is None or math.isfinite(value) for key, value in row.items() if key != "kind"):
            yield f"is not finite: {row}"
    if TOTAL_STEPS not in checkpoint_steps(paths.checkpoints):
        yield "has no final checkpoint"


def _told(ended: Ended) -> str:
    return f"exit code {ended.code} after {ended.seconds:.0f} s: {ended.err[-600:].strip()!r}"


def _cold(arguments: list[str], folder: Path, modules: Path) -> Ended:
    """Run a learner as a user does."""
    command = [sys.executable, "-m", "mbpo.train", *arguments]
    out, err = (folder / name for name in ("stdout", "stderr"))
    with out.open("wb") as stdout, err.open("wb") as stderr:
        done = subprocess.Popen(
            command, cwd=folder, env=_environ(modules), stdout=stdout, stderr=stderr, start_new_session=True
        )
        try:
            code = done.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            done.kill()
            code = TOO_LONG
    return Ended(code, out.read_text(errors="replace"), err.read_text(errors="replace"), 0.0)


def _environ(modules: Path) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "fuzz"), str(modules)])
    return {**environment(), "PYTHONPATH": path}
