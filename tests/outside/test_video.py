"""Film an episode of a saved policy, and read the film, the curves and the numbers back."""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from learners import DEBUG, Outcome
from other_ends import needs, refuse

from mbpo import train
from mbpo.data.transitions import Transitions
from mbpo.envs.box_env import BoxEnv
from mbpo.envs.spec import EnvSpec
from mbpo.evaluate import main
from mbpo.outside.film import drawing, movie
from mbpo.outside.film.filmed import Film
from mbpo.outside.film.imagined import PARTED, load_model
from mbpo.outside.film.picture import Panel, side_by_side
from mbpo.outside.film.puppet import find_puppet
from mbpo.outside.film.shoot import film
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.saving.store import find_checkpoint
from mbpo.settings.config import resolve_run
from mbpo.trust.open_loop import MOST, QUANTITIES, open_loop

Call = Callable[..., Outcome]
ON_MUJOCO = (
    "Hopper-v5",
    "Hopper-v4",
    "HalfCheetah-v5",
    "Walker2d-v5",
    "Ant-v5",
    "mbpo/AntTruncated-v5",
    "mbpo/HumanoidTruncated-v5",
    "Humanoid-v5",
    "HumanoidStandup-v5",
    "Swimmer-v5",
    "InvertedPendulum-v5",
    "InvertedDoublePendulum-v5",
    "Reacher-v5",
)


@pytest.fixture(autouse=True)
def packages() -> None:
    """Skip where the packages lack that write and draw a film."""
    for module in ("imageio_ffmpeg", "pygame", "matplotlib"):
        needs(module)


def trained(root: Path, *arguments: str) -> RunPaths:
    assert train.main([*DEBUG, "--runs-root", str(root), "--run-id", "run", *arguments]) == 0
    return RunPaths(root / "run")


def facts(outcome: Outcome) -> dict[str, Any]:
    assert (outcome.code, outcome.err) == (0, "")
    found: dict[str, Any] = json.loads(outcome.out)
    return found


@pytest.fixture(autouse=True)
def not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a film end with its last frame: tests count them."""
    monkeypatch.setattr(movie, "HELD_S", 0.0)


def frames(path: Path) -> np.ndarray[Any, Any]:  # [T + 1, H, W, 3]
    import imageio_ffmpeg

    read = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path)]
    done = subprocess.run([*read, "-f", "image2pipe", "-c:v", "ppm", "-"], capture_output=True, check=True)
    assert done.stderr == b""
    header = re.match(rb"P6\n([0-9]+) ([0-9]+)\n255\n", done.stdout)
    assert header
    width, height = map(int, header.groups())
    each = np.frombuffer(done.stdout, np.uint8).reshape(-1, len(header[0]) + 3 * width * height)
    return each[:, len(header[0]) :].reshape(-1, height, width, 3)


def filmed(run: RunPaths, path: Path, seed: int) -> Film:
    config = resolve_run(read_config(run.config))

    def still(obs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return np.full((1, 1), 0.3, np.float32)

    return film(config, still, find_checkpoint(run.checkpoints, "final"), "final", seed, path)


def test_the_film_has_a_frame_for_each_state_of_the_episode_that_evaluate_plays(
    finished_run: RunPaths, tmp_path: Path, call: Call
) -> None:
    found = facts(call(main, finished_run.root, "--video", tmp_path / "swing.mp4", "--seed", 2, "--json"))
    played = json.loads(call(main, finished_run.root, "--episodes", 1, "--seed", 2, "--json").out)
    assert ([found["return"]], [found["length"]]) == (played["returns"], played["lengths"])
    pictures = frames(tmp_path / "swing.mp4")
    assert len(pictures) == found["frames"] == 201
    height, width = pictures.shape[1:3]
    assert width == 2 * (500 + 12) and height > 500
    left, right = np.split(pictures[0, 60:560].astype(int), 2, axis=1)
    assert np.abs(left - right).mean() < 1.0  # both begin in the same state
    assert left.std() > 5.0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["swing.mp4", "swing.png"]


def test_the_curves_are_a_picture(finished_run: RunPaths, tmp_path: Path, call: Call) -> None:
    from PIL import Image

    found = facts(call(main, finished_run.root, "--video", tmp_path / "swing.mp4", "--json"))
    with Image.open(found["curves"]) as picture:
        picture.load()
        assert picture.width > 1000 and picture.height > 400


def test_they_part_where_the_error_says_so_and_both_show_it(finished_run: RunPaths, tmp_path: Path, call: Call) -> None:
    found = facts(call(main, finished_run.root, "--video", tmp_path / "swing.mp4", "--json"))
    beyond = [step for step, error in enumerate(found["error"]) if error is None or error > PARTED]
    assert found["error"][0] == 0.0
    assert len(found["error"]) == found["frames"]
    assert found["parted_at"] == beyond[0]
    red = (frames(tmp_path / "swing.mp4").astype(int) @ [1, -1, 0] > 100)[:, 60:560, 512:518].mean(axis=(1, 2))
    assert (red[: beyond[0]] < 0.1).all() and (red[beyond[0] :] > 0.3).all()  # the frame around what is imagined
    said = call(main, finished_run.root, "--video", tmp_path / "swing.mp4").out
    assert f"the two part at step {beyond[0]}, where the error passes 0.5 standard deviations" in said


def test_what_is_imagined_are_the_numbers_of_open_loop(finished_run: RunPaths, tmp_path: Path) -> None:
    found = filmed(finished_run, tmp_path / "still.mp4", seed=1)
    config = resolve_run(read_config(finished_run.config))
    with contextlib.closing(BoxEnv(config)) as env:
        model = load_model(config, env, find_checkpoint(finished_run.checkpoints, "final"))
    obs, action = torch.from_numpy(found.obs), torch.from_numpy(found.actions)
    rewards = torch.from_numpy(found.rewards.astype(np.float32))
    rows = Transitions.pack(obs[:-1], action, rewards, obs[1:], torch.zeros(len(action)))
    ends, spread = torch.full((len(action),), len(action)), model.ensemble.inputs.std[:3]
    loops = open_loop(model, rows, ends, spread, torch.zeros(3))[0]
    assert found.imagined is not None
    expected = loops[:, QUANTITIES.index("error")].sqrt().numpy()
    np.testing.assert_allclose(found.imagined.error[1 : MOST + 1], expected, rtol=1e-4)
    gained = found.imagined.rewards[:, :MOST].cumsum(axis=1) - found.rewards[:MOST].cumsum()
    np.testing.assert_allclose((gained**2).mean(axis=0), loops[:, QUANTITIES.index("reward")], rtol=1e-3)
    assert found.imagined.obs.shape == (2, 201, 3)


def test_the_same_seed_gives_the_same_film(finished_run: RunPaths, tmp_path: Path) -> None:
    one, same, other = (filmed(finished_run, tmp_path / f"{n}.mp4", seed) for n, seed in enumerate((1, 1, 2)))
    assert one.facts(tmp_path) == same.facts(tmp_path)
    assert one.imagined is not None and same.imagined is not None
    assert (one.imagined.obs == same.imagined.obs).all()
    assert (frames(tmp_path / "0.mp4") == frames(tmp_path / "1.mp4")).all()
    assert (one.obs[0] != other.obs[0]).any()


def test_a_gif_has_all_frames_too_and_its_last_one_stands(
    finished_run: RunPaths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.setattr(movie, "HELD_S", 1.0)
    found = filmed(finished_run, tmp_path / "still.GIF", seed=1)
    with Image.open(tmp_path / "still.GIF") as picture:
        assert picture.format == "GIF"
        seconds = sum(_durations(picture)) / 1000
    assert seconds == pytest.approx(found.frames / 30 + 1.0, rel=0.02)


def _durations(picture: Any) -> Iterator[float]:
    for number in range(picture.n_frames):  # equal frames are one that stands longer
        picture.seek(number)
        yield picture.info["duration"]


def test_a_robot_is_filmed_beside_the_one_that_the_model_imagines(tmp_path: Path, call: Call) -> None:
    needs("mujoco")
    if not os.environ.get("DISPLAY") and not any(map(drawing._works, drawing.PACKAGES)):
        refuse("MuJoCo cannot draw here: neither libegl1 nor libosmesa6 works")
    run = trained(tmp_path, "--env-id", "Hopper-v5", "--total-steps", "150", "--eval-episodes", "1")
    found = facts(call(main, run.root, "--video", tmp_path / "hop.mp4", "--checkpoint", "final", "--json"))
    assert found["side_by_side"] and found["notes"] == []
    pictures = frames(tmp_path / "hop.mp4")
    assert len(pictures) == found["length"] + 1
    left, right = np.split(pictures[0, 60:530].astype(int), 2, axis=1)
    assert np.abs(left - right).mean() < 4.0 < left.std()  # ffmpeg's loss
    left, right = np.split(pictures[-1, 60:530].astype(int), 2, axis=1)
    assert np.abs(left - right).mean() > 4.0


@pytest.mark.parametrize("env_id", ["Pendulum-v1", "MountainCarContinuous-v0", *ON_MUJOCO])
def test_states_are_put_back_from_observations_and_read_as_they_were(env_id: str) -> None:
    if env_id in ON_MUJOCO:
        needs("mujoco")
    with contextlib.closing(BoxEnv(EnvSpec(env_id, {"render_mode": "rgb_array"}))) as env:
        assert find_puppet(env) is not None


@pytest.mark.parametrize(
    "wrapper", ["gymnasium.wrappers:TimeAwareObservation()", "gymnasium.wrappers:FrameStackObservation(stack_size=2)"]
)
def test_what_a_wrapper_observes_is_no_state(wrapper: str) -> None:
    spec = EnvSpec("Pendulum-v1", {"render_mode": "rgb_array"}, (wrapper,))
    with contextlib.closing(BoxEnv(spec)) as env:
        assert find_puppet(env) is None


def test_a_puppet_looks_as_the_state_that_it_is_put_into() -> None:
    spec = EnvSpec("Pendulum-v1", {"render_mode": "rgb_array"})
    with contextlib.closing(BoxEnv(spec)) as real, contextlib.closing(BoxEnv(spec)) as other:
        puppet = find_puppet(other)
        assert puppet is not None
        obs = real.reset(seed=7)
        puppet.begin(8)
        picture = puppet.show(obs)
        assert (picture == real.frame()).all()
        assert (puppet.show(np.full(3, np.nan, np.float32)) == picture).all()


def test_without_a_puppet_the_film_is_of_the_real_episode_and_says_so(tmp_path: Path, call: Call) -> None:
    wrapped = ("--wrapper", "gymnasium.wrappers:TimeAwareObservation()", "--total-steps", "150")
    run = trained(tmp_path, *wrapped, "--eval-episodes", "1")
    outcome = call(main, run.root, "--video", tmp_path / "time.mp4", "--checkpoint", "final", "--json")
    found = json.loads(outcome.out)
    assert not found["side_by_side"]
    assert found["parted_at"] is not None
    assert outcome.err == (
        "note: the state of Pendulum-v1 cannot be set from an observation: what is imagined is in the curves only\n"
    )
    assert frames(tmp_path / "time.mp4").shape[2] == 512


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--algo", "sac"), "a sac run has no model"),
        (("--warmup-steps", "100", "--total-steps", "100"), "the model of this checkpoint was never fitted"),
    ],
)
def test_without_a_model_there_is_nothing_imagined(
    arguments: tuple[str, ...], why: str, tmp_path: Path, call: Call
) -> None:
    run = trained(tmp_path, "--total-steps", "150", *arguments, "--eval-episodes", "1")
    outcome = call(main, run.root, "--video", tmp_path / "real.mp4", "--checkpoint", "final", "--json")
    assert outcome.err == f"note: {why}: the film shows the real episode only\n"
    found = json.loads(outcome.out)
    assert (found["error"], found["imagined_return"], found["parted_at"]) == (None, None, None)
    assert len(frames(tmp_path / "real.mp4")) == found["length"] + 1
    assert (tmp_path / "real.png").exists()


def test_what_cannot_be_filmed_is_refused_in_one_line(
    finished_run: RunPaths, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = trained(tmp_path / "pets", "--algo", "pets", "--total-steps", "110", "--eval-every", "1000")
    toy = trained(tmp_path / "toy", "--env-id", "Toy-v0", "--total-steps", "110", "--eval-every", "1000")
    out = tmp_path / "out"
    out.mkdir()

    def refused(code: int, *arguments: object) -> str:
        outcome = call(main, *arguments)
        assert (outcome.code, outcome.out) == (code, "")
        assert outcome.err.count("\n") == 1 and len(outcome.err) <= 201
        assert list(out.iterdir()) == []
        return outcome.err

    assert "a pets run plans" in refused(2, planned.root, "--video", out / "a.mp4")
    assert "draws no pictures" in refused(3, toy.root, "--video", out / "a.mp4")
    assert "ends in .mp4 or .gif" in refused(2, finished_run.root, "--video", out / "a.avi")
    assert "cannot write" in refused(2, finished_run.root, "--video", out / "none" / "a.mp4")
    assert "leave out --episodes" in refused(2, finished_run.root, "--video", out / "a.mp4", "--episodes", 3)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "pygame", None)
        assert "needs pygame to draw itself" in refused(3, finished_run.root, "--video", out / "a.mp4")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert "pip install imageio-ffmpeg" in refused(2, finished_run.root, "--video", out / "a.mp4")


def test_a_film_that_is_broken_off_leaves_nothing(finished_run: RunPaths, tmp_path: Path) -> None:
    config, steps = resolve_run(read_config(finished_run.config)), iter(range(20))

    def stops(obs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        if next(steps) == 10:
            raise KeyboardInterrupt
        return np.zeros((1, 1), np.float32)

    with pytest.raises(KeyboardInterrupt):
        film(config, stops, find_checkpoint(finished_run.checkpoints, "final"), "final", 0, tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(finished_run: RunPaths, tmp_path: Path, call: Call) -> None:
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))  # ffmpeg has it from us
    try:
        outcome = call(main, finished_run.root, "--video", tmp_path / "a.mp4")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert outcome.code == 5
    assert outcome.err.startswith("error: cannot write ") and outcome.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@given(title=st.text(max_size=80), figures=st.text(max_size=200), foot=st.text(max_size=200))
def test_no_text_changes_the_size_of_a_frame(title: str, figures: str, foot: str) -> None:
    tiny = np.zeros((31, 57, 3), np.uint8)
    shape = side_by_side([Panel(tiny, title, figures), Panel(tiny, "", "", alarm=True)], foot).shape
    assert shape == side_by_side([Panel(tiny, "", ""), Panel(tiny, "", "")], "").shape
    assert shape[0] % 2 == shape[1] % 2 == 0


def test_a_model_that_runs_away_has_parted(finished_run: RunPaths, tmp_path: Path) -> None:
    config = resolve_run(read_config(finished_run.config))
    checkpoint = find_checkpoint(finished_run.checkpoints, "final")
    with contextlib.closing(BoxEnv(config)) as env:
        model = load_model(config, env, checkpoint)
    with torch.no_grad():
        model.ensemble.outputs.std.fill_(1e30)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mbpo.outside.film.shoot.load_model", lambda *_: model)
        found = filmed(finished_run, tmp_path / "wild.mp4", seed=0)
    assert found.imagined is not None
    assert found.imagined.parted == 1
    assert math.isinf(found.imagined.error[-1])
    assert len(frames(tmp_path / "wild.mp4")) == 201
