"""The preset follows the environment: an exact id chooses its own, everything else ``default``."""

from __future__ import annotations

import gymnasium
import pytest

import mbpo.envs.make  # noqa: F401  registers ours
from mbpo.errors import ConfigError
from mbpo.settings.config import SETTINGS, Config, defaults_of, resolve, resolve_run
from mbpo.settings.presets import PRESETS, SOONER, how_chosen, preset_for
from mbpo.settings.tuned import TUNED

CHOSEN = {
    "Pendulum-v1": "pendulum",
    "InvertedPendulum-v5": "inverted-pendulum",
    "InvertedPendulum-v4": "inverted-pendulum",
    "InvertedDoublePendulum-v5": "inverted-double-pendulum",
    "InvertedDoublePendulum-v4": "inverted-double-pendulum",
    "Hopper-v5": "hopper",
    "Hopper-v4": "hopper",
    "HalfCheetah-v5": "halfcheetah",
    "HalfCheetah-v4": "halfcheetah",
    "Walker2d-v5": "walker2d",
    "Walker2d-v4": "walker2d",
    "mbpo/AntTruncated-v5": "ant",
    "mbpo/HumanoidTruncated-v5": "humanoid",
}
STRANGERS = (
    "mine:Hopper-v5",
    "gymnasium:Pendulum-v1",  # whatever a module registers, it is the module's
    "toy_envs:Toy-v0",
    "Swimmer-v5",
    "Ant-v5",  # 105 numbers, not ours of 27
    "Humanoid-v4",
    "Hopper-v3",
    "Hopper-v6",
    "Hopper-v55",
    "Hopper",
    "hopper-v5",
    "mine/Hopper-v5",
    "mbpo/AntTruncated-v4",
    "Pendulum-v0",
    "Pendulum-v4",
    "MyPendulum-v1",
    "default",
    "",
)


@pytest.mark.parametrize("env_id", CHOSEN)
def test_an_exact_id_chooses_its_preset_and_stays_what_was_typed(env_id: str) -> None:
    config, name = resolve({"env_id": env_id}), CHOSEN[env_id]
    assert (config.preset, config.env_id) == (name, env_id)
    assert config == resolve({"env_id": env_id}, name)
    assert how_chosen(env_id) == f"preset {name}, chosen by {env_id}"


@pytest.mark.parametrize("env_id", STRANGERS)
def test_a_stranger_gets_the_declared_defaults_sooner(env_id: str) -> None:
    assert preset_for(env_id) is PRESETS["default"]
    assert how_chosen(env_id) == f"preset default, as {env_id} has none of its own"
    if env_id:
        config = resolve({"env_id": env_id})
        declared = {name: setting.default for name, setting in SETTINGS.items()}
        assert config == Config(**{**declared, **SOONER, "env_id": env_id})  # type: ignore[arg-type]
        assert (config.preset, config.target_entropy, config.gamma, config.sac_hidden) == ("default", "auto", 0.99, 256)


def test_the_ids_that_choose_are_registered_and_each_chooses_one() -> None:
    ids = [env_id for preset in PRESETS.values() for env_id in preset.chosen_by]
    assert sorted(ids) == sorted(set(ids)) == sorted(CHOSEN)
    assert set(ids) <= set(gymnasium.registry)
    for preset in PRESETS.values():
        assert preset.chosen_by[:1] in ((), (preset.env_id,))
    never = [preset.name for preset in PRESETS.values() if preset.env_id and not preset.chosen_by]
    assert never == ["pendulum-tutorial", *(f"{name}-tuned" for name in TUNED), "debug"]


@pytest.mark.parametrize("name", TUNED)
def test_ours_are_the_paper_s_with_what_was_found(name: str) -> None:
    papers, ours = PRESETS[name], PRESETS[f"{name}-tuned"]
    differing = {key for key in ours.settings if ours.settings[key] != papers.settings.get(key)}
    assert ours.settings.keys() >= papers.settings.keys()
    assert differing == set(TUNED[name])


def test_each_mujoco_task_brings_its_own_target_entropy() -> None:
    for env_id, name in CHOSEN.items():
        assert isinstance(resolve({"env_id": env_id}).target_entropy, float), name


def test_without_environment_and_preset_it_is_pendulum() -> None:
    assert resolve({}) == resolve({}, "pendulum")
    assert resolve({"seed": 3}).preset == "pendulum"


def test_a_named_preset_stays_whatever_the_environment() -> None:
    assert resolve({"env_id": "Hopper-v5"}, "debug").preset == "debug"
    assert resolve({"env_id": "Hopper-v5"}, "default").target_entropy == "auto"


def test_default_brings_no_environment() -> None:
    assert "env_id" not in defaults_of("default")
    with pytest.raises(ConfigError, match="preset default goes with any environment and names none: give env_id"):
        resolve({}, "default")


@pytest.mark.parametrize("env_id", [5, None, "", "a\nb", "x" * 201, ["Hopper-v5"]])
def test_what_is_no_id_chooses_nothing(env_id: object) -> None:
    with pytest.raises(ConfigError, match="env_id must be text"):
        resolve({"env_id": env_id})


def test_a_run_has_the_preset_that_its_file_names() -> None:
    for preset in PRESETS:
        config = resolve({"env_id": "Hopper-v5", "seed": 3}, preset)
        assert resolve_run(config.to_dict()) == config
    assert resolve_run({"env_id": "Hopper-v5"}) == resolve({"env_id": "Hopper-v5"}, "pendulum")  # as ever
