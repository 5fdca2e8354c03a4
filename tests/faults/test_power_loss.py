"""Cut the power at any moment of a run: what it had told is there, whatever else the disk lost.

The run's file-system calls are recorded once. At a moment of it, the disk keeps what was synced
and any part of the rest; :func:`broken` names the promises that do not hold of what is left.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
from figures import Promise, figure
from filesystem import Disk, Loss, Operation, Recorder, contents, losses
from learners import DEBUG, rows

from mbpo import train
from mbpo.errors import CheckpointError
from mbpo.runs.layout import RunPaths
from mbpo.runs.reader import JsonLines
from mbpo.runs.status import read_status
from mbpo.saving import store as store_module
from mbpo.saving.checkpoint import load_checkpoint
from mbpo.saving.row_files import Segments
from mbpo.saving.store import CheckpointStore, find_checkpoint

DRAWS = figure(fast=1, full=6)  # random losses at a moment, beside the four extremes
MOMENTS = figure(fast=60, full=2000)  # at most
FLAGS = (
    *DEBUG,
    "--total-steps",
    "150",
    "--checkpoint-every",
    "30",
    "--eval-every",
    "50",
    "--log-every",
    "10",
    "--eval-episodes",
    "1",
    "--real-buffer-capacity",
    "90",
)

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="pathlib of Python 3.10 cannot be recorded")


@dataclass(frozen=True)
class Told:
    """Hold what a run had told by a moment, which no power cut may take back."""

    checkpoint: str = ""  # named in an event
    label: str = ""  # of it
    rows: int = 0  # of metrics before the newest evaluation in the events
    events: int = 0  # before the newest checkpoint
    ended: bool = False


@dataclass
class Recorded:
    """Hold a whole run as its operations."""

    operations: list[Operation]
    whole: Path  # what it left in the end

    def told(self, moment: int) -> Told:
        """Return what the run had told after so many operations."""
        told, metrics, events, before = Told(), 0, 0, 0
        for op in self.operations[:moment]:
            name = Path(op.path).name
            if op.kind == "mkdir" and name.startswith(".step-"):
                before = events
            if op.kind != "write":
                continue
            metrics += name == "metrics.jsonl"
            if name == "events.jsonl":
                events += 1
                event = json.loads(op.data)
                if event["event"] == "evaluation":
                    told = Told(told.checkpoint, told.label, metrics, told.events)
                elif event["event"] == "checkpoint":
                    last = event["env_steps"] == 150 and told.checkpoint == event["checkpoint"]
                    label = "final" if last else "last"
                    told = Told(event["checkpoint"], label, told.rows, before)
        return replace(told, ended=moment == len(self.operations))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    """Record a run with 5 checkpoints, 3 evaluations, and segments of rows, some dropped."""
    root = tmp_path_factory.mktemp("recorded") / "root"
    root.mkdir()

    def at_once(store: CheckpointStore, work: Callable[[], None], insist: bool = False) -> None:
        work()  # not beside the loop: what comes before what is then known

    with pytest.MonkeyPatch.context() as patch, Recorder(root) as recorder:
        patch.setattr(store_module, "Segments", partial(Segments, rows=32))
        patch.setattr(CheckpointStore, "_submit", at_once)
        patch.setattr("mbpo.runs.attendant.HEARTBEAT_S", 1e9)  # nor anything by the clock
        assert train.main([*FLAGS, "--runs-root", str(root / "runs"), "--run-id", "r"]) == 0
    yield Recorded(recorder.operations, root)


def broken(root: Path, told: Told, whole: Path) -> list[str]:
    """Return the promises that the folder after a power cut does not keep."""
    return list(_broken(RunPaths(root / "runs" / "r"), told, RunPaths(whole / "runs" / "r")))


def _broken(run: RunPaths, told: Told, whole: RunPaths) -> Iterator[str]:
    store = CheckpointStore(run.checkpoints)
    saved, _ = store.load_newest()
    store.close()
    there = {row["seq"] for row in JsonLines(run.metrics).poll()}
    events = len(JsonLines(run.events).poll())
    if told.checkpoint and (saved is None or saved.name < told.checkpoint):
        yield f"{told.checkpoint} does not load"
    if told.checkpoint:
        try:
            found = find_checkpoint(run.checkpoints, told.label).name
        except CheckpointError:
            found = ""
        if found < told.checkpoint:
            yield f"the index has lost {told.checkpoint} as {told.label}"
    if not there >= set(range(1, told.rows + 1)):
        yield "rows from before an evaluation are lost"
    if events < told.events:
        yield "events from before a checkpoint are lost"
    if saved is not None:
        if not there >= set(range(1, saved.loop["seq"] + 1)):
            yield "rows from before a checkpoint are lost"
        for path, as_written in ((run.config, whole.config), (run.manifest, whole.manifest)):
            if not path.exists() or path.read_bytes() != as_written.read_bytes():
                yield f"{path.name}, without which there is no resume, is lost"
    yield from _broken_policy(run)
    if told.ended:
        status = read_status(run)
        if status is None or status.state != "finished":
            yield "the end is lost"
        if len(JsonLines(run.events).poll()) < len(rows(whole.events)):
            yield "events from before the end are lost"


def _broken_policy(run: RunPaths) -> Iterator[str]:
    try:
        index = json.loads((run.checkpoints / "index.json").read_bytes())
    except FileNotFoundError:
        return
    except ValueError:
        yield "the index is damaged"
        return
    if "best" in index:
        try:
            load_checkpoint(find_checkpoint(run.checkpoints, "best"), "actor")
        except CheckpointError:
            yield "the best policy is damaged"


def moments(operations: Sequence[Operation], most: int) -> list[int]:
    """Return moments spread over a run, the end among them."""
    count = len(operations)
    most = min(most, count)
    return sorted(count - number * count // most for number in range(most))


def cuts(
    recorded: Recorded, operations: Sequence[Operation], most: int, draws: int, here: Path
) -> Iterator[tuple[int, list[str]]]:
    """Yield each moment with the promises that a power cut there breaks."""
    disk, done = Disk(), 0
    for moment in moments(operations, most):
        disk.apply(operations[done:moment])
        done = moment
        told = recorded.told(moment)
        for loss in losses(draws, seed=moment):
            disk.leave(loss, here)
            wrong = broken(here, told, recorded.whole)
            shutil.rmtree(here)
            yield moment, wrong


def test_the_recording_is_complete(recorded: Recorded, tmp_path: Path) -> None:
    disk = Disk()
    disk.apply(recorded.operations)
    disk.leave(Loss(lambda: True, lambda: "current"), tmp_path / "replayed")
    seen, there = contents(tmp_path / "replayed"), contents(recorded.whole)
    log = "runs/r/log.txt"  # text, of which nothing is promised
    assert {**seen, log: b""} == {**there, log: b""}


def test_a_power_cut_takes_nothing_back_that_was_told(recorded: Recorded, tmp_path: Path, promise: Promise) -> None:
    with promise.tries("power cuts: nothing taken back that was told") as tries:
        for moment, wrong in cuts(recorded, recorded.operations, MOMENTS, DRAWS, tmp_path / "here"):
            op = recorded.operations[moment - 1]
            with tries.one():
                assert not wrong, (moment, op.kind, op.path, wrong)


def test_without_any_one_sync_a_power_cut_breaks_a_promise(
    recorded: Recorded, tmp_path: Path, promise: Promise
) -> None:
    sites = sorted({op.site for op in recorded.operations if op.kind == "sync"})
    with promise.tries("mutants killed: a sync left out") as tries:
        for site in sites:
            with tries.one():
                assert any(wrong for _, wrong in mutant_cuts(recorded, site, tmp_path / "here")), site


def test_with_every_sync_the_same_power_cuts_break_none(recorded: Recorded, tmp_path: Path, promise: Promise) -> None:
    """Else a mutant would be killed by the way it is tried."""
    with promise.tries("controls that live: no sync left out") as tries, tries.one():
        assert not any(wrong for _, wrong in mutant_cuts(recorded, "nowhere", tmp_path / "here"))


def mutant_cuts(recorded: Recorded, site: str, here: Path) -> Iterator[tuple[int, list[str]]]:
    """Cut the power without the syncs at one line of mbpo, where an event or the index is new."""
    disk = Disk()
    for moment, op in enumerate(recorded.operations, start=1):
        if op.site != site:
            disk.apply([op])
        at_event = op.kind == "write" and op.path.endswith("events.jsonl")
        at_index = op.kind == "rename" and op.to.endswith("index.json")
        if not (at_event or at_index or moment == len(recorded.operations)):
            continue
        for loss in losses(draws=4 * at_index, seed=moment):
            disk.leave(loss, here)
            wrong = broken(here, recorded.told(moment), recorded.whole)
            shutil.rmtree(here)
            yield moment, wrong
