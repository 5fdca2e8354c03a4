"""Read runs while they grow, whatever is in them, and derive who is lost or silent."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mbpo.comparison.runs import read_curve
from mbpo.runs.history import read_history
from mbpo.runs.kept_rows import read_kept
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import MAX_LINE_BYTES, JsonLines, RunReader, list_runs, read_text_tail
from mbpo.runs.status import RunStatus, boot_id, read_status, this_process, write_status


def line(seq: int, **metrics: Any) -> bytes:
    row = {"seq": seq, "attempt": 1, "env_steps": 10 * seq, "time_s": 0.5 * seq, **metrics}
    return json.dumps(row).encode() + b"\n"


@pytest.fixture
def run(tmp_path: Path) -> RunPaths:
    return RunPaths(tmp_path)


def returns(reader: RunReader) -> list[float]:
    return list(reader.series["episode/return"].values)


def test_metrics_cut_anywhere_lose_only_a_partial_last_line(run: RunPaths) -> None:
    lines = [line(n, **{"episode/return": -1.5 * n, "sac/alpha": None}) for n in range(1, 13)]
    whole = b"".join(lines)
    for cut in range(0, len(whole) + 1, 2):
        run.metrics.write_bytes(whole[:cut])
        reader = RunReader(run.root)
        reader.poll()
        complete = whole[:cut].count(b"\n")
        if complete:
            assert returns(reader) == [-1.5 * n for n in range(1, complete + 1)]
            assert list(reader.series["sac/alpha"].env_steps) == [10.0 * n for n in range(1, complete + 1)]
            assert math.isnan(reader.series["sac/alpha"].last)
        else:
            assert reader.series == {}
        assert reader.bad_lines == 0
        with run.metrics.open("ab") as file:  # the rest comes
            file.write(whole[cut:])
        reader.poll()
        assert returns(reader) == [-1.5 * n for n in range(1, 13)]
        assert reader.bad_lines == 0


@given(cuts=st.lists(st.integers(0, 400), max_size=8), chunk=st.sampled_from([1, 7, 64, 4096]))
@settings(max_examples=50)
def test_lines_are_the_same_however_they_arrive(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[int], chunk: int
) -> None:
    whole = b"".join(line(n) for n in range(1, 6)) + b"garbage\n" + line(7)
    path = tmp_path_factory.mktemp("lines") / "m.jsonl"
    path.touch()
    reader, found = JsonLines(path), list[dict[str, Any]]()
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(whole)], strict=True):
        with path.open("ab") as file:
            file.write(whole[start:end])
        while reader.offset < path.stat().st_size:
            found += reader.poll(chunk)
    assert [row["seq"] for row in found] == [1, 2, 3, 4, 5, 7]
    assert reader.bad_lines == 1


GARBAGE = [
    b"",
    b"{",
    b"[1, 2]",
    b"null",
    b"3",
    b'"text"',
    b"\x00\xff\xfe",
    b'{"seq": 1',
    b"[" * 5000,
    b'{"a": ' + b"9" * 5000 + b"}",
    b"{'a': 1}",
    b"\x1b]52;c;eA==\x07",
]


def test_garbage_lines_are_counted_and_passed_over(run: RunPaths) -> None:
    garbage = (GARBAGE * 84)[:1000]
    mixed = [part for n, bad in enumerate(garbage) for part in (bad + b"\n", line(n))]
    run.metrics.write_bytes(b"".join(mixed))
    reader = RunReader(run.root)
    reader.poll()
    assert reader.bad_lines == 1000
    rows = JsonLines(run.metrics).poll()
    assert [row["seq"] for row in rows] == list(range(1000))


def test_a_value_that_is_no_number_leaves_its_row_and_series_alone(run: RunPaths) -> None:
    bad: list[Any] = ["1", True, [1.0], {"a": 1}, 10**400, math.inf]
    run.metrics.write_bytes(
        b"".join(line(n, **{"sac/alpha": v, "sac/entropy": 2.0}) for n, v in enumerate(bad))
        + b'{"seq": 9, "env_steps": NaN, "sac/alpha": 1.0}\n{"seq": 9, "sac/alpha": 1.0}\n'
        + line(10, **{"sac/alpha": 0.5, "no_group": 1.0})
    )
    reader = RunReader(run.root)
    assert reader.poll()
    assert list(reader.series["sac/alpha"].values) == [0.5]
    assert list(reader.series["sac/entropy"].values) == [2.0] * 6
    assert "no_group" not in reader.series


def test_a_huge_line_takes_bounded_memory_and_counts_as_one_bad_line(run: RunPaths) -> None:
    chunk = b"x" * (1 << 20)
    with run.metrics.open("wb") as file:
        file.write(line(1))
        for _ in range(20):
            file.write(chunk)
        file.write(b"\n" + line(2))
    reader, seqs = JsonLines(run.metrics), list[int]()
    while reader.offset < run.metrics.stat().st_size:
        seqs += [row["seq"] for row in reader.poll(1 << 20)]
        assert len(reader._partial) <= MAX_LINE_BYTES
    assert seqs == [1, 2]
    assert reader.bad_lines == 1


def test_a_poll_takes_a_bounded_part_of_a_large_file(run: RunPaths) -> None:
    run.metrics.write_bytes(b"".join(line(n) for n in range(2000)))
    reader = JsonLines(run.metrics)
    first = reader.poll(1000)
    assert 0 < len(first) < 30
    found = first
    while more := reader.poll(1000):
        found += more
    assert [row["seq"] for row in found] == list(range(2000))


@pytest.mark.parametrize("rows", [2, 3, 9])
def test_a_file_that_was_replaced_is_read_again_and_nothing_stands_twice(rows: int, run: RunPaths) -> None:
    """By a shorter one, one of the same size and a longer one."""
    run.metrics.write_bytes(b"".join(line(n, **{"episode/return": 1.0}) for n in range(3)))
    reader = RunReader(run.root)
    reader.poll()
    assert returns(reader) == [1.0] * 3
    other = run.root / "other"
    other.write_bytes(b"".join(line(n, **{"episode/return": 2.0}) for n in range(rows)))
    other.replace(run.metrics)
    assert reader.poll()
    assert returns(reader) == [2.0] * rows
    assert reader.bad_lines == 0


def test_a_file_that_was_cut_is_read_again_and_nothing_stands_twice(run: RunPaths) -> None:
    lines = [line(n, **{"episode/return": float(n)}) for n in range(5)]
    run.metrics.write_bytes(b"".join(lines))
    run.events.write_text('{"event": "started"}\n{"event": "warning"}\n')
    reader = RunReader(run.root)
    reader.poll()
    os.truncate(run.metrics, len(b"".join(lines[:2])))
    os.truncate(run.events, len('{"event": "started"}\n'))
    reader.poll()
    assert returns(reader) == [0.0, 1.0]
    assert [e["event"] for e in reader.events] == ["started"]
    os.truncate(run.metrics, 0)
    assert reader.poll()
    assert reader.series == {}
    assert not reader.poll()


# Rows that a resumed run wrote again


def attempts(*parts: tuple[int, int, int]) -> list[bytes]:
    """Return the lines of attempts, each given by its number and its first and last seq."""
    return [
        line(seq, attempt=attempt, **{"episode/return": 100.0 * attempt + seq})
        for attempt, first, last in parts
        for seq in range(first, last + 1)
    ]


TWO = attempts((1, 1, 9), (2, 5, 7))  # the second differs from seq 5 on, and was cut off sooner
TWO_KEPT = [101.0, 102.0, 103.0, 104.0, 205.0, 206.0, 207.0]


def test_rows_that_were_written_again_are_not_shown(run: RunPaths) -> None:
    run.metrics.write_bytes(b"".join(TWO))
    reader = RunReader(run.root)
    reader.poll()
    assert returns(reader) == TWO_KEPT
    assert list(reader.series["episode/return"].env_steps) == [10.0 * n for n in range(1, 8)]
    assert list(read_curve(run, "episode/return").values) == TWO_KEPT
    assert read_curve(run, "episode/return").end_env_steps == 70
    history = read_history(run, seq=4)
    assert [row["episode/return"] for row in [*history.before, *history.after]] == TWO_KEPT
    assert history.attempts == 2


def test_rows_that_are_written_again_go_while_the_file_grows(run: RunPaths) -> None:
    reader, shown = RunReader(run.root), list[list[float]]()
    for n in range(1, len(TWO) + 1):
        run.metrics.write_bytes(b"".join(TWO[:n]))
        reader.poll()
        shown.append(returns(reader))
    assert shown[8] == [100.0 + n for n in range(1, 10)]
    assert shown[9:] == [TWO_KEPT[:5], TWO_KEPT[:6], TWO_KEPT]
    assert reader.retractions == 1


def test_a_third_attempt_supersedes_the_second_but_not_what_both_share(run: RunPaths) -> None:
    run.metrics.write_bytes(b"".join([*TWO, *attempts((3, 3, 3), (4, 4, 6))]))
    kept = [row["attempt"] * 100 + row["seq"] for row in read_kept(run.metrics)[0]]
    assert kept == [101, 102, 303, 404, 405, 406]
    reader = RunReader(run.root)
    reader.poll()
    assert returns(reader) == [float(value) for value in kept]


def test_a_metric_of_superseded_rows_only_is_gone(run: RunPaths) -> None:
    run.metrics.write_bytes(line(1) + line(2, **{"eval/return_mean": 1.0}) + line(2, attempt=2))
    reader = RunReader(run.root)
    reader.poll()
    assert reader.series == {}
    assert list(read_curve(run, "eval/return_mean").values) == []


@pytest.mark.parametrize("seq", ["1", None, -1, True, 1.0, 2**70, [1]])
def test_a_row_whose_seq_is_no_count_supersedes_nothing(seq: Any, run: RunPaths) -> None:
    odd = json.dumps({"seq": seq, "env_steps": 30, "time_s": 2.0, "episode/return": 0.5}).encode()
    run.metrics.write_bytes(b"".join(TWO[:2]) + odd + b"\n" + TWO[2])
    reader = RunReader(run.root)
    reader.poll()
    assert returns(reader) == [101.0, 102.0, 0.5, 103.0]
    assert [row["seq"] for row in read_kept(run.metrics)[0]] == [1, 2, 3]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4)), max_size=12), st.data())
@settings(max_examples=100)
def test_however_often_rows_are_written_again_all_readers_agree(
    tmp_path_factory: pytest.TempPathFactory, parts: list[tuple[int, int]], data: st.DataObject
) -> None:
    run = RunPaths(tmp_path_factory.mktemp("again"))
    lines = attempts(*((n, first, first + more) for n, (first, more) in enumerate(parts, 1)))
    expected: list[dict[str, Any]] = []
    for row in map(json.loads, lines):
        expected = [*(e for e in expected if e["seq"] < row["seq"]), row]
    reader, end = RunReader(run.root), 0
    while end < len(lines):
        end += data.draw(st.integers(1, 9))
        run.metrics.write_bytes(b"".join(lines[:end]))
        reader.poll()
    wanted = [row["episode/return"] for row in expected]
    assert [row["episode/return"] for row in read_kept(run.metrics)[0]] == wanted
    assert list(read_curve(run, "episode/return").values) == wanted
    if wanted:
        assert returns(reader) == wanted


def test_nothing_to_read_is_no_error(run: RunPaths) -> None:
    reader = RunReader(run.root / "missing")
    assert not reader.poll()
    assert reader.status() is None
    assert math.isnan(RunReader(run.root).series.get("x", _empty()).last)
    run.metrics.mkdir()
    assert not RunReader(run.root).poll()


def _empty() -> Any:
    from mbpo.runs.reader import Series

    return Series()


# Status


def other_process(**changes: Any) -> RunStatus:
    return RunStatus(**{"state": "running", **this_process(), **changes})


def test_a_status_is_read_as_written(run: RunPaths) -> None:
    status = other_process(
        env_steps=40,
        exit_code=None,
        last_return=-1.5,
        recent_returns=[-2.0, -1.5],
        controls={"rollout_length": "auto", "real_ratio": 0.2},
        interactive=True,
    )
    write_status(run, status)
    assert read_status(run) == status


def test_a_status_of_a_later_version_is_read(run: RunPaths) -> None:
    content = {**msgspec.to_builtins(other_process()), "tomorrow": [1, 2]}
    run.status.write_text(json.dumps(content))
    assert read_status(run) == other_process()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b"[" * 9999,
        b'{"state": "exploded"}',
        b'{"state": 3}',
        b'{"state": ["running"]}',
        b'{"phase": "train"}',
        b" " * (1 << 21),
    ],
    ids=range(11),
)
def test_a_status_that_cannot_be_read_is_none(content: bytes, run: RunPaths) -> None:
    run.status.write_bytes(content)
    assert read_status(run) is None


@given(
    st.dictionaries(
        st.sampled_from([f.name for f in msgspec.structs.fields(RunStatus)]),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()),
    )
)
def test_a_status_with_values_of_any_type_can_be_read_and_judged(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any]
) -> None:
    run = RunPaths(tmp_path_factory.getbasetemp())
    run.status.write_text(json.dumps({"state": "running", **content}))
    status = read_status(run)
    if status is not None:
        assert isinstance(status.derived_state(), str)
        assert isinstance(status.live, bool)


def test_a_learner_that_is_there_is_what_it_says() -> None:
    assert other_process().derived_state() == "running"
    assert other_process().live
    # However long its heart has been still: a halted machine is no death.
    assert other_process(heartbeat=1.0).derived_state() == "running"


def test_a_learner_whose_process_is_gone_is_lost(gone_pid: int) -> None:
    assert other_process(pid=gone_pid).derived_state() == "lost"
    assert not other_process(pid=gone_pid).live


@pytest.mark.parametrize("pid", [0, -1, 2**31, 2**70])
def test_a_learner_whose_pid_cannot_be_is_lost(pid: int) -> None:
    assert other_process(pid=pid).derived_state() == "lost"


def test_a_reused_pid_is_not_the_learner() -> None:
    created = psutil.Process().create_time()
    since_boot = created - psutil.boot_time()
    earlier = {"create_time": created - 60, "since_boot": since_boot - 60}
    assert other_process(**earlier).derived_state() == "lost"
    # of a version that did not note since_boot
    assert other_process(create_time=created + 0.5, since_boot=0.0).derived_state() == "running"
    assert other_process(create_time=created - 60, since_boot=0.0).derived_state() == "lost"


def test_a_learner_of_an_earlier_boot_is_lost() -> None:
    assert boot_id()
    assert other_process(boot_id="0b0").derived_state() == "lost"
    assert other_process(boot_id="").derived_state() == "running"


def test_a_zombie_is_lost() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    try:
        process = psutil.Process(child.pid)
        began = {"create_time": process.create_time(), "since_boot": process.create_time() - psutil.boot_time()}
        assert child.stdout is not None
        child.stdout.read()  # until it ends; it is not yet waited for
        while psutil.Process(child.pid).status() != psutil.STATUS_ZOMBIE:
            pass
        status = other_process(pid=child.pid, **began)
        assert status.derived_state() == "lost"
    finally:
        child.communicate()


@pytest.mark.parametrize(
    ("age", "cadence", "state"),
    [(59, 1, "running"), (61, 1, "silent"), (61, 30, "running"), (89, 30, "running"), (91, 30, "silent")],
)
def test_a_learner_elsewhere_is_silent_after_a_minute_or_three_cadences(
    age: float, cadence: float, state: str, gone_pid: int
) -> None:
    status = other_process(host="elsewhere", pid=gone_pid, heartbeat=1000.0, cadence_s=cadence)
    assert status.derived_state(now=1000.0 + age) == state


@pytest.mark.parametrize("state", ["stopped", "finished", "failed", "diverged"])
def test_an_ended_run_is_neither_lost_nor_silent(state: str, gone_pid: int) -> None:
    assert other_process(state=state, pid=gone_pid).derived_state() == state
    assert other_process(state=state, host="elsewhere").derived_state(now=1e12) == state


# Lists and logs


def test_a_listing_holds_every_run_and_nothing_else(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).mkdir()
        write_status(RunPaths(tmp_path / name), other_process(seed=ord(name)))
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "status.json").write_text("{")
    found = list(list_runs(tmp_path))
    assert [(paths.run_id, status.seed) for paths, status in found] == [("a", 97), ("b", 98), ("c", 99)]
    assert list(list_runs(tmp_path / "missing")) == []


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    assert read_text_tail(path) == []
    path.write_bytes(b"one\n\xfftwo\n")
    assert read_text_tail(path) == ["one", "\ufffdtwo"]
    path.write_text("".join(f"line {n}\n" for n in range(10_000)))
    tail = read_text_tail(path, 1000)
    assert tail[-1] == "line 9999"
    assert all(part.startswith("line ") for part in tail)  # no line is cut in two
    assert 80 < len(tail) < 112
