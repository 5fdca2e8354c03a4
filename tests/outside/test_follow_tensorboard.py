"""What only event files can meet, read back with TensorBoard's accumulator and with both loaders of its server."""

from __future__ import annotations

import html
import json
import random
import re
import shutil
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from following import append, curves_of, some_rows, write_run
from hostile import texts
from learners import environment, wait_for
from other_ends import needs
from tracker_readers import TensorBoardReader

from mbpo.errors import printable
from mbpo.outside.trackers.facts import facts_of
from mbpo.outside.trackers.run_follower import RunFollower
from mbpo.outside.trackers.texts import as_markdown
from mbpo.outside.trackers.to_tensorboard import open_tensorboard
from mbpo.runs.layout import RunPaths

READER = TensorBoardReader()
CUTS = 80


@pytest.fixture(autouse=True)
def library() -> None:
    needs("tensorboard")


def bring(run: Path, into: Path) -> RunFollower:
    facts = facts_of(RunPaths(run), run.name)
    follower = RunFollower(facts, open_tensorboard(facts, into, ""))
    follower.turn()
    follower.close("finished")
    return follower


def same(run: Path, into: Path) -> None:
    assert READER.curves(into, run.name) == READER.as_held(curves_of(run))


def test_a_file_cut_anywhere_is_made_good_in_the_next(tmp_path: Path) -> None:
    run, whole = write_run(tmp_path / "a", some_rows(1, 30)), tmp_path / "whole"
    bring(run, whole)
    append(run / "metrics.jsonl", some_rows(20, 40, by=2.0))  # so that sessions begin again too
    bring(run, whole)
    (file,) = (whole / "a").iterdir()
    draw = random.Random(0)
    for size in [0, 1, file.stat().st_size - 1, *(draw.randrange(file.stat().st_size) for _ in range(CUTS))]:
        into = tmp_path / "cut"
        shutil.copytree(whole, into)
        with (into / "a" / file.name).open("r+b") as cut:
            cut.truncate(size)
        bring(run, into)
        same(run, into)
        assert bring(run, into).added == 0
        shutil.rmtree(into)


def test_a_file_damaged_anywhere_is_made_good_in_the_next(tmp_path: Path) -> None:
    run, whole = write_run(tmp_path / "a", some_rows(1, 30)), tmp_path / "whole"
    bring(run, whole)
    (file,) = (whole / "a").iterdir()
    data, draw = file.read_bytes(), random.Random(1)
    for at in (draw.randrange(200, len(data)) for _ in range(CUTS)):
        into = tmp_path / "damaged"
        shutil.copytree(whole, into)
        (into / "a" / file.name).write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1 :])
        bring(run, into)
        same(run, into)
        shutil.rmtree(into)


def test_rows_and_events_out_of_order_are_each_there_once(tmp_path: Path) -> None:
    steps = (50, 20, 20, 90, 10, 60)
    rows = [{**row, "env_steps": at} for row, at in zip(some_rows(1, 6), steps, strict=True)]
    events = [
        {"event": "warning", "env_steps": at, "reason": f"w{n}", "time": 2e9 + n} for n, at in enumerate((9, 3, 3))
    ]
    run, into = write_run(tmp_path / "a", rows, events), tmp_path / "tb"
    bring(run, into)
    append(run / "metrics.jsonl", [{**some_rows(2, 2, by=3.0)[0], "env_steps": 30}])
    bring(run, into)
    same(run, into)
    assert [text[-2:] for text in READER.texts(into, "a")] == [" 0", "w0", "w1", "w2"]


def test_two_runs_of_one_name_have_a_folder_each_and_keep_it(tmp_path: Path) -> None:
    into = tmp_path / "tb"
    first = write_run(tmp_path / "x" / "a", some_rows(1, 4))
    second = write_run(tmp_path / "y" / "a", some_rows(1, 4, by=5.0))
    (into / "b").mkdir(parents=True)
    (into / "b" / "events.out.tfevents.1.someone").write_bytes(b"")
    third = write_run(tmp_path / "b", some_rows(1, 4))
    for _ in range(2):
        for run in (first, second, third):
            bring(run, into)
    assert sorted(path.name for path in into.iterdir()) == ["a", "a-2", "b", "b-2"]
    assert READER.curves(into, "a-2") == READER.as_held(curves_of(second))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(params=["true", "false"], ids=["its data server", "its Python loader"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Serve tmp_path/tb; the answer is that of a path below /data/plugin."""
    port = free_port()
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(tmp_path / "tb"), "--port", str(port)]
    process = subprocess.Popen(
        [*command, "--load_fast", request.param, "--reload_interval", "1"],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def asked(path: str) -> Any:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/data/plugin/{path}", timeout=20) as answer:
                return json.load(answer)
        except OSError:
            return None

    yield asked
    process.terminate()
    process.wait()


def test_its_server_shows_each_curve_and_forgets_what_was_written_again(tmp_path: Path, server: Any) -> None:
    run, into = write_run(tmp_path / "a", some_rows(1, 30)), tmp_path / "tb"
    bring(run, into)

    def shown() -> dict[int, float]:
        return {at: value for _, at, value in server("scalars/scalars?run=a&tag=sac/alpha") or ()}

    def written() -> dict[int, float]:
        return dict(READER.as_held(curves_of(run))["sac/alpha"])  # of one env step the last

    wait_for(lambda: shown() == written(), "the first rows")
    append(run / "metrics.jsonl", some_rows(20, 26, by=2.0))
    bring(run, into)
    wait_for(lambda: shown() == written(), "what was written again")
    texts = server("text/text?run=a&tag=events/started")
    assert [text["text"] for text in texts] == ["<p>at env step 0</p>"]
    assert server("text/tags")["a"]


def test_words_stay_words_in_its_markdown() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own copy of html5lib
        from tensorboard.plugin_util import markdown_to_safe_html
    for text in texts(20_000):
        escaped = as_markdown(text)
        page = markdown_to_safe_html(escaped)
        inner = re.fullmatch(r"(?:<p>(.*)</p>)?", page, re.DOTALL)
        assert inner is not None, (text, page)
        assert "<" not in (inner[1] or ""), (text, page)
        assert html.unescape(inner[1] or "").split() == said(text), (text, page)


def said(text: str) -> list[str]:
    """Return the words of ``text`` as a terminal may print them."""
    return printable(" ".join(text.split())).split()
