"""Ask for a run that ends within its warm-up: it trains nothing, and says so; what goes on with it works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from learners import DEBUG, Outcome, rows

from mbpo.seeds.plan import Plan
from mbpo.settings.cautions import cautions
from mbpo.settings.config import resolve
from mbpo.settings.presets import PRESETS
from mbpo.train import main

Call = Callable[..., Outcome]
WORDS = "nothing will be trained: total_steps {} ends within warmup_steps {}; give more --total-steps or fewer"


def warnings(run: Path) -> list[str]:
    """Return the warnings of a run that are about its warm-up."""
    events = [row for row in rows(run / "events.jsonl") if row["event"] == "warning"]
    return [row["reason"] for row in events if "warmup_steps" in row["reason"]]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_preset_is_all_warm_up(preset: str) -> None:
    assert list(cautions(resolve({"env_id": "Pendulum-v1"}, preset))) == []


@pytest.mark.parametrize(
    ("flags", "total", "warmup"),
    [
        (("--total-steps", "60"), "60", "100"),
        (("--total-steps", "100"), "100", "100"),  # the last step of the warm-up is the last of all
        (("--warmup-steps", "5000"), "400", "5,000"),
        (("--total-steps", "30", "--algo", "sac"), "30", "100"),
    ],
)
def test_a_run_that_ends_within_its_warm_up_says_so(
    flags: Sequence[str], total: str, warmup: str, call: Call, tmp_path: Path
) -> None:
    outcome = call(main, *DEBUG, *flags, "--runs-root", tmp_path, "--run-id", "r")
    assert (outcome.code, outcome.err) == (0, "")
    (said,) = warnings(tmp_path / "r")
    assert said.startswith(WORDS.format(total, warmup))
    assert f"warning: {said}" in outcome.out.splitlines()[:3]
    assert said in (tmp_path / "r" / "log.txt").read_text()


def test_one_step_more_trains_and_needs_no_warning(call: Call, tmp_path: Path) -> None:
    outcome = call(main, *DEBUG, "--total-steps", 101, "--runs-root", tmp_path, "--run-id", "r")
    assert outcome.code == 0
    assert warnings(tmp_path / "r") == []
    assert any(row["kind"] == "refit" for row in rows(tmp_path / "r" / "metrics.jsonl"))


def test_a_file_of_settings_is_judged_as_a_whole(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("total_steps = 50\nwarmup_steps = 70\n")
    call(main, *DEBUG, "--config", tmp_path / "mine.toml", "--runs-root", tmp_path, "--run-id", "r")
    assert len(warnings(tmp_path / "r")) == 1


def test_all_warm_up_can_be_forked_into_a_run_that_trains(call: Call, tmp_path: Path) -> None:
    call(main, *DEBUG, "--total-steps", 60, "--runs-root", tmp_path, "--run-id", "r")
    fork = ("--fork", f"{tmp_path / 'r'}@60", "--runs-root", tmp_path)
    outcome = call(main, *fork, "--run-id", "more", "--total-steps", 160)
    assert (outcome.code, warnings(tmp_path / "more")) == (0, [])
    assert any(row["kind"] == "refit" for row in rows(tmp_path / "more" / "metrics.jsonl"))
    outcome = call(main, *fork, "--run-id", "few", "--total-steps", 80)
    assert (outcome.code, len(warnings(tmp_path / "few"))) == (0, 1)


def test_the_seeds_are_told_together(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Plan, "command", lambda plan, seed: ("true",))
    outcome = call(main, "--preset", "hopper", "--total-steps", 300, "--seeds", "0:2", "--runs-root", tmp_path)
    assert outcome.out.startswith(f"warning: {WORDS.format('300', '5,000')}")
