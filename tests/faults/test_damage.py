"""Damage any file of the newest checkpoint: it is found and named, the one before is taken."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from figures import Promise, figure

from mbpo.learner.imagine import Branches
from mbpo.learner.learner import Learner
from mbpo.saving import store as store_module
from mbpo.saving.row_files import Segments
from mbpo.saving.store import CheckpointStore
from mbpo.settings.config import resolve

FLIPS = figure(fast=10, full=300)  # of a bit, in each file
CUTS = figure(fast=4, full=100)
OLD, NEW = "step-000000001", "step-000000002"
KINDS = (
    "actor",
    "adam_actor",
    "adam_critic",
    "adam_ensemble",
    "adam_termination",
    "critic",
    "critic_target",
    "ensemble",
    "episode",
    "imagined",
    "real",
    "streams",
    "tail",
    "temperature",
    "termination",
    "trust",
    "loop.json",
    "manifest.json",
    "rows",
)

Harm = Callable[[bytes, random.Random], bytes]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Share two checkpoints with every kind of file; a segment of rows is the newer one's only."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    flags = {"total_steps": 100, "env_id": "toy_envs:Grid-v0"}
    learner = Learner(resolve(flags, "debug"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store_module, "Segments", partial(Segments, rows=16))
        store = CheckpointStore(folder)
        learner.model_buffer.resize(50)
        for step in (1, 2):
            for _ in range(20):
                learner.explore(uniform=True)
            learner.imagine(Branches(1, 10))
            store.save(learner, step, "last", {"best_return": -1.5, "env_steps": step})
            store.settle()
        store.close()
    learner.close()
    yield folder


def file_of(kind: str, folder: Path) -> Path:
    """Return the newer checkpoint's file of a kind."""
    if kind == "rows":
        return sorted((folder / "rows").iterdir())[-1]
    return folder / NEW / (kind if kind.endswith(".json") else f"{kind}.safetensors")


def flip(data: bytes, rng: random.Random) -> bytes:
    at, bit = rng.randrange(len(data)), 1 << rng.randrange(8)
    return data[:at] + bytes([data[at] ^ bit]) + data[at + 1 :]


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def found(folder: Path, path: Path, harm: Harm, rng: random.Random) -> bool:
    """Return whether the harm to a file is named, and the checkpoint before taken; mend it."""
    whole = path.read_bytes()
    path.write_bytes(harm(whole, rng))
    store = CheckpointStore(folder)
    try:
        taken, wrong = store.load_newest()
    finally:
        store.close()
        path.write_bytes(whole)
    return taken is not None and taken.name == OLD and len(wrong) == 1 and path.name in wrong[0]


def test_these_are_all_kinds_of_file(saved: Path) -> None:
    there = {path.name for path in (saved / NEW).iterdir()}
    assert there == {file_of(kind, saved).name for kind in KINDS} - {file_of("rows", saved).name}
    assert len(list((saved / "rows").iterdir())) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_and_a_cut_are_found(kind: str, saved: Path, promise: Promise) -> None:
    rng, path = random.Random(kind), file_of(kind, saved)
    for name, harm, count in (("bit flips", flip, FLIPS), ("truncations", cut, CUTS)):
        with promise.tries(f"{name} found, the checkpoint before taken") as tries:
            for _ in range(count):
                with tries.one():
                    assert found(saved, path, harm, rng)


def no_digest(data: bytes) -> str:
    return "0" * 64


MUTANTS = {  # what is left out: where, and what stands in for it
    "the hash of a file": ("mbpo.saving.checkpoint.read_verified", lambda path, _: path.read_bytes()),
    "the hash of a segment": ("mbpo.saving.row_files.read_verified", lambda path, _: path.read_bytes()),
    "the manifest's own hash": ("mbpo.{}.seal_of", no_digest),
    "any hash": ("mbpo.{}.digest", no_digest),
}


@pytest.mark.promise("mutants killed: a hash left out")
@pytest.mark.parametrize("name", MUTANTS)
def test_without_a_check_harm_is_not_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, replacement = MUTANTS[name]
    for module in ("saving.checkpoint", "runs.hashes"):
        monkeypatch.setattr(target.format(module), replacement)
    monkeypatch.setattr(store_module, "Segments", partial(Segments, rows=16))
    learner, store = Learner(resolve({"total_steps": 100}, "debug")), CheckpointStore(tmp_path)
    for step in (1, 2):
        for _ in range(20):
            learner.explore(uniform=True)
        store.save(learner, step, "last", {"best_return": None})
        store.settle()
    store.close()
    learner.close()
    rng = random.Random(name)
    kind = {"the manifest's own hash": "manifest.json", "the hash of a segment": "rows"}
    path = file_of(kind.get(name, "actor"), tmp_path)
    with pytest.raises((AssertionError, KeyError)):  # a name may have been hit
        for _ in range(40):
            assert found(tmp_path, path, flip, rng)


def test_what_is_loaded_is_what_was_saved(saved: Path) -> None:
    """Else a check that refuses everything would pass for one that finds harm."""
    store = CheckpointStore(saved)
    taken, wrong = store.load_newest()
    store.close()
    assert taken is not None
    assert (taken.name, wrong) == (NEW, [])
    assert torch.isfinite(taken.parts["real"]["rows"]).all()
    assert len(taken.parts["real"]["rows"]) == 40
