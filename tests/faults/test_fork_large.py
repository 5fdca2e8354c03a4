"""Fork a run of a million env steps: nothing is written or read again that need not be."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import torch
from figures import figure
from large import cut_off, lengthen
from learners import Outcome, rows

from mbpo import train
from mbpo.data.real_buffer import RealBuffer
from mbpo.runs.append import AppendFile
from mbpo.runs.hashes import digest
from mbpo.runs.layout import RunPaths
from mbpo.runs.rows import JsonLines, Line
from mbpo.saving.row_files import ROWS, Segments
from mbpo.saving.store import CheckpointStore, Saved

Call = Callable[..., Outcome]
STEPS = figure(fast=30_003, full=1_000_003)  # no refit in the two that follow
METRICS = figure(fast=2_000, full=20_000)


@pytest.fixture(scope="module")
def parent(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a long run with a checkpoint at its end."""
    run = cut_off(tmp_path_factory.mktemp("long"), total_steps=2_000_000)
    lengthen(run, STEPS, METRICS)
    return run


def fork(call: Call, parent: RunPaths, root: Path) -> RunPaths:
    """Return a fork of the parent's end that takes two env steps."""
    launch = ("--fork", parent.root, "--runs-root", root, "--run-id", "fork", "--total-steps", STEPS + 2)
    outcome = call(train.main, *launch)
    assert (outcome.code, outcome.err) == (0, "")
    return RunPaths(root / "fork")


def segments(run: RunPaths) -> list[Path]:
    return sorted((run.checkpoints / "rows").iterdir())


def newest(run: RunPaths) -> Saved:
    saved, wrong = CheckpointStore(run.checkpoints).load_newest()
    assert saved is not None and wrong == []
    return saved


def test_it_reads_the_metrics_twice_and_writes_no_old_rows(
    parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, appended, recorded = [], [], []
    take_apart, append, whole = JsonLines._take_apart, AppendFile.append, RealBuffer.recorded

    def counted(self: JsonLines, data: bytes) -> list[Line]:
        read.append(len(data) if self.path == parent.metrics else 0)
        return take_apart(self, data)

    def noted(self: AppendFile, line: bytes) -> None:
        appended.append(self.path.name)
        append(self, line)

    def asked(self: RealBuffer, first: int, end: int) -> dict[str, torch.Tensor]:
        recorded.append(end - first)
        return whole(self, first, end)

    monkeypatch.setattr(JsonLines, "_take_apart", counted)
    monkeypatch.setattr(AppendFile, "append", noted)
    monkeypatch.setattr(RealBuffer, "recorded", asked)
    child = fork(call, parent, tmp_path)
    size = parent.metrics.stat().st_size
    assert sum(read) == 2 * size
    assert appended.count("metrics.jsonl") < 20 + size / 2**20
    assert max(recorded) < ROWS
    assert child.metrics.read_bytes()[:size] == parent.metrics.read_bytes()


def test_it_shares_the_files_of_old_rows_and_does_without_its_parent(
    parent: RunPaths, call: Call, tmp_path: Path
) -> None:
    copy = RunPaths(tmp_path / "parent")
    shutil.copytree(parent.root, copy.root)
    before = {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}
    child = fork(call, copy, tmp_path)
    assert {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()} == before
    assert len(segments(child)) == STEPS // ROWS
    for mine, other in zip(segments(child), segments(copy), strict=True):
        assert mine.samefile(other)
    shutil.rmtree(copy.root)
    assert len(newest(child).parts["real"]["rows"]) == STEPS + 2
    assert [row["seq"] for row in rows(child.metrics)][: METRICS + 1] == [*range(1, METRICS + 2)]


@pytest.mark.parametrize("why", ["another file system", "others may change them"])
def test_what_cannot_be_shared_is_written(
    why: str, parent: RunPaths, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, target: Path) -> None:
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    copy = RunPaths(tmp_path / "parent")
    shutil.copytree(parent.root, copy.root)
    if why == "another file system":
        monkeypatch.setattr(Path, "hardlink_to", refused)
    else:
        for path in segments(copy):
            path.chmod(0o666)
    child = fork(call, copy, tmp_path)
    assert [path.name for path in segments(child)] == [path.name for path in segments(copy)]
    assert {path.stat().st_nlink for path in segments(child)} == {1}
    assert {path.stat().st_mode & 0o777 for path in segments(child)} == {0o600}
    assert torch.equal(newest(child).parts["real"]["rows"][:STEPS], newest(parent).parts["real"]["rows"])


def planted(folder: Path, names: Mapping[str, bytes]) -> dict[str, str]:
    folder.mkdir(parents=True)
    for name, data in names.items():
        (folder / name).write_bytes(data)
    return {name: digest(data) for name, data in names.items()}


def test_a_link_is_made_in_its_folder_only_and_never_to_a_link(tmp_path: Path) -> None:
    good, link = "000000000000-0123456789abcdef.safetensors", "000000010000-0123456789abcdef.safetensors"
    other, mine = tmp_path / "other" / "rows", tmp_path / "mine" / "rows"
    hashes = planted(other, {good: b"rows", "../evil": b"evil"})
    (other / link).symlink_to(other / good)
    segments = Segments(mine)
    segments.adopt({**hashes, link: digest(b"rows")}, other)
    assert [path.name for path in mine.iterdir()] == [good]
    assert not (mine.parent / "evil").exists()


def test_linking_to_itself_loses_nothing(tmp_path: Path) -> None:
    """As where one folder has two names."""
    name = "000000000000-0123456789abcdef.safetensors"
    hashes = planted(tmp_path / "rows", {name: b"rows"})
    (tmp_path / "alias").symlink_to(tmp_path)
    Segments(tmp_path / "alias" / "rows").adopt(hashes, tmp_path / "rows")
    assert (tmp_path / "rows" / name).read_bytes() == b"rows"
