"""A run over wall time, episodes and updates: every point stands where its row was."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from fake_run import make_run, metric_rows, status_of

from workbench.changes import Change
from workbench.charts.returns import return_picture
from workbench.charts.scene import scene_of
from workbench.charts.x_axis import AXES, STEPS, WALL_TIME, XAxis
from workbench.messages import Points, RunDetail
from workbench.run_follower import RunFollower

EPISODES, UPDATES = AXES[2:]


def put(path: Path, rows: list[dict[str, object]]) -> RunDetail:
    with (path / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    return RunFollower(path).poll()


def row(seq: int, step: int, time_s: float | None, **metrics: float) -> dict[str, object]:
    time = {} if time_s is None else {"time_s": time_s}
    return {
        "seq": seq,
        "attempt": 1,
        "env_steps": step,
        **time,
        **{k.replace("_", "/", 1): v for k, v in metrics.items()},
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path, "one", status_of("finished"))


def placed(axis: XAxis, detail: RunDetail, key: str) -> list[float]:
    return [float(x) for x in axis.placed(detail, detail.series[key]).x]


def test_a_point_stands_at_the_time_of_its_row_also_where_rows_share_an_env_step(run: Path) -> None:
    detail = put(
        run, [row(1, 100, 1.5, episode_return=1), row(2, 100, 4.0, eval_return=2), row(3, 200, 5.0, episode_return=3)]
    )
    assert placed(WALL_TIME, detail, "episode/return") == [1.5, 5.0]
    assert placed(WALL_TIME, detail, "eval/return") == [4.0]
    assert placed(STEPS, detail, "eval/return") == [100.0]


def test_a_resumed_run_goes_on_in_time_and_never_back(run: Path) -> None:
    rows = [row(1, 100, 10.0, a_x=1), row(2, 200, 20.0, a_x=2), row(3, 300, 19.0, a_x=3), row(4, 400, 30.0, a_x=4)]
    detail = put(run, rows)
    assert placed(WALL_TIME, detail, "a/x") == [10.0, 20.0, 20.0, 30.0]
    again = put(run, [row(3, 300, 50.0, a_x=3)])  # by another attempt
    assert placed(WALL_TIME, again, "a/x") == [10.0, 20.0, 50.0]
    assert WALL_TIME.end(again) == 50.0


def test_episodes_and_updates_are_interpolated_between_the_rows_that_count_them(run: Path) -> None:
    counted = [row(1, 100, 1.0, episode_index=1, a_x=0), row(2, 150, 2.0, a_x=0), row(3, 200, 3.0, episode_index=2)]
    detail = put(run, [*counted, row(4, 250, 4.0, a_x=0), row(5, 400, 5.0, sac_updates=4000)])
    assert placed(EPISODES, detail, "a/x") == [1.0, 1.5, 2.0]
    assert placed(UPDATES, detail, "a/x") == [1000.0, 1500.0, 2500.0]
    assert UPDATES.places(detail, np.array([0.0, 200.0, 900.0])).tolist() == [0.0, 2000.0, 4000.0]


def test_a_place_is_computed_once_until_what_it_depends_on_grows() -> None:
    points = Points(np.array([1.0, 2.0]), np.array([0.0, 0.0]), np.array([1.0, 2.0]))
    counts = Points(np.array([2.0]), np.array([20.0]), np.array([2.0]))
    detail = RunDetail(Path(), 1, series={"episode/index": counts, "a": points})
    assert EPISODES.placed(detail, points) is EPISODES.placed(detail, points)
    more = RunDetail(Path(), 2, series={"episode/index": Points(np.array([1.0]), np.array([30.0])), "a": points})
    assert EPISODES.placed(more, points).x.tolist() == [30.0, 30.0]


def test_a_run_whose_rows_do_not_tell_says_so_and_other_charts_stay(run: Path) -> None:
    detail = put(run, [row(1, 100, None, episode_return=5), row(2, 200, None, episode_return=6)])
    scene = scene_of(None, detail, ()).over(WALL_TIME)
    picture = scene.labelled(return_picture(scene, 0.0))
    assert not picture.drawn and picture.empty == "no row of this run tells wall time"
    assert picture.x_label == "wall time"


def test_lines_changes_and_span_of_a_chart_are_all_on_the_axis(tmp_path: Path) -> None:
    path = make_run(tmp_path, "one", status_of("finished"))
    detail = put(path, metric_rows(60, 1240))
    changed = Change(at=620.0, what="k 1 → 3", status="applied", settings=True)
    scene = scene_of(None, detail, [changed]).over(WALL_TIME)
    picture = scene.labelled(return_picture(scene, None))
    assert picture.seconds and picture.x_label == "wall time"
    assert picture.x_range == (0.0, 60.0)
    assert picture.markers[0].x == pytest.approx(30.0)
    assert picture.lines[0].x.tolist() == [float(second) for second in range(1, 61)]


@pytest.mark.parametrize("axis", AXES)
def test_what_is_odd_in_a_file_gives_points_in_order(run: Path, axis: XAxis) -> None:
    odd = [row(1, 300, -5.0, a_x=1, episode_index=-3, sac_updates=9), row(2, 100, 1e299, a_x=2, episode_index=2)]
    detail = put(run, [*odd, {**row(3, 200, 1.0, a_x=3), "time_s": "soon"}, row(4, 250, 2.0, a_x=4, sac_updates=1)])
    x = axis.placed(detail, detail.series["a/x"]).x
    assert np.isfinite(x).all() and (np.diff(x) >= 0).all()
