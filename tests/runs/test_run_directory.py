"""Hold a finished run to the contract of the run directory, to the letter."""

from __future__ import annotations

import csv
import hashlib
import json
import math
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from learners import DEBUG, Outcome, answers_in, rows
from safetensors.torch import load_file

from mbpo.errors import CheckpointError, ConfigError, RunInUseError, StorageError
from mbpo.learner.learner import Learner
from mbpo.runs.append import AppendFile
from mbpo.runs.create import create_run_dir
from mbpo.runs.layout import RunPaths, check_run_id, default_run_id, write_atomic
from mbpo.runs.metrics import MACHINE_KEYS, METRICS
from mbpo.runs.records.row import HEAD, KINDS
from mbpo.runs.status import STATES, RunStatus, read_status, this_process, write_status
from mbpo.runs.writer import RunWriter
from mbpo.saving.checkpoint import load_checkpoint, save_checkpoint
from mbpo.saving.row_files import Segments
from mbpo.saving.store import CheckpointStore, find_checkpoint
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS, resolve
from mbpo.settings.presets import PRESETS
from mbpo.train import main

RETURNS_CSV = "MBPO_Pendulum-v1_returns_data.csv"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_the_names_are_those_of_the_contract(finished_run: RunPaths) -> None:
    assert {p.name for p in finished_run.root.iterdir()} == {
        ".lease-1",
        "config.toml",
        "manifest.json",
        "status.json",
        "metrics.jsonl",
        "events.jsonl",
        "control",
        "checkpoints",
        "log.txt",
        "progress.csv",
        RETURNS_CSV,
    }


def test_only_the_owner_can_read_anything(finished_run: RunPaths) -> None:
    for path in (finished_run.root, *finished_run.root.rglob("*")):
        assert mode(path) == (0o700 if path.is_dir() else 0o600), path


def test_the_inbox_is_empty_and_nothing_half_written_is_left(finished_run: RunPaths) -> None:
    assert list(finished_run.inbox.iterdir()) == []
    assert [p for p in finished_run.root.rglob("*") if "tmp" in p.name] == []


def test_the_manifest_says_on_what_the_run_ran(finished_run: RunPaths) -> None:
    manifest = json.loads(finished_run.manifest.read_text())
    assert set(manifest) == {
        "schema",
        "versions",
        "machine",
        "threads",
        "device",
        "op",
        "termination",
        "git_commit",
        "config_sha256",
        "preset",
        "seed",
        "started_in",
        "module_path",
        "seal",
    }
    assert manifest["schema"] == 1
    assert (manifest["preset"], manifest["seed"]) == ("debug", 3)
    assert (manifest["threads"], manifest["device"]) == (1, "cpu")
    assert manifest["versions"]["torch"] == torch.__version__
    assert {"python", "numpy", "gymnasium", "mujoco"} < set(manifest["versions"])
    assert {"platform", "cpu", "cores", "gpus"} == set(manifest["machine"])
    assert manifest["termination"] == "never"
    assert manifest["op"]["ensemble_mlp"]["backend"] in ("cpp", "torch")
    config = finished_run.config.read_bytes()
    assert manifest["config_sha256"] == hashlib.sha256(config).hexdigest()


def test_the_status_of_a_finished_run(finished_run: RunPaths) -> None:
    written = json.loads(finished_run.status.read_text())
    assert {
        "state",
        "phase",
        "pid",
        "host",
        "boot_id",
        "create_time",
        "env_steps",
        "heartbeat",
        "attempt",
        "exit_code",
        "reason",
        "interactive",
        "controls",
    } <= set(written)
    status = read_status(finished_run)
    assert status is not None
    assert (status.state, status.exit_code, status.reason) == ("finished", 0, "")
    assert (status.env_steps, status.total_steps, status.attempt) == (400, 400, 1)
    assert (status.env_id, status.preset, status.seed) == ("Pendulum-v1", "debug", 3)
    assert {k: written[k] for k in this_process()} == this_process()
    assert not status.interactive
    assert status.controls == {
        "rollout_length": 1,
        "k_policy": "schedule",
        "rollout_schedule": [20, 150, 1, 1],
        "real_ratio": 0.2,
        "model_train_freq": 50,
        "updates_per_step": 1,
    }
    assert status.heartbeat >= status.started > 0
    assert status.last_return == status.recent_returns[-1] == episodes(finished_run)[-1][1]


def episodes(paths: RunPaths) -> list[tuple[int, float]]:
    with (paths.root / RETURNS_CSV).open(newline="") as file:
        head, *body = list(csv.reader(file))
    assert head == ["Episodes", "Returns"]
    return [(int(index), float(value)) for index, value in body]


def test_the_states_are_those_of_the_contract() -> None:
    assert set(STATES) == {"starting", "running", "paused", "stopping", "stopped", "finished", "failed", "diverged"}


def test_metrics_are_numbered_rows_of_declared_keys(finished_run: RunPaths) -> None:
    lines = finished_run.metrics.read_bytes().split(b"\n")
    assert lines.pop() == b""
    found = [json.loads(line, parse_constant=pytest.fail) for line in lines]
    assert [row["seq"] for row in found] == list(range(1, len(found) + 1))
    for row in found:
        assert tuple(row)[:5] == HEAD
        assert row.pop("kind") in KINDS
        assert set(row) - set(HEAD) <= set(METRICS)
        assert row["attempt"] == 1
        for value in row.values():
            assert value is None or (type(value) in (int, float) and math.isfinite(value))
    for key in ("env_steps", "time_s"):
        assert [row[key] for row in found] == sorted(row[key] for row in found)
    assert found[-1]["env_steps"] == 400


def test_the_metrics_that_others_rely_on_are_there(finished_run: RunPaths) -> None:
    written = {key for row in rows(finished_run.metrics) for key in row}
    assert {
        "episode/return",
        "episode/length",
        "eval/return_mean",
        "eval/return_std",
        "model/holdout_mse",
        "model/holdout_nll",
        "model/new_data_mse",
        "model/epochs",
        "rollout/length",
        "rollout/length_measured",
        "rollout/rows",
        "mix/real_ratio",
        "mix/real_ratio_measured",
        "bound/eps_m",
        "bound/eps_m_new",
        "bound/eps_pi",
        "bound/rho",
        "bound/k_star",
        "bound/c_ratio",
        "bound/c_over_gap",
        "sac/critic_loss",
        "sac/actor_loss",
        "sac/alpha",
        "sac/entropy",
        "time/env_s",
        "time/model_s",
        "time/rollout_s",
        "time/sac_s",
        "time/env_steps_per_s",
    } <= written
    without_a_rule = {"model/termination_error", "model/termination_false_alarms", "model/terminal_rows"}
    of_other_runs = {"rollout/threshold", "rollout/threshold_total", "bound/k_star_low", "bound/k_star_high"}
    on_a_gpu = {key for key in METRICS if key.startswith("system/gpu")}
    # None is declared and never written; for these see test_termination_head.py, test_rules.py, test_measured.py and
    # test_usage.py.
    assert written - set(HEAD) - on_a_gpu == set(METRICS) - without_a_rule - of_other_runs - on_a_gpu


def test_every_metric_says_its_meaning_and_direction() -> None:
    for key, metric in METRICS.items():
        assert key == metric.key
        assert key.count("/") == 1
        assert metric.meaning.endswith(".")
        assert metric.better in ("up", "down", "")
    assert METRICS["eval/return_mean"].better == "up"
    assert METRICS["model/holdout_mse"].better == "down"
    assert "time_s" in MACHINE_KEYS
    assert "time/sac_s" in MACHINE_KEYS
    assert "episode/return" not in MACHINE_KEYS


def test_the_measured_mix_is_what_was_sampled(finished_run: RunPaths) -> None:
    measured = {row.get("mix/real_ratio_measured") for row in rows(finished_run.metrics)}
    assert measured == {None, int(32 * 0.2) / 32}


def test_refits_and_rollouts_come_when_they_are_due(finished_run: RunPaths) -> None:
    refits = [row for row in rows(finished_run.metrics) if "model/epochs" in row]
    assert [row["env_steps"] for row in refits] == list(range(100, 400, 50))
    assert {row["rollout/length_measured"] for row in refits} == {1}
    assert {row["rollout/rows"] for row in refits} == {200}


def test_events_tell_the_story(finished_run: RunPaths) -> None:
    events = rows(finished_run.events)
    assert [e["event"] for e in events] == ["started", "evaluation", "evaluation", "checkpoint", "finished"]
    assert (events[0]["env_steps"], events[0]["attempt"]) == (0, 1)
    assert [e["env_steps"] for e in events[1:]] == [200, 400, 400, 400]
    assert (events[-1]["exit_code"], events[-1]["reason"]) == (0, "")
    times = [e["time"] for e in events]
    assert times == sorted(times)


def test_the_tutorials_csv_holds_every_training_episode(finished_run: RunPaths) -> None:
    logged = [row for row in rows(finished_run.metrics) if "episode/return" in row]
    assert episodes(finished_run) == [(i, row["episode/return"]) for i, row in enumerate(logged)]
    assert [row["episode/index"] for row in logged] == [1, 2]
    assert [row["episode/length"] for row in logged] == [200, 200]


def test_progress_csv_has_a_row_for_each_evaluation(finished_run: RunPaths) -> None:
    with finished_run.progress.open(newline="") as file:
        table = list(csv.DictReader(file))
    assert list(table[0]) == ["env_steps", "time_s", *METRICS]
    logged = [row for row in rows(finished_run.metrics) if "eval/return_mean" in row]
    for key in ("env_steps", "eval/return_mean", "eval/return_std"):
        assert [float(row[key]) for row in table] == [row[key] for row in logged]
    assert table[-1]["model/epochs"] == "3"  # beside the newest value of every other metric


def test_the_log_holds_what_the_terminal_saw(finished_run: RunPaths) -> None:
    text = finished_run.log.read_text()
    assert "evaluation" in text
    last = text[text.index("finished at 400 env steps\n") :].splitlines()
    assert len(last) == 8 and all(line.startswith("  ") for line in last[1:])
    assert last[1].startswith("  evaluation ") and "not solved yet" in last[1]
    assert f"--png {finished_run.root}" in last[4] and last[5].endswith(f"mbpo.report {finished_run.root}")
    assert last[6].endswith(f"mbpo.trust {finished_run.root}")


def test_checkpoints_carry_a_manifest_of_hashes_and_no_pickle(finished_run: RunPaths) -> None:
    index = json.loads((finished_run.checkpoints / "index.json").read_text())
    folders = {p.name for p in finished_run.checkpoints.iterdir() if p.is_dir()}
    assert set(index) == {"best", "final"}
    assert set(index.values()) == folders
    for folder in map(finished_run.checkpoints.joinpath, folders):
        manifest = json.loads((folder / "manifest.json").read_text())
        payloads = {p.name for p in folder.iterdir()} - {"manifest.json"}
        assert payloads == set(manifest["sha256"])
        names = {"actor", "critic", "critic_target", "ensemble", "temperature"}
        to_go_on = {
            "adam_actor",
            "adam_critic",
            "adam_ensemble",
            "streams",
            "episode",
            "real",
            "tail",
            "imagined",
            "trust",
        }
        kind, number = folder.name.split("-")
        names |= to_go_on if kind == "step" else set()
        assert payloads - {"loop.json"} == {f"{name}.safetensors" for name in names}
        assert ("loop.json" in payloads) == (kind == "step")
        assert int(number) == manifest["env_steps"]
        for name, digest in manifest["sha256"].items():
            data = (folder / name).read_bytes()
            assert hashlib.sha256(data).hexdigest() == digest
            assert json.loads(data) if name == "loop.json" else load_file(folder / name)


def test_the_best_checkpoint_is_of_the_best_evaluation(finished_run: RunPaths) -> None:
    index = json.loads((finished_run.checkpoints / "index.json").read_text())
    logged = [row for row in rows(finished_run.metrics) if "eval/return_mean" in row]
    best = max(logged, key=lambda row: row["eval/return_mean"])
    assert index["best"] == f"policy-{best['env_steps']:09d}"
    assert index["final"] == "step-000000400"


LOOP = {"best_return": None}


@pytest.fixture
def learner() -> Iterator[Learner]:
    """Lend a learner with 40 real rows."""
    learner = Learner(resolve({"total_steps": 100}, "debug"))
    for _ in range(40):
        learner.explore(uniform=True)
    yield learner
    learner.close()


def folders(store: Path) -> set[str]:
    return {path.name for path in store.iterdir() if path.is_dir()}


def test_the_best_policy_is_kept_and_no_other(learner: Learner, tmp_path: Path) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    for step, eval_return in enumerate([-10.0, -20.0, -5.0, -7.0], start=1):
        if store.is_best(eval_return):
            store.save_policy(learner, step, {})
    store.save(learner, 4, "final", LOOP)
    store.settle()
    assert folders(tmp_path / "checkpoints") == {"policy-000000003", "step-000000004"}
    assert find_checkpoint(tmp_path / "checkpoints", "best").name == "policy-000000003"
    assert find_checkpoint(tmp_path / "checkpoints", "3").name == "policy-000000003"
    assert find_checkpoint(tmp_path / "checkpoints", "4").name == "step-000000004"


def test_the_last_three_checkpoints_and_those_asked_for_are_kept(learner: Learner, tmp_path: Path) -> None:
    told: list[tuple[str, int]] = []
    store = CheckpointStore(tmp_path / "checkpoints", saved=lambda name, at: told.append((name, at)))
    for step, label in enumerate(["last", "requested", "last", "requested", "last", "last"], 1):
        store.save(learner, step, label, LOOP)
    store.settle()
    assert folders(tmp_path / "checkpoints") == {f"step-00000000{i}" for i in (2, 3, 4, 5, 6)}
    assert find_checkpoint(tmp_path / "checkpoints", "last").name == "step-000000006"
    assert find_checkpoint(tmp_path / "checkpoints", "requested").name == "step-000000004"
    assert told == [(f"step-00000000{i}", i) for i in range(1, 7)]


def test_a_checkpoint_that_could_not_be_verified_replaces_nothing(
    learner: Learner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = CheckpointStore(tmp_path / "checkpoints")
    for step in (1, 2, 3):
        store.save(learner, step, "last", LOOP)
    store.settle()

    def refuse(folder: Path) -> None:
        raise CheckpointError(f"{folder} is damaged")

    monkeypatch.setattr("mbpo.saving.store.verify_checkpoint", refuse)
    store.save(learner, 4, "last", LOOP)
    with pytest.raises(CheckpointError, match="is damaged"):
        store.settle()
    monkeypatch.undo()
    assert folders(tmp_path / "checkpoints") >= {f"step-00000000{i}" for i in (1, 2, 3)}
    index = json.loads((tmp_path / "checkpoints" / "index.json").read_text())
    assert index["last"] == [f"step-00000000{i}" for i in (1, 2, 3)]


def test_rows_are_written_once_and_come_back_in_their_order(learner: Learner, tmp_path: Path) -> None:
    real = learner.real_buffer
    segments = Segments(tmp_path / "rows", rows=16)
    hashes, new, rest = segments.split(real)
    segments.write(new)
    assert sorted(int(name.split("-")[0]) for name in hashes) == [0, 16]
    assert set(new) == set(hashes)
    assert len(rest["rows"]) == 8
    assert segments.split(real)[1] == {}
    found = Segments(tmp_path / "rows").load(hashes, rest)
    assert torch.equal(found["rows"], real.transitions.rows)
    segments.forget_all_but([])
    assert list((tmp_path / "rows").iterdir()) == []


def test_metrics_repeat_bit_for_bit_with_the_seed(
    finished_run: RunPaths, tmp_path: Path, call: Callable[..., Outcome]
) -> None:
    outcome = call(main, *DEBUG, "--runs-root", tmp_path, "--run-id", "twin", "--seed", 3)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == str(tmp_path / "twin")
    assert outcome.err == ""

    def without_time(paths: RunPaths) -> list[dict[str, Any]]:
        found = rows(paths.metrics)
        return [{k: v for k, v in row.items() if k not in MACHINE_KEYS} for row in found]

    assert without_time(RunPaths(tmp_path / "twin")) == without_time(finished_run)


# Names and places


@pytest.mark.parametrize("name", ["a", "0", "A.b-c_9", "a" * 64])
def test_a_slug_is_a_run_id(name: str) -> None:
    assert check_run_id(name) == name


@pytest.mark.parametrize("name", ["", ".", "..", "-a", "_a", ".a", "a/b", "a b", "a\n", "a\0", "é", "a" * 65, "a\\b"])
def test_another_name_is_none(name: str) -> None:
    with pytest.raises(ConfigError, match="run_id must be"):
        check_run_id(name)


def test_a_default_name_is_a_slug_and_avoids_those_taken(tmp_path: Path) -> None:
    made = [create_run_dir(tmp_path, None, preset="debug", seed=1) for _ in range(5)]
    assert len({paths.root for paths in made}) == 5
    for paths in made:
        check_run_id(paths.run_id)
        assert mode(paths.root) == mode(paths.inbox) == 0o700


@pytest.mark.parametrize("preset", PRESETS)
def test_default_names_sort_by_time_whatever_the_calendar_does(preset: str, monkeypatch: pytest.MonkeyPatch) -> None:
    moments = ["1999-12-31 23:59:59", "2026-02-28 09:05:01", "2026-11-28 10:00:00", "2026-12-31 23:59:59"]
    moments += ["2027-01-01 00:00:00", "2027-01-02 09:00:00", "2028-02-29 00:00:00"]
    names, real = [], time.strftime
    for moment in moments:
        at = time.strptime(moment, "%Y-%m-%d %H:%M:%S")
        monkeypatch.setattr(time, "strftime", lambda form, at=at: real(form, at))
        names.append(check_run_id(default_run_id(preset, int(SETTINGS["seed"].high))))
    assert names == sorted(names)
    assert len(set(names)) == len(names)
    assert all(len(name) <= 58 for name in names)  # and a number, where one is taken


def test_the_name_of_an_ended_run_is_refused(finished_run: RunPaths) -> None:
    with pytest.raises(ConfigError, match="--run-id done names a run that exists"):
        create_run_dir(finished_run.root.parent, "done", preset="debug", seed=1)


def test_the_name_of_a_live_run_is_in_use(tmp_path: Path) -> None:
    paths = create_run_dir(tmp_path, "mine", preset="debug", seed=1)
    write_status(paths, RunStatus(state="running", **this_process()))
    with pytest.raises(RunInUseError, match=f"in use by process {os.getpid()}"):
        create_run_dir(tmp_path, "mine", preset="debug", seed=1)


@pytest.mark.parametrize("root", ["file", "file/below"])
@pytest.mark.parametrize("run_id", [None, "mine"])
def test_a_root_that_cannot_be_made_is_a_storage_error(root: str, run_id: str | None, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make"):
        create_run_dir(tmp_path / root, run_id, preset="debug", seed=1)


def test_the_csv_of_a_namespaced_environment_stays_in_the_run(tmp_path: Path) -> None:
    path = RunPaths(tmp_path).returns_csv("../module:A/B-v1")
    assert path.parent == tmp_path
    assert path.name == "MBPO_.._module_A_B-v1_returns_data.csv"


# Files


def test_a_replaced_file_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    path, stop = tmp_path / "status.json", threading.Event()
    contents = [bytes([65 + i]) * (1 << 16) for i in range(2)]
    write_atomic(path, contents[0], sync=False)
    seen: list[bytes] = []

    def read() -> None:
        while not stop.is_set():
            seen.append(path.read_bytes())

    reader = threading.Thread(target=read)
    reader.start()
    for turn in range(300):
        write_atomic(path, contents[turn % 2], sync=False)
    stop.set()
    reader.join()
    assert set(seen) <= set(contents)
    assert list(tmp_path.iterdir()) == [path]


def test_on_a_full_disk_lines_wait_in_order_and_come_out_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, write = AppendFile(tmp_path / "metrics.jsonl"), os.write
    file.append(b'{"seq": 1}')
    space = 6

    def nearly_full(fd: int, data: bytes) -> int:
        nonlocal space
        if not space:
            raise OSError(28, "No space left on device")
        written = write(fd, bytes(data)[:space])
        space -= written
        return written

    monkeypatch.setattr(os, "write", nearly_full)
    file.append(b'{"seq": 2}')
    file.append(b'{"seq": 3}')
    assert file.waiting == 2
    space = 7
    file.retry()
    assert file.waiting == 1
    monkeypatch.undo()
    file.append(b'{"seq": 4}')
    assert file.waiting == 0
    file.close()
    lines = (tmp_path / "metrics.jsonl").read_bytes().splitlines()
    assert lines == [b'{"seq": %d}' % number for number in range(1, 5)]


def test_another_fault_than_a_full_disk_is_a_storage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AppendFile(tmp_path / "metrics.jsonl")

    def read_only(fd: int, data: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "write", read_only)
    with pytest.raises(StorageError, match="Read-only file system"):
        file.append(b"{}")
    file.close()


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[RunWriter]:
    """Return a writer whose attendant does not run."""
    paths = create_run_dir(tmp_path, "w", preset="debug", seed=0)
    checks = {name: setting.check for name, setting in LIVE_SETTINGS.items()}
    controls = {name: SETTINGS[name].default for name in LIVE_SETTINGS}
    run = RunWriter(paths, RunStatus(env_id="Toy-v0"), checks, controls)
    yield run
    run.journal.close()


def test_a_metric_that_is_not_declared_cannot_be_written(writer: RunWriter) -> None:
    with pytest.raises(KeyError, match="model/invented"):
        writer.log(1, {"model/invented": 1.0})
    assert rows(writer.paths.metrics) == []
    writer.log(1, {"sac/alpha": 1.0})
    assert [row["seq"] for row in rows(writer.paths.metrics)] == [1]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None])
def test_a_value_that_is_no_number_is_written_as_null(writer: RunWriter, value: float | None) -> None:
    writer.log(1, {"sac/alpha": value})
    assert rows(writer.paths.metrics)[0]["sac/alpha"] is None


def test_hostile_text_in_an_event_stays_one_line_of_ascii(writer: RunWriter) -> None:
    writer.event("warning", reason="\x1b]52;c;eA==\x07\nnext\u2028\ud800")
    assert writer.paths.events.read_bytes().isascii()
    assert len(rows(writer.paths.events)) == 1


def test_a_command_that_lies_there_at_the_end_gets_its_answer(writer: RunWriter) -> None:
    command = {"id": "late", "set": {"real_ratio": 0.5}}
    (writer.paths.inbox / "late.json").write_text(json.dumps(command))
    writer.end("finished", 0)
    (answer,) = answers_in(writer.paths)
    assert (answer["id"], answer["status"]) == ("late", "rejected")
    assert answer["reason"] == "the run has ended: finished"
    assert rows(writer.paths.events)[-1]["event"] == "finished"
    assert list(writer.paths.inbox.iterdir()) == []


def test_a_run_that_is_told_to_stop_says_so_at_once(writer: RunWriter) -> None:
    writer.control.handle(b'{"id": "a", "action": "stop"}', "a")
    assert writer.status.state == "stopping"
    assert not writer.status.interactive  # nothing was changed by hand


# Checkpoints


def test_a_checkpoint_gives_back_what_was_saved(tmp_path: Path) -> None:
    tensors = {"w": torch.arange(6.0).reshape(2, 3).t(), "b": torch.tensor([True, False])}
    save_checkpoint(tmp_path / "step-1", {"part": tensors}, {"env_steps": 1})
    loaded = load_checkpoint(tmp_path / "step-1", "part")
    assert set(loaded) == {"w", "b"}
    assert all(torch.equal(loaded[k], tensors[k]) for k in tensors)
    for path in (tmp_path / "step-1").iterdir():
        assert mode(path) == 0o600


def test_every_flipped_bit_and_truncation_of_a_payload_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    save_checkpoint(folder, {"part": {"w": torch.arange(20.0)}}, {})
    payload = folder / "part.safetensors"
    good = payload.read_bytes()
    for at in range(0, len(good), 3):
        bad = bytearray(good)
        bad[at] ^= 1 << (at % 8)
        payload.write_bytes(bad)
        with pytest.raises(CheckpointError, match="is damaged"):
            load_checkpoint(folder, "part")
    for length in range(0, len(good), 7):
        payload.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match="is damaged"):
            load_checkpoint(folder, "part")
    payload.write_bytes(good)
    assert torch.equal(load_checkpoint(folder, "part")["w"], torch.arange(20.0))


@pytest.mark.parametrize("manifest", [b"", b"{", b"[]", b"{}", b'{"sha256": 3}', b"\xff", b"[" * 9999])
def test_a_manifest_that_cannot_be_read_is_found(manifest: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "step-1"
    save_checkpoint(folder, {"part": {"w": torch.ones(2)}}, {})
    (folder / "manifest.json").write_bytes(manifest)
    with pytest.raises(CheckpointError, match="unreadable manifest"):
        load_checkpoint(folder, "part")


def test_a_missing_checkpoint_or_part_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks manifest\.json"):
        load_checkpoint(tmp_path / "step-1", "part")
    save_checkpoint(tmp_path / "step-1", {"part": {"w": torch.ones(2)}}, {})
    (tmp_path / "step-1" / "part.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"lacks part\.safetensors"):
        load_checkpoint(tmp_path / "step-1", "part")


def test_saving_again_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    for value in (1.0, 2.0):
        save_checkpoint(tmp_path / "step-1", {"part": {"w": torch.full((2,), value)}}, {})
    assert load_checkpoint(tmp_path / "step-1", "part")["w"].tolist() == [2.0, 2.0]
    assert [p.name for p in tmp_path.iterdir()] == ["step-1"]
