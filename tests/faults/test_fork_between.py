"""Branch a run between its checkpoints: what led there is repeated first, to the same rows."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from figures import figure
from learners import DEBUG, ENDLESS, LearnerProcess, Outcome, python_m, wait_for
from test_replay_run import random_changes, replay, steer
from test_resume import Cut, assert_same_end, compared, events, forget_process

from mbpo import train
from mbpo.lifecycle.orders import RepeatedOrders
from mbpo.runs.checkpoint_names import checkpoint_steps
from mbpo.runs.command import send, wait_for_answer
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status
from mbpo.runs.writer import RunWriter

Call = Callable[..., Outcome]
PARENT = ("--total-steps", "330", "--eval-every", "100", "--seed", "7", "--log-every", "10")


def run(root: Path, name: str, *flags: str) -> RunPaths:
    assert train.main([*DEBUG, *PARENT, *flags, "--runs-root", str(root), "--run-id", name]) == 0
    return RunPaths(root / name)


@pytest.fixture(scope="session")
def parent(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a run with checkpoints at 110, 220 and 330, changed live ten times."""
    with pytest.MonkeyPatch.context() as patch:
        steer(patch, random_changes(3, 10))
        return run(tmp_path_factory.mktemp("parent"), "parent", "--checkpoint-every", "110")


def fork(call: Call, source: object, root: Path, *flags: object) -> tuple[Outcome, RunPaths]:
    outcome = call(train.main, "--fork", source, "--runs-root", root, "--run-id", "fork", *flags)
    return outcome, RunPaths(root / "fork")


def without(parent: RunPaths, copy: Path, *checkpoints: int) -> RunPaths:
    """Return a copy of a run that has lost some of its checkpoints."""
    shutil.copytree(parent.root, copy)
    for at in checkpoints:
        shutil.rmtree(copy / "checkpoints" / f"step-{at:09d}")
    return RunPaths(copy)


STEPS = (7, 100, 150, 220 - 1, *random.Random(0).sample(range(1, 330), 21))


@pytest.mark.promise("forks between checkpoints: the history is the parent's")
@pytest.mark.parametrize("at", STEPS[: figure(4, 25)])
def test_a_fork_anywhere_that_changes_nothing_is_its_parent_again(
    at: int, parent: RunPaths, call: Call, tmp_path: Path
) -> None:
    outcome, child = fork(call, f"{parent.root}@{at}", tmp_path)
    assert (outcome.code, outcome.err) == (0, "")
    first = max(step for step in (0, 110, 220) if step <= at)
    assert f"forked from parent at env step {at}\n" in outcome.out
    assert f"repeating its parent's env steps {first} to {at} first" in outcome.out
    between = [row for row in compared(parent) if first < row["env_steps"] < at]
    (verified,) = events(child, "fork_verified")
    assert verified["identical"] == verified["total"] >= len(between)
    assert events(child, "warning") == []
    # the parent's own later changes were made by hand, and are no part of the fork
    shared = [row for row in compared(parent) if row["env_steps"] < at]
    assert compared(child)[: len(shared)] == shared
    status = read_status(child)
    assert status is not None and (status.state, status.parent) == ("finished", f"parent@{at}")


KINDS = {
    "mbpo": ((), ("--rollout-length", "3")),
    "another seed": ((), ("--seed", "8", "--gamma", "0.9")),
    "a learned end": (("--env-id", "Toy-v0"), ("--real-ratio", "0.5")),
    "Hopper": (("--env-id", "Hopper-v5"), ("--rollout-length", "3")),
    "sac": (("--algo", "sac"), ("--updates-per-step", "2")),
    "pets": (("--algo", "pets", "--eval-episodes", "1", "--plan-horizon", "5"), ("--model-train-freq", "30")),
}


@pytest.mark.promise("forks between checkpoints that end as one from a checkpoint there")
@pytest.mark.parametrize("kind", [*KINDS][: figure(5, 6)])
def test_it_goes_on_as_if_a_checkpoint_had_been_there(kind: str, call: Call, tmp_path: Path) -> None:
    given, changes = KINDS[kind]
    end = ("--total-steps", "345")  # at no checkpoint: one there is not saved again after the evaluation
    sparse = run(tmp_path / "a", "parent", "--checkpoint-every", "110", *given, *end)
    dense = run(tmp_path / "b", "parent", "--checkpoint-every", "75", *given, *end)
    _, between = fork(call, f"{sparse.root}@150", tmp_path / "between", *changes)
    _, exact = fork(call, f"{dense.root}@150", tmp_path / "exact", *changes)
    assert_same_end(between, exact)
    assert compared(between) != compared(sparse)


def test_it_can_begin_where_its_parent_did(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    bare = without(parent, tmp_path / "parent", 110, 220, 330)
    outcome, child = fork(call, f"{bare.root}@130", tmp_path / "runs")
    assert "repeating its parent's env steps 0 to 130 first" in outcome.out
    shared = [row for row in compared(parent) if row["env_steps"] < 130]
    assert compared(child)[: len(shared)] == shared
    outcome, child = fork(call, f"{bare.root}@0", tmp_path / "zero", "--rollout-length", "3")
    assert outcome.code == 0
    assert compared(child) == compared(run(tmp_path, "alone", "--rollout-length", "3"))
    shutil.rmtree(child.checkpoints)
    outcome, grandchild = fork(call, f"{child.root}@50", tmp_path / "again")
    assert (outcome.code, compared(grandchild)) == (0, compared(child))


def cut_in_lead_in(patch: pytest.MonkeyPatch, at: int) -> None:
    whole = RepeatedOrders.at

    def cut(self: RepeatedOrders, env_steps: int) -> Any:
        if env_steps == at:
            raise Cut
        return whole(self, env_steps)

    patch.setattr(RepeatedOrders, "at", cut)


@pytest.mark.parametrize("lines", [None, 3])
def test_killed_before_it_has_begun_it_is_begun_again(
    lines: int | None, parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, twin = fork(call, f"{parent.root}@150", tmp_path / "twin", "--rollout-length", "3")
    with monkeypatch.context() as patch, pytest.raises(Cut):
        cut_in_lead_in(patch, 131)
        fork(call, f"{parent.root}@150", tmp_path, "--rollout-length", "3")
    child = RunPaths(tmp_path / "fork")
    forget_process(child)
    if lines is not None:  # or still in the middle of its parent's rows
        kept = child.metrics.read_bytes().splitlines(keepends=True)[:lines]
        child.metrics.write_bytes(b"".join(kept) + b'{"seq": 4, "env')
    outcome = call(train.main, "--resume", child.root)
    assert (outcome.code, outcome.err) == (0, "")
    assert "repeating its parent's env steps 110 to 150 first" in outcome.out
    assert newest(child) == newest(twin)
    (resumed,) = events(child, "resumed")
    assert (resumed["attempt"], resumed["fork_env_steps"]) == (2, 150)
    status = read_status(child)
    assert status is not None and status.parent == "parent@150"


def newest(paths: RunPaths) -> list[dict[str, Any]]:
    """Return the rows that count: of those with one seq the last."""
    lines = [line for line in paths.metrics.read_bytes().split(b"\n") if line.endswith(b"}")]
    paths.metrics.write_bytes(b"\n".join(lines) + b"\n")
    return list({row["seq"]: row for row in compared(paths)}.values())


def test_a_killed_replay_of_a_fork_is_begun_again_where_the_fork_was(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, child = fork(call, f"{parent.root}@150", tmp_path, "--rollout-length", "3")
    outcome, again = replay(call, child, tmp_path)
    assert outcome.code == 0
    assert compared(again) == compared(child)
    shutil.rmtree(again.root)

    def cut(self: train.Training, env_steps: int, label: str) -> None:
        raise Cut

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(train.Training, "save", cut)
        replay(call, child, tmp_path)
    forget_process(again)
    assert not list(again.checkpoints.glob("step-*"))
    outcome = call(train.main, "--resume", again.root)
    assert (outcome.code, outcome.err) == (0, "")
    assert newest(again) == newest(child)


def test_what_is_sent_meanwhile_holds_from_the_step_on(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script: Mapping[int, list[dict[str, Any]]] = {
        131: [{"set": {"rollout_length": 4, "real_ratio": 0.5}}, {"action": "checkpoint"}],
        140: [{"set": {"real_ratio": 0.25}}],
    }
    with monkeypatch.context() as patch:
        steer(patch, script)
        _, child = fork(call, f"{parent.root}@150", tmp_path)
    answers = events(child, "control")
    assert [(a["status"], a["at_env_steps"]) for a in answers] == [("applied", 150)] * 3
    shared = [row for row in compared(parent) if row["env_steps"] < 150]
    own = compared(child)[len(shared) :]
    assert compared(child)[: len(shared)] == shared
    ratios = [row["mix/real_ratio"] for row in own if "mix/real_ratio" in row][1:]
    assert set(ratios) == {0.25}
    outcome, again = replay(call, child, tmp_path)
    assert outcome.code == 0, outcome.err
    assert "replay verified" in outcome.out
    assert compared(again) == compared(child)


def test_a_stop_meanwhile_ends_it_and_a_resume_begins_it_again(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, {131: [{"action": "stop"}]})
        outcome, child = fork(call, f"{parent.root}@150", tmp_path)
    assert (outcome.code, "stopped at 131 env steps" in outcome.out.splitlines()) == (0, True)
    assert outcome.out.splitlines()[-1] == f"  to go on: python -m mbpo.train --resume {child.root}"
    assert not child.checkpoints.exists() or not list(child.checkpoints.glob("step-*"))
    assert call(train.main, "--resume", child.root).code == 0
    _, twin = fork(call, f"{parent.root}@150", tmp_path / "twin")
    assert newest(child) == newest(twin)


def test_a_fork_of_a_fork(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    _, child = fork(call, f"{parent.root}@150", tmp_path / "a", "--rollout-length", "3")
    _, grandchild = fork(call, f"{child.root}@201", tmp_path / "b", "--run-id", "fork")
    assert compared(grandchild) == compared(child)
    outcome, _ = fork(call, f"{child.root}@149", tmp_path / "c")
    assert outcome.code == 6
    assert "began as parent@150 and has no whole checkpoint up to env step 149" in outcome.error


def test_a_config_that_was_changed_is_refused(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    copy = without(parent, tmp_path / "parent")
    copy.config.write_text(copy.config.read_text().replace("gamma = 0.99", "gamma = 0.98"))
    outcome, child = fork(call, f"{copy.root}@150", tmp_path / "runs")
    assert outcome.code == 2
    assert "is not the one the run began with" in outcome.error
    assert not child.root.exists()


def test_a_checkpoint_asked_for_while_paused_takes_no_step_and_stands_at_the_fork(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[int] = []
    whole, waited = RepeatedOrders.at, RunWriter.enter

    def noted(self: RepeatedOrders, env_steps: int) -> Any:
        steps.append(env_steps)
        return whole(self, env_steps)

    def entered(self: RunWriter, state: str) -> None:
        waited(self, state)
        if state == "paused":
            for number, action in enumerate(["checkpoint", "checkpoint", "resume"]):
                threading.Timer(
                    0.3 * (number + 1),
                    self.control.handle,
                    (json.dumps({"id": f"late-{number}", "action": action}).encode(), "x"),
                ).start()

    monkeypatch.setattr(RepeatedOrders, "at", noted)
    monkeypatch.setattr(RunWriter, "enter", entered)
    with monkeypatch.context() as patch:
        steer(patch, {131: [{"action": "pause"}]})
        outcome, child = fork(call, f"{parent.root}@150", tmp_path)
    assert outcome.code == 0
    assert steps == list(range(110, 150))
    index = json.loads((child.checkpoints / "index.json").read_text())
    assert index["requested"] == index["fork"] == "step-000000150"


def test_a_resumed_fork_remembers_that_its_history_was_changed_by_hand(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, {310: [{"action": "stop"}]})
        _, child = fork(call, f"{parent.root}@300", tmp_path)
    assert call(train.main, "--resume", child.root).code == 0
    status = read_status(child)
    assert status is not None and status.interactive


def test_a_fork_of_planned_rows_may_learn_a_policy(call: Call, tmp_path: Path) -> None:
    planned = ("--algo", "pets", "--plan-horizon", "3", "--eval-every", "10000")
    few = ("--total-steps", "120", "--checkpoint-every", "1000", "--eval-episodes", "1")
    pets = run(tmp_path, "pets", *planned, *few)
    learnt = ("--algo", "mbpo", "--total-steps", "220")
    outcome, child = fork(call, f"{pets.root}@115", tmp_path, *learnt)
    assert outcome.code == 0, outcome.err
    assert any(row.get("bound/eps_pi") is not None for row in compared(child))


def test_a_fork_may_have_threads_of_its_own(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    before = torch.get_num_threads()
    try:
        outcome, child = fork(call, f"{parent.root}@220", tmp_path, "--threads", "2")
    finally:
        torch.set_num_threads(before)
    assert "threads was 1, is 2; results may differ" in outcome.out
    assert json.loads(child.manifest.read_text())["threads"] == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("parent_dir", 5),
        ("fork_env_steps", "abc"),
        ("fork_env_steps", None),
        ("fork_env_steps", -1),
        ("fork_env_steps", 1e400),
        ("fork_changes", 7),
        ("fork_changes", {"rollout_length": "x"}),
        ("parent", [1]),
        ("fork_env_steps", ...),
        ("replay", 3),
    ],
)
def test_a_lineage_that_no_learner_wrote_is_refused(
    key: str, value: Any, parent: RunPaths, call: Call, tmp_path: Path
) -> None:
    copy = without(parent, tmp_path / "copy", 110, 220, 330)
    manifest = json.loads(copy.manifest.read_text())
    manifest |= {"parent": "p", "parent_dir": "/p", "fork_env_steps": 1, "fork_changes": {}}
    manifest |= {key: value}
    copy.manifest.write_text(json.dumps({k: v for k, v in manifest.items() if v is not ...}))
    put = json.loads(copy.status.read_text()) | {"state": "stopped", "pid": 0}
    copy.status.write_text(json.dumps(put))
    for arguments in (("--resume", copy.root), ("--replay", copy.root), ("--fork", f"{copy.root}@5")):
        outcome = call(train.main, *arguments, "--runs-root", tmp_path)
        assert outcome.code == 5
        assert "is not what a fork or a replay has there" in outcome.error


def test_a_running_run_is_forked_and_the_fork_answers_meanwhile(
    start_learner: Callable[..., LearnerProcess], tmp_path: Path
) -> None:
    slow = ("--updates-per-step", "20", "--checkpoint-every", "1000000", *ENDLESS)
    learner = start_learner(*slow)
    learner.wait_for_env_steps(310)
    arguments = ("--fork", f"{learner.paths.root}@300", "--runs-root", "runs", "--run-id", "fork")
    process = python_m("mbpo.train", *arguments, cwd=tmp_path)
    child = RunPaths(tmp_path / "runs" / "fork")
    try:
        wait_for(child.inbox.exists, "the run directory")
        paused = wait_for_answer(child, send(child, action="pause", by="t"), 30.0)
        assert paused is not None and paused["status"] == "applied"
        status = wait_for(lambda: (s := read_status(child)) and s.state == "paused" and s, "a pause")
        assert (status.phase, status.env_steps < 300) == ("repeat", True)
        answer = wait_for_answer(child, send(child, settings={"rollout_length": 2}, by="t"), 30.0)
        assert answer is not None
        assert (answer["status"], answer["at_env_steps"]) == ("applied", 300)
        send(child, action="resume", by="t")
        wait_for(lambda: events(child, "fork_verified"), "the comparison")
        assert events(child, "warning") == []
        wait_for(lambda: checkpoint_steps(child.checkpoints) == [300], "the fork's checkpoint")
    finally:
        process.kill()
        process.communicate()


def test_a_fork_that_imagines_nothing_is_not_warned_of_another_termination_rule(
    parent: RunPaths, call: Call, tmp_path: Path
) -> None:
    outcome, _ = fork(call, f"{parent.root}@110", tmp_path, "--algo", "sac", "--total-steps", "111")
    assert outcome.code == 0, outcome.err
    assert "may differ" not in outcome.out
