"""Say in tables how runs compared did, and in what they differ."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from mbpo.comparison.chosen import counted
from mbpo.comparison.groups import Group
from mbpo.comparison.runs import Run
from mbpo.comparison.table import FigureTable
from mbpo.outside.report.chart import letter
from mbpo.outside.report.page import Table
from mbpo.outside.report.plain import told
from mbpo.outside.report.run_tables import cut, settings_apart, written
from mbpo.outside.report.typeset import typeset
from mbpo.settings.numbers import short


def figures_table(found: FigureTable, letters: Mapping[str, str]) -> Table:
    """Return a table of figures as a page shows it: groups by their letters, and by name where there is one a row."""
    numbers = frozenset(range(len(found.titles))) - frozenset(found.names)
    pairs = {"X", "Y"} <= {*found.titles}

    def cell(title: str, text: str) -> str:
        if title not in ("group", "X", "Y") or text not in letters:
            return typeset(text)
        return letters[text] if pairs else f"{letters[text]}  {text}"

    rows = [tuple(map(cell, found.titles, row)) for row in found.rows]
    return cut(found.titles, rows, numbers)


def runs_table(groups: Sequence[Group]) -> Table:
    """Return a row for each run."""
    rows = [_row(run, letter(index)) for index, group in enumerate(groups) for run in group.runs]
    heads = ("group", "run", "seed", "state", "evaluation", "best", "tags")
    return cut(heads, rows, frozenset({2, 4, 5}))


def _row(run: Run, name: str) -> tuple[str, ...]:
    values = run.curve.values
    state = f"{run.status.derived_state()} at {run.curve.end_env_steps:,.0f}"
    by_hand = ", changed by hand" if run.status.interactive else ""
    fork = f"\nfork of {run.status.parent}" if run.status.parent else ""
    tags = ", ".join(run.about.tags)
    return name, run.name + fork, str(run.seed), state + by_hand, short(values[-1], 4), short(values.max(), 4), tags


def differences_table(groups: Sequence[Group]) -> Table:
    """Return in which settings each group is not as the others are."""
    apart = [name for name in _names(groups) if len({repr(group.settings.get(name)) for group in groups}) > 1]
    rows = [(letter(index), _said_of(group, apart)) for index, group in enumerate(groups)]
    return cut(("group", "is apart by"), rows if apart else [])


def _said_of(group: Group, names: Iterable[str]) -> str:
    own = group.settings
    return "\n".join(f"{name} = {written(name, own[name])}" for name in names if name in own)


def shared_table(groups: Sequence[Group]) -> Table:
    """Return the settings that all groups share, and that are not their preset's."""
    first = groups[0].settings
    if any(group.preset != groups[0].preset for group in groups):
        return Table((), ())
    shared = {name: v for name, v in first.items() if all(group.settings.get(name) == v for group in groups)}
    return settings_apart({**shared, "preset": groups[0].preset})


def versions_table(groups: Sequence[Group]) -> Table:
    """Return on what the runs ran: one value where all agree, else each with the number of its runs."""
    found: dict[str, Counter[str]] = {}
    for run in (run for group in groups for run in group.runs):
        for name, value in _versions(run).items():
            found.setdefault(name, Counter())[value] += 1
    return cut(("what", "which"), [(name, _tally(values)) for name, values in found.items()])


def _names(groups: Iterable[Group]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group.settings))


def _versions(run: Run) -> Mapping[str, str]:
    manifest = run.manifest
    whole = {"git commit": manifest.git_commit, "device": manifest.device, "threads": manifest.threads or None}
    return told({**whole, **manifest.machine, **manifest.versions})


def _tally(values: Counter[str]) -> str:
    if len(values) == 1:
        return next(iter(values))
    return "\n".join(f"{value} ({counted(number, 'run')})" for value, number in values.most_common(10))
