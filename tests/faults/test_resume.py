"""Cut a run off anywhere and resume it: it ends with the metrics of its twin that went through."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from figures import Promise
from learners import DEBUG, LearnerProcess, Outcome, killed_run, rows

from mbpo import train
from mbpo.learner.learner import Learner
from mbpo.runs.history import add_change
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.runs.status import RunStatus, read_status, this_process, write_status
from mbpo.saving.checkpoint import load_checkpoint

Call = Callable[..., Outcome]
TWIN = ("--total-steps", "430", "--checkpoint-every", "60", "--eval-every", "100", "--seed", "7", "--log-every", "10")


class Cut(BaseException):
    """End a learner where it stands, with nothing of it run any more: a kill, in this process."""


@pytest.fixture(scope="session")
def twin(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share the run that goes through."""
    root = tmp_path_factory.mktemp("twin")
    assert train.main([*DEBUG, *TWIN, "--runs-root", str(root), "--run-id", "twin"]) == 0
    return RunPaths(root / "twin")


def compared(paths: RunPaths) -> list[dict[str, Any]]:
    """Return the rows of metrics without what may differ."""
    skipped = MACHINE_KEYS | {"attempt"}
    return [{k: v for k, v in row.items() if k not in skipped} for row in rows(paths.metrics)]


def events(paths: RunPaths, name: str) -> list[dict[str, Any]]:
    return [event for event in rows(paths.events) if event["event"] == name]


def final_parts(paths: RunPaths) -> Iterator[tuple[str, dict[str, torch.Tensor]]]:
    folder = paths.checkpoints / json.loads((paths.checkpoints / "index.json").read_text())["final"]
    for file in sorted(folder.glob("*.safetensors")):
        yield file.stem, load_checkpoint(folder, file.stem)


def assert_same_end(one: RunPaths, other: RunPaths) -> None:
    """Compare metrics, tables, and every tensor of the final checkpoints."""
    assert compared(one) == compared(other)
    returns = [next(paths.root.glob("MBPO_*_returns_data.csv")) for paths in (one, other)]
    assert returns[0].read_text() == returns[1].read_text()
    lines = [paths.progress.read_text().splitlines() for paths in (one, other)]
    assert len(lines[0]) == len(lines[1])
    for (name, part), (other_name, other_part) in zip(final_parts(one), final_parts(other), strict=True):
        assert name == other_name
        assert set(part) == set(other_part)
        for key, tensor in part.items():
            torch.testing.assert_close(tensor, other_part[key], rtol=0, atol=0, equal_nan=True, msg=f"{name} {key}")


def start_and_cut(
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    method: str,
    calls: int,
    *flags: str,
    launch: tuple[str, ...] = (*DEBUG, *TWIN),
) -> RunPaths:
    """Start a run that is cut off in the given call of a function of the loop or a method of Training or Learner."""
    counted = 0
    owner = next(owner for owner in (train, train.Training, Learner) if hasattr(owner, method))
    whole = getattr(owner, method)

    def cut(self: Any, *arguments: Any) -> Any:
        nonlocal counted
        counted += 1
        if counted == calls:
            raise Cut  # the end waits for a checkpoint that is being written
        return whole(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(owner, method, cut)
        with pytest.raises(Cut):
            train.main([*launch, "--runs-root", str(root), "--run-id", "cut", *flags])
    run = RunPaths(root / "cut")
    forget_process(run)
    return run


def forget_process(run: RunPaths) -> None:
    """Make the status that of a process which is gone: the tests' own is not."""
    status = read_status(run)
    assert status is not None
    write_status(run, msgspec.structs.replace(status, pid=0))


CUTS = [
    ("log_interval", 4, None),  # in warm-up, before there is a checkpoint
    ("log_interval", 8, 60),  # in warm-up
    ("refit_and_imagine", 1, 60),
    ("refit_and_imagine", 4, 240),
    ("imagine", 5, 300),  # in a rollout
    ("evaluate", 2, 180),  # and the episode has just ended
    ("evaluate", 4, 360),
    ("save", 6, 300),
    ("update_policy", 137, 180),  # in mid-episode
]


@pytest.mark.promise("cuts in warm-up, mid-episode, refit, rollout, evaluation, save: bit-exact")
@pytest.mark.parametrize(("method", "calls", "at"), CUTS)
def test_a_resumed_run_ends_as_its_twin(
    method: str,
    calls: int,
    at: int | None,
    twin: RunPaths,
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    promise: Promise,
) -> None:
    run = start_and_cut(monkeypatch, tmp_path, method, calls)
    before = rows(run.metrics)
    outcome = call(train.main, "--resume", run.root)
    assert (outcome.code, outcome.err) == (0, "")
    assert rows(run.metrics)[: len(before)] == before  # nothing was lost
    assert_same_end(run, twin)
    (resumed,) = events(run, "resumed")
    assert resumed["env_steps"] == (at or 0)
    assert resumed["checkpoint"] == (f"step-{at:09d}" if at else None)
    assert resumed["attempt"] == 2
    assert resumed["damaged"] == resumed["changed"] == []
    if count := resumed["to_compare"]:
        with promise.tries("records of a resume compared as it runs, all said to be identical") as tries, tries.one():
            (verified,) = events(run, "resume_verified")
            assert verified["identical"] == verified["total"] == count
            assert f"resume verified: {count} of {count} records identical" in outcome.out


@pytest.mark.parametrize("setting", [("--precision", "bfloat16"), ("--critic-norm", "layer")], ids="=".join)
def test_a_run_whose_arithmetic_is_chosen_resumes_as_its_twin(
    setting: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: Call
) -> None:
    flags = (*DEBUG, *TWIN, *setting)
    assert call(train.main, *flags, "--runs-root", tmp_path, "--run-id", "twin").code == 0
    run = start_and_cut(monkeypatch, tmp_path, "update_policy", 137, launch=flags)
    assert call(train.main, "--resume", run.root).code == 0
    assert_same_end(run, RunPaths(tmp_path / "twin"))


def test_a_killed_process_resumes_as_its_twin(twin: RunPaths, call: Call, tmp_path: Path) -> None:
    run = killed_run(tmp_path, 257, *TWIN)
    status = read_status(run)
    assert status is not None
    assert status.derived_state() == "lost"
    assert call(train.main, "--resume", run.root).code == 0
    assert_same_end(run, twin)
    status = read_status(run)
    assert status is not None
    assert (status.attempt, status.state) == (2, "finished")


def test_a_chain_of_cuts_ends_as_the_twin(
    twin: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = start_and_cut(monkeypatch, tmp_path, "update_policy", 30)
    whole, cuts = train.update_policy, 0

    def cut(self: train.Training, env_steps: int, settings: Any) -> None:
        nonlocal cuts
        if self.reports.writer.status.env_steps >= 160 + 40 * cuts and cuts < 6:
            cuts += 1
            self.store.settle()
            raise Cut
        whole(self, env_steps, settings)

    monkeypatch.setattr(train, "update_policy", cut)
    for _ in range(6):
        with pytest.raises(Cut):
            train.main(["--resume", str(run.root)])
        forget_process(run)
    assert call(train.main, "--resume", run.root).code == 0
    assert_same_end(run, twin)
    assert [event["attempt"] for event in events(run, "resumed")] == list(range(2, 9))


def test_a_stopped_run_resumes_as_its_twin(
    twin: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train.update_policy

    def stop(self: train.Training, env_steps: int, settings: Any) -> None:
        whole(self, env_steps, settings)
        if self.reports.writer.status.env_steps == 222:
            self.reports.writer.control.request_stop()

    with monkeypatch.context() as patch:
        patch.setattr(train, "update_policy", stop)
        assert train.main([*DEBUG, *TWIN, "--runs-root", str(tmp_path), "--run-id", "cut"]) == 0
    run = RunPaths(tmp_path / "cut")
    status = read_status(run)
    assert status is not None
    assert status.state == "stopped"
    assert call(train.main, "--resume", run.root).code == 0
    # the stop measured the policy once more than the twin did
    extra = [row for row in compared(run) if row["env_steps"] == 223 and "eval/return_mean" in row]
    assert len(extra) == 1
    assert rows(run.metrics)[-1]["env_steps"] == 430
    for (name, part), (_, other) in zip(final_parts(run), final_parts(twin), strict=True):
        for key, tensor in part.items():
            torch.testing.assert_close(tensor, other[key], rtol=0, atol=0, equal_nan=True, msg=f"{name} {key}")


def test_a_change_answered_before_the_cut_holds_again_from_where_it_held(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steer two runs alike after the checkpoint; cut one of them off."""

    def steered(root: Path) -> Iterator[None]:
        whole = train.update_policy

        def steer(self: train.Training, env_steps: int, settings: Any) -> None:
            whole(self, env_steps, settings)
            control, at = self.reports.writer.control, self.reports.writer.status.env_steps
            for then, setting in ((250, '"real_ratio": 0.7'), (270, '"rollout_length": 3')):
                if at == then:
                    text = f'{{"id": "at-{then}", "set": {{{setting}}}}}'
                    control.handle(text.encode(), "x")

        with monkeypatch.context() as patch:
            patch.setattr(train, "update_policy", steer)
            yield

    for _ in steered(tmp_path):
        assert train.main([*DEBUG, *TWIN, "--runs-root", str(tmp_path), "--run-id", "whole"]) == 0
        cut = start_and_cut(monkeypatch, tmp_path, "log_interval", 29)
    assert call(train.main, "--resume", cut.root).code == 0
    assert_same_end(cut, RunPaths(tmp_path / "whole"))
    status = read_status(cut)
    assert status is not None
    assert (status.interactive, status.revision) == (True, 2)
    assert (status.controls["real_ratio"], status.controls["rollout_length"]) == (0.7, 3)


def test_a_later_change_takes_the_place_of_those_after_it() -> None:
    changes: list[tuple[int, Any]] = [(5, {"a": 1}), (9, {"a": 2, "b": 3}), (12, {"a": 4})]
    add_change(changes, 8, {"a": 7})
    assert changes == [(5, {"a": 1}), (8, {"a": 7}), (9, {"b": 3})]
    earlier = changes[0]
    add_change(changes, 8, {"b": 1})
    assert changes == [(5, {"a": 1}), (8, {"a": 7}), (8, {"b": 1})]
    assert changes[0] is earlier  # not made anew, nor are ten thousand


# What is wrong with a checkpoint, and what differs


@pytest.fixture(scope="module")
def cut_once(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    with pytest.MonkeyPatch.context() as patch:
        return start_and_cut(patch, tmp_path_factory.mktemp("cut"), "log_interval", 29)


@pytest.fixture
def cut_run(cut_once: RunPaths, tmp_path: Path) -> RunPaths:
    """Return a copy of a run that was cut off at 299, with checkpoints at 120, 180 and 240."""
    return RunPaths(shutil.copytree(cut_once.root, tmp_path / "cut"))


@pytest.mark.parametrize(
    "file",
    [
        "actor.safetensors",
        "adam_ensemble.safetensors",
        "imagined.safetensors",
        "loop.json",
        "manifest.json",
        "real.safetensors",
        "tail.safetensors",
    ],
)
@pytest.mark.parametrize("harm", ["flip", "cut", "remove"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_is_taken(
    file: str, harm: str, cut_run: RunPaths, twin: RunPaths, call: Call
) -> None:
    path = cut_run.checkpoints / "step-000000240" / file
    data = path.read_bytes()
    if harm == "flip":
        at = len(data) // 2
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif harm == "cut":
        path.write_bytes(data[:-1])
    else:
        path.unlink()
    outcome = call(train.main, "--resume", cut_run.root)
    assert (outcome.code, outcome.err) == (0, "")
    (resumed,) = events(cut_run, "resumed")
    assert resumed["env_steps"] == 180
    assert len(resumed["damaged"]) == 1
    assert file in resumed["damaged"][0]
    assert f"warning: passed over: {resumed['damaged'][0]}" in outcome.out
    assert_same_end(cut_run, twin)


def test_without_any_whole_checkpoint_it_begins_again(cut_run: RunPaths, twin: RunPaths, call: Call) -> None:
    for folder in cut_run.checkpoints.glob("step-*"):
        (folder / "critic.safetensors").write_bytes(b"")
    assert call(train.main, "--resume", cut_run.root).code == 0
    (resumed,) = events(cut_run, "resumed")
    assert (resumed["env_steps"], len(resumed["damaged"])) == (0, 3)
    assert_same_end(cut_run, twin)


def test_records_that_differ_are_named_and_written_again(cut_run: RunPaths, twin: RunPaths, call: Call) -> None:
    lines = cut_run.metrics.read_bytes().splitlines(keepends=True)
    row = json.loads(lines[-2])
    assert "sac/alpha" in row
    row["sac/alpha"] += 1.0
    lines[-2] = json.dumps(row).encode() + b"\n"
    cut_run.metrics.write_bytes(b"".join(lines))
    outcome = call(train.main, "--resume", cut_run.root)
    assert outcome.code == 0
    reasons = [event["reason"] for event in events(cut_run, "warning")]
    assert len(reasons) == 1
    assert "sac/alpha was" in reasons[0]
    assert f"not as before from env step {row['env_steps']}" in outcome.out
    newest = {r["seq"]: r for r in compared(cut_run)}  # the last row of a number counts
    assert [newest[seq] for seq in sorted(newest)] == compared(twin)


@pytest.mark.parametrize("tail", [b'{"seq": 9', b"\0" * 100, b"garbage\n"])
def test_a_torn_last_line_is_no_obstacle(tail: bytes, cut_run: RunPaths, twin: RunPaths, call: Call) -> None:
    with cut_run.metrics.open("ab") as file:
        file.write(tail)
    assert call(train.main, "--resume", cut_run.root).code == 0
    good = []
    for line in cut_run.metrics.read_bytes().splitlines():
        try:
            good.append(json.loads(line))
        except ValueError:
            continue
    skipped = MACHINE_KEYS | {"attempt"}
    assert [{k: v for k, v in r.items() if k not in skipped} for r in good] == compared(twin)


def test_what_may_make_results_differ_is_said(cut_run: RunPaths, call: Call) -> None:
    manifest = json.loads(cut_run.manifest.read_text())
    manifest["versions"]["torch"] = "1.0"
    cut_run.manifest.write_text(json.dumps(manifest))
    outcome = call(train.main, "--resume", cut_run.root)
    assert outcome.code == 0
    (resumed,) = events(cut_run, "resumed")
    assert len(resumed["changed"]) == 1
    assert "versions.torch was 1.0, is 2." in resumed["changed"][0]
    assert "warning: versions.torch was 1.0" in outcome.out


# Refusals


def test_a_finished_run_is_not_resumed(finished_run: RunPaths, call: Call) -> None:
    before = finished_run.events.read_bytes()
    outcome = call(train.main, "--resume", finished_run.root)
    assert outcome.code == 2
    assert "has finished, at 400 env steps" in outcome.error
    assert finished_run.events.read_bytes() == before


def test_a_live_run_is_not_resumed(cut_run: RunPaths, call: Call) -> None:
    write_status(cut_run, RunStatus(state="running", **this_process()))
    outcome = call(train.main, "--resume", cut_run.root)
    assert outcome.code == 7
    assert "is in use by process" in outcome.error


def test_a_second_learner_is_kept_out_even_where_the_status_says_nothing(
    start_learner: Callable[..., LearnerProcess], call: Call, tmp_path: Path
) -> None:
    learner = start_learner("--total-steps", "1000000", "--eval-every", "1000000")
    learner.wait_for_env_steps(120)
    learner.process.send_signal(signal.SIGSTOP)  # so that it does not write its status again
    write_status(learner.paths, RunStatus(state="stopped"))
    outcome = call(train.main, "--resume", learner.paths.root)
    learner.process.send_signal(signal.SIGCONT)
    assert outcome.code == 7
    assert "in use by another learner" in outcome.error


def test_a_config_that_was_changed_is_refused(cut_run: RunPaths, call: Call) -> None:
    text = cut_run.config.read_text().replace("seed = 7", "seed = 8")
    cut_run.config.write_text(text)
    outcome = call(train.main, "--resume", cut_run.root)
    assert outcome.code == 2
    assert "is not the one the run began with" in outcome.error


@pytest.mark.parametrize("missing", ["config.toml", "manifest.json", ""])
def test_what_is_no_run_directory_is_refused(missing: str, cut_run: RunPaths, call: Call) -> None:
    if missing:
        (cut_run.root / missing).unlink()
    else:
        shutil.rmtree(cut_run.root)
    outcome = call(train.main, "--resume", cut_run.root)
    assert outcome.code in (2, 5)
    assert missing in outcome.error or "config.toml" in outcome.error


def test_it_goes_alone(cut_run: RunPaths, call: Call) -> None:
    outcome = call(train.main, "--resume", cut_run.root, "--gamma", "0.5")
    assert outcome.code == 2
    assert "--resume goes alone, without --gamma" in outcome.error
