"""List the charts. A row here is a panel, a tab, a key, an entry in the help and curves of the runs compared."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from workbench.charts.bound import BOUND
from workbench.charts.mix import MIX
from workbench.charts.model_error import ERROR
from workbench.charts.returns import RETURN
from workbench.charts.spec import ChartSpec, Toggle
from workbench.charts.x_axis import AXES
from workbench.side_by_side import EVALUATION

CHARTS: Mapping[str, ChartSpec] = {chart.name: chart for chart in (RETURN, BOUND, ERROR, MIX)}


def toggles() -> Iterator[Toggle]:
    """Return the toggles of all charts."""
    return (chart.toggle for chart in CHARTS.values() if chart.toggle is not None)


def metrics_compared() -> frozenset[str]:
    """Return the metrics to be read of every run compared."""
    counting = (axis.metric for axis in AXES if axis.metric)
    return frozenset(EVALUATION).union(counting, *(chart.compared for chart in CHARTS.values()))
