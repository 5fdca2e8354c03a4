"""Every rule for k is exact under resume, wherever it was cut, under fork and under replay of live switches."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from figures import figure
from learners import DEBUG, Outcome
from test_replay_run import assert_replayed, steer
from test_resume import compared, events, final_parts, start_and_cut

from mbpo import train
from mbpo.runs.layout import RunPaths
from mbpo.settings.variants import K_POLICIES

Call = Callable[..., Outcome]
RUN = (*DEBUG, "--rollout-length", "auto", "--total-steps", "330", "--checkpoint-every", "60", "--log-every", "10")
RULES = tuple(K_POLICIES)
PHASES = {  # where it is cut: a function, and in which call of it
    "warm-up": ("take_in", 40),
    "before the model is scored": ("score_new_data", 4),
    "before a refit": ("fit", 3),
    "before a rule looks": ("evidence", 3),
    "before a rollout": ("imagine", 4),
    "in an update": ("update_policy", 171),
    "in an evaluation": ("evaluate", 1),
}


def flags(rule: str) -> tuple[str, ...]:
    own = {"bound": ("--bound-resolution", "3"), "mask": ("--rollout-rows", "150")}.get(rule, ())
    return ("--k-policy", rule, *own)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunPaths]:
    """Share a run under each rule that nothing interrupted."""
    root = tmp_path_factory.mktemp("wholes")
    for rule in RULES:
        assert train.main([*RUN, *flags(rule), "--runs-root", str(root), "--run-id", rule]) == 0
    return {rule: RunPaths(root / rule) for rule in RULES}


def assert_same(run: RunPaths, whole: RunPaths) -> None:
    assert compared(run) == compared(whole)
    for (name, part), (_, other) in zip(final_parts(run), final_parts(whole), strict=True):
        for key, tensor in part.items():
            assert tensor.equal(other[key]) or tensor.isnan().any(), f"{name} {key}"


def test_each_rule_goes_a_way_of_its_own(wholes: dict[str, RunPaths]) -> None:
    ends = {json.dumps(compared(run)[-1]) for run in wholes.values()}
    assert len(ends) >= len(RULES) - 1  # that of the bound may come to the schedule's k


@pytest.mark.promise("resumes under each rule for k, cut in each phase, bit-exact")
@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("rule", RULES)
def test_a_resumed_run_goes_on_under_its_rule(
    rule: str, phase: str, wholes: dict[str, RunPaths], call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if figure(0, 1) == 0 and (RULES.index(rule) + list(PHASES).index(phase)) % 3:
        pytest.skip("a third of the pairs; all are tried by make faults")
    run = start_and_cut(monkeypatch, tmp_path, *PHASES[phase], launch=(*RUN, *flags(rule)))
    outcome = call(train.main, "--resume", run.root)
    assert outcome.code == 0, outcome.err
    assert "not as before" not in outcome.out + outcome.err
    assert_same(run, wholes[rule])


@pytest.mark.promise("forks between checkpoints under each rule for k, bit-exact")
@pytest.mark.parametrize("rule", RULES)
def test_a_fork_goes_on_under_its_rule(rule: str, wholes: dict[str, RunPaths], call: Call, tmp_path: Path) -> None:
    whole = wholes[rule]
    outcome = call(train.main, "--fork", f"{whole.root}@257", "--runs-root", tmp_path, "--run-id", "fork")
    assert outcome.code == 0, outcome.err
    assert "fork verified" in outcome.out
    assert_same(RunPaths(tmp_path / "fork"), whole)


@pytest.mark.promise("replays of live switches between rules for k, bit-exact")
@pytest.mark.parametrize("rule", RULES)
def test_switches_between_rules_are_made_again(
    rule: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after = RULES[(RULES.index(rule) + 2) % len(RULES)]
    script: dict[int, list[dict[str, Any]]] = {
        117: [{"set": {"k_policy": rule}}],
        203: [{"set": {"k_policy": after}}],
        230: [{"set": {"rollout_length": 2}}],  # the user's hand
        268: [{"set": {"rollout_length": "auto", "k_policy": rule}}],
    }
    with monkeypatch.context() as patch:
        steer(patch, script)
        assert train.main([*RUN, "--runs-root", str(tmp_path), "--run-id", "original"]) == 0
    run = RunPaths(tmp_path / "original")
    assert {answer["status"] for answer in events(run, "control")} == {"applied"}
    outcome = call(train.main, "--replay", run.root, "--runs-root", tmp_path, "--run-id", "again")
    assert_replayed(outcome, run, RunPaths(tmp_path / "again"))
    fork = call(train.main, "--fork", f"{run.root}@281", "--runs-root", tmp_path, "--run-id", "fork")
    assert "fork verified" in fork.out
    assert_same(RunPaths(tmp_path / "fork"), run)
