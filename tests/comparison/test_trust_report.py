"""``python -m mbpo.trust``: what it prints of a run's model, of any version, and what it refuses."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest
from learners import DEBUG, Outcome

from mbpo import train
from mbpo.comparison.picture_files import new_figure
from mbpo.comparison.trust_report import scale_steps
from mbpo.measure_trust import main
from mbpo.runs.layout import RunPaths
from mbpo.trust.verdict import error_at, measured, theorem

Call = Callable[..., Outcome]
OLD = Path(__file__).parent.parent / "runs" / "run_of_47435ba"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunPaths:
    """Share a run with checkpoints at 200 and 400."""
    root = tmp_path_factory.mktemp("trust")
    assert train.main([*DEBUG, "--checkpoint-every", "200", "--runs-root", str(root), "--run-id", "run"]) == 0
    return RunPaths(root / "run")


def test_it_prints_tables_and_a_verdict(run: RunPaths, call: Call, tmp_path: Path) -> None:
    png, svg = tmp_path / "trust.png", tmp_path / "trust.svg"
    outcome = call(main, run.root, "--png", png, "--svg", svg)
    assert (outcome.code, outcome.err) == (0, "")
    assert "run at env step 400: 250 real rows of 2 episodes" in outcome.out
    assert "left alone for" in outcome.out
    assert "obs dim 2" in outcome.out
    assert "The theorem: k* cannot be told" in outcome.out
    assert outcome.out.splitlines()[-2:] == [str(png), str(svg)]
    assert png.read_bytes()[:4] == b"\x89PNG"
    assert ElementTree.parse(svg).getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_steps_are_drawn_beside_ticks_that_can_be_read() -> None:
    figure = new_figure(6, 4)
    ax = figure.subplots()
    ax.plot([100, 200, 300], [0.0, 31.0, 44.0])
    scale_steps(ax)
    figure.canvas.draw()
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0", "1", "2", "5", "10", "25", "50"]


def test_json_has_what_the_metrics_have(run: RunPaths, call: Call) -> None:
    found = json.loads(call(main, f"{run.root}@200", "--json").out)
    assert (found["run"], found["env_steps"]) == ("run", 200)
    assert [row["step"] for row in found["by_step"]] == list(range(1, len(found["by_step"]) + 1))
    assert found["by_step"][0]["error"] == pytest.approx(found["latest"]["trust/error_1"])
    assert [row["target"] for row in found["by_target"]] == ["reward", "obs dim 0", "obs dim 1", "obs dim 2"]
    newest = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    logged = [row for row in newest if row["env_steps"] < 200 and "trust/rows" in row][-1]
    assert found["rows"] == found["latest"]["trust/rows"] == logged["trust/rows"]


def test_the_evaluation_at_the_checkpoint_is_known(run: RunPaths, call: Call) -> None:
    rows = [json.loads(line) for line in run.metrics.read_text().splitlines()]
    judged = {row["env_steps"]: row["trust/q_bias"] for row in rows if "trust/q_bias" in row}
    for at in (200, 400):  # written after the checkpoint, of the same networks
        assert json.loads(call(main, f"{run.root}@{at}", "--json").out)["latest"]["trust/q_bias"] == judged[at]


def test_a_run_of_an_older_version_is_scored_on_what_no_refit_has_seen(call: Call, tmp_path: Path) -> None:
    shutil.copytree(OLD, tmp_path / "old")
    outcome = call(main, tmp_path / "old", "--json")
    assert outcome.code == 0, outcome.err
    assert json.loads(outcome.out)["rows"] == 50  # since the refit at 150


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("nowhere", "cannot read"),
        ("run@123", "no checkpoint at env step 123; there are: 200, 400"),
        ("sac", "is a sac run: it has no model to trust"),
    ],
)
def test_what_it_cannot_measure_is_one_line(what: str, says: str, run: RunPaths, call: Call, tmp_path: Path) -> None:
    if what == "sac":
        flags = ("--algo", "sac", "--total-steps", "120", "--runs-root", tmp_path, "--run-id", "sac")
        assert call(train.main, *DEBUG, *flags).code == 0
    place = tmp_path / what if what != "run@123" else f"{run.root}@123"
    outcome = call(main, place)
    assert outcome.code in (2, 5, 6)
    assert says in outcome.err
    assert outcome.err.count("\n") == 1


# In words -------------------------------------------------------------------------------------------------------------


LATEST = {
    "trust/horizon_steps": 7.0,
    "trust/horizon_longest": 50.0,
    "rollout/length_mean": 3.0,
    "trust/error_1": 0.1,
    "trust/error_5": 0.5,
    "trust/coverage_90": 0.78,
    "trust/coverage_90_worst": 0.62,
    "trust/coverage_90_worst_target": 0.0,
    "trust/q_bias": 80.0,
    "trust/return_discounted": 140.0,
}


def test_the_measured_in_words() -> None:
    horizon, intervals, critics = measured(LATEST)
    assert "rollouts of length 3 are in use, where it is off by 0.3 of a state's spread" in horizon
    assert "hold 78% of what happens, 62% of the reward: they are too narrow" in intervals
    assert "promise 220 at an episode's start, and 140 came: +80" in critics
    assert "for 50 steps or more" in measured({**LATEST, "trust/horizon_steps": 50.0})[0]
    assert "for 1 step, " in measured({**LATEST, "trust/horizon_steps": 1.0})[0]
    assert "honest" in measured({**LATEST, "trust/coverage_90": 0.91})[1]
    assert "off by" not in measured({**LATEST, "rollout/length_mean": 9.0})[0]  # nothing measured there
    assert measured({}) == []


def test_the_error_is_read_between_the_steps_measured() -> None:
    assert [error_at(LATEST, steps) for steps in (0, 1, 3, 5)] == pytest.approx([0.0, 0.1, 0.3, 0.5])
    assert error_at(LATEST, 6) is None


def test_the_theorem_in_words() -> None:
    assert "nothing yet" in theorem({})
    told = {"bound/eps_m_new": 0.2, "bound/k_star_low": 30.0, "bound/k_star_high": 44.0, "rollout/length": 1.0}
    assert theorem(told) == "The theorem: its bound is smallest at k* = 30 to 44."
    assert theorem({**told, "bound/k_star_high": 30.0}) == "The theorem: its bound is smallest at k* = 30."
    assert "promises nothing" in theorem({**told, "bound/c_over_gap": 1.0})
    assert "cannot be told, it may be anything from 3 to 90" in theorem(
        {**told, "bound/k_star_high": 90.0} | {"bound/k_star_low": 3.0}
    )
    assert "a larger bound_resolution" in theorem({**told, "bound/eps_m_new": 0.99})
