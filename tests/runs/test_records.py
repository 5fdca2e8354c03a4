"""Parse every record in one place: whatever is in a file is a value, one clear line, or passed over."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import Outcome, rows

from mbpo import train
from mbpo.doctor import main as doctor
from mbpo.errors import CheckpointError, CommandError, NewerRecordError, RecordError, StorageError
from mbpo.runs.command import Command, parse_command
from mbpo.runs.hashes import SEAL, digest, seal_of, verify_checkpoint
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.records.event import Answer, answer_in, event_line
from mbpo.runs.records.fitting import fitted
from mbpo.runs.records.json_text import decode, encode, read_json
from mbpo.runs.records.loop import LoopState, loop_facts, settings_in
from mbpo.runs.records.manifest import Manifest, read_manifest
from mbpo.runs.records.row import KINDS, kind_of, new_row
from mbpo.runs.status import RunStatus, load_status, read_status, write_status
from workbench.run_index import RunIndex

Call = Callable[..., Outcome]

HOSTILE = {
    "nothing": b"",
    "cut short": b'{"a": 1',
    "two": b"{}{}",
    "binary": bytes(range(256)),
    "deep": b"[" * 100_000,
    "deep and whole": b"[" * 100_000 + b"]" * 100_000,
    "digits": b'{"a": ' + b"9" * 5000 + b"}",
    "no utf-8": b'{"a": "\xff"}',
}
ODD = {  # what is no JSON to the letter, or does not fit a C number, and is read all the same
    "nan": b'{"a": NaN, "b": 1}',
    "infinity": b'{"a": -Infinity, "b": 1}',
    "overflow": b'{"a": 1e999, "b": 1}',
    "long": b'{"a": ' + b"9" * 400 + b', "b": 1}',
    "lone surrogate": b'{"a": "\\ud800", "b": 1}',
    "twice": b'{"a": 2, "b": 3, "b": 1}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_no_json_is_one_line(name: str, tmp_path: Path) -> None:
    with pytest.raises(RecordError) as caught:
        decode(HOSTILE[name])
    assert len(str(caught.value)) < 160
    (tmp_path / "x.json").write_bytes(HOSTILE[name])
    with pytest.raises(RecordError, match=r"^cannot read .*x\.json: expected JSON: "):
        read_json(tmp_path / "x.json")


@pytest.mark.parametrize("name", ODD)
def test_one_odd_value_costs_no_other(name: str) -> None:
    assert decode(ODD[name])["b"] == 1
    assert repr(decode(ODD[name])) == repr(json.loads(ODD[name]))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@given(JSON, st.booleans(), st.binary(max_size=3), st.integers(0, 200))
@settings(max_examples=300)
def test_a_value_is_the_same_as_the_standard_librarys(content: Any, ascii_only: bool, noise: bytes, at: int) -> None:
    data = json.dumps(content, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    data = data[:at] + noise + data[at:] if noise else data
    try:
        expected = repr(json.loads(data))
    except ValueError:
        with pytest.raises(RecordError):
            decode(data)
    else:
        assert repr(decode(data)) == expected


@pytest.mark.parametrize("path", ["missing", "folder", "large", "list"])
def test_a_file_that_holds_no_record_is_named(path: str, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "large").write_bytes(b" " * 2_000_000)
    (tmp_path / "list").write_bytes(b"[1]")
    words = {"missing": "No such file", "folder": "no plain file|directory", "large": "is larger than 1048576 bytes"}
    with pytest.raises(RecordError, match=words.get(path, "expected a JSON object, got list")) as caught:
        read_json(tmp_path / path)
    assert str(tmp_path / path) in str(caught.value)


@pytest.mark.parametrize("content", [{"a": math.nan}, {"a": [math.inf]}])
def test_what_cannot_be_read_back_is_not_written(content: Any) -> None:
    with pytest.raises(RecordError, match="cannot be JSON"):
        encode(content)


# Keys and versions


@pytest.mark.parametrize("kind", [RunStatus, Manifest, LoopState, Answer])
def test_a_key_may_be_missing_new_or_of_another_type(kind: type[msgspec.Struct]) -> None:
    assert fitted(kind, {}) == fitted(kind, {"tomorrow": [1, 2]})
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    for name in names:
        found = fitted(kind, {**{key: [[]] for key in names}, name: object()})
        assert isinstance(found, kind)


@given(st.dictionaries(st.sampled_from([f.encode_name for f in msgspec.structs.fields(LoopState)]), JSON))
def test_a_loop_state_is_of_its_types_whatever_the_file_says(content: dict[str, Any]) -> None:
    facts = {k: v for k, v in content.items() if k != "schema"}
    loop = fitted(LoopState, facts)
    assert loop.env_steps >= 0 and isinstance(loop.settings, dict) and isinstance(loop.seconds, dict)
    assert loop_facts(Path("loop.json"), {**facts, "of_tomorrow": 3})["of_tomorrow"] == 3


def test_what_a_run_wrote_is_what_the_types_say(finished_run: RunPaths) -> None:
    manifest = json.loads(finished_run.manifest.read_text())
    assert {"schema": 1, **read_manifest(finished_run.manifest).facts()} == manifest
    status = json.loads(finished_run.status.read_text())
    assert msgspec.to_builtins(load_status(finished_run)) == status
    note = json.loads((finished_run.checkpoints / "step-000000400" / "loop.json").read_text())
    only_if_any = {"rollout_length": {}, "rule_watch": {}, "stall_watch": {}, "left_out": {}, "evaluation_due": False}
    assert set(note) | set(only_if_any) == {field.encode_name for field in msgspec.structs.fields(LoopState)}
    assert loop_facts(Path("x"), note) | {"schema": 1} == only_if_any | note
    assert {event["schema"] for event in rows(finished_run.events)} == {1}
    assert settings_in(finished_run.root / "nowhere") == {}


def test_a_newer_status_says_so_in_one_line(finished_run: RunPaths, tmp_path: Path, call: Call) -> None:
    run = RunPaths(tmp_path / "runs" / "newer")
    run.root.mkdir(parents=True)
    run.metrics.write_bytes(finished_run.metrics.read_bytes())
    write_status(run, RunStatus(state="running", schema=2))
    with pytest.raises(NewerRecordError, match=r"status\.json must have schema 1 at most, got 2: use the mbpo"):
        load_status(run)
    assert read_status(run) is None
    assert "must have schema 1 at most, got 2" in call(doctor, run.root).out.replace("\n" + " " * 24, " ")
    (row,) = RunIndex(run.root.parent).rows()
    assert (row.state, "must have schema 1 at most" in row.reason) == ("unreadable", True)


def test_a_newer_manifest_says_so_in_one_line(finished_run: RunPaths, tmp_path: Path, call: Call) -> None:
    run = RunPaths(tmp_path / "runs" / "newer")
    run.root.mkdir(parents=True)
    for path in (finished_run.config, finished_run.metrics):
        (run.root / path.name).write_bytes(path.read_bytes())
    write_json(run.manifest, json.loads(finished_run.manifest.read_text()) | {"schema": 2})
    for flag in ("--resume", "--replay", "--fork"):
        outcome = call(train.main, flag, run.root)
        assert (outcome.code, len(outcome.err.splitlines())) == (5, 1)
        assert "manifest.json must have schema 1 at most, got 2" in outcome.err


def test_a_newer_loop_says_so_in_one_line() -> None:
    with pytest.raises(NewerRecordError, match=r"loop\.json must have schema 1 at most, got 7"):
        loop_facts(Path("loop.json"), {"schema": 7})


@pytest.mark.parametrize("record", ["loop.json", "manifest.json"])
def test_a_newer_checkpoint_is_refused_and_not_lost(
    record: str, finished_run: RunPaths, tmp_path: Path, call: Call
) -> None:
    run = RunPaths(tmp_path / "runs" / "newer")
    shutil.copytree(finished_run.root, run.root)
    write_status(run, msgspec.structs.replace(load_status(run), state="stopped"))
    folder = run.checkpoints / "step-000000400"
    _write_as_newer(folder, record)
    before = {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()}
    for flag in ("--resume", "--fork"):
        outcome = call(train.main, flag, run.root, "--runs-root", tmp_path / "forks")
        assert (outcome.code, len(outcome.err.splitlines())) == (6, 1)
        assert re.search(rf"{record} must have schema \d at most, got 7: use the mbpo that wrote it", outcome.err)
    assert {path: path.read_bytes() for path in run.root.rglob("*") if path.is_file()} == before
    assert "must have schema" in " ".join(call(doctor, run.root).out.split())


def _write_as_newer(folder: Path, record: str) -> None:
    """Give a record of a checkpoint schema 7, and the hashes that go with it."""
    path = folder / record
    path.write_text(json.dumps(json.loads(path.read_text()) | {"schema": 7}))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["loop.json"] = digest((folder / "loop.json").read_bytes())
    del manifest[SEAL]
    (folder / "manifest.json").write_text(json.dumps({**manifest, SEAL: seal_of(manifest)}))


def test_a_manifest_without_its_facts_leaves_the_rest(tmp_path: Path) -> None:
    write_json(tmp_path / "manifest.json", {"threads": "many", "device": "cpu", "tomorrow": 1})
    manifest = read_manifest(tmp_path / "manifest.json")
    assert (manifest.threads, manifest.device) == (0, "cpu")
    (tmp_path / "manifest.json").write_bytes(b"[" * 9999)
    with pytest.raises(StorageError, match=r"is no run that began: it has no readable manifest\.json"):
        read_manifest(tmp_path / "manifest.json")


# Commands and answers


def test_a_command_says_its_version_only_where_it_is_another() -> None:
    command = Command(id="a", settings={"real_ratio": 0.5})
    assert msgspec.to_builtins(command) == {"id": "a", "set": {"real_ratio": 0.5}}
    assert parse_command(b'{"schema": 1, "id": "a", "action": "pause"}', {}).action == "pause"
    for schema in (2, "1", None, 1.0):
        data = json.dumps({"schema": schema, "id": "a", "action": "pause", "mood": "new"}).encode()
        with pytest.raises(CommandError, match=r"schema must be 1, got .*: the sender is of another version"):
            parse_command(data, {})


def test_an_answer_is_read_as_it_was_told() -> None:
    answer = Answer(id="a", status="applied", at_env_steps=5, by="me", old={"k": 1}, new={"k": 2}, revision=3)
    assert answer_in(json.loads(event_line(answer.to_event()))) == answer
    assert answer.change == {"k": 2}
    paused = Answer(id="b", status="applied", action="pause", new={"state": "paused"})
    assert paused.change is None
    assert answer_in({"event": "warning"}) is None


@pytest.mark.parametrize("harm", [{"action": [1]}, {"status": "rejected"}, {"new": [1]}, {"status": 3}])
def test_an_answer_that_no_learner_told_changes_nothing(harm: dict[str, Any]) -> None:
    told = Answer(id="a", status="applied", new={"k": 2}, revision=3).to_event()
    answer = answer_in({**told, **harm})
    assert answer is not None
    assert answer.change is None


# Rows


def test_a_row_says_its_kind_and_an_older_one_shows_it() -> None:
    for kind in KINDS:
        assert kind_of(new_row(kind, 1, 1, 10, 0.5, {"eval/return_mean": 1.0})) == kind
    assert kind_of({"eval/return_mean": 1.0}) == "evaluation"
    assert kind_of({"episode/return": 1.0, "kind": "of tomorrow"}) == "episode"
    assert kind_of({"rollout/model_buffer_rows": 1, "rollout/length": 1, "kind": [1]}) == "refit"
    assert kind_of({"rollout/length": 1}) == "interval"


def test_a_checkpoints_own_manifest_is_not_taken_for_a_runs(finished_run: RunPaths) -> None:
    assert verify_checkpoint(finished_run.checkpoints / "step-000000400")["schema"] == 2
    with pytest.raises(CheckpointError, match="unreadable manifest"):
        verify_checkpoint(finished_run.root)
