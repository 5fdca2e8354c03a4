"""Give every option of every command negative numbers in each spelling: they are values, and no flags."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from learners import Outcome

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import build_parser, parse_launch
from mbpo.settings.config import SETTINGS
from mbpo.settings.parser import OneLineParser

SPELLINGS = ("-1e0", "-5e-1", "-.5", "-1E+3", "-2.", "-7", "-.5e2")
NO_NUMBERS = ("-inf", "-Infinity", "-nan", "-1e999", "-5x")


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_negative_number_is_a_value(text: str) -> None:
    assert parse_launch(["--target-entropy", text]).config.target_entropy == float(text)
    parser = OneLineParser(prog="toy")
    parser.add_argument("--at")
    parser.add_argument("--flag", action="store_true")
    parser.add_argument("words", nargs="*")
    given = parser.parse_args(["--flag", "--at", text, text, text])
    assert (given.at, given.flag, given.words) == (text, True, [text, text])


@pytest.mark.parametrize("text", [*SPELLINGS, *NO_NUMBERS])
def test_every_setting_judges_the_value_itself(text: str) -> None:
    for setting in SETTINGS.values():
        given: object = None
        try:
            given = getattr(build_parser().parse_args([setting.flag, text]), setting.name)
        finally:
            assert given in (text, [text]), setting.flag


@pytest.mark.parametrize("text", [*SPELLINGS, *NO_NUMBERS])
def test_every_range_that_ends_at_zero_is_named(text: str) -> None:
    for setting in SETTINGS.values():
        if setting.kind in (int, float, tuple) and setting.low >= 0:
            with pytest.raises(ConfigError, match=f"{setting.name} must .*from {setting.flag}"):
                parse_launch([setting.flag, text])


@pytest.mark.parametrize("text", NO_NUMBERS)
@pytest.mark.parametrize(
    ("command", "arguments", "name"),
    [
        ("train", ("--target-entropy",), "target_entropy"),
        ("compare", ("runs", "--threshold"), "--threshold"),
        ("compare", ("runs", "--at"), "--at"),
        ("compare", ("runs", "--resamples"), "--resamples"),
        ("control", ("run", "stop", "--timeout"), "--timeout"),
        ("control", ("run", "stop", "--expect-revision"), "--expect-revision"),
        ("evaluate", ("run", "--episodes"), "--episodes"),
        ("check_env", ("Pendulum-v1", "--steps"), "--steps"),
    ],
)
def test_what_is_no_number_is_named_in_one_line(
    command: str,
    arguments: Sequence[str],
    name: str,
    text: str,
    call: Callable[..., Outcome],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    main = importlib.import_module(f"mbpo.{command}").main
    outcome = call(main, *arguments, text)
    assert outcome.code == 2
    assert name in outcome.error
    assert "expected one argument" not in outcome.error


@pytest.mark.parametrize("flag", ["-x", "-threads", "-e1", "-i"])
def test_a_flag_with_one_dash_is_still_unknown(flag: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown argument {flag}"):
        parse_launch([flag, "3"])
