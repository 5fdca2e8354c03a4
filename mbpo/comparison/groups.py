"""Group runs that differ in their seed only, and name each group by what sets it apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mbpo.comparison.alike import history_key, key_of, settings_that_count
from mbpo.comparison.runs import Run
from mbpo.runs.records.manifest import Manifest
from mbpo.runs.status import RunStatus
from mbpo.settings.setting import shown

NAMES_APART = frozenset({"env_id", "preset"})


@dataclass(frozen=True)
class Group:
    """Hold runs that differ in their seed only, one per seed, in the order of seeds."""

    name: str
    env_id: str
    preset: str
    settings: Mapping[str, Any]  # shared by all, without those in IGNORED
    runs: tuple[Run, ...]


def group_runs(runs: Iterable[Run]) -> tuple[list[Group], list[str]]:
    """Return the groups in the order of their first run, and notes on runs that were left out.

    A hand-changed run repeats nothing and stands alone. Forks are repeats where the runs that they left are. Of runs
    with the same settings and seed the newest counts, for the others are no further evidence.
    """
    gathered: dict[str, list[Run]] = {}
    for run in runs:
        history = history_key(run.paths, run.status.parent)
        gathered.setdefault(f"{key_of(_settings(run))} {history}", []).append(run)
    notes: list[str] = []
    members = [_one_per_seed(same, notes) for same in gathered.values()]
    parents = [same[0].status.parent for same in members]
    settings = with_origins([_settings(same[0]) for same in members], parents)
    names = names_apart(settings)
    groups = [
        Group(name, facts["env_id"], facts["preset"], facts, tuple(same))
        for name, facts, same in zip(names, settings, members, strict=True)
    ]
    return groups, notes + [note for group in groups for note in _mixed_commits(group)]


def settings_of_group(
    settings: Mapping[str, Any], manifest: Manifest, status: RunStatus, run_id: str
) -> dict[str, Any]:
    """Return what runs of the group of this one share: their settings, and that they are forks or changed by hand."""
    found = settings_that_count(settings, manifest)
    if status.parent:
        found["fork"] = fork_name(status.parent)
    if status.interactive:
        found["interactive"] = run_id
    return found


def _settings(run: Run) -> dict[str, Any]:
    return settings_of_group(run.settings, run.manifest, run.status, run.paths.run_id)


def _one_per_seed(runs: Sequence[Run], notes: list[str]) -> list[Run]:
    newest: dict[int, Run] = {}
    for run in sorted(runs, key=lambda run: run.status.started):
        if run.seed in newest:
            notes.append(
                f"{newest[run.seed].name} is left out: {run.name} is newer and has the same "
                f"settings and seed {run.seed}"
            )
        newest[run.seed] = run
    return [newest[seed] for seed in sorted(newest)]


def fork_name(parent: str) -> str:
    """Return what a fork of ``parent``, RUN@STEP, is called among others: it shares its history with them."""
    return "@" + parent.rpartition("@")[2]


def with_origins(settings: Sequence[Mapping[str, Any]], parents: Sequence[str]) -> list[Mapping[str, Any]]:
    """Return the settings of each group; groups that share all of them are forks, and get the name of the run left."""
    times = Counter(map(key_of, settings))
    return [
        {**own, "fork": shown(parent)} if parent and times[key_of(own)] > 1 else own
        for own, parent in zip(settings, parents, strict=True)
    ]


def names_apart(settings: Sequence[Mapping[str, Any]], short: Callable[[str], str] = str) -> list[str]:
    """Return one name per group: its preset where presets differ, and what sets it apart, each setting as ``short``."""
    alike: dict[tuple[Any, Any], list[Mapping[str, Any]]] = {}
    presets: dict[Any, set[Any]] = {}
    for own in settings:
        alike.setdefault((own["env_id"], own["preset"]), []).append(own)
        presets.setdefault(own["env_id"], set()).add(own["preset"])
    apart = {of: _apart(group) for of, group in alike.items()}
    names = []
    for own in settings:
        parts = [str(own["preset"])] if len(presets[own["env_id"]]) > 1 else []
        parts += [
            f"{short(name)}={_written(own.get(name))}"
            for name in apart[own["env_id"], own["preset"]]
            if not (name == "fork" and name not in own)
        ]
        if "interactive" in own:
            parts.append(f"interactive={_written(own['interactive'])}")
        names.append(" ".join(parts) or str(own["preset"]))
    return names


def _apart(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names whose values are not the same in all."""
    names = dict.fromkeys(name for own in settings for name in own)
    first = settings[0]
    return [
        name
        for name in names
        if name not in NAMES_APART and name != "interactive" and any(s.get(name) != first.get(name) for s in settings)
    ]


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return ",".join(map(_written, value))
    if isinstance(value, float) and float(f"{value:g}") == value:
        return f"{value:g}"
    return shown(value)


def _mixed_commits(group: Group) -> list[str]:
    commits = {shown(str(run.manifest.git_commit or "unknown"))[:7] for run in group.runs}
    if len(commits) < 2:
        return []
    return [f"the runs of {group.name} are of different commits: {', '.join(sorted(commits))}"]
