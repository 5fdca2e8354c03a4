"""Read studies from their files: the runs they name, and what is wrong with a file in one line."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from learners import ROOT

from mbpo.errors import ConfigError
from mbpo.lifecycle.command_line import parse_launch
from mbpo.runs.layout import RUN_ID
from mbpo.studies.samples import keep_sample, read_samples
from mbpo.studies.study import Choice, Study, sample_of
from mbpo.studies.study_file import read_study, study_of

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

DEBUG = {"preset": "debug"}


def study(**content: Any) -> Study:
    return study_of({"name": "k", "base": DEBUG, **content}, "study.toml")


def ids(found: Study) -> list[str]:
    return [run.run_id for run in found.runs]


def test_every_value_goes_with_every_other_and_with_each_seed() -> None:
    found = study(axes={"rollout_length": [1, 5], "real_ratio": [0.5, 0.05]}, seeds="0:2")
    assert ids(found) == [
        f"k{k}-real_ratio{ratio}-s{seed}" for seed in (0, 1) for k in (1, 5) for ratio in ("0.5", "0.05")
    ]
    assert found.words == "2 k × 2 real_ratio × 2 seeds"
    config = found.runs[-1].config
    assert (config.rollout_length, config.real_ratio, config.seed, config.threads) == (5, 0.05, 1, 1)


def test_a_run_keeps_its_name_when_values_and_seeds_are_added() -> None:
    few = study(axes={"rollout_length": [1, 5]}, seeds="0:3")
    more = study(axes={"rollout_length": [1, 5, 15, 150]}, seeds="0:12")
    assert {*ids(few)} < {*ids(more)}
    same = {run.run_id: run.config for run in more.runs}
    assert all(same[run.run_id] == run.config for run in few.runs)


def test_environments_are_an_axis_and_choose_their_presets() -> None:
    found = study(base={}, axes={"env_id": ["Pendulum-v1", "Hopper-v5"]})
    assert ids(found) == ["Pendulum-v1-s0", "Hopper-v5-s0"]
    assert [run.config.preset for run in found.runs] == ["pendulum", "hopper"]


def test_a_rule_sets_several_settings_at_once() -> None:
    rules = [{"name": "fixed", "rollout_length": 5}, {"k_policy": "bound", "real_ratio": 0.1}]
    found = study(axes={"rule": rules}, seeds=[3])
    assert ids(found) == ["fixed-s3", "rule2-s3"]
    assert (found.runs[0].config.rollout_length, found.runs[1].config.k_policy) == (5, "bound")


def test_the_flags_of_a_run_are_its_config() -> None:
    schedules = [[20.0, 150.0, 1.0, 15.0], [1.0, 2.0, 1.0, 1.0]]
    for run in study(axes={"rollout_schedule": schedules, "algo": ["mbpo", "sac"]}, threshold=-200.0).runs:
        assert parse_launch(run.flags).config == run.config
        assert run.config.threshold == -200.0


LR = {"actor_lr": {"low": 1e-4, "high": 1e-2, "log": True}}
WRONG: list[tuple[Mapping[str, Any], str]] = [
    ({"name": "a/b"}, "name must be 1 to 40 of"),
    ({"name": None}, "got no name"),
    ({"name": "x" * 41}, "name must be 1 to 40 of"),
    ({"axis": {}}, "unknown key axis; did you mean axes?"),
    ({"real_ratio": 0.5}, "then it belongs in [base]: real_ratio"),
    ({"base": []}, "[base] must be a table"),
    ({"base": {"preset": 3}}, "preset must be text"),
    ({"base": {"seed": 3}}, "seed belongs to no run alone"),
    ({"base": {"gama": 0.9}}, "unknown setting gama; did you mean gamma?"),
    ({"base": {"gamma": 7}}, "gamma must"),
    ({"seeds": "a"}, "seeds must be like 0:5"),
    ({"seeds": []}, "seeds must be like"),
    ({"seeds": True}, "seeds must be like"),
    ({"seeds": [1, 1]}, "each seed once"),
    ({"axes": {"rollout_length": 5}}, "must be a list of its values"),
    ({"axes": {"rollout_length": []}}, "must be a list of its values"),
    ({"axes": {"rollout_length": [1, "x"]}}, "rollout_length must"),
    ({"axes": {"rollout_length": [1, 1]}}, "would be the same run twice"),
    ({"axes": {"rolout_length": [1]}}, "did you mean rollout_length?"),
    ({"axes": {"seed": [1]}}, 'seed is no axis: give seeds = "0:8"'),
    ({"axes": {"threads": [1, 2]}}, "threads is no axis"),
    ({"axes": {"preset": ["debug"]}}, "preset is no axis"),
    ({"axes": {"rule": [{"seed": 3}]}}, "seed is no axis"),
    ({"axes": {"rule": [{"nope": 3}]}}, "unknown setting nope"),
    ({"axes": {"rule": [{"name": "a b"}]}}, "must be letters and digits"),
    ({"axes": {"rule": [{"name": "a"}, {"name": "a", "gamma": 0.9}]}}, "two runs of one name"),
    ({"base": {"gamma": 0.9}, "axes": {"gamma": [0.9, 0.99]}}, "stands in axis gamma and in [base]"),
    ({"axes": {"gamma": [0.9], "rule": [{"gamma": 0.8}]}}, "give it once"),
    ({"axes": {"rule": [{"name": "x" * 64}]}}, "too long for a run's name"),
    ({"ray": {"num_cpus": 2}}, "[ray] cannot set num_cpus: it is the threads of [base]"),
    ({"ray": {"num_gpu": 2}}, "did you mean num_gpus?"),
    ({"ray": {"num_gpus": 1.5}}, "a part of one GPU, or a number of whole ones"),
    ({"ray": {"num_gpus": -1}}, "[ray] num_gpus must be a number from 0"),
    ({"ray": {"memory": 1.5}}, "[ray] memory must be a number of bytes"),
    ({"ray": {"resources": 3}}, "[ray] resources must be a table"),
    ({"ray": {"resources": {"big": "x"}}}, "[ray] big must be a number"),
    ({"ray": {"accelerator_type": 3}}, "accelerator_type must be a name"),
    ({"search": {}}, "[search.space] must name settings"),
    ({"search": {"space": LR, "gamma": 0.9}}, "it belongs in [search.space]"),
    ({"search": {"space": LR, "sample": 9}}, "unknown key sample in [search]; did you mean samples?"),
    ({"search": {"space": LR, "samples": 0}}, "samples of [search] must be a whole number in [1, 10,000]"),
    ({"search": {"space": LR, "grace_steps": 10**9}}, "grace_steps of [search] must be"),
    ({"search": {"space": LR}, "axes": {"gamma": [0.9]}}, "[axes] or [search], not both"),
    ({"search": {"space": LR}, "base": {"actor_lr": 1e-3}}, "actor_lr stands in [search.space] and in [base]"),
    ({"search": {"space": {"seed": [1, 2]}}}, "seed is not searched"),
    ({"search": {"space": {"total_steps": [1, 2]}}}, "total_steps is not searched"),
    ({"search": {"space": {"gama": [1, 2]}}}, "did you mean gamma?"),
    ({"search": {"space": {"gamma": 0.9}}}, "must be a list or {low, high}"),
    ({"search": {"space": {"gamma": {"low": 0.9, "hi": 1.0}}}}, "has low, high and log"),
    ({"search": {"space": {"gamma": {"low": 0.9}}}}, "gamma must"),
    ({"search": {"space": {"gamma": {"low": 0.9, "high": 0.8}}}}, "must rise from low to high"),
    ({"search": {"space": {"gamma": {"low": 0.0, "high": 0.8, "log": True}}}}, "to high above 0"),
    ({"search": {"space": {"algo": {"low": 0.9, "high": 0.8}}}}, "give a list of its values, and no range"),
    ({"seeds": "0:1000", "axes": {"gamma": [0.9 + i / 1000 for i in range(11)]}}, "at most 10,000 runs, got 11,000"),
]


@pytest.mark.parametrize(("content", "said"), WRONG, ids=[said for _, said in WRONG])
def test_what_is_wrong_is_said_with_the_file(content: Mapping[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**content)
    assert said in str(caught.value) and str(caught.value).endswith("(in study.toml)")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["name", "base", "axes", "seeds", "threshold", "ray", "search", "x"]), VALUES))
def test_whatever_stands_in_a_file_is_a_study_or_one_line(content: Mapping[str, Any]) -> None:
    try:
        found = study_of(content, "study.toml")
    except ConfigError:
        return
    assert all(RUN_ID.match(run.run_id) for run in found.runs)


SPACE = {**LR, "rollout_length": {"low": 1, "high": 20}, "rollout_schedule": [[20.0, 150.0, 1.0, 15.0]]}


@given(st.floats(1e-4, 1e-2), st.integers(1, 20))
def test_a_sample_is_called_by_its_values_and_again_by_the_same(lr: float, k: int) -> None:
    found = study(search={"samples": 5, "space": SPACE}, seeds="0:2")
    assert found.runs == () and found.words == "5 samples × 2 seeds" and found.search is not None
    drawn = {"actor_lr": lr, "rollout_length": k, "rollout_schedule": "20,150,1,15"}
    sample = sample_of(found.search.settings_of(drawn))
    assert sample.settings["rollout_length"] == k and sample.settings["actor_lr"] == pytest.approx(lr, rel=0.005)
    runs = found.of_samples([sample]).runs
    assert ids(found.of_samples([sample])) == [f"{sample.name}-s0", f"{sample.name}-s1"]
    assert f"k{k}" in sample.name and all(RUN_ID.match(run.run_id) for run in runs)
    assert runs[1].config.rollout_schedule == (20.0, 150.0, 1.0, 15.0)


def test_a_sample_of_many_settings_has_a_short_name() -> None:
    space = {name: [0.5] for name in ("real_ratio", "gamma", "tau", "actor_lr", "critic_lr", "model_lr")}
    found = study(search={"space": space})
    assert found.search is not None
    sample = sample_of(found.search.settings_of(dict.fromkeys(space, "0.5")))
    assert len(sample.name) == 13 and found.of_samples([sample]).runs[0].config.gamma == 0.5


def test_samples_are_kept_beside_the_runs(tmp_path: Path) -> None:
    sample = sample_of({"actor_lr": 3e-4, "rollout_length": 5})
    keep_sample(tmp_path, sample)
    (tmp_path / "samples" / "bad.toml").write_text("[[")
    given_up = Choice("k7", {"rollout_length": 7}, given_up=True)
    keep_sample(tmp_path, given_up)
    assert read_samples(tmp_path) == [sample, given_up]
    found = study(search={"space": LR}).of_samples([sample, given_up])
    assert [run.given_up for run in found.runs] == [False, True]


def test_the_studies_of_the_docs_are_studies() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", (ROOT / "docs" / "cluster.md").read_text(), re.S)
    whole = [block for block in blocks if "name = " in block]
    parts = [block for block in blocks if "name = " not in block]
    assert len(whole) == 2 and len(parts) == 2
    for block in (*whole, *(f"{whole[0]}\n{part}" for part in parts)):
        study_of(tomllib.loads(block), "docs")


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        read_study(tmp_path / "none.toml")
    (tmp_path / "x.toml").write_text("[[")
    with pytest.raises(ConfigError, match="is not TOML"):
        read_study(tmp_path / "x.toml")
