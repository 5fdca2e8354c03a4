"""Compare rows that are repeated: another value is a difference, a metric of another version is none."""

from __future__ import annotations

from typing import Any

import pytest

from mbpo.runs.overlap import Overlap


def row(seq: int = 1, kind: str = "interval", **metrics: Any) -> dict[str, Any]:
    named = {name.replace("__", "/"): value for name, value in metrics.items()}
    return {"seq": seq, "attempt": 1, "env_steps": 10 * seq, "time_s": 0.1, "kind": kind, **named}


def test_a_row_that_is_the_same_but_for_its_time_repeats() -> None:
    overlap = Overlap([row(sac__alpha=1.0, time__sac_s=2.0)])
    assert overlap.repeats(row(sac__alpha=1.0, time__sac_s=3.0) | {"attempt": 2, "time_s": 9.0})
    assert (overlap.identical, overlap.total, overlap.open, overlap.difference) == (1, 1, False, "")


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (row(sac__alpha=1.1), "sac/alpha was 1.0, is 1.1"),
        (row(sac__alpha=None), "sac/alpha was 1.0, is None"),
        (row(), "sac/alpha was 1.0, is None"),
        (row(2, sac__alpha=2.0), "seq was 1, is 2"),
        (row(sac__alpha=1.0) | {"env_steps": 11}, "env_steps was 10, is 11"),
        (row(kind="refit", sac__alpha=1.0), "kind was 'interval', is 'refit'"),
        (row(sac__alpha=1.0, sac__entropy=2.0), "sac/entropy was None, is 2.0"),
    ],
)
def test_a_difference_is_named(other: dict[str, Any], said: str) -> None:
    overlap = Overlap([row(sac__alpha=1.0)], known={*row(sac__alpha=1.0), "sac/entropy"})
    assert not overlap.repeats(other)
    assert (overlap.difference, overlap.open) == (said, False)


def test_a_metric_that_no_earlier_row_has_is_new_and_no_difference() -> None:
    overlap = Overlap([row(sac__alpha=1.0)], known={*row(sac__alpha=1.0)})
    assert overlap.repeats(row(sac__alpha=1.0, toy__answer=42.0))
    assert overlap.vanished == set()


def test_a_metric_that_is_declared_no_more_has_vanished_and_is_no_difference() -> None:
    overlap = Overlap([row(sac__alpha=1.0, toy__gone=3.0)])
    assert overlap.repeats(row(sac__alpha=1.0))
    assert overlap.vanished == {"toy/gone"}


def test_a_row_of_an_older_version_has_the_kind_that_its_metrics_show() -> None:
    for kind, shown in (("evaluation", {"eval__return_mean": 1.0}), ("episode", {"episode__return": 1.0})):
        older = row(kind=kind, **shown)
        del older["kind"]
        assert Overlap([older]).repeats(row(kind=kind, **shown))
        assert not Overlap([older]).repeats(row(kind="interval", **shown))


def test_rows_that_do_not_come_again_are_counted() -> None:
    overlap = Overlap([row(1), row(2), row(3)])
    assert overlap.repeats(row(1))
    overlap.close()
    assert overlap.difference == "2 records did not come again"
