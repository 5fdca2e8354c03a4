"""Do a run again from its config and its applied changes: the same metrics, record for record."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from figures import figure
from learners import DEBUG, Outcome, rows
from test_resume import Cut, compared, events, final_parts, forget_process, start_and_cut

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import read_status

Call = Callable[..., Outcome]
FLAGS = ("--total-steps", "330", "--checkpoint-every", "110", "--eval-every", "100", "--seed", "7", "--log-every", "10")
Script = Mapping[int, list[dict[str, Any]]]


def steer(monkeypatch: pytest.MonkeyPatch, script: Script) -> None:
    """Have commands answered in the middle of the env steps that ``script`` names."""
    whole = train.update_policy

    def steered(self: train.Training, env_steps: int, settings: Any) -> None:
        whole(self, env_steps, settings)
        for number, command in enumerate(script.get(env_steps, [])):
            data = json.dumps({"id": f"{env_steps}-{number}", **command}).encode()
            self.reports.writer.control.handle(data, "x")

    monkeypatch.setattr(train, "update_policy", steered)


def random_changes(seed: int, count: int) -> Script:
    rng, script = random.Random(seed), dict[int, list[dict[str, Any]]]()
    draws: dict[str, Callable[[], Any]] = {
        "rollout_length": lambda: rng.choice(["auto", 0, 1, 2, 4]),
        "rollout_schedule": lambda: [0, rng.randint(1, 3), 1, rng.randint(1, 4)],
        "real_ratio": lambda: rng.choice([0.0, 0.1, 0.5, 1.0]),
        "model_train_freq": lambda: rng.randint(15, 70),
        "updates_per_step": lambda: rng.randint(0, 3),
    }
    for at in sorted(rng.sample(range(101, 320), count)):
        names = rng.sample(sorted(draws), rng.randint(1, 2))
        script[at] = [{"set": {name: draws[name]() for name in names}}]
    return script


def original(root: Path, *flags: str) -> RunPaths:
    arguments = [*DEBUG, *FLAGS, *flags, "--runs-root", str(root), "--run-id", "original"]
    assert train.main(arguments) == 0
    return RunPaths(root / "original")


def replay(call: Call, run: RunPaths, root: Path) -> tuple[Outcome, RunPaths]:
    outcome = call(train.main, "--replay", run.root, "--runs-root", root, "--run-id", "again")
    return outcome, RunPaths(root / "again")


def assert_replayed(outcome: Outcome, run: RunPaths, again: RunPaths) -> None:
    assert outcome.code == 0, outcome.err
    count = len(compared(run))
    assert f"replay verified: {count} of {count} records identical" in outcome.out
    assert compared(again) == compared(run)
    for (name, part), (_, other) in zip(final_parts(again), final_parts(run), strict=True):
        for key, tensor in part.items():
            assert tensor.equal(other[key]) or tensor.isnan().any(), f"{name} {key}"


@pytest.mark.promise("replays of 10 random live changes, bit-exact")
@pytest.mark.parametrize("seed", range(figure(1, 20)))
def test_ten_random_changes_are_made_again(
    seed: int, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, random_changes(seed, 10))
        run = original(tmp_path)
    assert len(events(run, "control")) == 10
    outcome, again = replay(call, run, tmp_path)
    assert_replayed(outcome, run, again)
    status = read_status(again)
    assert status is not None
    assert (status.interactive, status.revision) == (True, 10)
    assert json.loads(again.manifest.read_text())["replay"]["of"] == "original"
    twice = call(train.main, "--replay", again.root, "--runs-root", tmp_path, "--run-id", "twice")
    assert_replayed(twice, run, RunPaths(tmp_path / "twice"))


def test_a_run_that_was_stopped_and_taken_up_again_is_replayed_with_its_evaluations(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, {150: [{"set": {"real_ratio": 0.7}}], 222: [{"action": "stop"}]})
        run = original(tmp_path)
    first = compared(run)
    outcome, again = replay(call, run, tmp_path)
    assert_replayed(outcome, run, again)
    assert "finished at 222 env steps" in outcome.out
    with monkeypatch.context() as patch:
        steer(patch, {240: [{"set": {"rollout_length": 3}}]})
        assert call(train.main, "--resume", run.root).code == 0
    assert compared(run)[: len(first)] == first
    outcome, again = replay(call, run, tmp_path / "other")
    assert_replayed(outcome, run, again)


def test_a_fork_is_replayed_from_where_it_branched_off(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, {150: [{"set": {"real_ratio": 0.7}}]})
        parent = original(tmp_path)
    with monkeypatch.context() as patch:
        steer(patch, {260: [{"set": {"updates_per_step": 2}}]})
        flags = ("--rollout-length", "3", "--runs-root", tmp_path, "--run-id", "fork")
        assert call(train.main, "--fork", f"{parent.root}@220", *flags).code == 0
    fork = RunPaths(tmp_path / "fork")
    outcome, again = replay(call, fork, tmp_path)
    assert outcome.code == 0, outcome.err
    own = sum(row["env_steps"] > 220 for row in compared(fork))
    assert f"replay verified: {own} of {own} records identical" in outcome.out
    assert compared(again) == compared(fork)
    status = read_status(again)
    assert status is not None
    assert status.parent == "original@220"


def test_a_replay_that_is_cut_off_is_taken_up_again(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, {150: [{"set": {"real_ratio": 0.7}}], 305: [{"action": "stop"}]})
        run = original(tmp_path)
    again = start_and_cut(monkeypatch, tmp_path, "log_interval", 26, launch=("--replay", str(run.root)))
    forget_process(again)
    outcome = call(train.main, "--resume", again.root)
    assert outcome.code == 0, outcome.err
    assert compared(again) == compared(run)


def test_a_killed_replay_keeps_what_it_was_told_itself(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        steer(patch, random_changes(1, 3))
        run = original(tmp_path)
    whole = train.Training.log_interval

    def cut(self: train.Training, env_steps: int, settings: Any) -> None:
        whole(self, env_steps, settings)
        if env_steps == 50:
            told = {"id": "mine", "set": {"rollout_length": 7}}
            self.reports.writer.control.handle(json.dumps(told).encode(), "x")
            raise Cut

    with monkeypatch.context() as patch, pytest.raises(Cut):
        patch.setattr(train.Training, "log_interval", cut)
        replay(call, run, tmp_path)
    again = RunPaths(tmp_path / "again")
    forget_process(again)
    assert call(train.main, "--resume", again.root).code == 0
    first = next(row for row in compared(again) if row["env_steps"] == 60)
    assert first["rollout/length"] == 7
    applied = [event for event in events(again, "control") if event["status"] == "applied"]
    assert len(applied) == len({event["id"] for event in applied}) == 4


def test_a_replay_that_is_stopped_is_no_other_run(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It evaluates where it stops, which the original did not: that is no difference."""
    run = original(tmp_path)
    with monkeypatch.context() as patch:
        steer(patch, {222: [{"action": "stop"}]})
        outcome, again = replay(call, run, tmp_path)
    said = [row for row in compared(again) if row["env_steps"] <= 222 and "eval/return_mean" not in row]
    assert said == [row for row in compared(run) if row["env_steps"] <= 222 and "eval/return_mean" not in row]
    assert "replay as before up to env step 222, where it was stopped: " in outcome.out
    assert "warning" not in outcome.out
    outcome = call(train.main, "--resume", again.root)
    assert (outcome.code, "finished at 330 env steps" in outcome.out) == (0, True)


def test_a_record_that_differs_is_named(call: Call, tmp_path: Path) -> None:
    run = original(tmp_path)
    lines = run.metrics.read_text().splitlines()
    number, row = next((i, r) for i, r in enumerate(map(json.loads, lines)) if "sac/alpha" in r)
    lines[number] = json.dumps({**row, "sac/alpha": row["sac/alpha"] + 1e-12})
    run.metrics.write_text("\n".join(lines) + "\n")
    outcome, again = replay(call, run, tmp_path)
    assert outcome.code == 0
    at = row["env_steps"]
    assert f"warning: replay not as before from env step {at} on: sac/alpha was" in outcome.out
    assert len(rows(again.metrics)) == len(lines)


@pytest.mark.parametrize("flag", ["--seed", "--rollout-length", "--fork", "--resume", "--config"])
def test_other_settings_are_refused(flag: str, call: Call, tmp_path: Path) -> None:
    outcome = call(train.main, "--replay", tmp_path, flag, "3")
    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_what_cannot_be_replayed_is_refused_in_one_line(call: Call, tmp_path: Path) -> None:
    run = original(tmp_path, "--total-steps", "20")
    run.config.write_text(run.config.read_text().replace("seed = 7", "seed = 8"))
    outcome, again = replay(call, run, tmp_path)
    assert (outcome.code, len(outcome.err.splitlines())) == (2, 1)
    assert "is not the one the run began with" in outcome.err
    run.manifest.unlink()
    outcome, again = replay(call, run, tmp_path)
    assert (outcome.code, len(outcome.err.splitlines())) == (5, 1)
    assert not again.root.exists()
