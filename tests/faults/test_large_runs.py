"""Read what was cut, garbled, or is large, and stay within bounds."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from figures import Promise, figure
from large import cut_off, fill_metrics, put_rows_before
from learners import environment, rows

from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import JsonLines
from mbpo.runs.status import RunStatus, load_status, write_status

CUTS = figure(fast=200, full=1000)
GARBAGE = figure(fast=200, full=1000)
RUNS = figure(fast=50, full=500)
LARGE_BYTES = figure(fast=128 << 20, full=1 << 30)
RESUMED_BYTES = figure(fast=64 << 20, full=1 << 30)
MOST_BYTES = figure(fast=64 << 20, full=128 << 20)  # that reading may add to what a reader takes with nothing read
MOST_NUMBERS = figure(fast=32 << 20, full=128 << 20)  # that those may add who keep a few numbers of each row
MOST_RESUMED = figure(fast=32 << 20, full=256 << 20)  # that a resume may take more with a large file

# Not ru_maxrss: that one begins with the peak of the process that started this one.
PEAK = """
import re
from pathlib import Path
print(int(re.search(r"VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""
RESUMED = f"""
import sys
from mbpo.train import main
assert main(sys.argv[1:]) == 0
{PEAK}"""
READ = f"""
import sys
from pathlib import Path
from mbpo.checks.run.records import check_metrics
from mbpo.comparison.runs import read_curve
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import JsonLines, RunReader, list_runs
from workbench.run_follower import RunFollower
what, path, count = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
found = 0
if what == "runs":
    readers = [RunReader(paths.root) for paths, _ in list_runs(path)]
    found = len(readers)
    for reader in readers:
        while reader.poll():
            pass
elif what == "lines":
    lines = JsonLines(path / "metrics.jsonl")
    while rows := lines.poll():
        found += len(rows)
elif what == "the app's":
    follower = RunFollower(path)
    while (detail := follower.poll()).unread:
        pass
    found = int(detail.series["sac/alpha"].x[-1])  # as many env steps as rows
elif what == "compare's":
    found = len(read_curve(RunPaths(path), "sac/alpha").values)
elif what == "doctor's":
    said = [finding.text for finding in check_metrics(RunPaths(path), False)]
    found = int(said[-1].split(" row")[0].replace(",", ""))
assert found == count, found
{PEAK}"""


def peak(what: str, path: Path, count: int = 0) -> int:
    """Return the peak of memory of a process that reads, in bytes."""
    said = subprocess.run(
        [sys.executable, "-c", READ, what, path, str(count)], env=environment(), capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    return int(said.stdout)


def test_metrics_cut_anywhere_lose_a_partial_last_line_only(
    finished_run: RunPaths, tmp_path: Path, promise: Promise
) -> None:
    whole, rng = finished_run.metrics.read_bytes(), random.Random(1)
    written = rows(finished_run.metrics)
    path = tmp_path / "metrics.jsonl"
    with promise.tries("metrics cut: only a partial last line lost") as tries:
        for _ in range(CUTS):
            cut = rng.randrange(len(whole) + 1)
            path.write_bytes(whole[:cut])
            with tries.one():
                lines = JsonLines(path)
                assert (lines.poll(), lines.bad_lines) == (written[: whole[:cut].count(b"\n")], 0)


def test_garbage_is_counted_and_passed_over(finished_run: RunPaths, tmp_path: Path, promise: Promise) -> None:
    rng, good = random.Random(2), finished_run.metrics.read_bytes().splitlines()
    garbage = [rng.randbytes(rng.randint(0, 400)).replace(b"\n", b"") for _ in range(GARBAGE)]
    for number in range(0, GARBAGE, 5):
        line = rng.choice(good)
        garbage[number] = line[: rng.randrange(1, len(line))]
    mixed = list(garbage)
    for number, at in enumerate(sorted(rng.choices(range(GARBAGE), k=len(good)))):
        mixed.insert(at + number, good[number])
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b"\n".join(mixed) + b"\n")
    with promise.tries("garbage lines counted and passed over") as tries:
        tries.of, lines = GARBAGE, JsonLines(path)
        assert lines.poll() == rows(finished_run.metrics)
        tries.held = lines.bad_lines


def fill(run: RunPaths, rows: int) -> None:
    """Make a run with so many rows of metrics, as long as real ones."""
    keys = ("sac/alpha", "sac/entropy", "sac/critic_loss", "sac/actor_loss", "time/env_s")
    run.root.mkdir(parents=True)
    write_status(run, RunStatus(state="finished", env_id="Pendulum-v1"))
    with run.metrics.open("wb") as file:
        for number in range(rows):
            row = {"attempt": 1, "env_steps": number, "time_s": number / 10}  # copies may follow
            row |= dict.fromkeys(keys, 1 / (number + 3))
            file.write(json.dumps(row).encode() + b"\n")


def test_many_runs_are_read_in_bounded_memory(tmp_path: Path, promise: Promise) -> None:
    for number in range(RUNS):
        fill(RunPaths(tmp_path / f"run-{number}"), rows=200)
    with promise.tries("runs read in bounded memory") as tries, tries.one(RUNS):
        more = peak("runs", tmp_path, RUNS) - peak("nothing", tmp_path)
        tries.note = f"{more >> 20} MiB"
        assert more < MOST_BYTES


@pytest.fixture(scope="module")
def large_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunPaths, int]]:
    """Share a run with a large metrics.jsonl, and the number of its rows."""
    run = RunPaths(tmp_path_factory.mktemp("large"))
    yield run, fill_metrics(run.metrics, LARGE_BYTES)
    run.metrics.unlink()


@pytest.mark.parametrize(
    ("what", "most"),
    [("lines", MOST_BYTES), ("the app's", MOST_BYTES), ("compare's", MOST_NUMBERS), ("doctor's", MOST_NUMBERS)],
)
def test_a_large_file_is_read_in_bounded_memory(
    what: str, most: int, large_run: tuple[RunPaths, int], promise: Promise
) -> None:
    """Nothing keeps rows: the app keeps some thousand points of a metric, compare a metric's numbers."""
    run, count = large_run
    size = run.metrics.stat().st_size
    with promise.tries(f"a file of {size >> 20} MiB, {what}") as tries, tries.one():
        more = peak(what, run.root, count) - peak("nothing", run.root)
        tries.note = f"{more >> 20} MiB of memory"
        assert more < most


def test_a_run_with_a_large_file_is_resumed_in_bounded_memory(tmp_path: Path, promise: Promise) -> None:
    """Its rows are read one after another, and what the last attempt wrote after the checkpoint compares as before."""
    run = cut_off(tmp_path, total_steps=200)
    shutil.copytree(run.root, tmp_path / "large")
    large = RunPaths(tmp_path / "large")
    put_rows_before(large, "step-000000100", RESUMED_BYTES)
    size = large.metrics.stat().st_size
    with promise.tries(f"a run with a file of {size >> 20} MiB resumed") as tries, tries.one():
        more = resumed(large) - resumed(run)
        tries.note = f"{more >> 20} MiB of memory"
        assert more < MOST_RESUMED
    large.metrics.unlink()


def resumed(run: RunPaths) -> int:
    """Resume a run in a process of its own to its end, and return the peak of its memory in bytes."""
    said = subprocess.run(
        [sys.executable, "-c", RESUMED, "--resume", run.root], env=environment(), capture_output=True, text=True
    )
    assert said.returncode == 0, said.stderr
    assert re.search(r"resume verified: (\d+) of \1 records identical", said.stdout), said.stdout
    assert load_status(run).env_steps == 200
    return int(said.stdout.splitlines()[-1])
