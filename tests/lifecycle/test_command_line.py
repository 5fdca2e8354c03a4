"""Refuse what cannot be used: one line, the nearest valid name or the range, no directory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import tomli_w
from learners import Outcome, environment, python_m

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import build_parser, parse_launch
from mbpo.runs.config_file import read_config
from mbpo.runs.layout import RunPaths
from mbpo.settings.config import SETTINGS, resolve
from mbpo.settings.presets import PRESETS
from mbpo.train import main

Call = Callable[..., Outcome]

BAD_LINES: dict[str, tuple[list[str], str]] = {
    "misspelt flag": (["--rolout-length", "3"], "did you mean --rollout-length?"),
    "misspelt flag with value": (["--rolout-length=3"], "did you mean --rollout-length?"),
    "underscores": (["--real_ratio", "0.1"], "did you mean --real-ratio?"),
    "abbreviation": (["--real", "0.1"], "did you mean --real-ratio?"),
    "one dash": (["-seed", "3"], "did you mean --seed?"),
    "stray word": (["hopper"], "unknown argument hopper; see --help"),
    "no value": (["--seed"], "--seed"),
    "flag as value": (["--seed", "--device", "cpu"], "--seed"),
    "empty value": (["--seed", ""], "seed must be a whole number in [0, 4294967295], got nothing"),
    "word for number": (["--seed", "three"], "got three (from --seed)"),
    "fraction for whole": (["--rollout-length", "2.5"], "whole number in [0, 1000]"),
    "below range": (["--rollout-length=-1"], "in [0, 1000]"),
    "above range": (["--real-ratio", "1.5"], "real_ratio must lie in [0, 1], got 1.5"),
    "percent": (["--real-ratio", "5%"], "real_ratio must lie in [0, 1], got 5%"),
    "not a number": (["--real-ratio", "nan"], "real_ratio must lie in [0, 1], got nan"),
    "infinite": (["--total-steps", "inf"], "in [1, 1000000000], got inf"),
    "overflow": (["--total-steps", "1e999"], "in [1, 1000000000], got inf"),
    "very long number": (["--seed", "9" * 6000], "seed must be a whole number"),
    "digit groups": (["--total-steps", "10_000"], "got 10_000"),
    "open bound": (["--actor-lr", "0"], "actor_lr must lie in (0, 1], got 0"),
    "gamma of one": (["--gamma", "1"], "gamma must lie in [0, 0.99999], got 1"),
    "auto where there is none": (["--real-ratio", "auto"], "lie in [0, 1], got auto"),
    "misspelt preset": (["--preset", "pendulm"], "did you mean pendulum?"),
    "foreign preset": (["--preset", "zzzzz"], "; valid: pendulum, "),
    "misspelt environment": (["--env-id", "Pendullum-v1"], "did you mean Pendulum-v1?"),
    "missing version": (["--env-id", "InvertedPend"], "did you mean InvertedPendulum-v"),
    "newer version": (["--env-id", "Pendulum-v7"], "did you mean Pendulum-v1?"),
    "escape codes": (["--env-id", "\x1b]52;c;eA==\x07"], "env_id must"),
    "environment of no module": (["--env-id", "no_such:Env-v0"], "env_id must name"),
    "device": (["--device", "gpu"], "device must be auto, cpu, cuda or cuda:N"),
    "absent device": (["--device", "cuda:99"], "use --device cpu"),
    "word for truth": (["--normalize-targets", "yes"], "must be true or false, got yes"),
    "schedule of three": (["--rollout-schedule", "1,2,3"], "4 numbers"),
    "schedule backwards": (["--rollout-schedule", "9,2,1,1"], "e0 ≤ e1"),
    "too many elites": (["--elites", "8"], "elites must be at most ensemble_size"),
    "run id with a slash": (["--run-id", "../up"], "run_id must be 1 to 64"),
    "run id with a dot first": (["--run-id", ".hidden"], "start with a letter or digit"),
    "empty run id": (["--run-id", ""], "run_id must be 1 to 64"),
    "run id too long": (["--run-id", "a" * 65], "run_id must be 1 to 64"),
    "run id with a newline": (["--run-id", "a\n"], "run_id must be 1 to 64"),
    "no such file": (["--config", "missing.toml"], "cannot read missing.toml"),
    "config is a folder": (["--config", "."], "cannot read"),
    "config name too long": (["--config", "c" * 400], "cannot read"),
    "config of no name": (["--config", ""], "cannot read"),
}

BAD_FILES: dict[str, tuple[bytes, str]] = {
    "not toml": (b"gamma : 0.9", "is not TOML"),
    "json": (b'{"gamma": 0.9}', "is not TOML"),
    "binary": (bytes(range(256)), "is not TOML"),
    "utf-16": ("gamma = 0.9".encode("utf-16"), "is not TOML"),
    "cut short": (b'env_id = "Pendu', "is not TOML"),
    "same key twice": (b"seed = 1\nseed = 2", "is not TOML"),
    "deeply nested": (b"seed = " + b"[" * 5000, "is not TOML"),
    "too large": (b"#" * (1 << 20) + b"##", "is larger than"),
    "misspelt setting": (b"rolout_length = 3", "did you mean rollout_length?"),
    "flag's spelling": (b"real-ratio = 0.1", "did you mean real_ratio?"),
    "table": (b"[sac]\ngamma = 0.9", "unknown setting sac"),
    "text for number": (b'gamma = "0.9"', "gamma must lie in [0, 0.99999], got 0.9"),
    "date": (b"seed = 2020-01-01", "seed must be a whole number"),
    "truth for number": (b"seed = true", "seed must be a whole number"),
    "number for truth": (b"normalize_targets = 1", "must be true or false"),
    "nan": (b"real_ratio = nan", "real_ratio must lie in [0, 1], got nan"),
    "inf": (b"total_steps = inf", "got inf"),
    "out of range": (b"rollout_length = 1001", "in [0, 1000]"),
    "list for number": (b"seed = [1, 2]", "seed must be a whole number"),
    "short list": (b"rollout_schedule = [1, 2]", "4 numbers"),
    "preset is a number": (b"preset = 5", "preset must be text, got 5"),
    "unknown preset": (b'preset = "debgu"', "did you mean debug?"),
    "hostile text": (b'env_id = "\\u001b[2J\\nPendulum-v1"', "env_id must be text"),
    "launch flag": (b'run_id = "x"', "unknown setting run_id"),
}


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
        out, err = learner.communicate(timeout=60)
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
        value = setting.default
        text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
        arguments += [setting.flag, text]
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
