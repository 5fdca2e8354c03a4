"""Check the two growing records of a run and what waits in its inbox."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mbpo.checks.diagnostic import Diagnostic
from mbpo.checks.run.plain_files import is_plain_file, is_plain_folder
from mbpo.checks.run.words import listed, many, note, ok, problem, quoted
from mbpo.runs.kept_columns import KeptColumns
from mbpo.runs.layout import RunPaths
from mbpo.runs.metrics import METRICS
from mbpo.runs.records.row import HEAD
from mbpo.runs.rows import JsonLines, MetricLines, plain_number, rows_in, whole

MOST_KEPT = 1000  # of each kind of fault
SLOW_ANSWER_S = 10.0


@dataclass
class _Scan:
    """Collect what is odd about the rows of metrics as they come."""

    rows: KeptColumns = field(default_factory=lambda: KeptColumns("qq"))  # attempt and env steps
    found: list[Diagnostic] = field(default_factory=list)
    unplaced: int = 0  # rows without seq, attempt, env_steps or time_s
    valueless: int = 0  # values that are neither a finite number nor null
    undeclared: set[str] = field(default_factory=set)

    def take_in(self, row: Mapping[str, Any]) -> None:
        seq, attempt = whole(row.get("seq")), whole(row.get("attempt"))
        env_steps = whole(row.get("env_steps"))
        self._check_values(row)
        self.unplaced += None in (seq, attempt, env_steps)
        if seq is None or env_steps is None:
            return
        attempt = attempt or 0
        attempts, steps = self.rows.columns
        former, expected = (attempts[-1], steps[-1]) if self.rows else (-1, 0), max(self.rows.newest, 0) + 1
        if dropped := self.rows.take_in(row):
            self._written_again(seq, attempt, env_steps, dropped)
        elif seq > expected:
            missing = f"row {expected}" if seq == expected + 1 else f"rows {expected} to {seq - 1}"
            self._say(problem("metrics", f"attempt {attempt}: {missing} missing"))
        elif former[0] == attempt and env_steps < former[1]:
            text = f"env_steps goes back from {former[1]:,} to {env_steps:,}"
            self._say(problem("metrics", f"attempt {attempt}: {text} at row {seq}"))
        self.rows.append(attempt, env_steps)

    def _written_again(self, seq: int, attempt: int, env_steps: int, dropped: Sequence[int]) -> None:
        rows, former = many(len(dropped), "row"), dropped[0]
        if attempt > former:
            text = f"attempt {attempt} wrote row {seq} and all after it anew, env step {env_steps:,}"
            self._say(note("metrics", f"{text}: {rows} of attempt {former} make way"))
        else:
            text = f"row {seq} of attempt {attempt} stands twice"
            self._say(problem("metrics", f"{text}: {rows} before it hidden"))

    def _check_values(self, row: Mapping[str, Any]) -> None:
        for key, value in row.items():
            if key not in METRICS and key not in HEAD and len(self.undeclared) < MOST_KEPT:
                self.undeclared.add(key)
            if key in METRICS and value is not None and not plain_number(value):
                self.valueless += 1

    def _say(self, finding: Diagnostic) -> None:
        if len(self.found) < MOST_KEPT:
            self.found.append(finding)


def check_metrics(paths: RunPaths, live: bool) -> Iterator[Diagnostic]:
    """Say which rows of metrics.jsonl are damaged, missing, double or out of order."""
    if not is_plain_file(paths.metrics):
        return
    lines, scan = MetricLines(paths.metrics), _Scan()
    for row in rows_in(lines):
        scan.take_in(row)
    shown = scan.found[:20]
    yield from shown
    if len(scan.found) > len(shown):
        yield problem("metrics", f"and {len(scan.found) - len(shown)} or more such findings")
    if scan.unplaced:
        text = "without a usable seq, attempt or env_steps"
        yield problem("metrics", f"{many(scan.unplaced, 'row')} {text}")
    if scan.valueless:
        yield note("metrics", f"{many(scan.valueless, 'value')} not a finite number: left out")
    if lines.late:
        yield note("metrics", f"{many(len(lines.late), 'row')} of a learner that had lost the run: passed over")
    if scan.undeclared:
        keys = listed(sorted(scan.undeclared))
        yield note("metrics", f"keys that this version does not declare: {keys}")
    yield from _check_lines("metrics", lines, live)
    attempts, steps = set(scan.rows.columns[0]), scan.rows.columns[1]
    through = f", up to env step {steps[-1]:,}" if attempts else ""
    whose = f" of {many(len(attempts), 'attempt')}" if len(attempts) > 1 else ""
    yield ok("metrics", f"{many(len(scan.rows), 'row')}{whose}{through}")


def check_events(paths: RunPaths, live: bool, answered: set[str]) -> Iterator[Diagnostic]:
    """Say whether every command was answered once; put the ids of all answers in ``answered``."""
    if not is_plain_file(paths.events):
        return
    lines, kinds, answers = JsonLines(paths.events), Counter[str](), Counter[str]()
    warning, anonymous = "", 0
    for event in rows_in(lines):
        kind, own_id = event.get("event"), event.get("id")
        if not isinstance(kind, str) or (kind == "control" and not isinstance(own_id, str)):
            anonymous += 1
            continue
        kinds[kind] += 1
        if kind == "control":
            answers[str(own_id)] += 1
        if kind == "warning":
            warning = str(event.get("reason", ""))
    answered |= set(answers)
    if doubled := [own_id for own_id, count in answers.items() if count > 1]:
        yield problem("events", f"commands answered more than once: {listed(doubled)}")
    if anonymous:
        yield problem("events", f"{many(anonymous, 'line')} without an event's name, or id")
    if kinds["warning"]:
        yield note("events", f"{many(kinds['warning'], 'warning')}, the last: {quoted(warning)}")
    yield from _check_lines("events", lines, live)
    counts = f"{many(len(answers), 'command')} answered"
    yield ok("events", f"{many(kinds.total(), 'event')}, {counts}")


def check_inbox(paths: RunPaths, live: bool, answered: set[str]) -> Iterator[Diagnostic]:
    """Say which commands lie in control/ still."""
    if not is_plain_folder(paths.inbox):
        return
    try:
        entries = [e for e in os.scandir(paths.inbox) if not e.name.startswith(".")]
        ages = [time.time() - e.stat(follow_symlinks=False).st_mtime for e in entries]
    except OSError:
        return  # taken while we looked
    names = sorted(entry.name for entry in entries)
    done = [name for name in names if name.removesuffix(".json") in answered]
    waiting = [name for name in names if name not in done]
    if live and waiting and max(ages) > SLOW_ANSWER_S:
        text = f"no answer for {max(ages):,.0f} s"
        yield problem("control", f"{many(len(waiting), 'command')}, {text}: {listed(waiting)}")
    elif waiting:
        when = "soon" if live else "by a resume"
        text = f"without an answer, to be given {when}"
        yield note("control", f"{many(len(waiting), 'command')} {text}: {listed(waiting)}")
    if done:
        yield note("control", f"answered, but still there: {listed(done)}")


def _check_lines(topic: str, lines: JsonLines, live: bool) -> Iterator[Diagnostic]:
    if lines.bad_lines:
        text = f"{many(lines.bad_lines, 'line')} not readable, passed over"
        yield note(topic, text)
    if lines.partial and not live:
        yield note(topic, "the last line is cut off; nothing that was acknowledged is missing")
