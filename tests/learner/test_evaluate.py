"""Evaluate saved policies; never one that was damaged."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from learners import Outcome, rows

from mbpo.evaluate import main
from mbpo.runs.layout import RunPaths

Call = Callable[..., Outcome]


@pytest.fixture
def run(finished_run: RunPaths, tmp_path: Path) -> RunPaths:
    """Return a copy of the finished run, to damage."""
    shutil.copytree(finished_run.root, tmp_path / "copy")
    return RunPaths(tmp_path / "copy")


def best(run: RunPaths) -> Path:
    index = json.loads((run.checkpoints / "index.json").read_text())
    return run.checkpoints / str(index["best"])


def returns(outcome: Outcome) -> list[float]:
    assert (outcome.code, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert set(found) == {"returns", "lengths"}
    assert len(found["returns"]) == len(found["lengths"])
    return list(found["returns"])


def test_the_saved_policy_has_the_returns_that_training_logged(finished_run: RunPaths, call: Call) -> None:
    found = returns(call(main, finished_run.root, "--episodes", 2, "--json"))
    logged = [row for row in rows(finished_run.metrics) if "eval/return_mean" in row]
    row = max(logged, key=lambda row: row["eval/return_mean"])
    assert float(np.mean(found)) == row["eval/return_mean"]
    assert float(np.std(found)) == row["eval/return_std"]
    assert min(found) == row["eval/return_min"]


def test_the_same_seed_gives_the_same_returns(finished_run: RunPaths, call: Call) -> None:
    arguments = (finished_run.root, "--episodes", 3, "--json", "--seed")
    first, again, other = (returns(call(main, *arguments, seed)) for seed in (5, 5, 6))
    assert first == again
    assert len(set(first + other)) == 6


def test_it_speaks_in_a_sentence(finished_run: RunPaths, call: Call) -> None:
    outcome = call(main, finished_run.root, "--episodes", 2)
    found = returns(call(main, finished_run.root, "--episodes", 2, "--json"))
    assert outcome.out == (
        f"Pendulum-v1, best policy, 2 episodes: {np.mean(found):.1f} ± {np.std(found):.1f} "
        f"(min {min(found):.1f}, max {max(found):.1f})\n"
    )


def test_a_checkpoint_can_be_chosen(finished_run: RunPaths, call: Call) -> None:
    final, step, default = (
        returns(call(main, finished_run.root, "--episodes", 1, "--json", *which))
        for which in (("--checkpoint", "final"), ("--snapshot", "400"), ())
    )
    assert final == step
    assert (default == final) == best(finished_run).name.endswith("-000000400")


@pytest.mark.parametrize("at", [0, 7, 8, 100, -1000, -1])
def test_a_flipped_bit_is_found(at: int, run: RunPaths, call: Call) -> None:
    payload = best(run) / "actor.safetensors"
    data = bytearray(payload.read_bytes())
    data[at] ^= 0b100
    payload.write_bytes(data)
    outcome = call(main, run.root)
    assert (outcome.code, outcome.out) == (6, "")
    assert "is damaged" in outcome.err


@pytest.mark.parametrize("keep", [0, 1, 8, 500, -1])
def test_a_truncation_is_found(keep: int, run: RunPaths, call: Call) -> None:
    payload = best(run) / "actor.safetensors"
    payload.write_bytes(payload.read_bytes()[:keep])
    outcome = call(main, run.root)
    assert (outcome.code, outcome.out) == (6, "")
    assert "is damaged" in outcome.err


@pytest.mark.parametrize("data", [b"", b"\x80\x04garbage", b"\xff" * 64, b"{}" * 30])
def test_a_payload_that_is_no_safetensors_is_found_though_its_hash_is_right(
    data: bytes, run: RunPaths, call: Call
) -> None:
    folder = best(run)
    (folder / "actor.safetensors").write_bytes(data)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"]["actor.safetensors"] = hashlib.sha256(data).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(manifest))
    outcome = call(main, run.root)
    assert outcome.code == 6
    assert "is damaged" in outcome.error


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("manifest.json", None, "lacks manifest.json"),
        ("manifest.json", b"{", "unreadable manifest"),
        ("manifest.json", b'{"sha256": []}', "unreadable manifest"),
        ("actor.safetensors", None, "lacks actor.safetensors"),
        ("../index.json", None, "has no checkpoint 'best'"),
        ("../index.json", b"\x00", "has no checkpoint 'best'"),
        ("../index.json", b'{"best": "../.."}', "has no checkpoint 'best'"),
        ("../index.json", b'{"best": ["../..", 3]}', "has no checkpoint 'best'"),
        ("../index.json", b"[" * 9999, "has no checkpoint 'best'"),
    ],
)
def test_what_is_missing_or_unreadable_is_named(
    name: str, data: bytes | None, words: str, run: RunPaths, call: Call
) -> None:
    path = best(run) / name
    path.unlink() if data is None else path.write_bytes(data)
    outcome = call(main, run.root)
    assert outcome.code == 6
    assert words in outcome.err


def test_networks_of_another_shape_are_refused(run: RunPaths, call: Call) -> None:
    run.config.write_text(run.config.read_text().replace("sac_hidden = 16", "sac_hidden = 17"))
    outcome = call(main, run.root)
    assert outcome.code == 6
    assert "the saved actor has other shapes" in outcome.error


@pytest.mark.parametrize("which", ["9" * 5000, "1" * 300, "a" * 300, "../..", "", "-1", "worst"])
def test_a_checkpoint_that_is_not_there_is_refused(which: str, finished_run: RunPaths, call: Call) -> None:
    outcome = call(main, finished_run.root, f"--checkpoint={which}")
    assert outcome.code == 6
    assert "has no checkpoint" in outcome.err
    assert len(outcome.err.splitlines()) == 1


@pytest.mark.parametrize("name", ["missing", "x" * 300, "config.toml"])
def test_a_run_that_is_not_there_is_named_in_one_line(name: str, finished_run: RunPaths, call: Call) -> None:
    outcome = call(main, finished_run.root / name)
    assert outcome.code == 2
    assert "cannot read" in outcome.error


@pytest.mark.parametrize(
    "arguments", [["--episodes", "0"], ["--episodes", "many"], ["--seed", "-1"], ["--jsno"], ["again"]]
)
def test_a_malformed_line_is_refused(arguments: list[str], finished_run: RunPaths, call: Call) -> None:
    outcome = call(main, finished_run.root, *arguments)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error


def test_evaluation_changes_nothing_in_the_run(finished_run: RunPaths, call: Call) -> None:
    def contents() -> dict[str, bytes]:
        return {str(p): p.read_bytes() for p in finished_run.root.rglob("*") if p.is_file()}

    before = contents()
    assert call(main, finished_run.root, "--episodes", 1).code == 0
    assert contents() == before
