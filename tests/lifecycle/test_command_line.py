"""Refuse what cannot be used: one line, the nearest valid name or the range, no directory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from bad_configurations import BAD_FILES, BAD_LINES
from learners import PATIENCE_S, Outcome, environment, python_m

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import build_parser, parse_launch
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import SETTINGS, resolve
from mbpo.settings.presets import PRESETS, how_chosen
from mbpo.train import main

Call = Callable[..., Outcome]


def refused(outcome: Outcome, words: str, runs: Path) -> None:
    assert outcome.code == 2
    assert outcome.out == ""
    assert words in outcome.error
    assert outcome.error.isprintable()
    assert not runs.exists()


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_malformed_command_line_is_refused(
    name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, words = BAD_LINES[name]
    outcome = call(main, "--runs-root", "runs", "--total-steps", 1, *arguments)
    refused(outcome, words, tmp_path / "runs")


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_malformed_configuration_file_is_refused(
    name: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # names in messages stay short
    content, words = BAD_FILES[name]
    Path("bad.toml").write_bytes(content)
    outcome = call(main, "--runs-root", "runs", "--config", "bad.toml")
    refused(outcome, words, tmp_path / "runs")


def test_a_shell_sees_the_same(tmp_path: Path) -> None:
    cases = [
        (["--rolout-length", "3"], "did you mean --rollout-length?"),
        (["--real-ratio", "1.5"], "[0, 1]"),
        (["--env-id", "Pendullum-v1"], "did you mean Pendulum-v1?"),
    ]
    learners = [python_m("mbpo.train", *arguments, cwd=tmp_path) for arguments, _ in cases]
    for learner, (_, words) in zip(learners, cases, strict=True):
        out, err = learner.communicate(timeout=PATIENCE_S)
        assert learner.returncode == 2
        assert out == ""
        assert words in Outcome(2, out, err).error
    assert list(tmp_path.iterdir()) == []


def test_help_names_every_flag_with_its_range_unit_and_default() -> None:
    text = " ".join(build_parser().format_help().split())
    for setting in SETTINGS.values():
        assert setting.flag in text
        assert setting.doc in text
        if setting.kind in (int, float, tuple):
            assert f"in {setting.range_text} (default" in text
        if setting.unit:
            assert f"[{setting.unit}]" in text
    for preset in PRESETS.values():
        assert preset.name in text
        assert preset.doc in text


def test_a_flag_beats_the_file_which_beats_the_preset(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('preset = "debug"\nsac_batch = 48\nreal_ratio = 0.5\n')
    config = parse_launch(["--config", str(file), "--real-ratio", "0.75"]).config
    assert config.real_ratio == 0.75  # the flag
    assert config.sac_batch == 48  # the file
    assert config.ensemble_size == 3  # the preset, which the file names
    assert config.tau == 0.005  # the default
    flagged = parse_launch(["--config", str(file), "--preset", "pendulum"]).config
    assert (flagged.preset, flagged.sac_batch, flagged.ensemble_size) == ("pendulum", 48, 5)


@pytest.mark.parametrize("preset", PRESETS)
def test_a_resolved_configuration_written_out_gives_itself_back(preset: str, tmp_path: Path) -> None:
    environment = ["--env-id", "Toy-v0"] if preset == "default" else []
    launch = parse_launch(["--preset", preset, *environment, "--seed", "7", "--rollout-length", "auto"])
    file = tmp_path / "config.toml"
    file.write_text(launch.toml)
    again = parse_launch(["--config", str(file)])
    assert again.config == launch.config
    assert again.toml == launch.toml
    assert again.config.rollout_length == "auto"


def test_the_configuration_of_a_run_starts_its_twin(finished_run: RunPaths) -> None:
    again = parse_launch(["--config", str(finished_run.config)])
    assert again.config == resolve({"seed": 3, "threads": 1}, "debug")
    assert again.toml == finished_run.config.read_text()


def test_every_setting_can_be_given_by_its_flag() -> None:
    arguments = []
    for setting in SETTINGS.values():
        for word in setting.words(setting.default):
            arguments += [setting.flag, word]
    config = parse_launch(arguments).config
    assert config == resolve({n: s.default for n, s in SETTINGS.items() if n != "preset"}, "default")


def test_no_flag_is_needed() -> None:
    launch = parse_launch([])
    assert launch.config == resolve({})
    assert launch.runs_root == Path("runs").absolute()
    assert launch.run_id is None


@pytest.mark.parametrize(
    ("content", "flags", "preset", "line"),
    [
        ('env_id = "Hopper-v4"', [], "hopper", "preset hopper, chosen by Hopper-v4"),
        ('env_id = "Hopper-v5"', ["--env-id", "Walker2d-v5"], "walker2d", "preset walker2d, chosen by Walker2d-v5"),
        ('env_id = "Hopper-v5"', ["--preset", "debug"], "debug", "preset debug"),
        ('env_id = "mine:Hopper-v5"', [], "default", "preset default, as mine:Hopper-v5 has none of its own"),
        ('preset = "debug"', ["--env-id", "Hopper-v5"], "debug", "preset debug"),
        ('preset = "debug"\nenv_id = "Hopper-v5"', ["--preset", "default"], "default", "preset default"),
        ("seed = 3", [], "pendulum", "preset pendulum, chosen by Pendulum-v1"),
        ("seed = 3", ["--env-id", " HalfCheetah-v5 "], "halfcheetah", "preset halfcheetah, chosen by HalfCheetah-v5"),
    ],
)
def test_the_environment_chooses_where_neither_flag_nor_file_names_a_preset(
    content: str, flags: list[str], preset: str, line: str, tmp_path: Path
) -> None:
    file = tmp_path / "c.toml"
    file.write_text(content)
    launch = parse_launch(["--config", str(file), *flags])
    assert (launch.config.preset, launch.preset_line) == (preset, line)
    assert parse_launch([*flags, "--config", str(file), "--seeds", "0:2"]).preset_line == line


def test_the_choice_is_in_the_name_of_the_run_and_on_its_second_line(call: Call, tmp_path: Path) -> None:
    flags = ("--runs-root", tmp_path, "--threads", 1, "--algo", "sac", "--total-steps", 2, "--eval-episodes", 1)
    for env_id, preset in (("Pendulum-v1", "pendulum"), ("Toy-v0", "default")):
        outcome = call(main, *flags, "--env-id", env_id)
        assert (outcome.code, outcome.err) == (0, "")
        root, line = outcome.out.splitlines()[:2]
        assert Path(root).name.startswith(f"{preset}-s0-")
        assert line == how_chosen(env_id)
        assert read_config(Path(root) / "config.toml")["preset"] == preset
        assert json.loads((Path(root) / "manifest.json").read_text())["preset"] == preset


def test_an_unreadable_configuration_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_bytes(tomli_w.dumps({"seed": 3}).encode())
    assert read_config(file) == {"seed": 3}
    with pytest.raises(ConfigError, match=r"cannot read .*No such file"):
        read_config(tmp_path / "other.toml")


def test_help_ends_well(tmp_path: Path) -> None:
    assert "PYTHONPATH" in environment()
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == 0
