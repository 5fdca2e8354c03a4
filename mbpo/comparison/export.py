"""Write figures for other programs: JSON, and CSV with one figure a line."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from mbpo.comparison.figures import Figures, Question
from mbpo.errors import ConfigError

COLUMNS = ("env_id", "group", "against", "by", "at", "figure", "seeds", "against_seeds", "value", "low", "high")


def as_json(all_figures: Sequence[Figures], question: Question, notes: Sequence[str]) -> str:
    """Return everything as one JSON object; null is a figure there is none of, or "never"."""
    content = {
        **dataclasses.asdict(question),
        "environments": [_environment(figures) for figures in all_figures],
        "notes": list(notes),
    }
    return json.dumps(_plain(content), allow_nan=False, default=str)


def write_csv(path: Path, all_figures: Sequence[Figures]) -> None:
    """Write one line per figure; "never" is inf, and a figure there is none of is empty.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            for figures in all_figures:
                writer.writerows(map(_cells, _lines(figures)))
    except OSError as error:
        raise ConfigError(f"cannot write {path}: {error.strerror}; give --csv a file in a folder that exists") from None


def _lines(figures: Figures) -> Iterator[tuple[Any, ...]]:
    env_id = figures.env_id
    for s in figures.scores:
        where = (env_id, s.group, "", s.by, s.at)
        yield (*where, "mean", s.seeds, "", s.mean, "", "")
        yield (*where, "std", s.seeds, "", s.std, "", "")
        yield (*where, "iqm", s.seeds, "", s.iqm, *s.iqm_interval)
    for p in figures.pairs:
        where, seeds = (env_id, p.x, p.y, p.by, p.at), (p.seeds_x, p.seeds_y)
        improvement = (p.improvement, *p.improvement_interval)
        yield (*where, "probability_of_improvement", *seeds, *improvement)
        yield (*where, "paired_difference", *seeds, p.difference, *p.difference_interval)
    for r in figures.reaches:
        yield (env_id, r.group, "", "", "", f"reached_{r.until}", r.of, "", r.reached, "", "")
        for by, median in (("env_steps", r.env_steps), ("time_s", r.time_s)):
            yield (env_id, r.group, "", by, "", f"median_{r.until}", r.of, "", median, "", "")
    for lead in figures.leads:
        two = (env_id, lead.x, lead.y, "env_steps", "")
        seeds, sooner = (lead.seeds_x, lead.seeds_y), (lead.sooner, *lead.sooner_interval)
        yield (*two, f"probability_of_sooner_{lead.until}", *seeds, *sooner)
        yield (*two, f"paired_saved_{lead.until}", *seeds, lead.saved, *lead.saved_interval)


def _cells(line: tuple[Any, ...]) -> list[Any]:
    return ["" if isinstance(v, float) and math.isnan(v) else v for v in line]


def _environment(figures: Figures) -> dict[str, Any]:
    return {
        "env_id": figures.env_id,
        "groups": [
            {
                "name": group.name,
                "preset": group.preset,
                "settings": group.settings,
                "runs": [
                    {
                        "run_dir": str(run.paths.root),
                        "seed": run.seed,
                        "title": run.about.title,
                        "tags": list(run.about.tags),
                        "state": run.status.derived_state(),
                        "env_steps": run.curve.end_env_steps,
                        "time_s": run.curve.end_time_s,
                    }
                    for run in group.runs
                ],
            }
            for group in figures.groups
        ],
        "scores": [_fields(score) for score in figures.scores],
        "pairs": [_fields(pair) for pair in figures.pairs],
        "reaches": [_fields(reach) for reach in figures.reaches],
        "leads": [_fields(lead) for lead in figures.leads],
    }


def _fields(figure: Any) -> dict[str, Any]:
    """Return the fields as they are; an interval becomes a list of its ends."""
    return {field.name: getattr(figure, field.name) for field in dataclasses.fields(figure)}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
