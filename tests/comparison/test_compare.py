"""Compare runs: grouping, alignment, thresholds, every output, and one clear line for bad input."""

from __future__ import annotations

import csv
import io
import json
import math
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import tomli_w
from learners import DEBUG, Outcome, environment

from mbpo.compare import main
from mbpo.comparison.groups import group_runs
from mbpo.comparison.runs import read_run
from mbpo.runs.about import change_about
from mbpo.runs.layout import RunPaths
from mbpo.runs.status import RunStatus, this_process, write_status
from mbpo.settings.config import resolve
from mbpo.settings.packages import install_command

Compare = Callable[..., Outcome]
KEY = "eval/return_mean"


@pytest.fixture
def compare(call: Callable[..., Outcome]) -> Compare:
    return lambda *arguments: call(main, *arguments)


def make_run(
    root: Path,
    run_id: str,
    values: Sequence[float | None],
    *,
    seed: int = 0,
    every: int = 100,
    s_per_step: float = 0.01,
    key: str = KEY,
    status: Mapping[str, Any] | None = None,
    manifest: Mapping[str, Any] | None = None,
    preset: str | None = "pendulum",
    **settings: Any,
) -> RunPaths:
    """Fabricate a run that was evaluated after each ``every`` env steps."""
    paths = RunPaths(root / run_id)
    paths.root.mkdir(parents=True)
    config = resolve({"seed": seed, **settings}, preset)
    paths.config.write_text(tomli_w.dumps(config.to_dict()))
    paths.manifest.write_text(json.dumps({"device": "cpu", "threads": 1, **(manifest or {})}))
    write_status(paths, RunStatus(**{"state": "finished", "seed": seed, **(status or {})}))
    with paths.metrics.open("w") as file:
        for n, value in enumerate(values, 1):
            row = {"seq": n, "attempt": 1, "env_steps": n * every}
            row |= {"time_s": n * every * s_per_step, key: value}
            file.write(json.dumps(row) + "\n")
    return paths


def make_duel(root: Path) -> Path:
    """Fabricate three seeds of MBPO, which gets there, and three of SAC, of which one does."""
    for seed in range(3):
        make_run(root, f"mbpo-{seed}", [-900, -500, -150 - seed, -140 - seed], seed=seed)
        last = -150 if seed == 0 else -700
        make_run(root, f"sac-{seed}", [-900, -800, -750, last], seed=seed, real_ratio=1.0)
    return root


def figures(outcome: Outcome) -> Any:
    assert outcome.code == 0, outcome.err
    (environment_figures,) = json.loads(outcome.out)["environments"]
    return environment_figures


def names(outcome: Outcome) -> list[str]:
    return [group["name"] for group in figures(outcome)["groups"]]


# Figures


def test_a_duel_by_hand(tmp_path: Path, compare: Compare) -> None:
    found = figures(compare(make_duel(tmp_path), "--json", "--threshold", "-200", "--at", "300"))
    at_300, _, at_400, sac_400 = found["scores"]
    assert (at_300["group"], at_300["at"], at_300["seeds"]) == ("real_ratio=0.5", 300, 3)
    assert (at_300["mean"], at_300["std"]) == (-151, 1)
    assert at_400["iqm"] == pytest.approx(-141)
    assert sac_400["mean"] == pytest.approx((-150 - 1400) / 3)
    assert sac_400["iqm"] == pytest.approx((-700 * 1.25 - 150 * 0.25) / 1.5)
    assert sac_400["iqm_interval"][0] == -700
    pair = found["pairs"][1]
    assert (pair["x"], pair["y"], pair["improvement"]) == ("real_ratio=0.5", "real_ratio=1", 1)
    by_seed = [-140 + 150, -141 + 700, -142 + 700]
    mean, half = statistics.mean(by_seed), 4.302653 * statistics.stdev(by_seed) / 3**0.5  # Student's t
    assert pair["difference"] == pytest.approx(mean)
    assert pair["difference_interval"] == pytest.approx((mean - half, mean + half))
    reaches = {(r["group"], r["until"]): r for r in found["reaches"]}
    mbpo = reaches["real_ratio=0.5", "first"]
    assert (mbpo["reached"], mbpo["of"]) == (3, 3)
    assert (mbpo["env_steps"], mbpo["time_s"]) == (300, 3)
    sac = reaches["real_ratio=1", "solved"]
    assert (sac["reached"], sac["of"], sac["env_steps"], sac["time_s"]) == (1, 3, None, None)
    lead = found["leads"][0]
    assert (lead["x"], lead["until"], lead["sooner"]) == ("real_ratio=0.5", "first", 1)
    assert lead["saved"] == 100  # 300 against 400, once reached and twice the end of the run
    assert found["leads"][1]["until"] == "solved"


def test_two_groups_that_never_get_there_are_a_tie(tmp_path: Path, compare: Compare) -> None:
    for seed in range(2):
        make_run(tmp_path, f"a-{seed}", [-900, -800], seed=seed)
        make_run(tmp_path, f"b-{seed}", [-900, -800], seed=seed, real_ratio=1.0)
    lead = figures(compare(tmp_path, "--json", "--threshold", "-200"))["leads"][0]
    assert (lead["sooner"], lead["saved"]) == (0.5, 0)


def test_a_run_that_is_not_there_yet_may_still_be_sooner(tmp_path: Path, compare: Compare) -> None:
    """Seeds of X get there at 400; those of Y are at 200 so far, or broke off there, or diverged and never will."""
    for seed in range(2):
        make_run(tmp_path / "x", f"x-{seed}", [-900, -800, -700, -150], seed=seed)
        for state in ("stopped", "diverged"):
            values, folder = [-900, -800], tmp_path / state
            make_run(folder, f"{state}-{seed}", values, seed=seed, real_ratio=1.0, status={"state": state})
    stopped, diverged = (
        figures(compare(tmp_path / "x", tmp_path / state, "--json", "--threshold", "-200"))["leads"][0]
        for state in ("stopped", "diverged")
    )
    assert (stopped["sooner"], stopped["saved"]) == (0.5, 0)
    assert (diverged["sooner"], diverged["saved"]) == (1, 1200 - 400)  # to the end that it was to have


def test_the_last_common_step_is_where_every_run_has_a_value(tmp_path: Path, compare: Compare) -> None:
    """Evaluated every 100 and every 150 env steps: 400 of the one meets 300 of the other."""
    make_run(tmp_path, "a", [1, 2, 3, 4, 5, 6], seed=0)
    make_run(tmp_path, "b", [10, 20, 30], seed=0, every=150, real_ratio=1.0)
    found = figures(compare(tmp_path, "--json", "--at", "400,600,50"))
    values = {(s["group"], s["at"]): (s["seeds"], s["mean"]) for s in found["scores"]}
    assert values["real_ratio=0.5", 50] == (0, None)
    assert values["real_ratio=1", 400] == (1, 20)
    assert values["real_ratio=0.5", 450] == (1, 4)
    assert values["real_ratio=1", 450] == (1, 30)
    assert values["real_ratio=0.5", 600] == (1, 6)
    assert values["real_ratio=1", 600] == (0, None)  # never past the end of a run
    assert {s["at"] for s in found["scores"]} == {50, 400, 450, 600}


def test_groups_of_unequal_seeds_have_no_difference_by_seed(tmp_path: Path, compare: Compare) -> None:
    make_duel(tmp_path)
    make_run(tmp_path, "sac-7", [-900, -800, -750, -100], seed=7, real_ratio=1.0)
    outcome = compare(tmp_path, "--json")
    (pair,) = figures(outcome)["pairs"]
    assert (pair["seeds_x"], pair["seeds_y"]) == (3, 4)
    assert pair["improvement"] == pytest.approx(9 / 12)
    assert pair["difference"] is None
    shutil.rmtree(tmp_path / "mbpo-0")
    make_run(tmp_path, "mbpo-8", [-1, -1, -1, -1], seed=8)
    make_run(tmp_path, "mbpo-9", [-1, -1, -1, -1], seed=9)  # four of each, other seeds
    (pair,) = figures(compare(tmp_path, "--json"))["pairs"]
    assert pair["difference"] is None


def test_a_seed_that_ended_early_leaves_later_figures(tmp_path: Path, compare: Compare) -> None:
    make_duel(tmp_path)
    make_run(tmp_path, "mbpo-3", [-900, -950], seed=3, status={"state": "diverged"})
    outcome = compare(tmp_path, "--json", "--at", "400", "--threshold", "-200")
    found = figures(outcome)
    seeds = {(s["group"], s["at"]): (s["seeds"], s["of"]) for s in found["scores"]}
    assert seeds["real_ratio=0.5", 200] == (4, 4)
    assert seeds["real_ratio=0.5", 400] == (3, 4)
    assert found["reaches"][0]["reached"] == 3
    assert found["reaches"][0]["of"] == 4
    assert "note: mbpo-3 is diverged at 200 of 1,200 env steps\n" in outcome.err


def test_wall_time_has_its_own_common_point(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "fast", [1, 2, 3, 4], s_per_step=0.01)
    make_run(tmp_path, "slow", [10, 20, 30, 40], s_per_step=0.02, real_ratio=1.0)
    found = figures(compare(tmp_path, "--json", "--by", "time"))
    values = {(s["group"], s["by"]): (s["at"], s["mean"]) for s in found["scores"]}
    assert values == {
        ("real_ratio=0.5", "env_steps"): (400, 4),
        ("real_ratio=1", "env_steps"): (400, 40),
        ("real_ratio=0.5", "time_s"): (4, 4),
        ("real_ratio=1", "time_s"): (4, 20),
    }


def test_smaller_is_better_where_the_metric_says_so(tmp_path: Path, compare: Compare) -> None:
    key = "model/holdout_mse"
    for seed in range(2):
        make_run(tmp_path, f"good-{seed}", [0.5, 0.1, 0.05], seed=seed, key=key)
        make_run(tmp_path, f"bad-{seed}", [0.5, 0.4, 0.3], seed=seed, key=key, model_layers=1)
    asked = (tmp_path / "good-*", tmp_path / "bad-*", "--metric", key, "--threshold", "0.1")
    found = figures(compare(*asked, "--json"))
    assert found["pairs"][0]["improvement"] == 1
    assert found["pairs"][0]["difference"] == pytest.approx(-0.25)
    assert [r["reached"] for r in found["reaches"]] == [2, 2, 0, 0]
    table = compare(*asked).out
    assert "P(X < Y)" in table
    assert "first ≤ 0.1" in table


def test_figures_repeat_and_resamples_are_obeyed(tmp_path: Path, compare: Compare) -> None:
    for seed, last in enumerate((-900.0, -471, -160, -158, -131, -77, -12)):
        make_run(tmp_path, f"r{seed}", [last], seed=seed)
    assert compare(tmp_path).out == compare(tmp_path).out
    intervals = [
        figures(compare(tmp_path, "--json", "--resamples", n))["scores"][0]["iqm_interval"] for n in (101, 5000)
    ]
    assert intervals[0] != intervals[1]


def test_an_evaluation_without_a_value_is_left_out_and_named(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [-5, None, -3])
    outcome = compare(tmp_path, "--json", "--at", "200")
    assert [s["mean"] for s in figures(outcome)["scores"]] == [-5, -3]
    assert "note: a: 1 row of eval/return_mean without a finite value left out" in outcome.err


# Groups


def test_runs_of_a_group_differ_in_seed_and_log_interval_only(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1], seed=0)
    make_run(tmp_path, "b", [1], seed=1, log_every=7)
    make_run(tmp_path, "c", [1], seed=2, device="cpu", threads="auto")  # the manifest: as resolved
    assert names(compare(tmp_path, "--json")) == ["pendulum"]
    make_run(tmp_path, "d", [1], seed=3, manifest={"device": "cuda:0"})
    assert names(compare(tmp_path, "--json")) == ["device=cpu", "device=cuda:0"]


def test_a_group_is_named_by_what_sets_it_apart(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1])
    make_run(tmp_path, "b", [1], real_ratio=1.0)
    make_run(tmp_path, "c", [1], real_ratio=1.0, rollout_length="auto")
    assert names(compare(tmp_path, "--json")) == [
        "rollout_length=25 real_ratio=0.5",
        "rollout_length=25 real_ratio=1",
        "rollout_length=auto real_ratio=1",
    ]
    make_run(tmp_path, "d", [1], preset="pendulum-tutorial")
    assert names(compare(tmp_path, "--json"))[2:] == ["pendulum rollout_length=auto real_ratio=1", "pendulum-tutorial"]


def test_a_preset_that_the_environment_chose_groups_with_the_same_by_name(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1], seed=0, preset="hopper")
    make_run(tmp_path, "b", [1], seed=1, preset=None, env_id="Hopper-v5")
    make_run(tmp_path, "c", [1], preset="default", env_id="Hopper-v5")
    make_run(tmp_path, "d", [1], preset="pendulum", env_id="Hopper-v5")  # as before it was chosen
    make_run(tmp_path, "e", [1], preset=None, env_id="Toy-v0")
    found = json.loads(compare(tmp_path, "--json").out)
    groups = [(f["env_id"], [(g["name"], len(g["runs"])) for g in f["groups"]]) for f in found["environments"]]
    assert groups == [("Hopper-v5", [("hopper", 2), ("default", 1), ("pendulum", 1)]), ("Toy-v0", [("default", 1)])]


def test_groups_stand_in_the_order_of_the_command_line(tmp_path: Path, compare: Compare) -> None:
    make_duel(tmp_path)
    order = names(compare(tmp_path / "sac-1", tmp_path / "mbpo*", tmp_path, "--json"))
    assert order == ["real_ratio=1", "real_ratio=0.5"]


def test_an_older_run_without_a_setting_has_its_default(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1], seed=0)
    older = make_run(tmp_path, "b", [1], seed=1)
    lines = older.config.read_text().splitlines()
    older.config.write_text("\n".join(line for line in lines if not line.startswith("tf32")))
    assert names(compare(tmp_path, "--json")) == ["pendulum"]
    with older.config.open("a") as file:
        file.write("\nfrom_tomorrow = 3\n")
    assert names(compare(tmp_path, "--json")) == ["from_tomorrow=None", "from_tomorrow=3"]


def test_a_hand_changed_run_stands_alone(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1], seed=0)
    make_run(tmp_path, "b", [1], seed=1, status={"interactive": True})
    make_run(tmp_path, "c", [1], seed=2, status={"interactive": True})
    expected = ["pendulum", "interactive=b", "interactive=c"]
    assert names(compare(tmp_path, "--json")) == expected


def test_of_two_runs_with_one_seed_the_newer_counts(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "new", [2], status={"started": 20.0})
    make_run(tmp_path, "old", [1], status={"started": 10.0})
    outcome = compare(tmp_path, "--json")
    (score,) = figures(outcome)["scores"]
    assert (score["seeds"], score["mean"]) == (1, 2)
    assert "note: old is left out: new is newer and has the same settings and seed 0" in outcome.err


def test_environments_are_apart(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [-1, -1])
    make_run(tmp_path, "b", [5, 5, 5], preset="inverted-pendulum")
    outcome = compare(tmp_path, "--json")
    found = json.loads(outcome.out)["environments"]
    assert [f["env_id"] for f in found] == ["Pendulum-v1", "InvertedPendulum-v5"]
    assert [f["pairs"] for f in found] == [[], []]
    assert [f["scores"][0]["at"] for f in found] == [200, 300]
    table = compare(tmp_path).out
    assert table.index("Pendulum-v1, preset pendulum") < table.index("InvertedPendulum-v5, preset")


def test_runs_of_different_commits_are_said_to_be(tmp_path: Path) -> None:
    for seed, commit in enumerate(("aaaaaaaaaa", "bbbbbbbbbb")):
        make_run(tmp_path, f"r{seed}", [1], seed=seed, manifest={"git_commit": commit})
    runs = [read_run(RunPaths(tmp_path / f"r{seed}"), KEY) for seed in range(2)]
    _, notes = group_runs(runs)
    assert notes == ["the runs of pendulum are of different commits: aaaaaaa, bbbbbbb"]


# Finding runs


def test_runs_are_found_below_folders_by_globs_and_only_once(tmp_path: Path, compare: Compare) -> None:
    make_duel(tmp_path / "deep" / "er")
    (tmp_path / "deep" / "notes").mkdir()
    (tmp_path / "deep" / "er" / "file").touch()
    (tmp_path / "deep" / "loop").symlink_to(tmp_path / "deep")
    found = figures(compare(tmp_path, tmp_path / "deep/er/*-0", tmp_path / "**/*sac-1", "--json"))
    assert sum(len(group["runs"]) for group in found["groups"]) == 6


def test_a_run_can_be_named_from_within(tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = make_run(tmp_path, "here", [1])
    monkeypatch.chdir(paths.root)
    (group,) = figures(compare(".", "--json"))["groups"]
    assert group["runs"][0]["run_dir"] == str(paths.root)


def test_a_run_still_going_on_is_used_as_far_as_it_is(tmp_path: Path, compare: Compare) -> None:
    going = {"state": "running", **this_process()}
    paths = make_run(tmp_path, "going", [-9, -8], status=going)
    make_run(tmp_path, "young", [], seed=1, status=going)
    with paths.metrics.open("a") as file:
        file.write('{"seq": 9, "env_steps": 300, "time_s": 3, "eval/ret')  # being written
    outcome = compare(tmp_path)
    assert outcome.code == 0
    assert "200 steps" in outcome.out
    assert "note: going is running at 200 of 1,200 env steps\n" in outcome.err
    assert "note: young is left out: running at 0 of 1,200 env steps without eval/return_mean\n" in outcome.err


def test_damaged_rows_are_passed_over(tmp_path: Path, compare: Compare) -> None:
    paths = make_run(tmp_path, "a", [1, 2])
    with paths.metrics.open("a") as file:
        file.write('garbage\n[1]\n{"env_steps": "3", "time_s": 1, "eval/return_mean": 7}\n')
        file.write('{"env_steps": 300, "time_s": 3, "eval/return_mean": true}\n')
    (score,) = figures(compare(tmp_path, "--json"))["scores"]
    assert (score["at"], score["mean"]) == (200, 2)


# Outputs


def test_the_table_is_plain_and_narrow_without_a_terminal(tmp_path: Path, compare: Compare) -> None:
    make_duel(tmp_path)
    long_names = {"rollout_length": "auto", "rollout_schedule": (1.0, 15.0, 1.0, 25.0)}
    make_run(tmp_path, "long", [-1, -1, -1, -1234567.0], **long_names, updates_per_step=7)
    outcome = compare(tmp_path, "--threshold", "-200", "--at", "100,200", "--by", "time")
    assert "\x1b" not in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100
    assert "-1,234,567.0" in outcome.out
    assert "never" in outcome.out
    assert "stand on 1 seed; of fewer than 5 seeds the intervals of IQM and P are too narrow" in outcome.err


def test_names_from_a_run_directory_cannot_paint_the_terminal(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1])
    other = make_run(tmp_path, "b", [1])
    with other.config.open("a") as file:
        file.write('extra = "[red]\\u001b[31mhot"\n')
    outcome = compare(tmp_path)
    assert "\x1b" not in outcome.out + outcome.err
    assert "[red]" in outcome.out


def test_the_csv_holds_every_figure(tmp_path: Path, compare: Compare) -> None:
    file = tmp_path / "figures.csv"
    duel = make_duel(tmp_path / "runs")
    assert compare(duel, "--threshold", "-200", "--csv", file).code == 0
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    found = {(r["group"], r["by"], r["figure"]): r for r in rows}
    assert len(found) == len(rows) == 2 * 3 + 2 + 2 * 6 + 2 * 2
    assert float(found["real_ratio=0.5", "env_steps", "mean"]["value"]) == -141
    assert found["real_ratio=0.5", "env_steps", "probability_of_improvement"]["low"] == "1.0"
    assert found["real_ratio=1", "", "reached_solved"]["value"] == "1"
    assert float(found["real_ratio=1", "time_s", "median_solved"]["value"]) == math.inf


def test_the_png_is_a_picture(tmp_path: Path, compare: Compare) -> None:
    from matplotlib.image import imread

    duel = make_duel(tmp_path / "runs")
    make_run(duel, "mbpo-3", [-900, None, -950], seed=3)  # ends early: a dotted rest
    make_run(duel, "other", [5, 6], preset="inverted-pendulum")
    file = tmp_path / "curves.png"
    outcome = compare(duel, "--png", file, "--threshold", "-200", "--by", "time")
    assert outcome.code == 0 and outcome.out.splitlines()[-1] == str(file)
    height, width, _ = imread(file).shape
    assert width > height > 600  # two environments, two axes


def test_the_svg_is_a_picture_and_the_same_each_time(tmp_path: Path, compare: Compare) -> None:
    duel = make_duel(tmp_path / "runs")
    change_about(RunPaths(next(iter(sorted(duel.iterdir())))), {"title": "<script>alert(1)</script> $x$"})
    one, two = tmp_path / "one.svg", tmp_path / "two"
    assert compare(duel, "--svg", one, "--png", tmp_path / "one.png").code == 0
    assert compare(duel, "--svg", two).code == 0  # its name says nothing of its kind
    assert one.read_bytes() == two.read_bytes()
    root = ElementTree.parse(one).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert not [part for part in root.iter() if part.tag.endswith("script")]
    assert (tmp_path / "one.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("flag", ["--png", "--svg"])
def test_without_matplotlib_a_picture_says_how_to_get_it(
    flag: str, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "a", [1])
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    outcome = compare(tmp_path, flag, tmp_path / "x")
    assert outcome.code == 2
    assert outcome.error == f"error: {flag} needs matplotlib: {install_command('matplotlib')}"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(("flag", "name"), [("--png", "x.svg"), ("--svg", "x.PNG"), ("--png", "x.pdf")])
def test_a_picture_of_another_kind_than_its_name_says_is_refused(
    flag: str, name: str, tmp_path: Path, compare: Compare
) -> None:
    make_run(tmp_path, "a", [1])
    outcome = compare(tmp_path, flag, tmp_path / name)
    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.error == f"error: {flag} must name a file that ends in .{flag[2:]}, got {name}"
    assert not (tmp_path / name).exists()


def test_with_json_nothing_else_is_on_stdout(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1])
    outcome = compare(tmp_path, "--json", "--png", tmp_path / "x.PNG")
    assert json.loads(outcome.out)["environments"] and (tmp_path / "x.PNG").exists()


@pytest.mark.parametrize("flag", ["--csv", "--png", "--svg"])
def test_a_file_that_cannot_be_written_is_named(flag: str, tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [1])
    outcome = compare(tmp_path, flag, tmp_path / "no" / "x")
    assert outcome.code == 2
    assert f"error: cannot write {tmp_path}/no/x: No such file" in outcome.error


def test_help_teaches_with_an_example(compare: Compare, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        compare("--help")
    assert stop.value.code == 0
    assert "python -m mbpo.compare duel" in capsys.readouterr().out


# Bad input


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "expected a run directory or a folder of runs, but missing does not exist"),
        (["no*such"], "but no*such does not exist"),
        (["a/config.toml"], "is a file"),
        (["empty"], "empty is not a run and holds none: expected config.toml and metrics.jsonl"),
        (["a", "--threshold", "high"], "--threshold must lie in (-∞, ∞), got high"),
        (["a", "--threshold", "nan"], "--threshold must lie in (-∞, ∞), got nan"),
        (["a", "--at", "100,x"], "--at must be a whole number in [0, 1000000000], got x"),
        (["a", "--at", ""], "--at must be a whole number"),
        (["a", "--resamples", "1"], "--resamples must be a whole number in [100, 1000000], got 1"),
        (["a", "--metric", "eval/return"], "did you mean eval/return_mean?"),
        (["a", "--by", "moon"], "invalid choice: 'moon'"),
        (["a", "--thresold", "1"], "did you mean --threshold?"),
        ([], "required: RUN"),
    ],
)
def test_bad_input_gets_one_line(
    arguments: list[str], message: str, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_run(tmp_path, "a", [1])
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    outcome = compare(*arguments)
    assert outcome.code == 2
    assert message in outcome.error
    assert outcome.out == ""


def test_no_evaluation_yet_is_said(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [])
    outcome = compare(tmp_path)
    assert outcome.code == 2
    assert "no row of metrics.jsonl has eval/return_mean in 1 run yet" in outcome.error


def test_a_config_that_cannot_be_used_is_named(tmp_path: Path, compare: Compare) -> None:
    paths = make_run(tmp_path, "a", [1])
    for text, message in (
        ("[", "is not TOML"),
        ('env_id = "x"\nseed = 1\n', "has no preset"),
        ('env_id = "x"\nseed = -1\npreset = "p"\n', "run a: seed must be a whole number"),
    ):
        paths.config.write_text(text)
        outcome = compare(tmp_path)
        assert outcome.code == 2
        assert message in outcome.error


def test_runs_without_a_common_step_need_a_step(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "short", [1], every=100, seed=0)
    make_run(tmp_path, "late", [1], every=500, seed=1)
    outcome = compare(tmp_path)
    assert outcome.code == 2
    assert "no point of env_steps is common to all 2 runs of Pendulum-v1: short ends at 100" in (outcome.error)
    assert compare(tmp_path, "--at", "100").code == 0


# Real runs


def test_a_real_run_is_compared_with_a_copy_of_another_seed(
    finished_run: RunPaths, tmp_path: Path, compare: Compare
) -> None:
    shutil.copytree(finished_run.root, tmp_path / "a")
    shutil.copytree(finished_run.root, tmp_path / "b")
    config = (tmp_path / "b" / "config.toml").read_text()
    (tmp_path / "b" / "config.toml").write_text(config.replace("seed = 3", "seed = 4"))
    found = figures(compare(tmp_path, "--json"))
    (score,) = found["scores"]
    assert (score["seeds"], score["at"], score["std"]) == (2, 400, 0)
    assert found["groups"][0]["name"] == "debug"


def test_two_real_groups_from_the_command_line(finished_run: RunPaths, tmp_path: Path) -> None:
    """The whole way in processes of their own; comparing takes no torch."""
    run = [sys.executable, "-m", "mbpo.train", *DEBUG, "--runs-root", str(tmp_path)]
    subprocess.run(
        [*run, "--seed", "3", "--real-ratio", "1"], env=environment(), check=True, capture_output=True, timeout=120
    )
    code = (
        "import sys, mbpo.compare; code = mbpo.compare.main(sys.argv[1:]);"
        "sys.exit(code or ('torch' in sys.modules) or ('matplotlib' in sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, finished_run.root, tmp_path, "--threshold", "-100"],
        env=environment(),
        text=True,
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "real_ratio=0.2" in done.stdout
    assert "real_ratio=1" in done.stdout
    assert "0 of 1" in done.stdout


def test_one_seed_gives_no_probability(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [-300, -150])
    make_run(tmp_path, "b", [-300, -180], real_ratio=1.0)
    make_run(tmp_path, "c", [-300, -190], real_ratio=1.0, seed=1)
    found = figures(compare(tmp_path, "--json", "--threshold", "-200"))
    assert found["pairs"][0]["improvement"] is None
    assert [lead["sooner"] for lead in found["leads"]] == [None, None]
    make_run(tmp_path, "d", [-300, -160], seed=1)
    assert figures(compare(tmp_path, "--json"))["pairs"][0]["improvement"] == 1


def test_forks_are_called_so_and_are_no_seeds_of_their_parents_group(tmp_path: Path, compare: Compare) -> None:
    make_run(tmp_path, "a", [-300, -150])
    make_run(tmp_path, "a2", [-300, -150], seed=1)
    for seed in (2, 3):
        make_run(tmp_path, f"fork-{seed}", [-300, -140], seed=seed, status={"parent": "a@100"})
    assert names(compare(tmp_path, "--json")) == ["pendulum", "fork=@100"]


def test_forks_of_runs_that_learned_differently_are_no_repeats(tmp_path: Path, compare: Compare) -> None:
    """Each goes on with real_ratio 0.2 and another seed, but one half had 0.05 before, the other 0.5."""
    for seed, ratio in enumerate((0.05, 0.05, 0.5, 0.5)):
        parent = make_run(tmp_path / "parents", f"p{seed}", [-300, -150], seed=seed, real_ratio=ratio)
        left = {"parent": f"p{seed}", "parent_dir": str(parent.root), "fork_env_steps": 100, "fork_changes": {}}
        status = {"parent": f"p{seed}@100"}
        make_run(tmp_path / "forks", f"f{seed}", [-300, -seed], seed=seed, real_ratio=0.2, status=status, manifest=left)
    found = figures(compare(tmp_path / "forks", "--json"))["groups"]
    assert [(group["name"], len(group["runs"])) for group in found] == [("fork=p0@100", 2), ("fork=p2@100", 2)]
    shutil.rmtree(tmp_path / "parents")  # of nothing that can be read only the env step is known
    assert names(compare(tmp_path / "forks", "--json")) == ["pendulum"]


@pytest.mark.parametrize("columns", [30, 50, 64, 80, 100, 140, 250])
def test_no_table_is_wider_than_asked_for_and_no_word_is_broken(
    columns: int, tmp_path: Path, compare: Compare, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    make_duel(tmp_path)
    make_run(tmp_path, "other", [-900, -1, -2, -3], seed=0, model_train_freq=125)
    text = compare(tmp_path, "--threshold", "-200").out
    assert {"model_train_freq=125", "real_ratio=1"} <= set(text.split())
    assert "…" not in text
    tables = [line for line in text.splitlines() if line.startswith((" ", "\u2500"))]
    assert max(map(len, tables)) <= max(columns, 50)


def test_the_line_of_a_picture_lies_in_its_band(tmp_path: Path) -> None:
    from matplotlib.figure import Figure

    from mbpo.comparison.bands import curve_of
    from mbpo.comparison.plot import draw_curve
    from mbpo.comparison.runs import read_curve

    runs = [make_run(tmp_path, f"r{n}", [value] * 3, seed=n) for n, value in enumerate([0] * 8 + [999])]
    ax = Figure().subplots()
    curve = curve_of([read_curve(paths, KEY) for paths in runs], "env_steps", 2000)
    draw_curve(ax, curve, "nine", "env_steps", "C0")
    line = ax.lines[1].get_ydata()
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert all(band.min() <= y <= band.max() for y in line)
    assert line[0] < 50  # where the mean is at 111
