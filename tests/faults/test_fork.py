"""Branch a run: the fork shares its history up to the step, then goes its own way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learners import DEBUG, Outcome, rows

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.status import RunStatus, read_status

Call = Callable[..., Outcome]
PARENT = (
    "--total-steps",
    "330",
    "--checkpoint-every",
    "110",
    "--eval-every",
    "100",
    "--seed",
    "7",
    "--log-every",
    "10",
)


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a run with checkpoints at 110, 220 and 330."""
    root = tmp_path_factory.mktemp("parent")
    assert train.main([*DEBUG, *PARENT, "--runs-root", str(root), "--run-id", "parent"]) == 0
    return RunPaths(root / "parent")


def fork(call: Call, root: Path, source: object, *flags: object, code: int = 0) -> Outcome:
    outcome = call(train.main, "--fork", source, "--runs-root", root, "--run-id", "fork", *flags)
    assert outcome.code == code, outcome.err
    return outcome


def compared(paths: RunPaths) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in rows(paths.metrics)]


def status(paths: RunPaths) -> RunStatus:
    found = read_status(paths)
    assert found is not None
    return found


def files(paths: RunPaths) -> dict[str, bytes]:
    return {str(path.relative_to(paths.root)): path.read_bytes() for path in paths.root.rglob("*") if path.is_file()}


def test_a_fork_that_changes_nothing_is_its_parent_again(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    before = files(parent)
    outcome = fork(call, tmp_path, f"{parent.root}@110")
    child = RunPaths(tmp_path / "fork")
    assert outcome.out.splitlines()[0] == str(child.root)
    assert "forked from parent at env step 110" in outcome.out
    assert compared(child) == compared(parent)
    name = "MBPO_Pendulum-v1_returns_data.csv"
    assert (child.root / name).read_text() == (parent.root / name).read_text()
    assert files(parent) == before  # nothing was written there
    assert status(child).state == "finished"


def test_a_fork_goes_its_own_way_from_the_step_on(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    fork(call, tmp_path, f"{parent.root}@220", "--rollout-length", 3, "--real-ratio", 0.7)
    child = RunPaths(tmp_path / "fork")
    shared = [row for row in compared(parent) if row["env_steps"] <= 220]
    own = compared(child)[len(shared) :]
    assert compared(child)[: len(shared)] == shared
    assert {row["rollout/length"] for row in own if "rollout/length" in row} == {3}
    assert {row["mix/real_ratio"] for row in own if "mix/real_ratio" in row} == {0.7}
    assert [row["seq"] for row in compared(child)] == list(range(1, len(compared(child)) + 1))
    found = status(child)
    assert found.parent == "parent@220"
    assert (found.attempt, found.interactive) == (1, False)
    assert found.controls["rollout_length"] == 3
    manifest = json.loads(child.manifest.read_text())
    assert manifest["parent"] == "parent"
    assert manifest["parent_dir"] == str(parent.root)
    assert manifest["fork_env_steps"] == 220
    assert manifest["fork_changes"] == {"rollout_length": 3, "real_ratio": 0.7}
    started = rows(child.events)[0]
    assert (started["event"], started["parent"], started["env_steps"]) == ("started", "parent", 220)
    assert "rollout_length = 3" in child.config.read_text()


def test_without_a_step_it_branches_off_the_newest_checkpoint(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    fork(call, tmp_path, parent.root, "--total-steps", 400)
    child = RunPaths(tmp_path / "fork")
    assert status(child).parent == "parent@330"
    *shared, last = compared(parent)
    assert "eval/return_mean" in last  # of the finished run, not of one that goes on
    assert compared(child)[: len(shared)] == shared
    assert status(child).env_steps == 400


def test_another_seed_gives_other_luck_from_the_step_on(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    fork(call, tmp_path, f"{parent.root}@220", "--seed", 8)
    child = RunPaths(tmp_path / "fork")
    shared = [row for row in compared(parent) if row["env_steps"] <= 220]
    assert compared(child)[: len(shared)] == shared
    assert compared(child) != compared(parent)
    assert status(child).seed == 8


def test_a_fork_is_resumed_and_forked_like_any_run(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fork(call, tmp_path / "whole", f"{parent.root}@220", "--rollout-length", 3)

    def cut(self: train.Training, env_steps: int, settings: object) -> None:
        self.reports.writer.control.request_stop()
        whole(self, env_steps, settings)  # type: ignore[arg-type]

    whole = train.Training.log_interval
    with monkeypatch.context() as patch:
        patch.setattr(train.Training, "log_interval", cut)
        fork(call, tmp_path / "cut", f"{parent.root}@220", "--rollout-length", 3)
    child, twin = RunPaths(tmp_path / "cut" / "fork"), RunPaths(tmp_path / "whole" / "fork")
    for folder in child.checkpoints.glob("step-*"):  # only what it was born with is whole
        if folder.name != "step-000000220":
            (folder / "manifest.json").unlink()
    assert call(train.main, "--resume", child.root).code == 0
    newest = {row["seq"]: row for row in compared(child)}
    own = [{**row, "attempt": 1} for row in newest.values()]
    assert [row for row in own if row["env_steps"] < 230] == [row for row in compared(twin) if row["env_steps"] < 230]
    assert own[-1] == compared(twin)[-1] | {"seq": own[-1]["seq"]}
    assert status(child).parent == "parent@220"
    fork(call, tmp_path / "again", f"{child.root}@330", "--total-steps", 340)
    assert status(RunPaths(tmp_path / "again" / "fork")).parent == "fork@330"


@pytest.mark.parametrize(
    ("source", "flags", "code", "words"),
    [
        ("@331", (), 6, "has come to env step 330: it cannot be forked at 331"),
        ("@330", (), 2, "total_steps must be more than the 330 where the fork begins"),
        ("@111", ("--sac-hidden", "17"), 6, "step-000000110 does not fit these settings"),
        ("@110", ("--sac-hidden", "17"), 6, "step-000000110 does not fit these settings"),
        ("@110", ("--critic-norm", "layer"), 6, "step-000000110 does not fit these settings"),
        ("@110", ("--rollout-length", "-1"), 2, "rollout_length must be a whole number"),
        ("@110", ("--env-id", "Hopper-v5"), 2, "--fork and --env-id exclude each other"),
        ("@110", ("--preset", "hopper"), 2, "--fork and --preset exclude each other"),
        ("@110", ("--seeds", "0:3"), 2, "--fork and --seeds exclude each other"),
        ("@110", ("--resume", "x"), 2, "--resume goes alone"),
        ("/nowhere", (), 2, "cannot read"),
    ],
)
def test_what_cannot_be_forked_is_said_and_leaves_no_directory(
    source: str, flags: tuple[str, ...], code: int, words: str, parent: RunPaths, call: Call, tmp_path: Path
) -> None:
    outcome = fork(call, tmp_path / "runs", f"{parent.root}{source}", *flags, code=code)
    assert words in outcome.error
    assert not (tmp_path / "runs").exists()


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(parent.root, copy)
    actor = copy / "checkpoints" / "step-000000220" / "actor.safetensors"
    actor.write_bytes(actor.read_bytes()[:-1])
    outcome = fork(call, tmp_path / "runs", f"{copy}@220")
    assert "warning: passed over" in outcome.out
    assert "actor.safetensors is damaged" in outcome.out
    assert "repeating its parent's env steps 110 to 220 first" in outcome.out
    child = RunPaths(tmp_path / "runs" / "fork")
    assert compared(child) == compared(parent)
    assert status(child).parent == "copy@220"
