"""Forget any one item of what a checkpoint holds: a resumed run ends otherwise, or says so.

An item that is forgotten without a trace is one that no test of a resume guards.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from figures import FULL, Promise, figure
from learners import DEBUG, rows
from test_resume import Cut, compared, forget_process

from mbpo import train
from mbpo.learner.learner import Learner
from mbpo.lifecycle.command_line import parse_launch
from mbpo.lifecycle.starting_point import live_settings
from mbpo.lifecycle.timing import Stopwatch
from mbpo.runs.hashes import digest, verify_checkpoint
from mbpo.runs.layout import RunPaths
from mbpo.runs.live_control import InForce
from mbpo.runs.writer import RunWriter
from mbpo.saving.checkpoint import load_note
from mbpo.saving.store import CheckpointStore, Saved

# With this seed the best evaluation is before the checkpoint.
COMMON = (*DEBUG, "--seed", "2", "--eval-episodes", "1", "--real-buffer-capacity", "150")
MBPO = (
    "--env-id",
    "toy_envs:Grid-v0",
    "--total-steps",
    "260",
    "--checkpoint-every",
    "65",
    "--eval-every",
    "50",
    "--log-every",
    "30",
)


@dataclasses.dataclass(frozen=True)
class Scene:
    """Name a run that is cut off after a checkpoint; one setting is changed on the way."""

    flags: tuple[str, ...]
    cut_at: int  # the env step after which it is cut off
    most_imagined_bytes: int = 1 << 28


SCENES = {
    "learning": Scene(MBPO, 198),
    "warm-up": Scene((*MBPO, "--warmup-hold", "16", "--warmup-steps", "160"), 140),
    "planning": Scene(
        (
            "--algo",
            "pets",
            *MBPO,
            "--plan-horizon",
            "3",
            "--plan-candidates",
            "8",
            "--plan-elites",
            "2",
            "--plan-iterations",
            "1",
            "--plan-particles",
            "2",
        ),
        198,
    ),
    "imagined anew": Scene(MBPO, 198, most_imagined_bytes=0),
    "an evaluation": Scene((*MBPO, "--checkpoint-every", "50"), 160),  # the newest was saved before one
}
SCENE_OF = {  # where an item matters, if not while learning
    "streams.warmup": "warm-up",
    "episode.held_action": "warm-up",
    "streams.plan": "planning",
    "streams.plan_eval": "planning",
    "loop.imagined_capacity": "imagined anew",
    "loop.evaluation_due": "an evaluation",
}
OF_OLDER_RUNS = ("_evaluated_at",)  # saved after an evaluation, as evaluation_due tells of newer ones
PARTS = (
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
    "temperature",
    "termination",
    "trust",
    "loop",
)

Change = Callable[[Saved], None]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], tuple[Path, Any]]]:
    """Return a function: a scene's run that was cut off, and how it ends with nothing forgotten."""
    root, made = tmp_path_factory.mktemp("scenes"), dict[str, tuple[Path, Any]]()

    def find(name: str) -> tuple[Path, Any]:
        if name not in made:
            play(SCENES[name], root / name)
            made[name] = root / name, ending(root / name, tmp_path_factory.mktemp("twin"))
        return made[name]

    yield find


def play(scene: Scene, root: Path) -> None:
    """Run until it is cut off."""
    boundary = RunWriter.at_boundary

    def cut_in_the_loop(run: RunWriter, env_steps: int) -> InForce:
        if env_steps == 120:
            run.control.handle(b'{"id": "a", "set": {"real_ratio": 0.5}}', "a")
        if env_steps == scene.cut_at:
            raise Cut
        return boundary(run, env_steps)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunWriter, "at_boundary", cut_in_the_loop)
        patch.setattr(CheckpointStore, "_submit", lambda _, work, insist=False: work())
        patch.setattr("mbpo.saving.store.MOST_IMAGINED_BYTES", scene.most_imagined_bytes)
        with pytest.raises(Cut):
            train.main([*COMMON, *scene.flags, "--runs-root", str(root), "--run-id", "run"])
    forget_process(RunPaths(root / "run"))


def ending(root: Path, folder: Path, change: Change = lambda saved: None) -> Any:
    """Resume a copy of a run, with what it loads changed, and return how it ends."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(root, folder)
    load = CheckpointStore.load

    def load_changed(self: CheckpointStore, name: str) -> Saved:
        saved = load(self, name)
        change(saved)
        return saved

    run = RunPaths(folder / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CheckpointStore, "load", load_changed)
        try:
            code = train.main(["--resume", str(run.root)])
        except Exception as error:  # loud enough: nothing was forgotten without a word
            return type(error).__name__
    if code:
        return code
    index = json.loads((run.checkpoints / "index.json").read_text())
    kept = {label: hashes(run, index[label]) for label in ("best", "final") if label in index}
    warnings = [event["reason"] for event in rows(run.events) if event["event"] == "warning"]
    note = load_note(run.checkpoints / index["final"], "loop")
    return compared(run), index, kept, warnings, clocks_go_on(run), note["watch"], note.get("stall_watch")


def hashes(run: RunPaths, name: str) -> dict[str, str]:
    found: dict[str, str] = verify_checkpoint(run.checkpoints / name)["sha256"]
    return {file: value for file, value in found.items() if file != "loop.json"}


def clocks_go_on(run: RunPaths) -> bool:
    """Return whether the seconds that were spent only grow."""
    found = [row for row in rows(run.metrics) if "time/sac_s" in row]
    spent = [[row[f"time/{part}_s"] for row in found] for part in Stopwatch.PARTS]
    return all(seconds == sorted(seconds) for seconds in spent)


def mutants(part: str, scene: Callable[[str], tuple[Path, Any]]) -> Iterator[tuple[str, Change]]:
    """Yield each item of a part with what forgets it."""
    store = CheckpointStore(scene("learning")[0] / "run" / "checkpoints")
    saved, _ = store.load_newest()
    store.close()
    assert saved is not None
    if part == "loop":
        for key, value in saved.loop.items():
            if value != {} and key not in OF_OLDER_RUNS:  # {}: as of a part that remembers nothing in this scene
                yield f"loop.{key}", forget_count(key)
        return
    fresh = fresh_learner(part) if part == "streams" else {}
    for key, tensor in sorted(saved.parts[part].items()):  # safetensors gives them in any order
        if key in fresh and torch.equal(fresh[key], tensor):
            continue  # a stream that nothing was drawn from: one that is not there begins so
        yield f"{part}.{key}", forget(part, key, None)
        if key == "numbers":
            yield from ((f"{part}.{key}[{n}]", forget(part, key, n)) for n in range(len(tensor)))


def forget(part: str, key: str, element: int | None) -> Change:
    """Return what puts a tensor back to a new learner's; one that is that already is left out."""

    def change(saved: Saved) -> None:
        here = saved.parts[part]
        first = fresh_learner(part).get(key)
        if first is None or first.shape != here[key].shape:
            first = torch.zeros_like(here[key])
        if element is not None:
            changed = here[key].clone()
            changed[element] = first[element]
            first = changed
        if torch.equal(first, here[key]):
            del here[key]
        else:
            here[key] = first

    return change


def fresh_learner(part: str) -> dict[str, torch.Tensor]:
    """Return a part as it is before the first step."""
    learner = Learner(parse_launch([*COMMON, *MBPO]).config)
    found = learner.state_dict()[part]
    learner.close()
    return found


def forget_count(key: str) -> Change:
    """Return what puts an item of the loop back to its value before the first step."""

    def change(saved: Saved) -> None:
        config = parse_launch([*COMMON, *MBPO]).config
        first = {"settings": live_settings(config), "best_return": None, "_evaluated_at": -1}
        saved.loop[key] = first.get(key, zero(saved.loop[key]))

    return change


def zero(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: zero(inner) for key, inner in value.items()}
    return [0.0 for _ in value] if isinstance(value, list) else 0


def test_these_are_all_parts(stage: Callable[[str], tuple[Path, Any]]) -> None:
    names = {item.split(".")[0] for part in PARTS for item, _ in mutants(part, stage)}
    assert names == set(PARTS)
    learner = Learner(parse_launch([*COMMON, *MBPO]).config)
    assert set(learner.state_dict()) | {"loop"} == set(PARTS)
    learner.close()


@pytest.mark.parametrize("part", PARTS)
def test_no_item_is_forgotten_without_a_trace(
    part: str, stage: Callable[[str], tuple[Path, Any]], tmp_path: Path, promise: Promise
) -> None:
    chosen = list(mutants(part, stage))
    if not FULL:
        chosen = chosen[int(digest(part.encode()), 16) % len(chosen) :][:1]
    with promise.tries("mutants killed: an item forgotten") as tries:
        for item, change in chosen:
            root, expected = stage(SCENE_OF.get(item, "learning"))
            with tries.one():
                assert ending(root, tmp_path / "mutant", change) != expected, f"{item} was forgotten without a trace"


def nothing(saved: Saved) -> None:
    """Forget nothing."""


def same_numbers(saved: Saved) -> None:
    """Put a copy in the place of every tensor and count, as a mutation does, with the same numbers."""
    for part, tensors in saved.parts.items():
        saved.parts[part] = {key: tensor.clone() for key, tensor in tensors.items()}
    saved.loop.update(json.loads(json.dumps(saved.loop)))


@pytest.mark.parametrize("change", [nothing, same_numbers])
@pytest.mark.parametrize("scene", [*SCENES][: figure(1, len(SCENES))])
def test_a_run_of_which_nothing_is_forgotten_ends_the_same(
    scene: str, change: Change, stage: Callable[[str], tuple[Path, Any]], tmp_path: Path, promise: Promise
) -> None:
    """Else a mutant would be killed by how it is tried, or by noise."""
    root, expected = stage(scene)
    with promise.tries("controls that live: no item forgotten") as tries, tries.one():
        assert ending(root, tmp_path / "control", change) == expected
