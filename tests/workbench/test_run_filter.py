"""The filter of the runs: read as a person means it, and refused in one line where it cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mbpo.errors import ConfigError
from mbpo.settings.language import ENGLISH, choose
from workbench.command_line import LOCALE
from workbench.messages import RunRow
from workbench.run_filter import parse_filter

HOP = RunRow(
    Path("hop-s3"), "running", "train", "Hopper-v5", "hopper", 3, 20_000, 125_000, 900.0, 1200.0, best_return=2000.0
)
HOP = replace(HOP, controls={"rollout_length": 15, "real_ratio": 0.05, "k_policy": "bound"}, steps_per_s=30.0)
PEND = RunRow(Path("swing up"), "finished", "", "Pendulum-v1", "pendulum", 0, 1200, 1200, -441.0, -168.0, solved_at=500)
PEND = replace(PEND, best_return=-163.0, controls={"rollout_length": "auto"}, interactive=True, parent="old@600")


def test_a_state_is_found_by_its_english_word_and_by_the_one_that_is_shown() -> None:
    choose(LOCALE, "zh")
    try:
        for text in ("state=finished", "state=已完成", "state!=运行中", "state~完成", "已完成", "finished"):
            assert [parse_filter(text)(row) for row in (HOP, PEND)] == [False, True], text
    finally:
        choose(LOCALE, ENGLISH)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "hop pend"),
        ("   ", "hop pend"),
        ("hop", "hop"),
        ("PENDULUM", "pend"),
        ("run", "hop"),  # its state, running
        ("hop running", "hop"),
        ("hop finished", ""),
        ("hop or finished", "hop pend"),
        ("env=Hopper-v5 and k>=5 and best>1000", "hop"),
        ("env=hopper*", "hop"),
        ("env_id==Pendulum-v1", "pend"),
        ("env != Pendulum-v1", "hop"),
        ("env:pend", "pend"),
        ("env~^p.*1$", "pend"),
        ("k=15", "hop"),
        ("k = auto", "pend"),
        ("k<=15.0", "hop"),
        ("rollout_length>15", ""),
        ("k_policy=bound", "hop"),
        ("real_ratio<0.1", "hop"),
        ("eval>-200", "hop pend"),
        ("eval >= -168", "hop pend"),
        ("solved<=500", "pend"),
        ("solved=none", "hop"),
        ("not solved=none", "pend"),
        ("!hop", "pend"),
        ("not (hop or swing)", ""),
        ("seed=3 || seed=0", "hop pend"),
        ("seed=3 && steps>1e4", "hop"),
        ('name="swing up"', "pend"),
        ("'swing up'", "pend"),
        ('"or"', ""),
        ("hand=yes", "pend"),
        ("fork:old", "pend"),
        ("speed>20", "hop"),
        ("hop and not k>20 or state=finished", "hop pend"),
        ("env=nothing:Pendulum-v1", ""),
    ],
)
def test_what_it_finds(text: str, found: str) -> None:
    test = parse_filter(text)
    assert [name for name, row in (("hop", HOP), ("pend", PEND)) if test(row)] == found.split()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("k>=", "a value is missing after k>="),
        ("k>=five", "k>= needs a number, got five"),
        ("colour=red", "colour is no field; there are name, env,"),
        ("(hop", "a ) is missing"),
        ("hop)", ") stands too much"),
        ("and", "a name or a comparison is missing"),
        ("hop or", "a name or a comparison is missing"),
        ("= 3", "a name or a comparison is missing"),
        ('name="open', "a quote is not closed"),
        ("env~'('", "( is no regular expression"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse_filter(text)
    assert said in str(error.value)


@given(st.text(alphabet="ab k=<>!~:()\"' andor*5-\\[", max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        test = parse_filter(text)
    except ConfigError as error:
        assert "\n" not in str(error)
    else:
        assert test(HOP) in (True, False)
