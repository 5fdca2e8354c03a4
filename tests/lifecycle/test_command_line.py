"""Refuse what cannot be used: one line, the nearest valid name or the range, no directory."""

from __future__ import annotations

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
from mbpo.settings.presets import PRESETS
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
    launch = parse_launch(["--preset", preset, "--seed", "7", "--rollout-length", "auto"])
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
    assert config == resolve({n: s.default for n, s in SETTINGS.items() if n != "preset"})


def test_no_flag_is_needed() -> None:
    launch = parse_launch([])
    assert launch.config == resolve({})
    assert launch.runs_root == Path("runs").absolute()
    assert launch.run_id is None


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
