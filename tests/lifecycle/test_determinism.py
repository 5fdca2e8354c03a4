"""One seed, one machine, one result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from mbpo import train
from mbpo.ops import native
from mbpo.runs.metrics import MACHINE_KEYS
from mbpo.seeding import numpy_rng, stream_seed, torch_generator


def run(root: Path, name: str, *flags: str) -> list[dict[str, object]]:
    fixed = ["--preset", "debug", "--runs-root", str(root), "--run-id", name, "--threads", "1"]
    assert train.main([*fixed, "--total-steps", "250", *flags]) == 0
    lines = (root / name / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(r).items() if k not in MACHINE_KEYS} for r in lines]


def test_one_seed_gives_one_run_and_another_seed_another(tmp_path: Path) -> None:
    first = run(tmp_path, "a", "--seed", "3")
    torch.rand(7)  # the global stream is nobody's
    assert run(tmp_path, "b", "--seed", "3") == first
    assert run(tmp_path, "c", "--seed", "4") != first


@pytest.mark.skipif(not native.AVAILABLE, reason=native.REASON)
@pytest.mark.parametrize("lacks", [True, False])
def test_bfloat16_is_another_run_or_one_line_and_the_same(
    lacks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not lacks and (why := native.why_no_bfloat16(torch.device("cpu"))):
        pytest.skip(why)
    if lacks:
        monkeypatch.setattr(native, "why_no_bfloat16", lambda device: "this processor does not")
    whole = run(tmp_path, "float32")
    rounded = run(tmp_path, "rounded", "--precision", "bfloat16")
    assert (rounded == whole) == lacks
    said = (tmp_path / "rounded" / "events.jsonl").read_text().count("products stay float32: this processor does not")
    assert said == lacks
    assert run(tmp_path, "again", "--precision", "bfloat16") == rounded


@pytest.mark.parametrize("env_id", ["InvertedPendulum-v5", "InvertedDoublePendulum-v5"])
def test_mujoco_runs_repeat_too(tmp_path: Path, env_id: str) -> None:
    assert run(tmp_path, "a", "--env-id", env_id) == run(tmp_path, "b", "--env-id", env_id)


def test_streams_differ_by_seed_component_and_counter() -> None:
    names = [(s, c, i) for s in (0, 1, 2**32 - 1) for c in ("env", "act", "ac", "") for i in (0, 1)]
    assert len({stream_seed(*name) for name in names}) == len(names)
    draws = [torch.rand(3, generator=torch_generator(5, "sac")) for _ in "ab"]
    assert torch.equal(*draws)
    assert numpy_rng(5, "warmup").random() == numpy_rng(5, "warmup").random()


def test_the_learner_works_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, worked_in = Path.cwd(), set[Path]()
    monkeypatch.setattr(train.Training, "evaluate", lambda self, env_steps: worked_in.add(Path.cwd()))
    run(tmp_path, "here")
    assert worked_in == {before} == {Path.cwd()}
