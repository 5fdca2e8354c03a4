"""Tell groups of seeds apart: letter, name, settings that differ, IQM with its band, who does better how often."""

from __future__ import annotations

import math

from rich.cells import cell_len
from textual.content import Content

from mbpo.settings.language import tr
from workbench.charts.grouped import color_of, mark_of
from workbench.format import GLYPHS, MUTED, fitted, number, safe_text, squeezed, whole
from workbench.group_figures import Interval
from workbench.groups_side_by_side import MOST_PAIRED, GroupCompared, GroupComparison
from workbench.widgets.ranked import ranked
from workbench.widgets.run_columns import COLORS
from workbench.widgets.side_columns import LEAST_NAME, MOST_NAME, MOST_VALUE, Column, heading, that_fit

FEW_SEEDS = 5


def group_table(comparison: GroupComparison, width: int, height: int) -> Content:
    """Return a line for each group that fits, the one in focus among them, below the headings; then a remark."""
    groups = comparison.groups
    figures = _figure_columns(comparison)
    settings = [
        Column(fitted(name, MOST_VALUE), tuple(fitted(value, MOST_VALUE) for value in values))
        for name, values in (comparison.differences if len(groups) > 1 else {}).items()
    ]
    columns, more = _that_have_room(settings, figures, width - 3 - LEAST_NAME)
    head = tr("+{n} more: d", n=more) if more else ""
    longest = max(map(cell_len, (head, *(safe_text(group.title) for group in groups))))
    name_width = max(min(width - 3 - sum(column.width for column in columns), longest, MOST_NAME), LEAST_NAME)
    lines = [heading(fitted(head, name_width), name_width, columns)]
    for index in that_fit([group.focused for group in groups], height - 1):
        lines.append(_line(groups[index], name_width, "".join(column.text(index) for column in columns)))
    lines += [Content.styled(fitted(remark, width), MUTED) for remark in _remarks(comparison)[: height - len(lines)]]
    return Content("\n").join(lines)


def _that_have_room(settings: list[Column], figures: list[Column], room: int) -> tuple[list[Column], int]:
    """Return the columns that fit: the figures first, the last of them given up where there is no room for all."""
    kept: list[Column] = []
    for column in figures:
        if (room := room - column.width) < 0 and kept:
            break
        kept.append(column)
    before: list[Column] = []
    for column in settings:
        if (room := room - column.width) < 0:
            break
        before.append(column)
    return [*before, *kept], len(settings) - len(before) + len(figures) - len(kept)


def _figure_columns(comparison: GroupComparison) -> list[Column]:
    groups = comparison.groups
    at = {group.score.at for group in groups}
    head = (
        tr("IQM at {step}", step=whole(at.pop()))
        if len(at) == 1 and not any(math.isnan(step) for step in at)
        else "IQM"
    )
    columns = [
        Column(head, tuple(number(group.score.iqm) for group in groups)),
        Column("95 %", tuple(interval(group.score.band) or "–" for group in groups)),
        Column(tr("seeds"), tuple(_counted(group) for group in groups)),
    ]
    if len(groups) > 1:
        beats = [
            Column(
                tr("beats {other}", other=mark_of(other)), tuple(_better(comparison, group, other) for group in groups)
            )
            for other in comparison.against
        ]
        columns = [*columns[:2], *beats, columns[2]]
    return columns


def _better(comparison: GroupComparison, one: GroupCompared, other: GroupCompared) -> str:
    found = comparison.better(one, other)
    return "" if one is other else number(found.better, 2) if found is not None else "–"


def _counted(group: GroupCompared) -> str:
    return (
        str(group.score.seeds) if group.score.seeds == len(group.seeds) else f"{group.score.seeds}/{len(group.seeds)}"
    )


def interval(ends: Interval) -> str:
    """Write both ends of an interval, nothing where there is none."""
    return "" if math.isnan(ends[0]) else f"[{number(ends[0])}, {number(ends[1])}]"


def _line(group: GroupCompared, name_width: int, cells: str) -> Content:
    name = squeezed(group.title, name_width)
    focus, weight = ("▸", "bold ") if group.focused else (" ", "")
    return Content.assemble(
        (f"{focus}{mark_of(group)} ", f"{weight}{color_of(group)}"),
        (name + " " * (name_width - cell_len(name)), f"{weight}{color_of(group)}"),
        (cells, weight.strip()),
    )


def _remarks(comparison: GroupComparison) -> list[str]:
    """Return what is to be known of the figures, the most needed first."""
    remarks = [group.remark for group in comparison.groups if group.remark]
    if len({group.seeds[0].env_id for group in comparison.groups}) > 1:
        remarks.append(tr("Groups of different environments are not set against each other."))
    if len(comparison.against) < len(comparison.groups):
        other = mark_of(comparison.against[0])
        remarks.append(tr("More than {n} groups: each is set against {other} alone.", n=MOST_PAIRED, other=other))
    fewest = min(len(group.seeds) for group in comparison.groups)
    if fewest < FEW_SEEDS:
        remarks.append(tr("Bands of fewer than {n} seeds are too narrow, and one seed has none.", n=FEW_SEEDS))
    return [*dict.fromkeys(remarks)]


def groups_in_full(comparison: GroupComparison) -> Content:
    """Return all that is known of the groups compared, a paragraph for each."""
    differences = comparison.differences
    names = ", ".join(differences) or tr("no setting but the seed")
    parts = [Content.styled("\n".join([tr("They differ in {names}.", names=names), *_remarks(comparison)]), MUTED)]
    for index, group in enumerate(comparison.groups):
        facts = [f"{name} {values[index]}" for name, values in differences.items()]
        lines = [
            "  " + " · ".join(facts) if facts else "",
            f"  {_figures(group)}",
            *(f"  {line}" for line in _against(comparison, group)),
            f"  {tr('seeds {seeds}', seeds=', '.join(str(row.seed) for row in group.seeds))}" if group.folded else "",
        ]
        head = (f"{mark_of(group)} {safe_text(group.title, 80)}", f"bold {color_of(group)}")
        body = "\n".join(line for line in lines if line)
        parts.append(Content.assemble(head, (f" · {_fates(group)}", MUTED), f"\n{body}"))
    return Content("\n\n").join(parts)


def _figures(group: GroupCompared) -> str:
    score = group.score
    return tr(
        "at {step}: IQM {iqm} {band} · mean {mean} ± {std} over {n} seeds",
        step=number(score.at) if math.isnan(score.at) else whole(score.at),
        iqm=number(score.iqm),
        band=interval(score.band),
        mean=number(score.mean),
        std=number(score.std, 2),
        n=_counted(group),
    )


def _against(comparison: GroupComparison, group: GroupCompared) -> list[str]:
    found = []
    for other in comparison.groups:
        versus = comparison.better(group, other)
        if versus is not None and not math.isnan(versus.better):
            ends = f"[{number(versus.interval[0], 2)}, {number(versus.interval[1], 2)}]"
            better = number(versus.better, 2)
            pair = {"one": mark_of(group), "other": mark_of(other)}
            found.append(tr("P(a seed of {one} beats one of {other}) = {p} {ends}", **pair, p=better, ends=ends))
    return found


def _fates(group: GroupCompared) -> str:
    states = [row.state for row in group.seeds]
    return ", ".join(tr("{n} {state}", n=states.count(state), state=tr(state)) for state in dict.fromkeys(states))


def group_headline(group: GroupCompared, width: int) -> Content:
    """Return in one line how the seeds of a group do together; the least needed goes first."""
    score = group.score
    states = [row.state for row in group.seeds]
    solved = sum(row.solved_at is not None for row in group.seeds)
    best = [row.best_return for row in group.seeds if row.best_return is not None]
    parts: list[tuple[int, Content]] = [
        (0, Content.styled(squeezed(group.title, 40), "bold")),
        *(
            (1, Content.styled(f"{GLYPHS.get(state, '·')} {states.count(state)} {tr(state)}", COLORS.get(state, "")))
            for state in dict.fromkeys(states)
        ),
        (1, Content(f"IQM {number(score.iqm)}" if not math.isnan(score.iqm) else "")),
        (1, Content(interval(score.band))),
        (2, Content(tr("at {step} steps", step=whole(score.at)) if not math.isnan(score.at) else "")),
        (3, Content(tr("best {best}", best=number(max(best))) if best else "")),
        (2, Content.styled(tr("{n} of {of} solved", n=solved, of=len(states)), COLORS["running"] if solved else MUTED)),
        (4, Content(fitted(group.seeds[0].env_id, 32))),
    ]
    return ranked(parts, width)
