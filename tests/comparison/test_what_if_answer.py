"""The arms of a what-if: figures worked out by hand, the sentence that sums them up, and what is written and drawn."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import to_builtins

from mbpo.comparison.answer import Answer, answer
from mbpo.comparison.answer_json import answer_record
from mbpo.comparison.answer_plot import write_answer_png
from mbpo.comparison.answer_table import print_answer
from mbpo.comparison.arm_figures import figures
from mbpo.comparison.fork_scores import ForkScore
from mbpo.comparison.statistics import NO_INTERVAL, paired_t, probability_of_best, student_t

AS = "as it is"


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def fork(arm: str, repeat: int, score: float, state: str = "finished") -> ForkScore:
    way = score / 2
    return ForkScore(arm, repeat, repeat, state, final=score, on_the_way=way, wall_s=10.0, run_dir=f"{arm}-{repeat}")


def found(repeats: int = 4, **arms: list[float]) -> Answer:
    """Return the answer for arms of so many scores each, the first as it is; NaN diverged."""
    names = {"as_it_is": AS}
    forks = [
        fork(names.get(arm, arm), repeat, score, "diverged" if math.isnan(score) else "finished")
        for arm, scores in arms.items()
        for repeat, score in enumerate(scores)
    ]
    return answer([names.get(arm, arm) for arm in arms], forks, repeats)


# Statistics


@pytest.mark.parametrize(("freedom", "t"), [(1, 12.706), (2, 4.303), (3, 3.182), (4, 2.776), (9, 2.262), (120, 1.980)])
def test_students_t_is_that_of_the_tables(freedom: int, t: float) -> None:
    assert student_t(freedom) == pytest.approx(t, abs=5e-4)


def test_the_paired_interval_by_hand() -> None:
    mean, interval = paired_t(array(3, 5, 7, 9), array(2, 2, 2, 2))  # differences 1, 3, 5, 7
    half = 3.182446 * math.sqrt(20 / 3) / 2
    assert mean == 4
    assert interval == pytest.approx((4 - half, 4 + half), abs=1e-5)
    assert paired_t(array(3), array(2)) == (1, NO_INTERVAL)


def test_the_probability_of_being_best_by_hand() -> None:
    """Of the four ways to draw two repeats one is A's, one is B's, and the two mixed ones are C's."""
    assert probability_of_best(np.array([[1, 0], [0, 1], [0.6, 0.6]]), rng(), 20_000) == pytest.approx(
        [0.25, 0.25, 0.5], abs=0.01
    )
    assert probability_of_best(np.array([[1, 0], [0, 1]]), rng(), 20_000) == pytest.approx([0.5, 0.5], abs=0.01)
    assert np.isnan(probability_of_best(np.array([[1.0], [0.0]]), rng(), 100)).all()


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), min_size=1, max_size=5))
def test_someone_is_best_and_equal_arms_are_equally_likely(scores: list[list[float]]) -> None:
    best = probability_of_best(np.array([*scores, scores[0]]), rng(), 200)
    assert best.sum() == pytest.approx(1)
    assert best[0] == pytest.approx(best[-1])


# Figures


def test_figures_by_hand() -> None:
    first, k5 = figures({AS: {0: 1.0, 1: 3.0}, "k": {0: 2.0, 1: 6.0}}, 2)
    assert (first.mean, first.std, first.repeats, first.of) == (2, pytest.approx(math.sqrt(2)), 2, 2)
    assert math.isnan(first.difference) and first.differences == {}
    assert (k5.difference, k5.differences) == (2, {0: 1, 1: 3})
    half = 12.7062 * math.sqrt(2) / math.sqrt(2)
    assert k5.interval == pytest.approx((2 - half, 2 + half), abs=1e-3)
    assert (first.best, k5.best) == (0, 1)


def test_pairs_are_the_repeats_that_both_have() -> None:
    first, k, other = figures({AS: {0: 1.0, 1: 2.0, 3: 9.0}, "k": {1: 5.0, 2: 7.0, 3: 9.0}, "none": {}}, 4)
    assert k.differences == {1: 3, 3: 0}
    assert (k.repeats, k.of, k.difference) == (3, 4, 1.5)
    assert (other.repeats, other.best, other.interval) == (0, pytest.approx(math.nan, nan_ok=True), NO_INTERVAL)
    assert first.best + k.best == pytest.approx(1)  # over repeats 1 and 3


# The verdict


@pytest.mark.parametrize(
    ("arms", "words"),
    [
        (
            {"as_it_is": [0, 1, 2, 3], "k": [200, 205, 212, 199], "r": [1, 2, 1, 2]},
            "k was best here: +202.5 [193.0, 212.0] over as it is, P(best) 1.00",
        ),
        ({"as_it_is": [0, 1, 2, 3], "k": [9, -5, 8, -3]}, "cannot be told: k leads, +0.75 ["),
        (
            {"as_it_is": [9, 9, 9, 9.5], "k": [0, 1, 0, 1]},
            "as it is was best here, P(best) 1.00; k, the nearest, differs by -8.62 [",
        ),
        ({"as_it_is": [2, 0, 2, 1], "k": [1, 0, 1, 1]}, "cannot be told: as it is leads, P(best) 0."),
        ({"as_it_is": [0, 0, 0, 0.5], "k": [9, 8, 9, 8], "r": [8, 9, 8, 9.1]}, "r was better than as it is here: +8.4"),
        ({"as_it_is": [1.0], "k": [2.0]}, "cannot be told: one repeat has no interval"),
        ({"as_it_is": [1, 2], "k": [1, 2]}, "no difference: every arm did the same"),
        ({"as_it_is": [1, 2], "k": [math.nan, math.nan]}, "cannot be told: no fork of k came to its end"),
        ({"as_it_is": [math.nan, math.nan], "k": [1, 2]}, "cannot be told: no fork of as it is came to its end"),
    ],
)
def test_the_verdict_says_what_the_figures_carry(arms: dict[str, list[float]], words: str) -> None:
    assert found(**arms).verdict.startswith(words)


def test_two_arms_that_are_both_better_are_both_named() -> None:
    verdict = found(as_it_is=[0, 0, 0, 0.5], k=[9, 8, 9, 8], r=[8, 9, 8, 9.1]).verdict
    assert "whether it is best cannot be told: k has P(best) 0." in verdict


def test_forks_without_a_score_are_named_and_the_rest_counts() -> None:
    result = found(as_it_is=[0, 1, 2, 3], k=[5, math.nan, 7, 8])
    assert result.notes == ("k: 1 of 4 forks diverged, without a score",)
    _, k = result.final
    assert (k.repeats, k.of, k.difference) == (3, 4, 5)


def test_what_is_remarkable_about_forks_is_counted() -> None:
    forks = [
        replace(fork(AS, 0, 1.0), git_commit="a" * 40, remarks=("shone",)),
        replace(fork("k", 0, 1.0), git_commit="b" * 40),
    ]
    assert answer([AS, "k"], forks, 1).notes == (
        "1 of 2 forks shone",
        "the forks are of different commits: aaaaaaa, bbbbbbb",
    )


# What is shown


def test_the_table_has_both_scores_and_the_verdict_below(capsys: pytest.CaptureFixture[str]) -> None:
    result = found(as_it_is=[0, 1, 2, 3], **{"rollout_length=5": [200, 205, 212, math.nan]})
    print_answer(result, "R@600, Pendulum-v1", 2600, 4)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 100
    assert lines[0] == "R@600, Pendulum-v1"
    heads = [line.split("  ") for line in lines if "repeats" in line]
    assert [" ".join(head).split() for head in heads] == [
        ["arm", "repeats", "at", "env", "step", "2,600", "over", "as", "it", "is", "[95", "%]", "P(best)", "wall", "s"],
        ["arm", "repeats", "mean", "of", "4", "evaluations", "over", "as", "it", "is", "[95", "%]", "P(best)"],
    ]
    rows = [line.split() for line in lines if line.strip().startswith("rollout_length=5 ")]
    assert rows[0][:6] == ["rollout_length=5", "3", "of", "4", "205.7", "±"]
    assert lines[-2:] == [result.verdict, f"on the way: {result.verdict_on_the_way}"]


def test_all_of_it_is_written_and_drawn(tmp_path: Path) -> None:
    result = found(as_it_is=[0, 1, 2, 3], k=[5, math.nan, 7, 8])
    forks = [fork("k", 0, 5.0)]
    written = answer_record({"step": 600}, {AS: {}, "k": {"k": 5}}, forks, result)
    record = json.loads(json.dumps(to_builtins(written), allow_nan=False))
    assert (record["schema"], record["step"], record["verdict"]) == (1, 600, result.verdict)
    first, k = record["arms"]
    assert first["final"]["difference"] is None
    assert k["final"]["differences"] == [[0, 5], [2, 5], [3, 5]]
    assert k["forks"][0]["final"] == 5
    pytest.importorskip("matplotlib")
    write_answer_png(tmp_path / "what_if.png", result, "R$1@600", 2600)
    assert (tmp_path / "what_if.png").read_bytes().startswith(b"\x89PNG")
