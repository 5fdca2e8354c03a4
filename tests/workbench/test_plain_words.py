"""The sentences below the charts follow the data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from workbench.charts.overlay import Overlay
from workbench.charts.plain_comparison import least_and_most, returns_compared
from workbench.charts.plain_groups import said_of_groups
from workbench.charts.plain_words import said_of_bound, said_of_errors, said_of_mix, said_of_returns
from workbench.charts.scene import Scene
from workbench.group_figures import GroupScore, Versus
from workbench.groups_side_by_side import GroupCompared, GroupComparison
from workbench.messages import Points, RunDetail, RunRow
from workbench.side_by_side import Compared, Comparison


def points(*values: float) -> Points:
    return Points(np.arange(1.0, len(values) + 1) * 100, np.array(values))


def scene(**series: Points) -> Scene:
    return Scene(RunDetail(Path("run"), 1, {key.replace("__", "/"): value for key, value in series.items()}), k=3.0)


@pytest.mark.parametrize(
    ("returns", "told"),
    [
        ((-900.0, -500.0), "Too few evaluations for a trend; the best, −500, was at 200."),
        ((-900.0, -880.0, -910.0, -300.0, -280.0, -310.0), "Rising: the last 3 evaluations are 600 above the 3 before"),
        ((-300.0, -280.0, -310.0, -900.0, -880.0, -910.0), "Falling: the last 3 evaluations are 600 below"),
        ((-300.0, -900.0, -310.0, -910.0, -290.0, -880.0), "Level: no clear change over the last 6 evaluations."),
        ((float("nan"), float("nan")), "No evaluation yet"),
    ],
)
def test_returns_rise_fall_or_neither(returns: tuple[float, ...], told: str) -> None:
    assert said_of_returns(scene(eval__return_mean=points(*returns)))[0].startswith(told)


def test_a_solved_run_says_since_when_and_another_what_is_missing() -> None:
    evaluations = {"eval/return_mean": points(*[-150.0] * 6)}
    detail = RunDetail(Path("run"), 1, evaluations)
    solved = Scene(detail, threshold=-200.0, solved_at=300)
    assert said_of_returns(solved) == ("Solved: all evaluations since 300 returned −200 or more.",)
    assert said_of_returns(Scene(detail, threshold=-100.0))[-1] == "−100 solves it: 50 more."


def test_the_bound_names_its_best_k_and_what_the_one_in_use_could_cost() -> None:
    def told(rho: float, k_star: float, k: float) -> str:
        known = {"bound/rho": points(rho), "bound/k_star": points(k_star)}
        return said_of_bound(Scene(RunDetail(Path("run"), 1, known), k=k), 0.99)[0]

    assert told(0.2, 161.0, 150.0) == "At worst, k = 161 is best; k = 150, in use, is about as good."
    assert "k = 1, in use, could cost 91% more" in told(0.2, 161.0, 1.0)
    assert told(1.3, 0.0, 1.0) == "At worst every imagined step costs: ρ, 1.3, is above 1."
    assert said_of_bound(scene(), 0.99) == ()


def test_errors_are_held_to_those_on_held_out_rows_and_to_the_first() -> None:
    assert said_of_errors(points(0.1, 0.1), points(0.8, 0.4)) == (
        "On new states it errs 4 times as much as on held-out ones.",
        "The policy goes where it is new.",
        "The error on new states is 50% of the first.",
    )
    assert said_of_errors(points(0.1), points(0.11)) == ("On new states it errs about as much as on held-out ones.",)
    assert said_of_errors(points(0.1), None)[0].startswith("Its error on new data")
    assert said_of_errors(None, None) == ()


def test_the_mix_tells_shares_and_lengths() -> None:
    known = {"mix__real_ratio_measured": points(0.05), "rollout__length_measured": points(2.0)}
    assert said_of_mix(scene(**known, rollout__length=points(5.0))) == (
        "SAC learns from 5 % real rows; rollouts are 2 steps long.",
        "They were to be 5: some ended before.",
    )
    assert "no model" in said_of_mix(Scene(RunDetail(Path("run"), 1, config={"algo": "sac"})))[0]


def overlay(*returns: tuple[float, ...], spread: float = 1.0) -> Overlay:
    runs = tuple(
        Compared(
            RunRow(Path(letter), "finished"),
            RunDetail(
                Path(letter),
                1,
                {"eval/return_mean": points(*values), "eval/return_std": points(*[spread] * len(values))},
            ),
            letter,
        )
        for letter, values in zip("ABC", returns, strict=False)
    )
    return Overlay(scene(), Comparison(runs, tuple({} for _ in runs)))


def test_runs_are_compared_where_all_were_evaluated() -> None:
    told = returns_compared(overlay((-300.0, -200.0), (-250.0, -210.0, -100.0), (-400.0, -400.0)))
    assert told == ("At 200, where all were evaluated, A (−200) leads B (−210).",)
    assert returns_compared(overlay((-2.0,), (-2.1,), spread=5.0))[1] == "Single episodes differ more than that."
    assert returns_compared(overlay((-2.0,), ())) == ("They have no evaluation at the same env step yet.",)


def test_least_and_most_name_two_runs_or_say_that_all_are_the_same() -> None:
    key, said = "eval/return_mean", "{low} least, {high} most."
    assert least_and_most(overlay((1.0,), (3.0,), (2.0,)), key, said) == ("A (1) least, B (3) most.",)
    assert least_and_most(overlay((1.0,), (1.0,)), key, said) == ("The same for all: 1.",)
    assert least_and_most(overlay((1.0,), ()), key, said) == ()


def group(letter: str, iqm: float, at: float = 1000.0) -> GroupCompared:
    row = RunRow(Path(letter), "finished")
    score = GroupScore(at, 5, 5, iqm, (iqm - 10, iqm + 10), iqm, 5.0, read=True)
    return GroupCompared(Path(letter), letter, (row,) * 5, letter, score=score)


@pytest.mark.parametrize(
    ("interval", "told"),
    [((0.6, 1.0), "A seed of A beats one of B in 80%."), ((0.4, 1.0), "These seeds cannot tell which is better.")],
)
def test_groups_of_seeds_are_ranked_as_far_as_they_can_be(interval: tuple[float, float], told: str) -> None:
    pair = group("B", -200.0), group("A", -100.0)
    versus = {(Path("A"), Path("B")): Versus(0.8, interval)}
    assert said_of_groups(GroupComparison(pair, versus)) == ("At 1,000, A (−100) leads B (−200).", told)


def test_a_group_alone_says_its_band_and_groups_without_a_common_step_nothing() -> None:
    told = said_of_groups(GroupComparison((group("A", -100.0),)))
    assert told == ("At 1,000, the middle half of 5 seeds returned −100.", "95 %: −110 to −90.")
    assert said_of_groups(GroupComparison((group("A", -100.0), group("B", -90.0, at=500.0)))) == ()
    assert said_of_groups(GroupComparison((group("A", float("nan")),))) == ()
