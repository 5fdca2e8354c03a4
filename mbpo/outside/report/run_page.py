"""Lay out the report of one run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mbpo.comparison.chosen import counted
from mbpo.outside.report.lineage import lineage_table
from mbpo.outside.report.page import Block, Lines, Page, Section
from mbpo.outside.report.repeat import commands
from mbpo.outside.report.run_charts import LEARNING, MODEL, MOST_POINTS, TRUST, returns_chart, run_charts
from mbpo.outside.report.run_facts import RunFacts
from mbpo.outside.report.run_tables import changes_table, events_table, settings_apart, versions_table
from mbpo.outside.report.trust_words import trusted
from mbpo.outside.report.what_if_tables import what_if_sections
from mbpo.runs.reader import read_text_tail
from mbpo.settings.numbers import duration, short

LOG_LINES = 30
THINNED = (
    f"A curve of more than {MOST_POINTS:,} points is drawn by the lowest and the highest of each stretch; "
    "metrics.jsonl has all."
)
CHANGED = (
    "Settings were changed by hand while it learned. The dashed lines across the charts are these changes, by their "
    "numbers in the table below."
)


def run_page(facts: RunFacts) -> Page:
    """Return the page."""
    page = Page(facts.title, list(_facts(facts)), list(_sections(facts)), list(_notes(facts)))
    return replace(page, notes=[*page.notes, THINNED]) if page.thinned else page


def _facts(facts: RunFacts) -> Iterator[tuple[str, str]]:
    status, settings = facts.status, facts.settings
    yield "environment", str(settings["env_id"])
    yield "preset", str(settings["preset"])
    yield "learner", str(settings["algo"])
    yield "seed", str(settings["seed"])
    yield "state", f"{facts.state} at {facts.env_steps:,} of {settings['total_steps']:,} env steps"
    if status.reason:
        yield "reason", status.reason
    if facts.reader.clock.values:
        yield "wall time", duration(facts.reader.clock.last)
    if facts.about.tags:
        yield "tags", ", ".join(facts.about.tags)
    if facts.about.note:
        yield "note", facts.about.note


def _notes(facts: RunFacts) -> Iterator[str]:
    if facts.changes:
        yield CHANGED
    if bad := facts.reader.bad_lines:
        were = "was" if bad == 1 else "were"
        yield f"{counted(bad, 'damaged line')} of its records {were} passed over; python -m mbpo.doctor says more."
    if facts.state not in ("finished", "stopped"):
        yield f"The run is {facts.state}: what is here is what was known when this file was written."


def _sections(facts: RunFacts) -> Iterator[Section]:
    yield Section("Returns", blocks=[returns_chart(facts)])
    if model := list(run_charts(facts, MODEL)):
        yield Section("The model", blocks=model)
    if trust := list(run_charts(facts, TRUST)):
        has_theorem = facts.settings["algo"] == "mbpo"
        yield Section("How far to trust it", list(trusted(facts.latest, has_theorem)), trust)
    yield from what_if_sections(facts.paths)
    if learning := list(run_charts(facts, LEARNING)):
        yield Section("Learning", blocks=learning)
    if facts.changes:
        yield Section("Changed by hand", ["A change holds from its env step on."], [changes_table(facts)])
    yield _settings(facts)
    if lineage := lineage_table(facts):
        yield Section("Family", ["Forks stand below the run that they branched off from."], [lineage])
    yield _again(facts)
    if (versions := versions_table(facts)).rows:
        yield Section("Versions, machine and time", list(_went_into(facts)), [versions], folded=True)
    if (happened := events_table(facts)).rows:
        yield Section("Events", blocks=[happened], folded=True)
    if facts.state != "finished" and (log := read_text_tail(facts.paths.log)[-LOG_LINES:]):
        yield Section("The end of its log", blocks=[Lines(log)], folded=True)


def _settings(facts: RunFacts) -> Section:
    apart = settings_apart(facts.settings)
    preset = facts.settings["preset"]
    said = f"Every setting that is not as preset {preset} has it." if apart.rows else f"All as preset {preset} has it."
    blocks: list[Block] = [apart] if apart.rows else []
    return Section("Settings", [said], blocks)


def _again(facts: RunFacts) -> Section:
    folder = facts.paths.root.parent.name
    says = [f"These commands, typed in the folder that holds {folder}/, repeat it and go on from it."]
    if facts.changes:
        says.append(
            "The first does not make the changes by hand; --replay makes them again, and compares every record."
        )
    if (again := facts.manifest.repetition) is not None:
        says.append(f"It is a replay of {again.replay.of}.")
    return Section("To repeat it", says, [commands(facts)])


def _went_into(facts: RunFacts) -> Iterator[str]:
    times = [f"{key.removeprefix('time/').removesuffix('_s')} {short(value)} s" for key, value in _times(facts)]
    if times:
        yield f"Its wall time went into: {', '.join(times)}."


def _times(facts: RunFacts) -> list[tuple[str, float]]:
    times = {
        k: v for k, v in facts.latest.items() if k.startswith("time/") and k.endswith("_s") and v and "per_s" not in k
    }
    return sorted(times.items(), key=lambda item: -(item[1] or 0.0))
