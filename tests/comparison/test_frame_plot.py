"""Draw a table of runs in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mbpo.comparison.frame_plot import plot_runs
from mbpo.comparison.measure import bootstrap_rng
from mbpo.comparison.statistics import iqm, iqm_interval
from mbpo.errors import ConfigError

pandas = pytest.importorskip("pandas")
pytest.importorskip("matplotlib").use("agg")

RETURN = "eval/return_mean"


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    from matplotlib import pyplot

    pyplot.close("all")


def rows(run: str, values: list[float], **more: Any) -> Any:
    steps = 10 * np.arange(1, len(values) + 1)
    labels = {"run": run, "env_id": "Pendulum-v1", "preset": "pendulum", "algo": "mbpo", **more}
    return pandas.DataFrame(
        {**labels, "seq": steps // 10, "env_steps": steps, "time_s": steps / 4, RETURN: np.array(values)}
    )


def table(*parts: Any) -> Any:
    return pandas.concat(parts, ignore_index=True)


def drawn(ax: Any) -> dict[str, Any]:
    """Return the solid lines by their label."""
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_a_group_is_its_iqm_with_the_bootstrap_band() -> None:
    values = [[1.0, 2.0], [3.0, 5.0], [4.0, 9.0]]
    ax = plot_runs(table(*(rows(f"r{n}", v) for n, v in enumerate(values))), resamples=200)
    (line,) = drawn(ax).values()
    assert line.get_label() == "pendulum (3 runs)"
    scores = np.array(values)
    np.testing.assert_array_equal(line.get_xdata(), [10, 20])
    np.testing.assert_allclose(line.get_ydata(), iqm(scores.T))
    (band,) = ax.collections
    low, high = iqm_interval([scores[:, 1]], bootstrap_rng(), 200)
    heights = band.get_paths()[0].vertices
    at_20 = heights[heights[:, 0] == 20, 1]
    assert (at_20.min(), at_20.max()) == pytest.approx((low, high))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("env steps", RETURN)


def test_columns_make_the_groups_and_given_axes_are_drawn_on() -> None:
    from matplotlib import pyplot

    frame = table(rows("a", [1.0]), rows("b", [2.0], algo="sac"), rows("c", [4.0], algo="sac"))
    frame["mine"] = frame["run"] == "c"
    _, ax = pyplot.subplots()
    assert plot_runs(frame, hue="algo", ax=ax) is ax
    assert set(drawn(ax)) == {"mbpo (1 run)", "sac (2 runs)"}
    assert ax.get_legend().get_title().get_text() == "algo"
    assert set(drawn(plot_runs(frame, hue=["algo", "mine"]))) == {
        "mbpo False (1 run)",
        "sac False (1 run)",
        "sac True (1 run)",
    }


def test_the_line_is_solid_as_long_as_every_run_is_there() -> None:
    ax = plot_runs(table(rows("a", [1.0, 2.0, 3.0]), rows("b", [5.0, 6.0])))
    (line,) = drawn(ax).values()
    np.testing.assert_array_equal(line.get_ydata(), [3.0, 4.0, np.nan])
    dotted = next(other for other in ax.lines if other is not line)
    np.testing.assert_array_equal(dotted.get_ydata(), [3.0, 4.0, 3.0])


def test_a_value_holds_until_the_next_and_nan_is_none() -> None:
    ax = plot_runs(table(rows("a", [1.0, np.nan, 3.0]), rows("b", [5.0, 7.0, np.inf])), x="time_s")
    (line,) = drawn(ax).values()
    np.testing.assert_array_equal(line.get_xdata(), [2.5, 5.0, 7.5])
    np.testing.assert_array_equal(line.get_ydata(), [3.0, 4.0, 5.0])


def test_rows_in_any_order_are_the_same_curve() -> None:
    frame = table(rows("a", [1.0, 2.0, 3.0]), rows("b", [5.0, 6.0, 9.0]))
    lines = [
        drawn(plot_runs(f))["pendulum (2 runs)"].get_ydata() for f in (frame, frame.sample(frac=1, random_state=0))
    ]
    np.testing.assert_array_equal(*lines)


@pytest.mark.parametrize(
    ("frame", "arguments", "said"),
    [
        (rows("a", [1.0]), {"hue": "algos"}, "no column algos; did you mean algo?"),
        (rows("a", [1.0]), {"y": "eval/return_men"}, "did you mean eval/return_mean?"),
        (rows("a", [np.nan]), {}, "no row of the frame has one"),
        (table(rows("a", [1.0]), rows("b", [1.0], env_id="Hopper-v5")), {}, "runs of 2 environments"),
        (table(rows("a", [1.0]), rows("a", [2.0])), {}, "several runs of the frame are called"),
    ],
)
def test_what_cannot_be_drawn_is_said(frame: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        plot_runs(frame, **arguments)
    assert said in str(caught.value)
    assert len(str(caught.value)) < 200


def test_two_environments_are_two_groups_where_they_are_asked_for() -> None:
    ax = plot_runs(table(rows("a", [1.0]), rows("$b$", [1.0], env_id="$x_$")), hue="env_id")
    assert set(drawn(ax)) == {"Pendulum-v1 (1 run)", r"\$x_\$ (1 run)"}
    ax.figure.canvas.draw()  # as text, not as a formula
