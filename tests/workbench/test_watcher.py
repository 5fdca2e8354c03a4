from __future__ import annotations

import json
import shutil
import threading
import time
from pathlib import Path

import pytest
from fake_run import lost_status, make_run, put_status, status_of
from textual.message import Message

from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, load_status
from workbench.messages import ReaderFault, RunsRead
from workbench.run_index import RunIndex
from workbench.watcher import Watcher


def test_runs_are_found_working_ones_first_then_the_newest(tmp_path: Path) -> None:
    make_run(tmp_path, "old", status_of("finished", started=1.0))
    make_run(tmp_path, "new", status_of("failed", started=2.0))
    make_run(tmp_path, "gone", lost_status(started=3.0))
    make_run(tmp_path, "works", status_of(started=0.0))
    rows = RunIndex(tmp_path).rows()
    assert [(row.run_id, row.state) for row in rows] == [
        ("works", "running"),
        ("gone", "lost"),
        ("new", "failed"),
        ("old", "finished"),
    ]


def test_a_changed_status_is_seen_and_an_old_one_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_run(tmp_path, "a", status_of("finished", env_steps=1))
    index = RunIndex(tmp_path)
    index.rows()
    put_status(path, status_of("finished", env_steps=2))
    assert index.rows()[0].env_steps == 2
    monkeypatch.setattr("workbench.run_index.load_status", lambda paths: 1 / 0)
    assert index.rows()[0].env_steps == 2


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"state": 3}', b"\xff\xfe", b"[" * 9999])
def test_a_status_that_cannot_be_read_is_a_row_that_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "status.json").write_bytes(content)
    (tmp_path / "no-run").mkdir()
    (tmp_path / "a-file").write_text("")
    (row,) = RunIndex(tmp_path).rows()
    assert (row.state, row.answers) == ("unreadable", False)
    assert RunIndex(tmp_path / "missing").rows() == ()


def test_the_selected_run_is_read_in_full_and_followed(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(), rows=60)
    with (path / "metrics.jsonl").open("a") as file:
        file.write('garbage\n{"env_steps": 1300, "episode/return": null}\n{"env_st')
    watcher = Watcher(tmp_path, lambda message: None)
    watcher.select(path)
    first = watcher.look().detail
    assert first is not None
    assert first.bad_lines == 1 and first.config["gamma"] == 0.99
    assert len(first.series["episode/return"].x) == 61
    assert first.last("episode/return") != first.last("episode/return")  # null is a gap
    assert first.log[-1].endswith("refit done") and len(first.events) == 6
    again = watcher.look().detail
    assert again is not None and again.version == first.version
    with (path / "metrics.jsonl").open("a") as file:
        file.write('eps": 1400, "episode/return": -5.0}\n')
    third = watcher.look().detail
    assert third is not None and third.version > first.version
    assert third.last("episode/return") == -5.0


def test_rows_that_are_written_again_leave_the_curve_they_replace(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of())
    rows = [{"seq": n, "attempt": 1, "env_steps": n, "episode/return": 1.0} for n in range(1, 7)]
    again = [{**row, "attempt": 2, "episode/return": 2.0} for row in rows[3:]]
    metrics, watcher = path / "metrics.jsonl", Watcher(tmp_path, lambda message: None)
    watcher.select(path)
    shown = []
    metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    for more in ([], again[:1], again[1:]):
        with metrics.open("a") as file:
            file.writelines(json.dumps(row) + "\n" for row in more)
        detail = watcher.look().detail
        assert detail is not None
        shown.append(list(detail.series["episode/return"].y))
    assert shown == [[1.0] * 6, [1.0] * 3 + [2.0], [1.0] * 3 + [2.0] * 3]  # as many as before


def test_a_long_curve_is_thinned_and_its_newest_point_always_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mbpo.runs.series.MOST_POINTS", 8)
    path = make_run(tmp_path, "a", status_of())
    metrics, watcher = path / "metrics.jsonl", Watcher(tmp_path, lambda message: None)
    metrics.write_bytes(b"")
    watcher.select(path)
    for number in range(1, 101):
        with metrics.open("a") as file:
            file.write(json.dumps({"seq": number, "env_steps": number, "sac/alpha": float(number)}) + "\n")
        detail = watcher.look().detail
        assert detail is not None
        points = detail.series["sac/alpha"]
        assert (len(points.y) <= 9, points.last, points.x[0]) == (True, number, 1)


def test_a_run_that_vanishes_while_watched_leaves_its_curves(tmp_path: Path) -> None:
    path = make_run(tmp_path, "a", status_of(), rows=20)
    watcher = Watcher(tmp_path, lambda message: None)
    watcher.select(path)
    watcher.look()
    shutil.rmtree(path)
    reading = watcher.look()
    assert reading.rows == ()
    assert reading.detail is not None and len(reading.detail.series["episode/return"].x) == 20


def test_of_500_runs_only_those_that_changed_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(500):
        (tmp_path / f"r{index}").mkdir()
        status = {"state": "finished", "env_steps": index, "started": float(index)}
        (tmp_path / f"r{index}" / "status.json").write_text(json.dumps(status))
    index = RunIndex(tmp_path)
    assert len(index.rows()) == 500
    read: list[str] = []

    def noted(paths: RunPaths) -> RunStatus:
        read.append(paths.root.name)
        return load_status(paths)

    monkeypatch.setattr("workbench.run_index.load_status", noted)
    put_status(tmp_path / "r7", status_of("finished"))
    assert index.rows()[0].run_id == "r7" and read == ["r7"]


def test_an_error_in_the_thread_becomes_a_message_and_reading_goes_on(tmp_path: Path) -> None:
    posted: list[Message] = []
    healed = threading.Event()
    watcher = Watcher(tmp_path, lambda message: (posted.append(message), healed.set()))
    look, faults = watcher.look, iter([OSError("disk on fire")])

    def failing() -> object:
        for error in faults:
            raise error
        return look()

    watcher.look = failing  # type: ignore[method-assign]
    watcher.start()
    assert healed.wait(10)
    watcher.select(None)  # wakes it
    deadline = time.monotonic() + 10
    while len(posted) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    watcher.stop()
    assert isinstance(posted[0], ReaderFault) and posted[0].reason == "OSError: disk on fire"
    assert isinstance(posted[1], RunsRead)


def test_a_newer_reading_takes_the_place_of_one_that_waits(tmp_path: Path) -> None:
    reading = Watcher(tmp_path, lambda message: None).look()
    assert RunsRead(reading).can_replace(RunsRead(reading))
