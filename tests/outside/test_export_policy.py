"""Export a policy as ONNX and as torch.export's program, and act by them as the learner does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported_runs import HERE, copy_without_checkpoints, error_of, trained
from other_ends import needs

from mbpo.envs.box_env import BoxEnv
from mbpo.errors import MBPOError
from mbpo.export import main
from mbpo.lifecycle.saved_policy import load_actor
from mbpo.outside.policy import DeterministicPolicy, hold, portable
from mbpo.runs.layout import RunPaths

LINE = r"{}: {} acts as the learner does on 1,000 observations, (\d+) of them the run's: max abs difference (\S+)\n"


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = trained(tmp_path_factory.mktemp("pendulum"), "--eval-every", "40", steps=80)
    assert (run / "checkpoints").is_dir()
    return run


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("mixed"), "--env-id", "spoken_envs:Bounds-v0", steps=60)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])


def learners_actions(run: Path, label: str, obs: Any) -> Any:
    """Return what mbpo.evaluate would do: the environment's own actions, flat."""
    from gymnasium.spaces.utils import flatten

    config, actor = load_actor(RunPaths(run), label)
    env = BoxEnv(config)
    outer = next(env.layers())
    with torch.no_grad():
        chosen = actor.squash(actor(torch.from_numpy(obs))[0]).numpy()
    return np.stack([flatten(outer.action_space, env._actions.of(one)) for one in chosen])


@pytest.mark.parametrize("name", ["pendulum", "mixed"])
def test_onnxruntime_acts_as_the_learner(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    onnxruntime, run = needs("onnxruntime"), request.getfixturevalue(name)
    needs("onnxscript")
    file = tmp_path / "policy.onnx"
    assert main([str(run), "--onnx", str(file), "--checkpoint", "final"]) == 0
    said = re.fullmatch(LINE.format(re.escape(str(file)), "onnxruntime"), capsys.readouterr().out)
    assert said and int(said[1]) == (80 if name == "pendulum" else 60)
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (given,), (returned,) = session.get_inputs(), session.get_outputs()
    assert given.name == "obs" and returned.name == "action" and given.type == returned.type == "tensor(float)"
    assert isinstance(given.shape[0], str), "the batch is of one size"
    draws = np.random.default_rng(5)
    for count in (1, 2, 7, 1000):
        obs = (3 * draws.standard_normal((count, given.shape[1]))).astype(np.float32)
        found, wanted = session.run(None, {"obs": obs})[0], learners_actions(run, "final", obs)
        assert found.dtype == np.float32 and found.shape == wanted.shape
        assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5)
        assert np.abs(wanted).max() > 0.0
    about = session.get_modelmeta().custom_metadata_map
    assert about["mbpo.run"] == "run" and about["mbpo.checkpoint"] == "final"
    assert json.loads(about["mbpo.env_steps"]) == (80 if name == "pendulum" else 60)
    assert len(json.loads(about["mbpo.action_low"])) == wanted.shape[1]


@pytest.mark.parametrize("name", ["pendulum", "mixed"])
def test_torch_alone_acts_as_the_learner(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The program runs in a process that has no mbpo."""
    run, file = request.getfixturevalue(name), tmp_path / "policy.pt2"
    assert main([str(run), "--torch", str(file)]) == 0
    policy = portable(RunPaths(run), "best" if name == "pendulum" else "final")
    np.save(tmp_path / "obs.npy", policy.obs)
    code = (
        "import sys, json, numpy as np, torch\n"
        "sys.modules['mbpo'] = None\n"
        "about = {'mbpo.json': ''}\n"
        "act = torch.export.load('policy.pt2', extra_files=about).module()\n"
        "obs = torch.from_numpy(np.load('obs.npy'))\n"
        "found = torch.cat([act(obs[:1]), act(obs[1:4]), act(obs[4:])])\n"
        "np.save('found.npy', found.numpy()); print(json.loads(about['mbpo.json'])['env_id'])\n"
    )
    ended = subprocess.run([sys.executable, "-W", "ignore", "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == ("Pendulum-v1" if name == "pendulum" else "spoken_envs:Bounds-v0")
    found, wanted = np.load(tmp_path / "found.npy"), learners_actions(run, "best", policy.obs)
    assert np.allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_checkpoints_are_chosen_as_by_evaluate(
    pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = json.loads((pendulum / "checkpoints" / "index.json").read_text())
    step = str(int(index["best"].rsplit("-", 1)[1]))
    files = {}
    for label in ("best", step, "final"):
        files[label] = tmp_path / f"{label}.pt2"
        assert main([str(pendulum), "--torch", str(files[label]), "--checkpoint", label]) == 0
    obs = portable(RunPaths(pendulum), "best").obs
    acts = {k: torch.export.load(file).module()(torch.from_numpy(obs)).numpy() for k, file in files.items()}
    assert np.array_equal(acts["best"], acts[step])
    capsys.readouterr()
    assert "has no checkpoint '7'" in error_of(
        capsys, str(pendulum), "--torch", str(tmp_path / "x.pt2"), "--checkpoint", "7"
    )


def test_what_acts_otherwise_is_refused(pendulum: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = portable(RunPaths(pendulum), "best")
    assert hold(policy, lambda obs: policy.module(torch.from_numpy(obs)).numpy(), "itself") < 1e-5
    with pytest.raises(MBPOError, match=r"differs from the learner's actions by up to 0\.001"):
        hold(policy, lambda obs: policy.module(torch.from_numpy(obs)).numpy() + np.float32(1e-3), "it")
    with pytest.raises(MBPOError, match="expected float32"):
        hold(policy, lambda obs: policy.module(torch.from_numpy(obs)).numpy().astype(np.float64), "it")
    with pytest.raises(MBPOError, match="differs"):
        hold(policy, lambda obs: np.full((len(obs), 1), np.nan, np.float32), "it")
    forward = DeterministicPolicy.forward
    monkeypatch.setattr(DeterministicPolicy, "forward", lambda self, obs: 0.9 * forward(self, obs))
    file = tmp_path / "policy.pt2"
    file.write_bytes(b"before")
    assert main([str(pendulum), "--torch", str(file)]) == 1
    assert file.read_bytes() == b"before" and [p.name for p in tmp_path.iterdir()] == ["policy.pt2"]


def test_files_land_where_they_were_typed(mixed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run's own folder is entered while its environment is made, the user's is not left."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MINARI_DATASETS_PATH", "sets")
    assert main([str(mixed), "--torch", "policy.pt2", "--checkpoint", "final"]) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["policy.pt2"]
    needs("minari"), needs("h5py"), needs("PIL")
    assert main([str(mixed), "--minari", "here-v0"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["policy.pt2", "sets"]


def test_errors_are_one_line(
    pendulum: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = str(tmp_path / "policy.pt2")
    empty = copy_without_checkpoints(pendulum, tmp_path / "empty")
    assert "has no checkpoint 'best'" in error_of(capsys, str(empty), "--torch", file)
    config = empty / "config.toml"
    config.write_text(config.read_text().replace('algo = "sac"', 'algo = "pets"'))
    assert "plans with its model and has no policy" in error_of(capsys, str(empty), "--torch", file)
    assert "cannot write" in error_of(capsys, str(pendulum), "--torch", str(tmp_path / "missing" / "p.pt2"))
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    said = error_of(capsys, str(pendulum), "--onnx", file, "--torch", file)
    assert re.search(r"--onnx needs onnx and onnxscript \(onnx(script)? is missing\)", said)  # the first that is
    assert "pip install onnx onnxscript" in said
    assert not Path(file).exists()


def test_onnx_is_held_by_its_reference_without_onnxruntime(
    mixed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnxscript")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    assert main([str(mixed), "--onnx", str(tmp_path / "p.onnx"), "--checkpoint", "final"]) == 0
    assert "onnx's reference (no onnxruntime here) acts as the learner does" in capsys.readouterr().out
