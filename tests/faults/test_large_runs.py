"""Read what was cut, garbled, or is large, and stay within bounds."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from figures import Promise, figure
from learners import environment, rows

from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import JsonLines
from mbpo.runs.status import RunStatus, write_status

CUTS = figure(fast=200, full=1000)
GARBAGE = figure(fast=200, full=1000)
RUNS = figure(fast=50, full=500)
LARGE_BYTES = figure(fast=8 << 20, full=1 << 30)
MOST_BYTES = 64 << 20  # that reading may add to what a reader takes with nothing read

# Print the peak of memory, in bytes, after reading what is named.
PEAK = """
import re, sys
from pathlib import Path
from mbpo.runs.reader import JsonLines, RunReader, list_runs
what, path = sys.argv[1], Path(sys.argv[2])
if what == "runs":
    readers = [RunReader(paths.root) for paths, _ in list_runs(path)]
    assert len(readers) == int(sys.argv[3]), len(readers)
    for reader in readers:
        while reader.poll():
            pass
elif what == "lines":
    lines, count = JsonLines(path / "metrics.jsonl"), 0
    while found := lines.poll():
        count += len(found)
    assert count == int(sys.argv[3]), count
elif what == "run":
    reader = RunReader(path)
    while reader.poll():
        pass
    assert len(reader.series["sac/alpha"].values) == int(sys.argv[3])
# Not ru_maxrss: that one begins with the peak of the process that started this one.
print(int(re.search(r"VmHWM:\\s*([0-9]+) kB", Path("/proc/self/status").read_text())[1]) * 1024)
"""


def peak(what: str, path: Path, count: int = 0) -> int:
    """Return the peak of memory of a process that reads, in bytes."""
    said = subprocess.run(
        [sys.executable, "-c", PEAK, what, path, str(count)], env=environment(), capture_output=True, text=True
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


@pytest.mark.parametrize(("what", "share"), [("lines", 0.0), ("run", 0.6)])
def test_a_large_file_is_read_in_bounded_memory(what: str, share: float, tmp_path: Path, promise: Promise) -> None:
    """A follower of lines keeps nothing of them, a reader two numbers of 8 bytes for a value."""
    run = RunPaths(tmp_path / "large")
    fill(run, rows=20_000)
    block, copies = run.metrics.read_bytes(), 1
    with run.metrics.open("ab") as file:
        while copies * len(block) < LARGE_BYTES:
            file.write(block)
            copies += 1
    size = run.metrics.stat().st_size
    with promise.tries(f"a file of {size >> 20} MiB, {what}") as tries, tries.one():
        more = peak(what, run.root, 20_000 * copies) - peak("nothing", run.root)
        tries.note = f"{more >> 20} MiB of memory"
        assert more < MOST_BYTES + share * size
    run.metrics.unlink()
