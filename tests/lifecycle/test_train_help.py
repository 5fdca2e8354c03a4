"""--help shows what would really hold, lists the presets, and teaches by examples that work."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import parse_launch
from mbpo.lifecycle.train_help import EXAMPLES
from mbpo.settings.config import SETTINGS, Config, resolve
from mbpo.settings.presets import PRESETS, how_chosen

ASKED = [
    *(("--preset", name) for name in PRESETS if name != "default"),
    *(("--env-id", env_id) for preset in PRESETS.values() for env_id in preset.chosen_by),
    ("--env-id", "mine:Hopper-v5"),
    ("--preset", "default", "--env-id", "Toy-v0"),
    ("--preset=debug", "--env-id=Hopper-v5"),
    ("--env-id", " Walker2d-v4 "),
    (),
]


def help_beside(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as ended:
        parse_launch(arguments)
    assert ended.value.code == 0
    return capsys.readouterr().out


def assert_shows(text: str, config: Config) -> None:
    for setting in SETTINGS.values():
        found = re.search(rf"^  {setting.flag} .*?\(default ([^()]*?)(?:, live)?\)$", text, re.M | re.S)
        assert found is not None, setting.flag
        shown = "" if setting.kind in (dict, list) and found[1] == "none" else found[1]
        assert setting.parse(shown) == getattr(config, setting.name), setting.flag


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "1000")  # no default is broken over two lines


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("asked", ASKED, ids=" ".join)
def test_the_defaults_are_those_that_would_hold(asked: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    launch = parse_launch(asked)
    for arguments in (("--help", *asked), (*asked, "-h")):
        text = help_beside(arguments, capsys)
        assert_shows(text, launch.config)
        assert f"The defaults shown here are those of {launch.preset_line}." in " ".join(text.split())


@pytest.mark.usefixtures("wide")
def test_a_file_gives_defaults_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "c.toml"
    file.write_text('env_id = "Hopper-v5"\ngamma = 0.5\nrollout_schedule = [1, 2, 3, 4]\nprofile = true\n')
    text = help_beside(("--config", str(file), "--help"), capsys)
    assert_shows(text, parse_launch(["--config", str(file)]).config)
    assert "of preset hopper, chosen by Hopper-v5, and of " in " ".join(text.split())


@pytest.mark.usefixtures("wide")
def test_the_other_flags_change_no_default_and_break_no_help(capsys: pytest.CaptureFixture[str]) -> None:
    text = help_beside(("--env-id", "Hopper-v5", "--gamma", "none", "--bogus", "-h", "--seed"), capsys)
    assert_shows(text, resolve({"env_id": "Hopper-v5"}))


def test_default_alone_has_no_environment(capsys: pytest.CaptureFixture[str]) -> None:
    said = help_beside(("--preset", "default", "--help"), capsys)
    assert "(no default)" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--preset", "hoper", "--help"), "did you mean hopper?"),
        (("--config", "missing.toml", "--help"), "cannot read missing.toml"),
        (("--env-id", "", "--help"), "env_id must be text, got nothing"),
        (("--help", "--preset"), "--preset: expected one argument"),
    ],
)
def test_help_on_what_cannot_be_used_is_refused_in_a_line(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(words)):
        parse_launch(arguments)


@pytest.mark.parametrize("asked", [(), ("--env-id", "a_module_of_mine.with.parts:SomeLongName-v0")])
def test_it_is_read_in_80_columns(
    asked: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = help_beside((*asked, "--help"), capsys)
    assert max(map(len, text.splitlines())) <= 80
    for preset in PRESETS.values():
        ids = preset.chosen_by or (preset.env_id or "any other environment",)
        assert re.search(rf"^  {preset.name} +.*{re.escape(ids[-1])}.*\n      {re.escape(preset.doc)}$", text, re.M)


def test_its_examples_are_command_lines() -> None:
    lines = [line.split("#")[0] for line in EXAMPLES.splitlines()[1:]]
    commands = [shlex.split(line.removeprefix("  python -m mbpo.train")) for line in lines]
    assert len(commands) == 8
    for flags in commands:
        if "--help" not in flags and "--resume" not in flags:
            config = parse_launch(flags).config
            assert config.preset == (how_chosen(config.env_id).split(",")[0].removeprefix("preset "))
