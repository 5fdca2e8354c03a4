"""Train small runs to export, and read the one line that a refused export says."""

from __future__ import annotations

from pathlib import Path

import pytest
from learners import python_m

from mbpo.export import main

HERE = Path(__file__).parent


def trained(folder: Path, *flags: str, steps: int = 60) -> Path:
    """Return a small run of SAC on ``flags``' environment, which needs no model."""
    given = (
        "--preset",
        "debug",
        "--threads",
        "1",
        "--algo",
        "sac",
        "--total-steps",
        str(steps),
        "--warmup-steps",
        "30",
    )
    rare = ("--eval-every", "1000", "--runs-root", str(folder), "--run-id", "run", "--module-path", str(HERE))
    with python_m("mbpo.train", *given, *rare, *flags, cwd=folder) as learner:
        _, err = learner.communicate(timeout=240)
    assert learner.returncode == 0, err
    return folder / "run"


def error_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) != 0
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1 and len(said) <= 201, said
    return said


def copy_without_checkpoints(run: Path, target: Path) -> Path:
    target.mkdir()
    for name in ("config.toml", "metrics.jsonl", "status.json"):
        (target / name).write_bytes((run / name).read_bytes())
    return target
