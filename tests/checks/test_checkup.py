"""Ask the doctor what is wrong with a run: each kind of damage is named, and nothing is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from learners import LearnerProcess, Outcome, environment

from mbpo import doctor
from mbpo.checks.run import check_run
from mbpo.runs.hashes import SEAL, digest, read_manifest, seal_of
from mbpo.runs.layout import RunPaths, write_json
from mbpo.runs.status import read_status, this_process, write_status
from mbpo.saving.store import CheckpointStore

STEP, POLICY = "step-000000400", "policy-000000400"


@pytest.fixture
def run(tmp_path: Path, finished_run: RunPaths) -> RunPaths:
    """Lend a copy of a finished run, to be damaged."""
    return RunPaths(Path(shutil.copytree(finished_run.root, tmp_path / "done")))


def said(run: RunPaths, *levels: str) -> list[str]:
    """Return the findings of ``levels``, notes and problems by default, as "level topic: text"."""
    wanted = levels or ("note", "problem")
    return [f"{f.level} {f.topic}: {f.text}" for f in check_run(run.root) if f.level in wanted]


def set_status(run: RunPaths, **changes: Any) -> None:
    status = read_status(run)
    assert status is not None
    write_status(run, msgspec.structs.replace(status, **changes))


def row(seq: int, attempt: int = 1, **more: Any) -> str:
    made = {"seq": seq, "attempt": attempt, "env_steps": 10 * seq, "time_s": 1.0, **more}
    return json.dumps(made) + "\n"


def set_rows(run: RunPaths, *rows: str) -> None:
    run.metrics.write_text("".join(rows))


def contents(root: Path) -> dict[str, tuple[int, bytes]]:
    files = (p for p in root.rglob("*") if p.is_file())
    return {str(p): (p.stat().st_mtime_ns, p.read_bytes()) for p in files}


# The command


def test_a_whole_run_has_a_line_per_topic_and_no_fault(run: RunPaths, call: Callable[..., Outcome]) -> None:
    before = contents(run.root)
    outcome = call(doctor.main, run.root)
    assert (outcome.code, outcome.err) == (0, "")
    title, *lines, verdict = outcome.out.splitlines()
    assert (title, verdict) == (str(run.root), "no problems, no notes.")
    assert [line.split()[:2] for line in lines] == [
        ["ok", topic] for topic in ("files", "modes", "config", "status", "metrics", "events", "checkpoints", "disk")
    ]
    assert f"a fork would begin at {STEP}" in outcome.out
    assert contents(run.root) == before


def test_a_problem_in_one_of_several_runs_is_exit_code_1(
    run: RunPaths, finished_run: RunPaths, call: Callable[..., Outcome]
) -> None:
    run.events.unlink()
    outcome = call(doctor.main, run.root, finished_run.root)
    assert outcome.code == 1
    assert "problem  files          missing: events.jsonl" in outcome.out
    assert [line for line in outcome.out.splitlines() if line.endswith("notes.")] == [
        "1 problem, no notes.",
        "no problems, no notes.",
    ]
    assert str(finished_run.root) in outcome.out


@pytest.mark.parametrize("name", ["missing", "empty", "file", "\x1b]52;c;eA==\x07"])
def test_a_folder_that_is_no_run_is_one_line(name: str, tmp_path: Path, call: Callable[..., Outcome]) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    outcome = call(doctor.main, tmp_path / name)
    assert (outcome.code, outcome.out) == (2, "")
    assert "is no" in outcome.error


def test_a_run_is_checked_without_torch(tmp_path: Path) -> None:
    code = "import sys, mbpo.checks.run; print('torch' in sys.modules)"
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment(), text=True, capture_output=True
    )
    assert (found.stdout, found.stderr) == ("False\n", "")


def test_a_learner_at_work_is_no_fault(live_learner: LearnerProcess) -> None:
    findings = list(check_run(live_learner.paths.root))
    assert not [f for f in findings if f.level == "problem"]
    (status,) = [f for f in findings if f.topic == "status"]
    assert f"process {live_learner.process.pid} on" in status.text
    assert "a resume would" in next(f.text for f in findings if f.topic == "checkpoints")


# Files, settings and state


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("config.toml", "problem files: missing"),
        ("manifest.json", "problem manifest: "),
        ("status.json", "problem status: "),
        ("metrics.jsonl", "problem files: missing"),
        ("events.jsonl", "problem files: missing"),
        ("log.txt", "problem files: missing"),
        ("control", "problem files: missing: control/"),
        ("checkpoints", "note checkpoints: "),
    ],
)
def test_what_is_missing_is_named(name: str, level: str, run: RunPaths) -> None:
    path = run.root / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert any(text.startswith(level) for text in said(run))


@pytest.mark.parametrize(
    "name",
    [
        "config.toml",
        "manifest.json",
        "status.json",
        "metrics.jsonl",
        "events.jsonl",
        "log.txt",
        "checkpoints/index.json",
        f"checkpoints/{STEP}/manifest.json",
        f"checkpoints/{STEP}/loop.json",
    ],
)
@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_is_not_opened(name: str, kind: str, run: RunPaths) -> None:
    path = run.root / name
    path.unlink()
    {"pipe": os.mkfifo, "link": lambda p: p.symlink_to("/dev/zero"), "folder": os.mkdir}[kind](path)
    wrong = said(run, "problem")
    assert any("plain" in text or "read" in text for text in wrong), wrong


def test_a_config_that_was_changed_is_found(run: RunPaths) -> None:
    run.config.write_text(run.config.read_text().replace("seed = 3", "seed = 4"))
    (text,) = said(run)
    assert text.startswith("problem config: config.toml is not the one the run began with")
    run.config.write_text("gamma = ")
    assert any("is not TOML" in text for text in said(run))


def test_a_manifest_of_another_version_is_found(run: RunPaths) -> None:
    manifest = json.loads(run.manifest.read_bytes())
    write_json(run.manifest, {**manifest, "schema": 7})
    assert said(run) == ["problem manifest: expected schema 1, got 7: of another version"]


def test_what_others_may_do_is_told(run: RunPaths) -> None:
    run.metrics.chmod(0o644)
    (text,) = said(run)
    assert text.startswith("note modes: others may read metrics.jsonl; mend: chmod -R go= ")
    run.inbox.chmod(0o733)
    assert any(text.startswith("problem modes: others may change control") for text in said(run))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"state": "running", "pid": -1}, "problem status: lost at env step 400 of 400: process"),
        (
            {"state": "failed", "exit_code": 5, "reason": "cannot write"},
            "problem status: failed at env step 400 of 400, exit code 5: cannot write",
        ),
        ({"state": "diverged", "exit_code": 4}, "problem status: diverged at env step 400"),
        ({"state": "running", "host": "elsewhere", "heartbeat": 1.0}, "note status: silent at"),
        ({"state": "stopped", "reason": "SIGTERM"}, "ok status: stopped at env step 400 of 400: S"),
        ({"state": "running", **this_process(), "heartbeat": 1.0}, "note status: running at env step 400"),
    ],
)
def test_the_state_is_judged(changes: dict[str, Any], expected: str, run: RunPaths) -> None:
    set_status(run, **changes)
    assert any(text.startswith(expected) for text in said(run, "ok", "note", "problem"))


def test_leftovers_and_the_last_traceback_are_told(run: RunPaths) -> None:
    (run.root / ".status.json.71.tmp").touch(0o600)
    (run.checkpoints / f".{STEP}.71.tmp").mkdir(0o700)
    with run.log.open("a") as log:
        for name in ("first", "second"):
            log.write(f'Traceback (most recent call last):\n  File "x"\nKeyError: {name!r}\nmore\n')
    assert (
        said(run)
        == [
            f"note leftovers: left by a kill, of no use any more: checkpoints/.{STEP}.71.tmp, .status.json.71.tmp",
            "note log: log.txt has 2 tracebacks, the last: KeyError: 'second'",
        ]
        or said(run)[0].count(".tmp") == 2
    )


def test_little_disk_space_is_told(run: RunPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(run.root)._replace(free=10**7)
    monkeypatch.setattr("mbpo.checks.run.plain_files.shutil.disk_usage", lambda path: usage)
    assert said(run) == ["note disk: 0.0 GB free: little room for checkpoints"]
    set_status(run, state="running", **this_process())
    assert "problem disk: 0.0 GB free: little room for checkpoints" in said(run)


# Rows, events and commands


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row(1), row(2)], []),
        ([row(1), row(4)], ["problem metrics: attempt 1: rows 2 to 3 missing"]),
        ([row(2)], ["problem metrics: attempt 1: row 1 missing"]),
        ([row(1), row(2), row(2)], ["problem metrics: row 2 of attempt 1 stands twice: 1 row before it hidden"]),
        (
            [row(1), row(2), row(3), row(2, 2), row(3, 2)],
            ["note metrics: attempt 2 wrote row 2 and all after it anew, env step 20: 2 rows of attempt 1 make way"],
        ),
        ([row(1), row(2), row(3, 2), row(3)], ["note metrics: 1 row of a learner that had lost the run: passed over"]),
        ([row(1), row(2, env_steps=5)], ["problem metrics: attempt 1: env_steps goes back from 10 to 5 at row 2"]),
        ([row(1), "garbage\n", "[]\n", row(2)], ["note metrics: 2 lines not readable, passed over"]),
        (
            [row(1), '{"seq": 2, "att'],
            ["note metrics: the last line is cut off; nothing that was acknowledged is missing"],
        ),
        ([row(1, **{"my/metric": 1.0})], ["note metrics: keys that this version does not declare: my/metric"]),
        (
            [row(1, **{"sac/alpha": "high"}), row(2, **{"sac/alpha": None})],
            ["note metrics: 1 value not a finite number: left out"],
        ),
        ([row(1), '{"seq": 2}\n'], ["problem metrics: 1 row without a usable seq, attempt or env_steps"]),
    ],
)
def test_what_is_odd_about_rows_is_told(rows: list[str], expected: list[str], run: RunPaths) -> None:
    set_rows(run, *rows)
    assert said(run) == expected


def test_each_command_has_one_answer(run: RunPaths) -> None:
    answer = '{"event": "control", "id": "%s", "status": "applied"}\n'
    with run.events.open("a") as events:
        events.write(answer % "a" + answer % "b" + answer % "a" + '{"event": "control"}\n')
        events.write('{"event": "warning", "reason": "first"}\n')
        events.write('{"event": "warning", "reason": "critics diverge"}\n{"ev')
    for name in ("b", "c", ".d"):
        (run.inbox / f"{name}.json").touch(0o600)
    assert said(run) == [
        "problem events: commands answered more than once: a",
        "problem events: 1 line without an event's name, or id",
        "note events: 2 warnings, the last: critics diverge",
        "note events: the last line is cut off; nothing that was acknowledged is missing",
        "note control: 1 command without an answer, to be given by a resume: c.json",
        "note control: answered, but still there: b.json",
    ]


# Checkpoints


def add_step(run: RunPaths, env_steps: int, segments: dict[str, str] | None = None) -> Path:
    """Make a later checkpoint that lists files with older rows."""
    folder = run.checkpoints / f"step-{env_steps:09d}"
    shutil.copytree(run.checkpoints / STEP, folder)
    manifest = {**read_manifest(folder), "segments": segments or {}}
    write_json(folder / "manifest.json", {**manifest, SEAL: seal_of(manifest)})
    return folder


def newest(run: RunPaths) -> str | None:
    saved, _ = CheckpointStore(run.checkpoints).load_newest()
    return saved.name if saved else None


def payloads(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if path.name != "manifest.json")


def test_every_damaged_file_of_a_checkpoint_is_named(run: RunPaths) -> None:
    set_status(run, state="stopped")
    first, second, *others = payloads(run.checkpoints / STEP)
    first.write_bytes(first.read_bytes()[:-1])
    second.unlink()
    wrong = said(run, "problem")
    assert wrong == [
        f"problem checkpoints: {STEP}: {first.name} is damaged, {second.name} is missing",
        "problem checkpoints: 1 of 2 whole; a resume would begin anew",
    ]
    assert newest(run) is None
    (run.checkpoints / POLICY / "manifest.json").write_text("{}")
    assert any(f"{POLICY}: manifest.json: unreadable" in text for text in said(run))
    assert len(others) > 5


def test_it_names_the_checkpoint_that_a_resume_starts_from(run: RunPaths) -> None:
    set_status(run, state="stopped")
    folder = add_step(run, 800)
    whole = "ok checkpoints: 3 of 3 whole; a resume would start from step-000000800"
    assert whole in said(run, "ok")
    assert newest(run) == "step-000000800"
    (folder / "loop.json").write_text("{}")
    assert said(run)[0] == "problem checkpoints: step-000000800: loop.json is damaged"
    assert any(f"2 of 3 whole; a resume would start from {STEP}" in text for text in said(run, "ok"))
    assert newest(run) == STEP


def test_rows_that_checkpoints_share_are_checked(run: RunPaths) -> None:
    set_status(run, state="stopped")
    rows = run.checkpoints / "rows"
    rows.mkdir(0o700)
    data = (run.checkpoints / STEP / "tail.safetensors").read_bytes()
    name = f"000000000000-{digest(data)[:16]}.safetensors"
    (rows / name).write_bytes(data)
    (rows / name).chmod(0o600)
    assert said(run) == [f"note checkpoints: 1 file in rows/ that no checkpoint names: {name}"]
    add_step(run, 800, {name: digest(data)})
    assert said(run) == []
    (rows / name).write_bytes(data[:-1])
    assert said(run) == [f"problem checkpoints: step-000000800: rows/{name} is damaged"]
    assert newest(run) == STEP
    (rows / name).unlink()
    assert said(run) == [f"problem checkpoints: step-000000800: rows/{name} is missing"]


def test_an_index_that_points_nowhere_is_told(run: RunPaths) -> None:
    write_json(run.checkpoints / "index.json", {"best": POLICY, "last": [STEP, "step-000000800"], "final": "../x"})
    assert said(run) == [
        "problem checkpoints: index.json: last points at step-000000800, which is missing",
        "problem checkpoints: index.json: final names '../x', which is no checkpoint",
    ]


def test_a_manifest_reaches_nothing_outside_its_folder(run: RunPaths) -> None:
    folder = run.checkpoints / STEP
    manifest = read_manifest(folder)
    manifest["sha256"]["../../status.json"] = digest(run.status.read_bytes())
    write_json(folder / "manifest.json", {**manifest, SEAL: seal_of(manifest)})
    assert any("a file outside its folder" in text for text in said(run))
    assert newest(run) is None


# Hostile contents

HOSTILE = "\x1b]52;c;eA==\x07[@click=app.quit]x[/]\n\x9b31m\u202e\ud800"


def test_hostile_text_is_printed_without_a_control_character(run: RunPaths, call: Callable[..., Outcome]) -> None:
    set_status(run, state="failed", reason=HOSTILE[:-1], host=HOSTILE[:-1])
    set_rows(run, row(1, **{HOSTILE: 1.0}))
    run.events.write_text(json.dumps({"event": "warning", "reason": HOSTILE}) + "\n")
    run.log.write_text(f"Traceback (most recent call last):\n{HOSTILE[:-1]}\n")
    (run.inbox / f"{HOSTILE[:5]}.json").touch()
    write_json(run.checkpoints / "index.json", {HOSTILE[:-1]: HOSTILE[:-1]})
    outcome = call(doctor.main, run.root)
    assert outcome.code == 1
    assert all(line.isprintable() for line in outcome.out.split("\n"))


@given(
    name=st.sampled_from(
        [
            "config.toml",
            "manifest.json",
            "status.json",
            "metrics.jsonl",
            "events.jsonl",
            "log.txt",
            "checkpoints/index.json",
            f"checkpoints/{STEP}/manifest.json",
            f"checkpoints/{STEP}/loop.json",
        ]
    ),
    data=st.binary(max_size=40)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "seq",
                        "attempt",
                        "env_steps",
                        "event",
                        "id",
                        "state",
                        "sha256",
                        "schema",
                        "segments",
                        "best",
                        "last",
                        SEAL,
                    ]
                ),
                inner,
                max_size=5,
            )
        ),
    ).map(lambda value: json.dumps(value).encode()),
)
@settings(max_examples=150)
def test_whatever_a_file_holds_the_check_ends_in_findings(
    tmp_path_factory: pytest.TempPathFactory, finished_run: RunPaths, name: str, data: bytes
) -> None:
    root = tmp_path_factory.getbasetemp() / "fuzzed"
    if not root.exists():
        shutil.copytree(finished_run.root, root)
    path = root / name
    before = path.read_bytes()
    path.write_bytes(data + b"\n")
    try:
        assert list(check_run(root))
    finally:
        path.write_bytes(before)
