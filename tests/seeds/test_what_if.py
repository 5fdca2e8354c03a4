"""Ask what would have been best: forks of one history that share their luck, kept, resumed and compared."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from learners import DEBUG, LearnerProcess, Outcome, environment, python_m, wait_for
from msgspec import to_builtins

from mbpo import train
from mbpo.comparison.fork_scores import METRIC
from mbpo.comparison.runs import read_curve
from mbpo.runs.find import runs_below
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.status import RunStatus, read_status, this_process
from mbpo.runs.what_ifs import WhatIfReader
from mbpo.seeds import learner_run
from mbpo.seeds.forks import Forks
from mbpo.seeds.learner_run import LearnerRun
from mbpo.seeds.question import ask
from mbpo.settings import stdout as our
from mbpo.settings.arms import AS_IT_IS, arms_of
from mbpo.settings.config import SETTINGS, resolve
from mbpo.what_if import main

Call = Callable[..., Outcome]
Asked = tuple[RunPaths, dict[str, Any], str]
PARENT = ("--total-steps", "330", "--eval-every", "55", "--checkpoint-every", "110", "--seed", "7", "--log-every", "10")
EVERY = ("--steps", "110", "--eval-every", "55", "--repeats", "2")
# The debug preset has k 1, and its schedule says 1 for ever: the arm k_policy=schedule does what as it is does.
ARMS = ("--set", "rollout_length=1,5", "--set", "k_policy=schedule")


class InProcess:
    """Stand in for a learner's process: do its work here, where torch is already."""

    started: ClassVar[list[Sequence[str]]] = []

    def __init__(self, command: Sequence[str], *, stdout: Any, **_: Any) -> None:
        self.started.append(command)
        with pytest.MonkeyPatch.context() as patch, io.TextIOWrapper(io.FileIO(os.dup(stdout.fileno()), "w")) as file:
            patch.setattr(our, "_ours", None)
            with contextlib.redirect_stdout(file), contextlib.redirect_stderr(file):
                self._code = train.main(command[3:])

    def poll(self) -> int:
        return self._code

    def send_signal(self, number: int) -> None:
        pass


@pytest.fixture(scope="module")
def in_process() -> Iterator[list[Sequence[str]]]:
    """Let learners work in this process, and return their commands as they are started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learner_run, "subprocess", SimpleNamespace(Popen=InProcess, DEVNULL=subprocess.DEVNULL))
        yield InProcess.started


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a finished run with checkpoints at 110, 220 and 330. Copy it to change it."""
    root = tmp_path_factory.mktemp("parent")
    assert train.main([*DEBUG, *PARENT, "--runs-root", str(root), "--run-id", "R"]) == 0
    return RunPaths(root / "R")


def copied(parent: RunPaths, folder: Path) -> RunPaths:
    shutil.copytree(parent.root, folder / "R")
    return RunPaths(folder / "R")


def evaluations(paths: RunPaths, after: int, up_to: int) -> dict[int, float]:
    curve = read_curve(paths, METRIC)
    points = zip(curve.env_steps.tolist(), curve.values.tolist(), strict=True)
    return {int(at): value for at, value in points if after < at <= up_to}


def scores(record: dict[str, Any]) -> dict[str, list[Any]]:
    """Return the evaluations of every arm, a list of [env step, value] for each repeat."""
    return {arm["arm"]: [fork["evaluations"] for fork in arm["forks"]] for arm in record["arms"]}


@pytest.fixture(scope="module")
def asked(parent: RunPaths, in_process: list[Sequence[str]], tmp_path_factory: pytest.TempPathFactory) -> Asked:
    """Share the answer for a copy of the parent at 220: the run, what_if.json and what was printed."""
    run, printed = copied(parent, tmp_path_factory.mktemp("asked")), io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert main([f"{run.root}@220", *ARMS, *EVERY]) == 0
    record = json.loads((run.root.parent / ".what-if" / "R@220" / "what_if.json").read_text())
    return run, record, printed.getvalue()


# What the forks do


def test_the_first_repeat_as_it_is_is_the_runs_own_future(asked: Asked) -> None:
    run, record, _ = asked
    own = evaluations(run, 220, 330)
    assert len(own) == 2
    assert dict(scores(record)[AS_IT_IS][0]) == own


def test_arms_share_their_luck_in_every_repeat(asked: Asked) -> None:
    _, record, _ = asked
    found = scores(record)
    assert list(found) == [AS_IT_IS, "rollout_length=5", "k_policy=schedule"]
    assert found["k_policy=schedule"] == found[AS_IT_IS]  # the settings differ, what they do does not
    assert found[AS_IT_IS][0] != found[AS_IT_IS][1]
    assert all(a != b for a, b in zip(found["rollout_length=5"], found[AS_IT_IS], strict=True))
    seeds = {tuple(fork["seed"] for fork in arm["forks"]) for arm in record["arms"]}
    ((first, second),) = seeds
    assert first == 7 and second not in (7, 8)


def test_the_table_can_be_made_again_from_what_if_json(asked: Asked) -> None:
    run, record, printed = asked
    base, k5, _ = record["arms"]
    finals = [[fork["evaluations"][-1][1] for fork in arm["forks"]] for arm in (base, k5)]
    differences = [b - a for a, b in zip(*finals, strict=True)]
    assert [value for _, value in k5["final"]["differences"]] == differences
    assert k5["final"]["difference"] == pytest.approx(sum(differences) / 2)
    ways = [sum(value for _, value in fork["evaluations"]) / 2 for fork in k5["forks"]]
    assert k5["on_the_way"]["mean"] == pytest.approx(sum(ways) / 2)
    assert (record["run"], record["step"], record["steps"], record["eval_every"]) == ("R", 220, 110, 55)
    assert record["command"][:4] == ["python", "-m", "mbpo.what_if", f"{run.root}@220"]
    assert record["in_force"] == {"rollout_length": 1, "k_policy": "schedule"}
    assert k5["changes"] == {"rollout_length": 5}
    assert record["arms"][2]["changes"] == {"k_policy": "schedule", "rollout_length": "auto"}
    assert k5["forks"][0]["versions"]["torch"]
    assert 0 < k5["forks"][0]["wall_s"] < 60
    assert record["verdict"] in printed
    assert " rollout_length=5 " in printed and "as it is" in printed


def test_forks_lie_where_nothing_that_looks_for_runs_finds_them(asked: Asked) -> None:
    run, record, printed = asked
    assert runs_below(run.root.parent).runs == [run.root]
    assert not list(run.root.glob("*what*"))
    folder = run.root.parent / ".what-if" / "R@220"
    assert printed.rstrip().endswith(str(folder))
    assert len(runs_below(folder).runs) == 6
    assert all(Path(fork["run_dir"]).parent == folder for arm in record["arms"] for fork in arm["forks"])
    assert folder.stat().st_mode & 0o777 == 0o700


def test_forks_have_the_threads_of_their_parent(asked: Asked) -> None:
    run, record, _ = asked
    forks = [RunPaths(Path(fork["run_dir"])) for arm in record["arms"] for fork in arm["forks"]]
    manifests = [read_manifest(fork.manifest) for fork in forks]
    assert {manifest.threads for manifest in manifests} == {read_manifest(run.manifest).threads}
    assert {manifest.branch.fork_env_steps for manifest in manifests if manifest.branch} == {220}


def test_the_same_command_again_starts_nothing_and_others_share_their_forks(
    asked: Asked, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    run, record, _ = asked
    shutil.copytree(run.root.parent, tmp_path / "runs")
    root = tmp_path / "runs" / "R"
    in_process.clear()
    outcome = call(main, f"{root}@220", *ARMS, *EVERY, "--json")
    assert outcome.code == 0
    assert in_process == []
    again = json.loads(outcome.out)
    assert scores(again) == scores(record)
    assert again["verdict"] == record["verdict"]
    assert "note: rollout_length=1 is in force already: that is as it is" in outcome.err
    outcome = call(main, f"{root}@220", "--set", "rollout_length=3,5", *EVERY[:-1], 3)
    assert outcome.code == 0
    begun = [next(word for word in command if word.startswith("--run-id="))[9:-9] for command in in_process]
    missing = ("rollout_length-3-r0", "rollout_length-3-r1")
    assert begun == [*missing, "as-it-is-r2", "rollout_length-3-r2", "rollout_length-5-r2"]


def test_between_checkpoints_the_history_is_repeated_once(
    parent: RunPaths, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    run = copied(parent, tmp_path)
    in_process.clear()
    more = ("--steps", "70", "--eval-every", "55", "--repeats", "1")
    outcome = call(main, f"{run.root}@150", "--set", "real_ratio=0.5", *more, "--json")
    assert outcome.code == 0, outcome.err
    whence = [command[3] for command in in_process]
    assert whence[0] == f"--fork={run.root}@150"
    assert len(whence) == 3
    assert all(".trunk/trunk-" in text for text in whence[1:])
    record = json.loads(outcome.out)
    assert dict(scores(record)[AS_IT_IS][0]) == evaluations(parent, 150, 220)
    assert record["verdict"] == "cannot be told: one repeat has no interval; give more --repeats"
    in_process.clear()
    assert call(main, f"{run.root}@150", "--set", "real_ratio=0.25", *more).code == 0
    assert [command[3] for command in in_process] == [whence[1]]


def test_a_run_that_learns_on_is_forked_from_a_checkpoint_that_stays(
    live_learner: LearnerProcess, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    link = tmp_path / "R"
    link.symlink_to(live_learner.paths.root)
    in_process.clear()
    outcome = call(main, f"{link}@120", "--set", "real_ratio=0.5", "--steps", 10, "--repeats", 1)
    assert outcome.code == 0, outcome.err
    assert len(in_process) == 3
    assert (tmp_path / ".what-if" / "R@120").is_dir()


def test_without_an_env_step_it_is_the_newest_checkpoint(parent: RunPaths) -> None:
    question, _ = ask(str(parent.root), ["rollout_length=2"], steps=2000, eval_every=None, repeats=4)
    assert (question.step, question.end, question.eval_every) == (330, 2330, 500)
    assert question.evaluated_at == (500, 1000, 1500, 2000, 2330)


def test_settings_that_were_changed_live_are_in_force(parent: RunPaths, tmp_path: Path) -> None:
    run = copied(parent, tmp_path)
    answer = {"event": "control", "status": "applied", "at_env_steps": 250, "new": {"rollout_length": 4}, "revision": 1}
    with run.events.open("a") as file:
        file.write(json.dumps(answer) + "\n")
    question, notes = ask(f"{run.root}@300", ["rollout_length=1,4"], steps=50, eval_every=None, repeats=1)
    assert question.in_force["rollout_length"] == 4
    assert [arm.name for arm in question.arms] == [AS_IT_IS, "rollout_length=1"]
    assert notes == ["rollout_length=4 is in force already: that is as it is"]
    before, _ = ask(f"{run.root}@250", ["rollout_length=4"], steps=50, eval_every=None, repeats=1)
    assert before.in_force["rollout_length"] == 1
    unchanged, _ = ask(f"{parent.root}@300", ["rollout_length=4"], steps=50, eval_every=None, repeats=1)
    names = [Forks(each).all[0].run.paths.run_id for each in (question, unchanged)]
    assert names[0] != names[1]  # of another history


# What fails, is stopped or is killed


def test_an_arm_that_fails_is_named_and_the_rest_is_compared(
    parent: RunPaths, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    run = copied(parent, tmp_path)
    arms = ("--set", "model_hidden=8", "--set", "real_ratio=0.5")
    command = (f"{run.root}@220", *arms, "--steps", 55, "--eval-every", 55, "--repeats", 2, "--json")
    outcome = call(main, *command)
    assert outcome.code == 6
    assert "error: fork model_hidden=8 #0, exit code 6: step-000000220 does not fit these settings" in outcome.err
    assert "note: model_hidden=8: 2 of 2 forks failed, without a score" in outcome.err
    record = json.loads(outcome.out)
    _, failed, other = record["arms"]
    assert (failed["final"]["mean"], failed["final"]["repeats"]) == (None, 0)
    assert "does not fit these settings" in failed["forks"][1]["reason"]
    assert other["final"]["repeats"] == 2
    assert other["final"]["best"] is not None


def test_a_fork_that_diverged_is_kept_as_an_answer(
    asked: Asked, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    shutil.copytree(asked[0].root.parent, tmp_path / "runs")
    (fork,) = (tmp_path / "runs" / ".what-if" / "R@220").glob("rollout_length-5-r1-*")
    status = read_status(RunPaths(fork))
    diverged = RunStatus(**{**to_builtins(status), "state": "diverged", "exit_code": 4, "reason": "loss is nan"})
    write_json(fork / "status.json", to_builtins(diverged))
    in_process.clear()
    outcome = call(main, f"{tmp_path / 'runs' / 'R'}@220", *ARMS, *EVERY)
    assert (outcome.code, in_process) == (0, [])
    assert "note: rollout_length=5: 1 of 2 forks diverged, without a score" in outcome.err
    assert "error: fork rollout_length=5 #1, exit code 4: loss is nan" in outcome.err
    assert " 1 of 2 " in outcome.out


def test_a_stop_keeps_what_is_done_and_the_same_command_goes_on(
    parent: RunPaths, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    run, twin = copied(parent, tmp_path / "a"), copied(parent, tmp_path / "b")
    folder = run.root.parent / ".what-if" / "R@220"
    arms = ("--set", "updates_per_step=100", "--steps", "200", "--eval-every", "50", "--repeats", "1")
    process = python_m("mbpo.what_if", f"{run.root}@220", *arms, "--jobs", "1", cwd=tmp_path)

    def states() -> dict[str, str]:
        found = {path.name[:8]: read_status(RunPaths(path)) for path in runs_below(folder).runs}
        return {name: status.state for name, status in found.items() if status}

    try:
        wait_for(lambda: states() == {"as-it-is": "finished", "updates_": "running"}, "the second fork to learn")
    finally:
        process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 143, err
    assert f"note: 1 of 2 forks are finished, in {folder}; the same command goes on" in err
    assert states() == {"as-it-is": "finished", "updates_": "stopped"}
    left = WhatIfReader(run.root).poll().asking
    assert left is not None
    assert (left.at_work, left.finished, left.asked.process["pid"]) == (False, 1, process.pid)
    assert (left.asked.sets, left.asked.steps, left.asked.threads_given) == (["updates_per_step=100"], 200, None)
    in_process.clear()
    outcome = call(main, f"{run.root}@220", *arms, "--json")
    assert outcome.code == 0, outcome.err
    ((_, _, _, resumed),) = in_process
    assert resumed.startswith(f"--resume={folder}/updates_per_step-100-r0-")
    answered = WhatIfReader(run.root).poll()
    assert answered.asking is None
    assert answered.answer is not None
    assert answered.answer.verdict == json.loads(outcome.out)["verdict"]
    whole = call(main, f"{twin.root}@220", *arms, "--json")
    assert scores(json.loads(outcome.out)) == scores(json.loads(whole.out))


def test_a_learner_that_outlived_its_parent_is_waited_for(tmp_path: Path) -> None:
    run = LearnerRun("a", RunPaths(tmp_path), ("false",), tmp_path / "out", resume=("false",))
    assert not run.is_taken()
    write_json(run.paths.status, to_builtins(RunStatus(state="running", **this_process())))
    assert run.is_taken()
    assert run.state == "running"
    write_json(run.paths.status, to_builtins(RunStatus(state="finished", exit_code=0)))
    assert not run.is_taken()
    run.start()
    assert (run.finished, run.alive, run.exit_code) == (True, False, 0)


def test_a_run_killed_before_it_began_is_begun_anew(parent: RunPaths, tmp_path: Path) -> None:
    run = copied(parent, tmp_path)
    question, _ = ask(f"{run.root}@220", ["rollout_length=2"], steps=50, eval_every=None, repeats=1)
    forks = Forks(question)
    half = forks.all[1].run.paths
    half.inbox.mkdir(parents=True)
    write_json(half.status, to_builtins(RunStatus(state="starting", pid=0)))
    with forks.claimed():
        assert not half.root.exists()


def test_two_at_once_do_not_meet(parent: RunPaths, call: Call, tmp_path: Path) -> None:
    run = copied(parent, tmp_path)
    question, _ = ask(f"{run.root}@220", ["rollout_length=2"], steps=50, eval_every=None, repeats=1)
    with Forks(question).claimed():
        outcome = call(main, f"{run.root}@220", "--set", "rollout_length=3", "--steps", 50)
    assert outcome.code == 7
    assert "another what-if is at work in " in outcome.error


# What is asked for


def test_each_value_is_an_arm() -> None:
    config = resolve({"rollout_length": 3}, "debug")
    in_force = {name: getattr(config, name) for name in SETTINGS}
    several = ["rollout_length=1,auto, 5", "real_ratio=0.1,1", "rollout_length=5"]
    whole = ["rollout_schedule=0,5,1,9", "normalize_targets=TRUE", "env_kwargs=g=9.81; mode=fast", "k_policy=schedule"]
    arms, notes = arms_of([*several, *whole], config, in_force)
    assert notes == []
    assert {arm.name: dict(arm.changes) for arm in arms} == {
        AS_IT_IS: {},
        "rollout_length=1": {"rollout_length": 1},
        "rollout_length=auto": {"rollout_length": "auto"},
        "rollout_length=5": {"rollout_length": 5},
        "real_ratio=0.1": {"real_ratio": 0.1},
        "real_ratio=1.0": {"real_ratio": 1.0},
        "rollout_schedule=0,5,1,9": {"rollout_schedule": (0, 5, 1, 9), "rollout_length": "auto"},
        "normalize_targets=true": {"normalize_targets": True},
        'env_kwargs=g=9.81; mode="fast"': {"env_kwargs": {"g": 9.81, "mode": "fast"}},
        "k_policy=schedule": {"k_policy": "schedule", "rollout_length": "auto"},
    }


K3 = ("--set", "rollout_length=3")
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown setting": (("--set", "rolout_length=3"), "unknown setting rolout_length; did you mean rollout_length?"),
    "a bad value": (
        ("--set", "rollout_length=1,x"),
        'must be a whole number in [0, 1000] or be "auto", got x (from --set)',
    ),
    "out of range": (("--set", "real_ratio=2"), "real_ratio must lie in [0, 1], got 2 (from --set)"),
    "no value": (("--set", "rollout_length"), "--set must be like rollout_length=1,5,15, got rollout_length"),
    "an empty list": (("--set", "wrappers="), "wrappers must have a part at least"),
    "what does not go together": (("--set", "elites=9"), "elites must be at most ensemble_size 3, got 9"),
    "a seed": (("--set", "seed=1"), "--set cannot change seed, which all forks have alike; give --repeats"),
    "another environment": (("--set", "env_id=Hopper-v5"), "a fork goes on with its run"),
    "nothing": ((), "nothing to compare: give --set NAME=VALUE,VALUE"),
    "what is in force": (("--set", "rollout_length=1"), "nothing to compare: rollout_length=1 is in force already"),
    "no steps": ((*K3, "--steps", "0"), "--steps must be a whole number in [1, 1000000000], got 0"),
    "no repeats": ((*K3, "--repeats", "0"), "--repeats must be a whole number in [1, 100], got 0"),
    "an unknown flag": (("--sets", "rollout_length=3"), "unknown argument --sets; did you mean --set?"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_question_that_cannot_be_asked_is_refused_in_one_line(name: str, parent: RunPaths, call: Call) -> None:
    arguments, words = BAD[name]
    outcome = call(main, f"{parent.root}@220", *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert words in outcome.error
    assert not (parent.root.parent / ".what-if").exists()


def test_a_run_that_cannot_be_forked_there_is_refused_in_its_learners_words(
    parent: RunPaths, in_process: list[Sequence[str]], call: Call, tmp_path: Path
) -> None:
    run = copied(parent, tmp_path)
    outcome = call(main, f"{run.root}@900", "--set", "rollout_length=3")
    assert outcome.code == 6
    assert outcome.error.endswith("has come to env step 330: it cannot be forked at 900")
    assert WhatIfReader(run.root).poll().asking is None  # the same command would fail again
    outcome = call(main, tmp_path / "none", "--set", "rollout_length=3")
    assert outcome.code == 2
    assert "expected a run directory, but" in outcome.error
    outcome = call(main, f"{run.root}@0", "--set", "rollout_length=3", "--steps", 60)
    assert outcome.error.endswith("within warmup_steps 100 in which nothing is learned; give --steps 160")
    shutil.rmtree(run.checkpoints)
    outcome = call(main, run.root, "--set", "rollout_length=3")
    assert outcome.code == 6
    assert "has no checkpoint to fork from; give an env step: RUN_DIR@STEP" in outcome.error


def test_help_teaches_and_the_command_needs_no_torch_of_its_own(call: Call, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert "python -m mbpo.what_if runs/swing@600 --set rollout_length=1,15" in text
    assert "another number\n" in text and "rounds differently" in text
    script = "import sys, mbpo.what_if; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], env=environment()).returncode == 0
