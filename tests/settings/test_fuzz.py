"""Random configurations on tiny budgets. ``MBPO_FUZZ=200`` draws that many; a few by default."""

from __future__ import annotations

import json
import math
import os
import random
from pathlib import Path

import pytest

from mbpo import train as train_module
from mbpo.errors import DivergedError
from mbpo.runs.metrics import METRICS
from mbpo.settings.config import SETTINGS
from mbpo.settings.setting import Setting

DRAWS = int(os.environ.get("MBPO_FUZZ", "24"))
TINY = {  # what would take long; each is drawn from its lowest value up to this
    "total_steps": 140,
    "warmup_steps": 60,
    "updates_per_step": 3,
    "rollout_batch": 60,
    "rollout_length": 6,
    "retain_epochs": 3,
    "ensemble_size": 6,
    "model_hidden": 40,
    "model_layers": 4,
    "model_max_epochs": 4,
    "model_batch": 80,
    "sac_hidden": 40,
    "sac_layers": 3,
    "sac_batch": 70,
    "eval_episodes": 2,
    "plan_horizon": 3,
    "plan_candidates": 8,
    "plan_iterations": 2,
    "plan_particles": 2,
    "holdout_max": 50,
    "real_buffer_capacity": 200,
}
LEAST = {"total_steps": 80, "model_train_freq": 10, "eval_every": 20, "log_every": 5}
ENVIRONMENTS = (
    "Pendulum-v1",
    "InvertedPendulum-v5",
    "InvertedDoublePendulum-v5",
    "Hopper-v5",
    "toy_envs:Toy-v0",
    "toy_envs:Grid-v0",
    "MountainCarContinuous-v0",
)
LEFT_OUT = ("preset", "device", "threads", "seed", "env_id", "rollout_schedule", "report")


def draw(setting: Setting, rng: random.Random) -> str:
    """Return a value of the setting as the command line spells it, ends of its range included."""
    if setting.kind in (dict, list):
        table = "xi=9.5" if setting.name == "k_options" else "g=9.5"
        return table if setting.kind is dict else "gymnasium.wrappers:RecordEpisodeStatistics"
    if setting.choices:
        return rng.choice(tuple(setting.choices))
    if setting.kind is bool:
        return rng.choice(("true", "false"))
    if setting.auto and rng.random() < 0.3:
        return "auto"
    low = max(setting.low, LEAST.get(setting.name, -math.inf))
    high = min(setting.high, TINY.get(setting.name, 1000))
    if setting.kind is int:
        return str(rng.choice((int(low), int(high), rng.randint(int(low), int(high)))))
    ends = [high] if setting.open_low else [low, high]
    return repr(rng.choice([*ends, rng.uniform(low, high), low + (high - low) * 1e-3]))


def command(number: int) -> list[str]:
    """Return the flags of random configuration ``number``."""
    rng = random.Random(number)
    drawn = {
        name: draw(setting, rng)
        for name, setting in SETTINGS.items()
        if name not in LEFT_OUT and (name in TINY or rng.random() < 0.4)
    }
    for part, whole in (("elites", "ensemble_size"), ("plan_elites", "plan_candidates")):
        drawn[part] = str(rng.randint(1, int(drawn[whole])))
    start, length = rng.randint(0, 3), rng.randint(0, 3)
    drawn["rollout_schedule"] = f"{start},{start + length},{rng.randint(0, 5)},{rng.randint(0, 5)}"
    drawn |= {"env_id": rng.choice(ENVIRONMENTS), "seed": str(rng.randint(0, 2**32 - 1))}
    if drawn["env_id"] != "Pendulum-v1":
        drawn.pop("env_kwargs", None)  # its own
    flags = [part for name, text in drawn.items() for part in (SETTINGS[name].flag, text)]
    return [*flags, "--threads", "1", "--device", "cpu", "--report", "false"]


@pytest.mark.parametrize("number", range(DRAWS))
def test_a_random_configuration_runs(number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = command(number)
    code = train_module.main([*flags, "--runs-root", str(tmp_path), "--run-id", "r"])
    said = capsys.readouterr()
    # A learning rate of 1 may blow up; then it is named, not written.
    assert code in (0, DivergedError.exit_code), (flags, said.err)
    assert "Traceback" not in said.err
    lines = (tmp_path / "r" / "metrics.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        assert row.keys() <= METRICS.keys() | {"seq", "attempt", "env_steps", "time_s", "kind"}
        assert all(value is None or math.isfinite(value) for key, value in row.items() if key != "kind"), (flags, row)
    if code == 0:
        assert lines
