"""Lay out the columns of the table of runs, and write their cells."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len
from rich.text import Text

from mbpo.settings.language import tr
from workbench.charts.picture import GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, run_color
from workbench.dials import label as setting_label
from workbench.fork_tree import origin
from workbench.format import GLYPHS, ending, fitted, number, safe_text, sparkline, squeezed, told_apart, whole
from workbench.messages import RunRow
from workbench.run_fields import cell_text, field_named
from workbench.run_groups import GroupRow
from workbench.study_rows import StudyRow
from workbench.widgets.study_words import counted, done_of

COLORS = {
    "launching": SKY,
    "starting": SKY,
    "running": GREEN,
    "paused": YELLOW,
    "stopping": ORANGE,
    "finished": SKY,
    "stopped": GREY,
    "failed": VERMILLION,
    "diverged": VERMILLION,
    "lost": PURPLE,
    "silent": PURPLE,
    "unreadable": GREY,
}

Column = tuple[str, int]
NARROW: tuple[Column, ...] = (("", 1), ("run", 13), ("eval", 7), ("trend", 5))
MIDDLE: tuple[Column, ...] = (("", 1), ("run", 18), ("steps", 7), ("eval", 7), ("trend", 7))
FULL: tuple[Column, ...] = (("", 1), ("run", 16), ("state", 8), ("env", 14), ("steps", 6), ("eval", 7), ("trend", 7))
WIDE: tuple[Column, ...] = (
    ("", 1),
    ("run", 24),
    ("state", 10),
    ("env", 18),
    ("steps", 9),
    ("eval", 9),
    ("best", 9),
    ("solved", 8),
    ("trend", 16),
    ("hand", 4),
)
GROUPED: tuple[tuple[Column, ...], ...] = (
    (("", 1), ("run", 30), ("state", 12), ("env", 14), ("steps", 9), ("eval", 8), ("band", 17), ("best", 8)),
    (("", 1), ("run", 20), ("state", 9), ("eval", 7), ("band", 15)),
    (("", 1), ("run", 14), ("eval", 7), ("band", 13)),
    (("", 1), ("run", 12), ("eval", 7)),
)
"""The columns of a table of groups, the widest first: the band in place of the trend."""
LEAST_NAME = 14  # cells of the run's name beside columns that were chosen
BAND = 15


def columns_for(width: int, chosen: Sequence[str] = (), grouped: bool = False) -> tuple[Column, ...]:
    """Return the columns that fit; the run's name takes what is left."""
    if chosen:
        return _chosen_that_fit(width, chosen, grouped)
    layouts = GROUPED if grouped else (WIDE, FULL, MIDDLE, NARROW)
    for columns in layouts:
        spare = width - sum(w for _, w in columns) - 2 * len(columns)
        if spare >= 0 or columns is layouts[-1]:
            return tuple((n, w + spare if n == "run" else w) for n, w in columns)
    return layouts[-1]


def _chosen_that_fit(width: int, chosen: Sequence[str], grouped: bool) -> tuple[Column, ...]:
    room = width - 3 - LEAST_NAME - 2
    kept: list[Column] = []
    for name in chosen:
        wanted: list[Column] = [(name, column_width(name))]
        if name == "eval" and grouped:
            wanted.append(("band", BAND))
        if (room := room - sum(w + 2 for _, w in wanted)) < 0:
            room += sum(w + 2 for _, w in wanted)
            break
        kept += wanted
    return ("", 1), ("run", LEAST_NAME + room), *kept


def column_width(name: str) -> int:
    """Return how many cells a column takes."""
    return max(field_named(name).width, len(head_of(name)))


def head_of(name: str) -> str:
    """Return what stands above a column."""
    return fitted(setting_label(name), 16)


def cell(row: RunRow, name: str, width: int, letter: str = "") -> Text:
    """Return one cell as text that nothing interprets."""
    color = COLORS.get(row.state, GREY)
    if isinstance(row, StudyRow) and name in ("state", "eval", "band", "trend", "solved"):
        return done_of(row, width) if name == "eval" else counted(row, width)
    if name == "":
        return Text(GLYPHS.get(row.state, "·"), style=color)
    if name == "run":
        return label(row, width, letter)
    if name == "state":
        return fates(row, width) if isinstance(row, GroupRow) else Text(fitted(tr(row.state), width), style=color)
    if name == "env":
        return Text(fitted(row.env_id, width), style=GREY)
    if name == "steps":
        return Text(fitted(whole(row.env_steps), width), justify="right")
    if name == "eval":
        return evaluation(row, width)
    if name == "band":
        return Text(fitted(band_text(row), width), style=GREY)
    if name == "best":
        return Text(fitted(number(row.best_return), width), justify="right", style="" if row.active else GREY)
    if name == "solved":
        return Text(fitted(solved_cell(row), width), justify="right", style=GREEN)
    if name == "trend":
        return Text(sparkline(row.recent, width), style=SKY if row.active else GREY)
    if name == "hand":
        return Text(tr("yes") if row.interactive else "", style=PURPLE)
    text, is_number = cell_text(row, name)
    return Text(fitted(text, width), justify="right" if is_number else "left", style="" if row.active else GREY)


def evaluation(row: RunRow, width: int) -> Text:
    """Return the last evaluation of a run, or the IQM of a group; ~ where it is not at a step that all share."""
    if row.eval_return is None:
        text = tr(row.state)
    else:
        about = "~" if isinstance(row, GroupRow) and row.estimated else ""
        text = about + told_apart(row.eval_return, row.threshold)
    return Text(fitted(text, width), justify="right", style="" if row.active else GREY)


def band_text(row: RunRow) -> str:
    """Return the 95 % band of a group's IQM; nothing of a run."""
    if not isinstance(row, GroupRow) or row.estimated or row.score.band[0] != row.score.band[0]:
        return ""
    return "…".join(map(number, row.score.band))


def fates(row: GroupRow, width: int) -> Text:
    """Return how many seeds of a group are solved, at work and failed: ✓ 8 ● 1 ✗ 1."""
    solved, at_work, failed = row.fates
    marks = (("✓", solved, GREEN), ("●", at_work, SKY), ("✗", failed, VERMILLION))
    parts = [(f"{mark}{count} ", color) for mark, count, color in marks if count]
    text = Text.assemble(*parts) if parts else Text(tr("0 solved"), style=GREY)
    text.truncate(max(width, 1), overflow="ellipsis")
    return text


def solved_cell(row: RunRow) -> str:
    """Return the env step from which on all evaluations reach the task's threshold, of a group how many reach it."""
    if isinstance(row, GroupRow):
        return tr("{n} of {of}", n=row.fates[0], of=len(row.group.seeds))
    return "" if row.solved_at is None else f"@{whole(row.solved_at)}"


def label(row: RunRow, width: int, letter: str = "") -> Text:
    """Return the run's title, else its name: under its parent with the step of the fork, else with the parent.

    ``letter`` is that of a run marked for comparison.
    """
    before = after = ""
    mark = f"{letter} " if letter else ""
    if isinstance(row, GroupRow):
        before, after = row.lines + ("▾ " if row.unfolded else "▸ "), f" ×{len(row.group.seeds)}"
    elif isinstance(row, StudyRow):
        before = "▾ " if row.unfolded else "▸ "
    elif row.lines:
        lines = row.lines[-max(width // 4, 2) :]
        step = origin(row.parent)[1]
        before = f"{lines}@{step} " if step >= 0 else f"{lines} "
    elif row.parent:
        room = max(width - len(mark) - cell_len(safe_text(row.titled)) - 2, width // 2 - 1)
        after = " ⑂" + ending(f" {row.parent}", room)
    name = squeezed(row.titled, width - len(before) - len(mark) - cell_len(after))
    style = "strike " + GREY if row.about.archived else "" if row.active else GREY
    if isinstance(row, (GroupRow, StudyRow)):
        style = "bold"
    text = Text.assemble(
        (before, GREY),
        (mark, f"bold {run_color(letter)}" if mark else ""),
        (name, style),
        (after, "" if isinstance(row, GroupRow) else GREY),
    )
    text.truncate(max(width, 1), overflow="ellipsis")
    return text
