"""Lay out the report of several runs, in groups of those that differ by their seed only."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from mbpo.comparison.chosen import by_env, cautions_of, counted
from mbpo.comparison.figures import Figures, Question
from mbpo.comparison.groups import Group, group_runs
from mbpo.comparison.measure import measure
from mbpo.comparison.runs import Run
from mbpo.comparison.table import tables_of
from mbpo.outside.report.chart import letter
from mbpo.outside.report.group_charts import FAINT_POINTS, MOST_POINTS, group_name, other_charts, returns_chart
from mbpo.outside.report.group_tables import differences_table, figures_table, runs_table, shared_table, versions_table
from mbpo.outside.report.page import Page, Section
from mbpo.outside.report.repeat_several import again_section

FIGURES = (
    "IQM is the interquartile mean with its 95 % interval; P(X > Y) is how probable it is that a seed of X is better "
    "than one of Y."
)
THINNED = (
    f"A curve of more than {MOST_POINTS} points, or a thin one of more than {FAINT_POINTS}, is drawn by so many; "
    "metrics.jsonl of each run has all."
)


def group_page(runs: Sequence[Run], notes: Sequence[str]) -> Page:
    """Return the page."""
    found, left_out = group_runs(runs)
    envs = by_env(found)
    groups = [group for alike in envs for group in alike]
    asked = [_question(alike) for alike in envs]
    figures = [measure(alike, question) for alike, question in zip(envs, asked, strict=True)]
    sections: list[Section] = []
    first = 0
    for number, (alike, question, told) in enumerate(zip(envs, asked, figures, strict=True)):
        place = f"-{number + 1}" if len(envs) > 1 else ""
        sections += _of_env(alike, question, told, first, place)
        first += len(alike)
    several = f"{counted(len(runs), 'run')} in {counted(len(groups), 'group')}"
    title = f"{several}: {', '.join(dict.fromkeys(group.env_id for group in groups))}"
    seeds = sum(len(group.runs) for group in groups)
    facts = [("runs", f"{seeds:,}"), ("groups", f"{len(groups):,}"), ("presets", _presets(groups))]
    said = [_sentence(note) for note in (*notes, *left_out, *cautions_of(figures))]
    page = Page(title, facts, [*sections, *_about(groups)], said)
    return replace(page, notes=[*said, THINNED]) if page.thinned else page


def _of_env(groups: Sequence[Group], question: Question, figures: Figures, first: int, place: str) -> Iterator[Section]:
    env_id = groups[0].env_id
    chart = returns_chart(groups, first, place, question.threshold)
    letters = {group.name: letter(index) for index, group in enumerate(groups, first)}
    tables = [figures_table(table, letters) for table in tables_of(figures, question)]
    yield Section(env_id, [FIGURES], [chart, *tables])
    if others := list(other_charts(groups, first, place)):
        yield Section(f"Model, trust and dials: {env_id}", ["The same groups by what was measured on the way."], others)


def _about(groups: Sequence[Group]) -> Iterator[Section]:
    blocks = [table for table in (differences_table(groups), shared_table(groups)) if table.rows]
    names = [group_name(group, index) for index, group in enumerate(groups)]
    says = ["Runs of a group share every setting but their seed.", "\n".join(names)]
    yield Section("Groups and their settings", says, blocks)
    yield Section("Runs", blocks=[runs_table(groups)], folded=len(names) > 20)
    yield again_section([run for group in groups for run in group.runs])
    if (versions := versions_table(groups)).rows:
        yield Section("Versions and machines", blocks=[versions], folded=True)


def _question(groups: Sequence[Group]) -> Question:
    """Ask for the way to the threshold where all runs have the same."""
    thresholds = {run.status.threshold for group in groups for run in group.runs}
    return Question(threshold=thresholds.pop() if len(thresholds) == 1 else None)


def _presets(groups: Sequence[Group]) -> str:
    return ", ".join(dict.fromkeys(group.preset for group in groups))


def _sentence(note: str) -> str:
    return note if note.endswith(".") else f"{note[:1].upper()}{note[1:]}."
