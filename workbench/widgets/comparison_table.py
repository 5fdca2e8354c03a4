"""Tell the runs compared apart: letter, name, settings that differ, evaluations."""

from __future__ import annotations

import math

from rich.cells import cell_len
from textual.content import Content
from textual.widgets import Static

from mbpo.settings.language import tr
from workbench.charts.overlay import color_of, mark_of
from workbench.format import MUTED, fitted, number, safe_text, squeezed, whole
from workbench.groups_side_by_side import GroupComparison
from workbench.side_by_side import Compared, Comparison
from workbench.widgets.group_table import group_table
from workbench.widgets.side_columns import LEAST_NAME, MOST_NAME, MOST_VALUE, Column, heading, that_fit

__all__ = ["MOST_NAME", "Column", "ComparisonTable", "evaluation_columns", "in_full", "setting_columns", "table"]


def evaluation_columns(comparison: Comparison) -> list[Column]:
    """Return each run's latest evaluation, and the one at the last step that all have."""
    common = comparison.common_step
    runs = comparison.by_letter
    head = tr("at {step}", step=whole(common)) if math.isfinite(common) else tr("in common")
    return [
        Column(tr("evaluation"), tuple(map(_latest, runs))),
        Column(head, tuple(_evaluation(run, common) for run in runs)),
    ]


def _latest(run: Compared) -> str:
    if not len(run.evaluated):
        return "–"
    step = float(run.evaluated[-1])
    return f"{number(run.evaluation_at(step)[0])} @ {whole(step)}"


def _evaluation(run: Compared, step: float) -> str:
    mean, std = run.evaluation_at(step)
    return number(mean) + (f" ± {number(std, 2)}" if math.isfinite(std) else "")


def setting_columns(comparison: Comparison) -> list[Column]:
    """Return the settings that differ, the most telling first."""
    return [
        Column(fitted(name, MOST_VALUE), tuple(fitted(value, MOST_VALUE) for value in values))
        for name, values in comparison.differences.items()
    ]


def table(comparison: Comparison, width: int, height: int) -> Content:
    """Return a line for each run that fits, the one in focus among them, below the headings."""
    settings, evaluations = setting_columns(comparison), evaluation_columns(comparison)
    runs = comparison.by_letter
    room = width - 3 - LEAST_NAME - sum(column.width for column in evaluations)
    columns: list[Column] = []
    for column in settings:
        room -= column.width
        if room < 0:
            break
        columns.append(column)
    more = len(settings) - len(columns)
    columns += evaluations
    shown = that_fit([run.focused for run in runs], height - 1)
    head = tr("+{n} more: d", n=more) if more else ""
    longest = max(map(cell_len, (head, *(safe_text(run.row.titled) for run in runs))))
    room = width - 3 - sum(column.width for column in columns)
    name_width = max(min(room, longest, MOST_NAME), LEAST_NAME)
    lines = [heading(fitted(head, name_width), name_width, columns)]
    for index in shown:
        cells = "".join(column.text(index) for column in columns)
        lines.append(_line(runs[index], name_width, cells))
    return Content("\n").join(lines)


def _line(run: Compared, name_width: int, cells: str) -> Content:
    name = squeezed(run.row.titled, name_width)
    focus, weight = ("▸", "bold ") if run.focused else (" ", "")
    return Content.assemble(
        (f"{focus}{mark_of(run)} ", f"{weight}{color_of(run)}"),
        (name + " " * (name_width - cell_len(name)), f"{weight}{color_of(run)}"),
        (cells, weight.strip()),
    )


def in_full(comparison: Comparison) -> Content:
    """Return all that is compared, a paragraph for each run."""
    differences = comparison.differences
    names = ", ".join(differences) or tr("no setting that is known of all")
    latest, common = evaluation_columns(comparison)
    fair = (
        tr("“{head}” is the last env step at which all were evaluated.", head=common.head)
        if math.isfinite(comparison.common_step)
        else tr("There is no env step yet at which all were evaluated.")
    )
    parts = [Content.styled(f"{tr('They differ in {names}.', names=names)}\n{fair}", MUTED)]
    for index, run in enumerate(comparison.by_letter):
        facts = [f"{name} {values[index]}" for name, values in differences.items()]
        origin = f" · ⑂ {safe_text(run.row.parent, 80)}" if run.row.parent else ""
        where = f" · {tr(run.row.state)} · {tr('{steps} steps', steps=whole(run.row.env_steps))}{origin}"
        parts.append(
            Content.assemble(
                (f"{mark_of(run)} {safe_text(run.row.titled, 80)}", f"bold {color_of(run)}"),
                (where, MUTED),
                "\n",
                "  " + " · ".join(facts) + "\n" if facts else "",
                f"  {latest.head} {latest.cells[index]} · {common.head} {common.cells[index]}",
            )
        )
    return Content("\n\n").join(parts)


class ComparisonTable(Static, can_focus=True):
    """Show a line for each run compared."""

    help_topic = "comparing"

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__("", id=id)
        self.border_title = tr("compared")
        self.border_subtitle = tr("d all that differs")
        self._comparison: Comparison | GroupComparison = Comparison()

    def show(self, comparison: Comparison | GroupComparison) -> None:
        """Show the runs or groups compared from now on."""
        self._comparison = comparison
        self._draw()

    def on_resize(self) -> None:
        """Fit what is shown to the new size."""
        self._draw()

    async def on_click(self) -> None:
        """Show all that differs."""
        await self.run_action("screen.differences")

    def _draw(self) -> None:
        width, height = self.content_size
        if not (width and height):
            return
        if isinstance(self._comparison, GroupComparison):
            if self._comparison.groups:
                several = len(self._comparison.groups) > 1
                title = tr("groups compared") if several else tr("the group")
                self._titled(title, len(self._comparison.groups), height)
                self.update(group_table(self._comparison, width, height), layout=False)
        elif self._comparison.runs:
            self._titled(tr("compared"), len(self._comparison.runs), height)
            self.update(table(self._comparison, width, height), layout=False)

    def _titled(self, title: str, lines: int, height: int) -> None:
        hidden = lines - (height - 1)
        self.border_title = f"{title} · {tr('{n} more below', n=hidden)}" if hidden > 0 else title
