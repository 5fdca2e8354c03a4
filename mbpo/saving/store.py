"""Keep checkpoints of a run: the last few, the final one, those asked for, and the best policy."""

from __future__ import annotations

import contextlib
import math
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from mbpo.errors import CheckpointError, NewerCheckpointError, NewerRecordError, RecordError, is_full
from mbpo.learner.learner import Learner
from mbpo.runs.checkpoint_names import STEP, checkpoint_name, checkpoint_steps
from mbpo.runs.hashes import CHECKPOINT, INDEX, read_index, read_manifest, segments_in, verify_checkpoint
from mbpo.runs.layout import FULL_DISK_PATIENCE_S, write_json
from mbpo.runs.records.loop import SCHEMA as LOOP_SCHEMA
from mbpo.runs.records.loop import loop_facts
from mbpo.saving.checkpoint import load_checkpoint, load_note, pack
from mbpo.saving.checkpoint import write_checkpoint as write
from mbpo.saving.row_files import Segments

KEEP_LAST = 3
MOST_IMAGINED_BYTES = 256 << 20  # a larger model buffer is imagined anew after a resume

MOST_DIGITS = 18


@dataclass(frozen=True)
class Saved:
    """Hold a checkpoint that was found whole."""

    name: str
    parts: dict[str, dict[str, Tensor]]  # for Learner.load_state_dict
    loop: dict[str, Any]  # what else the loop counts
    segments: dict[str, str] = field(default_factory=dict)  # hashes of the files with older rows, by name
    rows_folder: Path = Path()  # where these files are

    def emptied(self) -> Saved:
        """Return it without its tensors, for when a learner has them."""
        return replace(self, parts={name: {} for name in self.parts})


class CheckpointStore:
    """Save under ``checkpoints/``: ``step-…`` to go on from, ``policy-…`` to evaluate.

    What is saved is copied at once and written by a thread of its own, so that the learner does
    not wait for the disk. Nothing is removed before what takes its place was read back.
    """

    def __init__(
        self,
        folder: Path,
        before: Callable[[], None] = lambda: None,  # makes durable what comes before a checkpoint
        saved: Callable[[str, int], None] = lambda *_: None,  # told its name and env steps
        put_off: Callable[[OSError], None] | None = None,  # told that the disk is full
    ) -> None:
        self._folder = folder
        self._before, self._saved, self._put_off = before, saved, put_off
        self._segments = Segments(folder / "rows")
        self._index: dict[str, Any] = read_index(folder)
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="checkpoints")
        self._writing: Future[None] | None = None
        self.best_return = -math.inf

    def is_best(self, eval_return: float) -> bool:
        """Return whether ``eval_return`` is the highest so far, and remember it."""
        best = eval_return >= self.best_return
        self.best_return = max(self.best_return, eval_return)
        return best

    def save(self, learner: Learner, env_steps: int, label: str, loop: Mapping[str, Any]) -> None:
        """Save all that a resume needs as last, final, requested or fork.

        On a full disk the former checkpoints stay and the next is tried; the final one insists.

        Raises:
            StorageError: the disk refuses this, or refused the one before.
        """
        self.settle()
        name = checkpoint_name(env_steps)
        parts = learner.state_dict()
        if _bytes(parts["imagined"]) > MOST_IMAGINED_BYTES:
            del parts["imagined"]
        hashes, new, parts["tail"] = self._segments.split(learner.real_buffer)
        facts = {"env_steps": env_steps, "segments": hashes, "imagined": "imagined" in parts}
        packed = pack(parts, {"loop": {"schema": LOOP_SCHEMA, **loop}})

        def work() -> None:
            self._before()
            self._segments.write(new)
            self._put(name, packed, facts, label)
            self._saved(name, env_steps)

        self._submit(work, insist=label in ("final", "fork"))

    def save_policy(self, learner: Learner, env_steps: int, facts: Mapping[str, Any]) -> None:
        """Save the networks, to be evaluated, as the best.

        Raises:
            StorageError: the disk refused the one before.
        """
        packed = pack(learner.networks())
        about = {"env_steps": env_steps, **facts}
        self._submit(lambda: self._put(f"policy-{env_steps:09d}", packed, about, "best"))

    def keep_before(self, env_steps: int, label: str) -> int | None:
        """Keep under ``label`` the newest of the last checkpoints from before ``env_steps``.

        Where all are later, the oldest. Returns its env steps, or None where there is none.

        Raises:
            OSError: the disk refuses.
        """
        self.settle()
        last = {name: int(name.removeprefix("step-")) for name in self._names("last")}
        if not last:
            return None
        earlier = [name for name, at in last.items() if at <= env_steps]
        name = earlier[-1] if earlier else next(iter(last))
        self._point(label, name)
        return last[name]

    def go_on_from(self, saved: Saved) -> None:
        """Remember what was saved before ``saved``, which stays as it is."""
        self._segments.adopt(saved.segments, saved.rows_folder)
        here = (self._folder / saved.name).is_dir()  # and not the parent's, of a fork
        if here and saved.name not in self._all_names():  # killed before the index had it
            self._index["last"] = [*self._names("last"), saved.name]
        if saved.loop["best_return"] is not None:
            self.best_return = saved.loop["best_return"]

    def settle(self) -> None:
        """Wait until the disk has what was saved.

        Raises:
            StorageError: it refused.
        """
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.result()

    def close(self) -> None:
        """Let the writing thread end."""
        self._writer.shutdown()

    def load(self, name: str) -> Saved:
        """Return the checkpoint ``name`` after checking every file of it.

        Raises:
            CheckpointError: it is damaged, or holds a policy only.
        """
        folder = self._folder / name
        manifest = read_manifest(folder)
        loop = _loop_of(folder)
        names = [n.removesuffix(".safetensors") for n in manifest["sha256"] if n[-5:] != ".json"]
        parts = {name: load_checkpoint(folder, name) for name in names}
        segments = segments_in(manifest)
        parts["real"] |= self._segments.load(segments, parts.pop("tail"))
        return Saved(name, parts, loop, segments, self._segments.folder)

    def load_newest(self, up_to: int | None = None) -> tuple[Saved | None, list[str]]:
        """Return the newest whole checkpoint up to an env step, and what is wrong with others.

        Raises:
            NewerCheckpointError: a newer version saved one that is newer than that: it is whole, and not to be lost.
        """
        wrong: list[str] = []
        for folder in sorted(self._folder.glob("step-*"), reverse=True):
            found = STEP.match(folder.name)
            if found and (up_to is None or int(found[1]) <= up_to):
                try:
                    return self.load(folder.name), wrong
                except NewerCheckpointError:
                    raise
                except CheckpointError as error:
                    wrong.append(str(error))
        return None, wrong

    def load_at(self, env_steps: int) -> Saved:
        """Return the checkpoint at ``env_steps``.

        Raises:
            CheckpointError: there is none, or it is damaged.
        """
        name = checkpoint_name(env_steps)
        if not (self._folder / name).is_dir():
            there = checkpoint_steps(self._folder)
            raise CheckpointError(
                f"{self._folder} has no checkpoint at env step {env_steps}; there are: "
                f"{', '.join(map(str, there)) or 'none'}"
            )
        return self.load(name)

    def _submit(self, work: Callable[[], None], insist: bool = False) -> None:
        def attempt() -> None:
            try:
                work()
            except OSError as error:
                if self._put_off is None or not is_full(error):
                    raise
                self._put_off(error)
                if insist:
                    _patiently(work)

        self.settle()
        self._writing = self._writer.submit(attempt)

    def _put(self, name: str, packed: Mapping[str, bytes], facts: Mapping[str, Any], label: str) -> None:
        self._sweep()
        if not self._whole(name):
            write(self._folder / name, packed, facts)
            verify_checkpoint(self._folder / name)
        self._point(label, name)

    def _whole(self, name: str) -> bool:
        try:
            return bool(verify_checkpoint(self._folder / name))
        except CheckpointError:
            return False

    def _point(self, label: str, name: str) -> None:
        """Point ``label`` at a checkpoint and drop what no label points at any more.

        What is dropped is hidden before it is removed: no kill leaves it in part. Of the last few,
        from which readers take what is there, it is hidden before the index forgets it.
        """
        before = self._names(label)
        if label == "last":
            self._index[label] = [*(n for n in before if n != name), name][-KEEP_LAST:]
        else:
            self._index[label] = name
        kept = self._all_names()
        dropped = [n for n in before if n not in kept and label != "requested"]
        if label == "last":
            self._hide(dropped)
        write_json(self._folder / INDEX, self._index)
        self._hide(dropped)
        self._sweep()
        if dropped and label != "best":
            self._segments.forget_all_but(self._listed())

    def _hide(self, names: Iterable[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                (self._folder / name).rename(self._folder / f".{name}.dropped.tmp")

    def _sweep(self) -> None:
        """Remove what was dropped, and what a killed learner was writing."""
        for left in self._folder.glob(".*.tmp"):
            if left.is_dir() and not left.is_symlink():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)

    def _all_names(self) -> set[str]:
        return {name for label in self._index for name in self._names(label)}

    def _names(self, label: str) -> list[str]:
        value = self._index.get(label, [])
        names = value if isinstance(value, list) else [value]
        return [n for n in names if isinstance(n, str) and CHECKPOINT.match(n)]

    def _listed(self) -> set[str]:
        found: set[str] = set()
        for folder in self._folder.glob("step-*"):
            try:
                found |= set(segments_in(read_manifest(folder)))
            except CheckpointError:
                continue
        return found


def _patiently(work: Callable[[], None]) -> None:
    """Do ``work`` as soon as there is space on the disk, if that is soon."""
    deadline = time.monotonic() + FULL_DISK_PATIENCE_S
    while True:
        time.sleep(0.5)
        try:
            return work()
        except OSError as error:
            if not is_full(error) or time.monotonic() > deadline:
                raise


def find_checkpoint(folder: Path, label: str) -> Path:
    """Return the folder that ``label`` names: best, final, requested, last or a step number.

    Raises:
        CheckpointError: there is none.
    """
    index = read_index(folder)
    if label.isdecimal() and len(label) <= MOST_DIGITS:
        names: list[Any] = [f"{kind}-{int(label):09d}" for kind in ("step", "policy")]
    else:
        named: Any = index.get(label)
        names = named[::-1] if isinstance(named, list) else [named]
    for name in names:
        if isinstance(name, str) and CHECKPOINT.match(name) and (folder / name).is_dir():
            return folder / name
    there = ", ".join(sorted(index)) or "none"
    raise CheckpointError(f"{folder} has no checkpoint {label[:40]!a}; there are: {there}")


def _loop_of(folder: Path) -> dict[str, Any]:
    try:
        return loop_facts(folder / "loop.json", load_note(folder, "loop"))
    except NewerRecordError as error:
        raise NewerCheckpointError(str(error)) from None
    except RecordError as error:
        raise CheckpointError(str(error)) from None


def _bytes(tensors: Mapping[str, Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
