"""Export a run's real transitions as a Minari dataset, and let other libraries read and learn from it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exported_runs import HERE, copy_without_checkpoints, error_of, trained
from other_ends import needs

from mbpo.export import main
from mbpo.outside.datasets.minari_folder import NAME, folder_of
from mbpo.runs.layout import RunPaths


@pytest.fixture
def datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in ("h5py", "PIL", "minari"):
        needs(module)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "datasets"))
    monkeypatch.setattr(sys, "path", [*sys.path, str(HERE)])
    return tmp_path / "datasets"


@pytest.fixture(scope="module")
def pendulum(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("pendulum"), "--seed", "3", steps=450)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("mixed"), "--env-id", "spoken_envs:Mixed-v0", steps=60)


def export(run: Path, name: str, *flags: str) -> Any:
    assert main([str(run), "--minari", name, *flags]) == 0
    return needs("minari").load_dataset(name)


def test_every_transition_is_there_and_an_environment_repeats_it(
    pendulum: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = export(pendulum, "pendulum/sac-v0")
    said = capsys.readouterr()
    assert said.out == f"pendulum/sac-v0: 3 episodes of 450 transitions in {datasets}/pendulum/sac-v0\n"
    assert said.err == "note: the last episode was under way: its 50 steps are there as truncated\n"
    episodes = list(dataset.iterate_episodes())
    env = dataset.recover_environment()
    assert env.spec.max_episode_steps == 200
    for episode, about in zip(episodes, dataset.storage.get_episode_metadata(range(3)), strict=True):
        steps = len(episode.rewards)
        assert episode.observations.shape == (steps + 1, 3) and episode.actions.shape == (steps, 1)
        assert episode.truncations.nonzero()[0].tolist() == [steps - 1] and not episode.terminations.any()
        if about["ended"] == "under way":
            assert "seed" not in about  # its end, which names it, is not in the metrics
            continue
        obs, _ = env.reset(seed=about["seed"])
        for at, action in enumerate(episode.actions):
            assert np.array_equal(obs, episode.observations[at])
            obs, reward, *_ = env.step(action)
            assert np.float32(reward) == episode.rewards[at], "a reward that is not the environment's"
        assert np.array_equal(obs, episode.observations[-1])
    assert [len(e.rewards) for e in episodes] == [200, 200, 50]


def test_how_actions_were_chosen_is_in_the_infos(pendulum: Path, datasets: Path) -> None:
    dataset = export(pendulum, "pendulum/sac-v1")
    infos = [episode.infos for episode in dataset.iterate_episodes()]
    parts = {key: np.concatenate([info[key] for info in infos]) for key in infos[0]}
    assert parts["mean"].shape == parts["log_std"].shape == (450, 1) and parts["log_prob"].shape == (450,)
    assert np.isnan(parts["mean"][:30]).all() and not np.isnan(parts["mean"][30:]).any()
    assert np.allclose(parts["log_prob"][:30], -np.log(4.0)), "uniform on [-2, 2]"
    scaled = np.concatenate([episode.actions for episode in dataset.iterate_episodes()])[30:] / 2
    inside = np.abs(scaled) < 0.999
    noise = (np.arctanh(np.clip(scaled, -0.999, 0.999)) - parts["mean"][30:]) / np.exp(parts["log_std"][30:])
    normal = -0.5 * noise**2 - parts["log_std"][30:] - 0.5 * np.log(2 * np.pi)
    expected = (normal - np.log(2 * (1 - np.clip(scaled, -0.999, 0.999) ** 2)))[:, 0]
    assert np.allclose(expected[inside[:, 0]], parts["log_prob"][30:][inside[:, 0]], atol=1e-2)


def test_metadata_say_where_it_came_from(pendulum: Path, datasets: Path) -> None:
    metadata = export(pendulum, "pendulum/sac-v2").storage.metadata
    about = metadata["mbpo"]
    assert (about["run"], about["seed"], about["algorithm"], about["env_id"]) == ("run", 3, "sac", "Pendulum-v1")
    assert about["checkpoint_env_steps"] == 450 and about["first_transition"] == 0
    assert metadata["algorithm_name"] == "sac" and metadata["code_permalink"].startswith("mbpo-workbench 0.1.0")
    assert "run run, seed 3, up to env step 450" in metadata["description"]
    assert metadata["jpeg_encoding"] is False


def test_stable_baselines3_learns_from_it(pendulum: Path, datasets: Path) -> None:
    stable_baselines3 = needs("stable_baselines3")
    dataset = export(pendulum, "pendulum/sac-v3")
    env = dataset.recover_environment()
    sac = stable_baselines3.SAC("MlpPolicy", env, buffer_size=1000, batch_size=64, learning_starts=0, seed=0)
    for episode in dataset.iterate_episodes():
        for at in range(len(episode.rewards)):
            sac.replay_buffer.add(
                episode.observations[at][None],
                episode.observations[at + 1][None],
                sac.policy.scale_action(episode.actions[at][None]),
                episode.rewards[at][None],
                episode.terminations[at][None],
                [{"TimeLimit.truncated": bool(episode.truncations[at])}],
            )
    assert sac.replay_buffer.size() == 450
    before = [p.detach().clone() for p in sac.actor.parameters()]
    sac.set_logger(stable_baselines3.common.logger.configure(format_strings=[]))
    sac.train(gradient_steps=5, batch_size=64)
    assert np.isfinite(sac.logger.name_to_value["train/critic_loss"])
    assert any((p != old).any() for p, old in zip(sac.actor.parameters(), before, strict=True))


def test_it_speaks_as_the_environment_does(mixed: Path, datasets: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import spoken_envs

    dataset = export(mixed, "mixed-v0")
    assert dataset.observation_space == spoken_envs.Mixed.observation_space
    assert dataset.action_space == spoken_envs.Mixed.action_space
    episodes = list(dataset.iterate_episodes())
    assert [len(e.rewards) for e in episodes] == [7] * 8 + [4]
    for episode in episodes:
        steps = len(episode.rewards)
        assert episode.observations["matrix"].shape == (steps + 1, 2, 2)
        assert episode.observations["matrix"].dtype == np.float64
        choice, number = episode.observations["parts"]
        assert choice.tolist() == [at % 3 for at in range(steps + 1)]
        assert number.dtype == np.int16 and number[:, 0].tolist() == [-at for at in range(steps + 1)]
        whole, wide = episode.actions
        assert whole.dtype == np.int32 and np.array_equal(whole.sum(axis=1), episode.rewards)
        assert wide.min() >= 0.0 and wide.max() <= 5000.0
        assert np.abs(episode.infos["policy_action"]).max() <= 3.0, "the wide range is mapped to [-1, 1]"
    assert episodes[0].terminations[-1] and not episodes[0].truncations.any()
    assert "flat" not in capsys.readouterr().err


@pytest.mark.parametrize(("toy", "why"), [("Slashed", ""), ("Fractions", "its observations cannot be told back")])
def test_what_cannot_be_said_in_its_words_is_flat_and_says_so(
    tmp_path: Path, datasets: Path, capsys: pytest.CaptureFixture[str], toy: str, why: str
) -> None:
    run = trained(tmp_path, "--env-id", f"spoken_envs:{toy}-v0", steps=40)
    dataset = export(run, "flat-v0")
    said = capsys.readouterr().err
    assert f"note: observations and actions are flat float32 numbers: {why}" in said
    assert dataset.observation_space.dtype == np.float32 and len(dataset.observation_space.shape) == 1
    assert dataset.action_space.shape == (3,) and dataset.total_steps == 40
    assert "flat float32 numbers" in dataset.storage.metadata["description"]


def test_metrics_tell_ends_that_observations_do_not(tmp_path: Path, datasets: Path) -> None:
    dataset = export(trained(tmp_path, "--env-id", "spoken_envs:Still-v0", steps=40), "still-v0")
    assert [len(e.rewards) for e in dataset.iterate_episodes()] == [7] * 5 + [5]


def test_a_run_that_kept_the_newest_begins_with_a_whole_episode(
    tmp_path: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--env-id", "spoken_envs:Mixed-v0", "--real-buffer-capacity", "20", "--checkpoint-every", "20")
    dataset = export(trained(tmp_path, *flags, steps=60), "newest-v0")
    assert [len(e.rewards) for e in dataset.iterate_episodes()] == [7, 7, 4]
    assert "note: the first 42 transitions are left out: the run keeps the newest only" in capsys.readouterr().err
    first = next(iter(dataset.iterate_episodes()))
    assert first.observations["matrix"][0, 0, 1] == 0.0, "not the first step of an episode"


def test_an_existing_dataset_stays_unless_forced(
    pendulum: Path, mixed: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export(pendulum, "kept/one-v0")
    capsys.readouterr()
    said = error_of(capsys, str(mixed), "--minari", "kept/one-v0")
    assert "dataset kept/one-v0 exists; give another version, or --force to replace it" in said
    assert needs("minari").load_dataset("kept/one-v0").total_steps == 450
    assert export(mixed, "kept/one-v0", "--force").total_steps == 60
    assert sorted(p.name for p in datasets.iterdir()) == ["kept"], "something is left behind"
    assert list(needs("minari").list_local_datasets()) == ["kept/one-v0"]


def test_what_is_no_dataset_is_never_replaced(
    pendulum: Path, datasets: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (datasets / "mine-v0").mkdir(parents=True)
    (datasets / "mine-v0" / "thesis.tex").write_text("years")
    assert "no Minari dataset" in error_of(capsys, str(pendulum), "--minari", "mine-v0", "--force")
    assert (datasets / "mine-v0" / "thesis.tex").read_text() == "years"


def test_names_stay_in_the_folder(datasets: Path) -> None:
    """Thousands of generated names: each is refused, or lies within the folder under that very name."""
    from mbpo.errors import ConfigError

    parts = [
        "..",
        ".",
        "/",
        "//",
        "\\",
        "a",
        "b1",
        "-v0",
        "-v",
        "-v01",
        "~",
        "$HOME",
        "\x00",
        "\n",
        "\x1b[2J",
        "é",
        "٣",
    ]
    parts += [
        "grown/",
        "one",
        "-v7",
        "b1/",
        "one-v3",
        "grown",
        " ",
        "data",
        "*",
        "%2e",
        "C:",
        "-",
        "_",
        "x" * 70,
        "<b>",
        "'",
        '"',
        "`id`",
        ";",
        "|",
    ]
    draws, taken, minari = np.random.default_rng(1), 0, needs("minari")
    for _ in range(5000):
        name = "".join(draws.choice(parts, draws.integers(1, 7)))
        try:
            folder = folder_of(datasets, name, force=False)
        except ConfigError as error:
            assert "\x1b" not in str(error) and "\n" not in str(error)
            continue
        taken += 1
        assert NAME.fullmatch(name) and folder == datasets / name and ".." not in folder.parts
        assert minari.dataset.minari_dataset.parse_dataset_id(name)
    assert taken > 20
    (datasets / "grown").mkdir(parents=True)
    (datasets / "link").symlink_to(datasets.parent)
    with pytest.raises(ConfigError, match="outside"):
        folder_of(datasets, "link/one-v0", force=True)


def test_hostile_words_of_a_run_do_nothing(mixed: Path, datasets: Path, tmp_path: Path) -> None:
    """Title, note, tags, the run's name and its manifest are anyone's: where Minari shows them, they are text."""
    console = needs("rich.console")
    from rich.markdown import Markdown

    from mbpo.outside.datasets.about_dataset import PLAIN, about_dataset
    from mbpo.outside.datasets.real_rows import read_real
    from mbpo.runs.config_file import read_config
    from mbpo.settings.config import resolve_run

    parts = [
        "[x](http://evil)",
        "\x1b]8;;http://evil\x1b\\",
        "<script>",
        "\x07",
        "\n# ",
        "![](a)",
        "`",
        "{{",
        "\u202e",
        "../",
    ]
    parts += ["[bold]", "a", "|", "**", "\udcff", "\x00", "$(id)", "=1+1", "&amp;", "https://evil.example"]
    rows = read_real(RunPaths(mixed), 8, 3)
    config = resolve_run(read_config(RunPaths(mixed).config))
    draws = np.random.default_rng(2)
    words = ["".join(draws.choice(parts, draws.integers(1, 6))) for _ in range(2000)]
    for word in words:
        root = tmp_path / (word.replace("/", "∕").replace("\x00", "") or "r")
        facts = {"versions": {"mbpo-workbench": word}, "git_commit": word}
        root.mkdir(exist_ok=True)
        (root / "manifest.json").write_text(json.dumps(facts))
        (root / "about.json").write_text(json.dumps({"schema": 1, "title": word[:80], "note": word, "tags": [word]}))
        about = about_dataset(RunPaths(root), config, rows, [])
        assert json.loads(json.dumps(about).encode()) == about
        assert all(text.isprintable() for text in (about["run"], about["title"], about["note"], *about["tags"]))
        assert not {*about["description"]} & set("[]<>`*_#|!(){}\\&\x1b\n"), about["description"]
        assert about["code"] == "mbpo-workbench 0.1.0"
    shown = console.Console(file=(file := (tmp_path / "shown").open("w")), force_terminal=True, width=100)
    for word in words[:100]:
        shown.print(Markdown(f"## Description\n {PLAIN.sub('?', word)} "))
    file.close()
    assert "\x1b]8" not in (tmp_path / "shown").read_text(), "a link to somewhere"


@pytest.mark.parametrize("name", ["pendulum", "a/../b-v0", "/tmp/x-v0", "data/x-v0", "x-v", "x-v01", "", "a b-v0"])
def test_a_name_that_is_none_is_one_line(
    pendulum: Path, datasets: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert "must be NAME-vN or GROUP/NAME-vN" in error_of(capsys, str(pendulum), f"--minari={name}")
    assert not datasets.exists()


def test_errors_are_one_line(
    pendulum: Path, datasets: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--minari is of one run, got 2" in error_of(
        capsys, str(pendulum), str(copy_without_checkpoints(pendulum, tmp_path / "empty")), "--minari", "a-v0"
    )
    assert "no whole checkpoint" in error_of(capsys, str(tmp_path / "empty"), "--minari", "a-v0")
    assert "does not exist" in error_of(capsys, str(tmp_path / "nothing"), "--minari", "a-v0")
    datasets.write_text("a file")
    assert "cannot write below" in error_of(capsys, str(pendulum), "--minari", "a-v0")
    assert datasets.read_text() == "a file" and os.environ["MINARI_DATASETS_PATH"] == str(datasets)
    monkeypatch.setitem(sys.modules, "PIL", None)
    said = error_of(capsys, str(pendulum), "--minari", "a-v0")
    assert (
        "--minari needs Minari, h5py and Pillow (PIL is missing)" in said
        and "pip install 'minari[hdf5]' pillow" in said
    )
