"""Keep a run of an older version readable, resumable and replayable: run_of_47435ba, made by that commit.

It is ``--preset debug --threads 1 --total-steps 200 --checkpoint-every 120 --eval-every 100 --log-every 10 --seed 5``,
with ``python -m mbpo.control RUN set real_ratio=0.5 rollout_length=2`` answered at env step 137.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from learners import Outcome, rows

from mbpo import train
from mbpo.compare import main as compare
from mbpo.doctor import main as doctor
from mbpo.lifecycle.manifest import machine, versions
from mbpo.ops import build_info
from mbpo.runs.hashes import SEAL, digest, seal_of
from mbpo.runs.history import read_history
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import MACHINE_KEYS, METRICS, Metric
from mbpo.runs.reader import RunReader
from mbpo.runs.records.manifest import read_manifest
from mbpo.runs.records.row import kind_of
from mbpo.runs.status import read_status
from mbpo.sac.interval import Interval

Call = Callable[..., Outcome]
OLD = Path(__file__).parent / "run_of_47435ba"
CUT_AT = 170  # env steps; the checkpoint before is at 120
LIVE = {"real_ratio": 0.5, "rollout_length": 2}


@pytest.fixture
def old(tmp_path: Path) -> RunPaths:
    """Return a copy with what a version control system does not keep: modes, and an empty folder."""
    run = RunPaths(tmp_path / "runs" / "old")
    shutil.copytree(OLD, run.root)
    run.inbox.mkdir()
    for path in (run.root, *run.root.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return run


@pytest.fixture
def cut_off(old: RunPaths) -> RunPaths:
    """Return the copy as it was at env step 170, killed."""
    shutil.rmtree(old.checkpoints / "step-000000200")
    shutil.rmtree(old.checkpoints / "policy-000000200")
    (old.checkpoints / "index.json").write_text('{"last": ["step-000000120"]}')
    for path, last in ((old.metrics, CUT_AT), (old.events, 137)):
        lines = [(line, json.loads(line)) for line in path.read_text().splitlines()]
        kept = [line for line, row in lines if row.get("env_steps", row.get("at_env_steps", 0)) <= last]
        path.write_text("\n".join(kept) + "\n")
    status = json.loads(old.status.read_text())
    old.status.write_text(json.dumps(status | {"state": "running", "pid": 0, "env_steps": CUT_AT}))
    return old


def same_arithmetic() -> bool:
    """Return whether numbers are rounded here as where the run was made."""
    then = json.loads((OLD / "manifest.json").read_text())
    torch, cpu = then["versions"]["torch"], then["machine"]["cpu"]
    compiled = all(info.backend == "cpp" for info in build_info("cpu").values())
    return compiled and (torch, cpu) == (versions()["torch"], machine()["cpu"])


def without_time(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    skipped = MACHINE_KEYS | {"attempt", "kind"}
    return [{key: value for key, value in row.items() if key not in skipped} for row in found]


def assert_same_records(one: RunPaths, other: RunPaths) -> None:
    """Compare every value where the machine allows it, else all but what was learned.

    This version measures more, and some things over whole episodes.
    """
    otherwise = {metric.key for metric in METRICS.values() if metric.since}
    pairs = list(zip(without_time(rows(one.metrics)), without_time(rows(other.metrics)), strict=True))
    for was, now in pairs:
        assert was.keys() <= now.keys()
        for key in otherwise | (now.keys() - was.keys()):
            was.pop(key, None)
            now.pop(key, None)
        for key in ("seq", "env_steps", "rollout/length", "mix/real_ratio", "episode/length", "sac/updates"):
            assert was.get(key) == now.get(key), (was["seq"], key)
    if same_arithmetic():
        assert all(was == now for was, now in pairs)


def test_it_can_be_read(old: RunPaths) -> None:
    reader = RunReader(old.root)
    reader.poll()
    assert (reader.bad_lines, len(reader.events)) == (0, 7)
    assert list(reader.series["eval/return_mean"].env_steps) == [100, 200]
    status = read_status(old)
    assert status is not None
    assert (status.state, status.env_steps, status.revision, status.interactive) == ("finished", 200, 1, True)
    assert LIVE.items() <= status.controls.items()
    manifest = read_manifest(old.manifest)
    assert (manifest.git_commit or "")[:7] == "47435ba"
    assert (manifest.threads, manifest.device, manifest.branch, manifest.repetition) == (1, "cpu", None, None)
    history = read_history(old, seq=12)
    assert history.changes == [(137, LIVE)]
    assert (len(history.before), len(history.after), history.revision) == (12, 13, 1)


def test_its_rows_tell_their_kind_though_they_do_not_name_it() -> None:
    found = rows(OLD / "metrics.jsonl")
    assert all("kind" not in row for row in found)
    at = {kind: [row["env_steps"] for row in found if kind_of(row) == kind] for kind in ("episode", "evaluation")}
    assert at == {"episode": [200], "evaluation": [100, 200]}
    assert [row["env_steps"] for row in found if kind_of(row) == "refit"] == [100, 150]
    assert [row["env_steps"] for row in found if kind_of(row) == "interval"] == list(range(10, 201, 10))


def test_the_doctor_finds_nothing_wrong(old: RunPaths, call: Call) -> None:
    outcome = call(doctor, old.root)
    assert outcome.code == 0, outcome.out
    assert "problem" not in outcome.out.replace("no problem", "")
    assert "25 rows" in outcome.out


def test_it_can_be_compared(old: RunPaths, call: Call) -> None:
    outcome = call(compare, old.root)
    assert outcome.code == 0, outcome.err
    assert "-1,270.8" in outcome.out


def test_it_is_resumed(cut_off: RunPaths, call: Call) -> None:
    before = rows(cut_off.metrics)
    outcome = call(train.main, "--resume", cut_off.root)
    assert (outcome.code, outcome.err) == (0, "")
    status = read_status(cut_off)
    assert status is not None
    assert (status.state, status.attempt, status.env_steps) == ("finished", 2, 200)
    assert LIVE.items() <= status.controls.items()
    assert "was None" not in outcome.out  # what the older version did not note is no change
    if same_arithmetic():
        repeated = sum(row["seq"] > 14 for row in before)
        assert f"resume verified: {repeated} of {repeated} records identical" in outcome.out
        assert_same_records(RunPaths(OLD), cut_off)


def test_it_is_replayed(old: RunPaths, tmp_path: Path, call: Call) -> None:
    outcome = call(train.main, "--replay", old.root, "--runs-root", tmp_path, "--run-id", "again")
    assert (outcome.code, outcome.err) == (0, "")
    again = RunPaths(tmp_path / "again")
    assert_same_records(RunPaths(OLD), again)
    if same_arithmetic():
        assert "replay verified: 25 of 25 records identical" in outcome.out


def test_it_is_forked(old: RunPaths, tmp_path: Path, call: Call) -> None:
    flags = ("--runs-root", tmp_path, "--run-id", "fork", "--rollout-length", "1")
    assert call(train.main, "--fork", f"{old.root}@120", *flags).code == 0
    fork = rows(RunPaths(tmp_path / "fork").metrics)
    assert without_time(fork)[:14] == without_time(rows(OLD / "metrics.jsonl"))[:14]
    assert [row["env_steps"] for row in fork if kind_of(row) == "refit"] == [100, 150]


def with_a_toy_metric(patch: pytest.MonkeyPatch) -> None:
    """Declare a metric by a row of the table, and log it with SAC's."""
    whole = Interval.metrics
    patch.setitem(METRICS, "toy/answer", Metric("toy/answer", "", "A toy."))  # type: ignore[arg-type]
    patch.setattr(Interval, "metrics", lambda self, *given: {**whole(self, *given), "toy/answer": 42.0})


def test_a_new_metric_leaves_it_as_before(cut_off: RunPaths, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    with_a_toy_metric(monkeypatch)
    outcome = call(train.main, "--resume", cut_off.root)
    assert outcome.code == 0
    assert_verified(outcome)
    assert [row["env_steps"] for row in rows(cut_off.metrics) if "toy/answer" in row] == [180, 190, 200]


def test_a_metric_that_is_gone_is_reported(cut_off: RunPaths, call: Call) -> None:
    lines = [json.loads(line) for line in cut_off.metrics.read_text().splitlines()]
    cut_off.metrics.write_text("".join(json.dumps(row | {"toy/gone": 1.0}) + "\n" for row in lines))
    outcome = call(train.main, "--resume", cut_off.root)
    assert outcome.code == 0
    assert_verified(outcome)
    assert "no longer measured: toy/gone" in outcome.out


def test_a_new_setting_leaves_it_as_before(cut_off: RunPaths, call: Call) -> None:
    """Leave out of the run what a version without the setting would not have written."""
    without(cut_off, "hang_after", "updates_per_step")
    outcome = call(train.main, "--resume", cut_off.root)
    assert outcome.code == 0, outcome.err
    assert_verified(outcome)


def test_a_new_part_of_the_loop_leaves_it_as_before(cut_off: RunPaths, call: Call) -> None:
    without(cut_off, part="watch")
    outcome = call(train.main, "--resume", cut_off.root)
    assert outcome.code == 0, outcome.err
    assert_verified(outcome)


def without(run: RunPaths, *settings: str, part: str = "") -> None:
    """Leave settings out of a run's files, or a part out of its checkpoint's loop, and seal both again."""
    lines = run.config.read_text().splitlines(keepends=True)
    run.config.write_text("".join(line for line in lines if line.split(" = ")[0] not in settings))
    manifest = json.loads(run.manifest.read_text())
    run.manifest.write_text(json.dumps(manifest | {"config_sha256": digest(run.config.read_bytes())}))
    folder = run.checkpoints / "step-000000120"
    loop = json.loads((folder / "loop.json").read_text())
    loop = {k: v for k, v in loop.items() if k != part}
    loop["settings"] = {k: v for k, v in loop["settings"].items() if k not in settings}
    (folder / "loop.json").write_text(json.dumps(loop))
    sealed = json.loads((folder / "manifest.json").read_text())
    del sealed[SEAL]
    sealed["sha256"]["loop.json"] = digest((folder / "loop.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps(sealed | {SEAL: seal_of(sealed)}))


def assert_verified(outcome: Outcome) -> None:
    """Expect records as before, where numbers are rounded as then."""
    assert not same_arithmetic() or "resume verified: 6 of 6 records identical" in outcome.out, outcome.out
