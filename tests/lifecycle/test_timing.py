"""The wall time of a run's parts, and the profile it writes on request."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from mbpo import train as train_module
from mbpo.lifecycle.timing import Profile, Stopwatch


def test_the_stopwatch_sums_each_part() -> None:
    clock = Stopwatch()
    for _ in range(2):
        with clock("model"):
            time.sleep(0.01)
    with pytest.raises(ZeroDivisionError), clock("env"):
        print(1 // 0)
    found = clock.metrics(10)
    assert 0.02 <= found["time/model_s"] < 1
    assert found["time/sac_s"] == 0
    assert found["time/env_steps_per_s"] > 0


def test_other_is_what_no_part_took_and_a_part_waits_for_the_device() -> None:
    waits: list[float] = []

    def settle() -> None:
        time.sleep(0.02)
        waits.append(1)

    clock = Stopwatch(settle)
    with clock("sac"):
        pass
    time.sleep(0.03)
    split = clock.split()
    assert len(waits) == 1
    assert split["sac"] >= 0.02
    assert split["other"] >= 0.03
    assert list(split) == ["env", "model", "rollout", "sac", "eval", "other"]


def test_the_profile_counts_steps_after_warm_up(tmp_path: Path) -> None:
    clock = Stopwatch()
    profile = Profile(tmp_path / "profile.json", clock, warmup_steps=2)
    for env_steps, pause in enumerate((0.05, 0.05, 0.01, 0.01, 0.01), start=1):
        with clock("env"):
            time.sleep(pause)
        profile.step(env_steps)
    figures = profile.write(5)
    assert json.loads((tmp_path / "profile.json").read_text()) == figures
    assert figures["env_steps"] == 5
    assert 10 <= figures["median_step_ms"] < 50
    assert sum(figures["share"].values()) == pytest.approx(1, abs=0.01)
    assert figures["ms_per_step"]["env"] == pytest.approx(1e3 * figures["seconds"]["env"] / 3, 0.01)


def test_a_run_writes_its_profile_when_asked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flags = ["--preset", "debug", "--threads", "1", "--runs-root", str(tmp_path)]
    assert train_module.main([*flags, "--run-id", "plain"]) == 0
    assert not (tmp_path / "plain" / "profile.json").exists()
    capsys.readouterr()
    assert train_module.main([*flags, "--run-id", "timed", "--profile"]) == 0
    figures = json.loads((tmp_path / "timed" / "profile.json").read_text())
    assert figures["env_steps"] == 400
    assert sum(figures["seconds"].values()) == pytest.approx(figures["wall_s"], abs=0.01)
    assert figures["share"]["other"] < 0.5
    assert "ms per env step after warm-up" in capsys.readouterr().out


def test_a_later_attempt_counts_on_and_its_speed_is_its_own() -> None:
    clock = Stopwatch()
    earlier = {"env": 1.0, "model": 2.0, "rollout": 3.0, "sac": 4.0, "eval": 5.0, "other": 6.0}
    clock.go_on_from(1000, earlier)
    split = clock.split()
    assert [split[part] for part in clock.PARTS] == [1.0, 2.0, 3.0, 4.0, 5.0]
    assert 6.0 <= split["other"] < 7.0
    time.sleep(0.02)
    assert 0 < clock.metrics(1001)["time/env_steps_per_s"] <= 50


def test_the_speed_of_warm_up_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("mbpo.lifecycle.timing.time.perf_counter", lambda: now[0])
    clock = Stopwatch()
    now[0] = 1.0
    clock.forget_speed(300)  # 300 steps in a second
    now[0] = 3.0
    assert clock.metrics(400)["time/env_steps_per_s"] == 50.0
