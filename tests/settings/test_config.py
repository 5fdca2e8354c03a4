"""Hold settings to their declaration: defaults, ranges, words, presets."""

from __future__ import annotations

import dataclasses
import math
import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import environment

from mbpo.errors import ConfigError
from mbpo.settings.config import LIVE_SETTINGS, SETTINGS, Config, resolve
from mbpo.settings.presets import PRESETS
from mbpo.settings.setting import Setting, nearest, shown
from mbpo.settings.toml_text import Table

NUMERIC = [s for s in SETTINGS.values() if s.kind in (int, float)]


def by_name(settings: list[Setting]) -> Any:
    return pytest.mark.parametrize("setting", settings, ids=lambda s: s.name)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_resolves_and_says_where_it_comes_from(preset: str) -> None:
    config = resolve({"env_id": "Toy-v0"} if preset == "default" else {}, preset)
    assert config.preset == preset
    for name, value in PRESETS[preset].settings.items():
        assert getattr(config, name) == value
    assert PRESETS[preset].source
    assert PRESETS[preset].doc


def test_every_field_is_a_setting_with_a_meaning_and_a_default_it_accepts() -> None:
    assert list(SETTINGS) == [field.name for field in dataclasses.fields(Config)]
    for setting in SETTINGS.values():
        assert setting.doc.endswith(".")
        assert setting.check(setting.default) == setting.default


def test_what_says_how_far_to_trust_the_model_is_live() -> None:
    assert set(LIVE_SETTINGS) == {
        "rollout_length",
        "k_policy",
        "rollout_schedule",
        "real_ratio",
        "model_train_freq",
        "updates_per_step",
    }


@by_name(NUMERIC)
def test_a_number_has_two_finite_bounds_and_accepts_them_alone(setting: Setting) -> None:
    low, high = setting.low, setting.high
    assert math.isfinite(low)
    assert math.isfinite(high)
    assert setting.check(high) == high
    if setting.open_low:
        with pytest.raises(ConfigError):
            setting.check(low)
    else:
        assert setting.check(low) == low
    below, above = (low - 1, high + 1) if setting.kind is int else (low - 0.001, high * 1.001)
    for outside in (below, above, math.nan, math.inf, -math.inf):
        with pytest.raises(ConfigError):
            setting.check(outside)


@by_name(NUMERIC)
@pytest.mark.parametrize("value", [True, None, "3", [3], {}, b"3", 3j, "atuo"])
def test_a_value_that_is_no_number_is_refused(setting: Setting, value: object) -> None:
    with pytest.raises(ConfigError, match=f"^{setting.name} must "):
        setting.check(value)


@by_name(NUMERIC)
def test_a_refusal_names_the_setting_the_range_and_the_value(setting: Setting) -> None:
    with pytest.raises(ConfigError) as raised:
        setting.check(-12345678901)
    message = str(raised.value)
    assert message.startswith(f"{setting.name} must ")
    assert setting.range_text in message
    assert message.endswith(", got -12345678901")
    assert len(message) <= 200


@by_name([s for s in NUMERIC if s.auto])
def test_auto_is_a_value_where_it_is_declared(setting: Setting) -> None:
    assert setting.check("auto") == "auto"
    assert setting.parse(" auto ") == "auto"
    assert '"auto"' in setting.expected


def test_a_whole_number_may_be_written_as_a_float_but_not_a_fraction() -> None:
    setting = SETTINGS["rollout_length"]
    assert setting.check(3.0) == 3
    assert type(setting.check(3.0)) is int
    assert setting.parse("3.0") == 3
    with pytest.raises(ConfigError, match="whole number"):
        setting.check(3.5)


@given(st.text(max_size=300))
def test_any_text_parses_or_is_refused_in_one_line(text: str) -> None:
    for setting in SETTINGS.values():
        try:
            setting.parse(text)
        except ConfigError as error:
            assert str(error).isprintable()
            assert len(str(error)) <= 200


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
)


@given(VALUES)
def test_any_value_is_taken_in_the_settings_own_type_or_refused(value: object) -> None:
    for setting in SETTINGS.values():
        try:
            taken = setting.check(value)
        except ConfigError as error:
            assert str(error).isprintable()
            assert len(str(error)) <= 200
        else:
            assert type(taken) in ({list: tuple, dict: Table}.get(setting.kind, setting.kind), str)
            assert setting.check(taken) == taken


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False), ("TRUE", True)])
def test_words_of_truth(text: str, value: bool) -> None:
    assert SETTINGS["normalize_targets"].parse(text) is value


@pytest.mark.parametrize("text", ["yes", "1", "0", "", "truee"])
def test_other_words_are_not_truth(text: str) -> None:
    with pytest.raises(ConfigError, match="must be true or false"):
        SETTINGS["normalize_targets"].parse(text)


def test_a_schedule_is_four_numbers() -> None:
    setting = SETTINGS["rollout_schedule"]
    assert setting.parse("20,150,1,15") == (20.0, 150.0, 1.0, 15.0)
    assert setting.parse("[20, 150, 1, 15]") == (20.0, 150.0, 1.0, 15.0)
    for bad in ("20,150,1", "20,150,1,15,3", "a,b,c,d", "20,150,1,-1", "20,150,1,nan", ""):
        with pytest.raises(ConfigError, match="must be 4 numbers in"):
            setting.parse(bad)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"elites": 8}, "elites must be at most ensemble_size"),
        ({"rollout_schedule": [150, 20, 1, 15]}, "rollout_schedule must have e0 ≤ e1"),
        ({"rollout_schedule": [0, 20, 1, 1001]}, r"k0 and k1 in \[0, 1000\]"),
        ({"device": "gpu"}, "device must be auto, cpu, cuda or cuda:N"),
        ({"device": "cuda:"}, "device must be"),
        ({"device": "cuda:01"}, "device must be"),
        ({"device": "cuda:999"}, "device must be"),
        ({"device": "cuda:٣"}, "device must be"),
        ({"gama": 0.9}, "unknown setting gama; did you mean gamma?"),
        ({"preset_": "x"}, "did you mean preset?"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(overrides, "debug")


@pytest.mark.parametrize("device", ["auto", "cpu", "cuda", "cuda:0", "cuda:12"])
def test_devices(device: str) -> None:
    assert resolve({"device": device}, "debug").device == device


def test_an_unknown_preset_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset pendulm; did you mean pendulum\?"):
        resolve({}, "pendulm")


def test_a_config_cannot_be_changed_and_becomes_plain_values() -> None:
    config = resolve({}, "debug")
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 3  # type: ignore[misc]
    plain = config.to_dict()
    tables = {"env_kwargs", "k_options"}  # where there is one
    assert list(plain) == [name for name in SETTINGS if name not in tables]
    assert plain["rollout_schedule"] == [20.0, 150.0, 1.0, 1.0]
    assert resolve({k: v for k, v in plain.items() if k != "preset"}, "debug") == config


def test_a_typing_error_is_met_with_the_nearest_name_or_with_all() -> None:
    assert nearest("rolout_lenght", SETTINGS) == "; did you mean rollout_length?"
    assert nearest("--upd", ["--up", "--updates-per-step"]) == "; did you mean --updates-per-step?"
    assert nearest("zzzzzz", ["alpha", "beta"]) == "; valid: alpha, beta"


@pytest.mark.parametrize("value", ["", "a" * 1000, "\x1b[31mred", "a\nb", {"a": [1] * 100}, None])
def test_a_refused_value_is_shown_in_forty_printable_characters(value: object) -> None:
    assert shown(value).isprintable()
    assert 0 < len(shown(value)) <= 40


def test_config_needs_no_torch() -> None:
    code = "import sys, mbpo.settings.config, mbpo.runs.reader, mbpo.trust.bound; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert re.fullmatch("False\n", found.stdout)
